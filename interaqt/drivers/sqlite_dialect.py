"""SQLite's SQL: STRICT tables, instants and decimals as text, and functions of ours for the rest."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import peewee

from interaqt.core.expressions import Const, Op
from interaqt.core.moments import FURTHEST
from interaqt.core.types import Kind, ValueType
from interaqt.storage.columns import json_rows
from interaqt.storage.convert import Convert, decimal_text, iso_datetime, json_reader, microseconds, stored_type
from interaqt.storage.dialect import COMMON, Dialect, OperationKey, Renderer, RowsSource, earliest, trimming
from interaqt.storage.programs import Plan
from interaqt.storage.sql import Slot, template

__all__ = ["SQLiteDialect"]

_DECIMAL, _FLOAT, _STR = Kind.DECIMAL, Kind.FLOAT, Kind.STR
_DATE, _DATETIME, _TIMEDELTA = Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA


def _round_to(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    places = op.args[1]
    assert isinstance(places, Const)
    assert isinstance(places.value, int)
    return template(f"iq_decimal_round({{0}}, {places.value})", nodes[0])


OPERATIONS: dict[OperationKey, Renderer] = COMMON | {
    # Equal decimals have equal texts; their order needs a collation.
    ("lt", _DECIMAL): "({0} COLLATE iq_decimal < {1})",
    ("le", _DECIMAL): "({0} COLLATE iq_decimal <= {1})",
    ("gt", _DECIMAL): "({0} COLLATE iq_decimal > {1})",
    ("ge", _DECIMAL): "({0} COLLATE iq_decimal >= {1})",
    ("add", _DECIMAL): "iq_decimal_add({0}, {1})",
    ("sub", _DECIMAL): "iq_decimal_sub({0}, {1})",
    ("mul", _DECIMAL): "iq_decimal_mul({0}, {1})",
    ("floordiv", _DECIMAL): "iq_decimal_floordiv({0}, {1})",
    ("mod", _DECIMAL): "iq_decimal_mod({0}, {1})",
    ("neg", _DECIMAL): "iq_decimal_neg({0})",
    ("abs", _DECIMAL): "iq_decimal_abs({0})",
    ("add", _DATETIME): "iq_datetime_add({0}, {1})",
    ("sub", _DATETIME): "iq_datetime_add({0}, - {1})",
    ("sub", _DATETIME, _DATETIME): "iq_datetime_sub({0}, {1})",
    ("floordiv", _TIMEDELTA): COMMON["floordiv", Kind.INT],
    ("add", _DATE): "iq_date_add({0}, {1}, 1)",
    ("sub", _DATE): "iq_date_add({0}, {1}, -1)",
    ("sub", _DATE, _DATE): "iq_date_sub({0}, {1})",
    ("add", _TIMEDELTA, _DATETIME): "iq_datetime_add({1}, {0})",
    ("add", _TIMEDELTA, _DATE): "iq_date_add({1}, {0}, 1)",
    # SQLite answers NULL where a divisor is 0 and text that is no number is 0: never silently here.
    "to_float": "CAST({0} AS REAL)",
    ("to_float", _DECIMAL): "iq_decimal_float({0})",
    "to_decimal": "CAST({0} AS TEXT)",
    ("to_decimal", _FLOAT): "iq_decimal_of_float({0})",
    "to_int": "{0}",
    "floor": "iq_floor({0})",
    "ceil": "iq_ceil({0})",
    "trunc": "iq_trunc({0})",
    "round": "iq_round({0})",
    ("floor", _DECIMAL): "iq_decimal_floor({0})",
    ("ceil", _DECIMAL): "iq_decimal_ceil({0})",
    ("trunc", _DECIMAL): "iq_decimal_trunc({0})",
    ("round", _DECIMAL): "iq_decimal_round_int({0})",
    "round_to": _round_to,
    "lower": "iq_lower({0})",
    "upper": "iq_upper({0})",
    "strip": trimming("trim"),
    "startswith": "(substr({0}, 1, length({1})) = {1})",
    "endswith": "(substr({0}, length({0}) - length({1}) + 1) = {1})",
    "contains": "(instr({0}, {1}) > 0)",
    "length": "length({0})",
    "year": "CAST(substr({0}, 1, 4) AS INTEGER)",
    "month": "CAST(substr({0}, 6, 2) AS INTEGER)",
    "day": "CAST(substr({0}, 9, 2) AS INTEGER)",
    "hour": "CAST(substr({0}, 12, 2) AS INTEGER)",
    "minute": "CAST(substr({0}, 15, 2) AS INTEGER)",
    "second": "CAST(substr({0}, 18, 2) AS INTEGER)",
    "microsecond": "CAST(substr({0}, 21, 6) AS INTEGER)",
    # Of the date alone: strftime rounds a time to milliseconds, perhaps into the next day.
    "weekday": "((CAST(strftime('%w', substr({0}, 1, 10)) AS INTEGER) + 6) % 7)",
    "isoweekday": "((CAST(strftime('%w', substr({0}, 1, 10)) AS INTEGER) + 6) % 7 + 1)",
    "date": "substr({0}, 1, 10)",
    "days": "({0} / 86400000000 - ({0} % 86400000000 < 0))",
    "total_seconds": "iq_total_seconds({0})",
    "microseconds": "iq_since({0})",
    ("microseconds", _TIMEDELTA): f"max(min({{0}}, {FURTHEST}), -{FURTHEST})",
    "earliest": earliest("min"),
}


class SQLiteDialect(Dialect):
    name = "SQLite"
    #: Of an index with an expression in it, an error tells the name.
    partial_unique = "CREATE UNIQUE INDEX {name} ON {table} ({columns}, (1)) WHERE {condition}"
    for_update = False
    table_options = "STRICT"
    # It can't add a constraint to a table, and doesn't mind one that names a table yet to come.
    references_inline = True
    identity = "AUTOINCREMENT"
    operations: Mapping[OperationKey, Renderer] = OPERATIONS
    null_safe: Mapping[str, str] = {"eq": "({0} IS {1})", "ne": "({0} IS NOT {1})"}
    column_types: Mapping[Kind, str] = {
        Kind.BOOL: "INTEGER",
        Kind.INT: "INTEGER",
        Kind.FLOAT: "REAL",
        Kind.DECIMAL: "TEXT",
        Kind.STR: "TEXT",
        Kind.BYTES: "BLOB",
        Kind.DATE: "TEXT",
        Kind.DATETIME: "TEXT",
        Kind.TIMEDELTA: "INTEGER",
        Kind.UUID: "TEXT",
        Kind.JSON: "TEXT",
    }

    def __init__(self) -> None:
        self.peewee: peewee.Database = peewee.SqliteDatabase(None)

    def paramstyle(self, pieces: Sequence[str]) -> str:
        return "?".join(pieces)

    def typed(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return node  # a bound value has its own type here

    def integer(self, value: int, type: ValueType) -> peewee.Node:
        return peewee.SQL(str(int(value)))

    def quoted(self, value: Any) -> str:
        if isinstance(value, (int, float)):
            return repr(int(value) if isinstance(value, bool) else value)
        if isinstance(value, bytes):
            return f"x'{value.hex()}'"
        return "'" + str(value).replace("'", "''") + "'"

    def check(self, type: ValueType, column: str) -> str | None:
        if type.kind is Kind.BOOL:
            return f"{self.quote(column)} IN (0, 1)"
        return super().check(type, column)

    def ordering(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return template("{0} COLLATE iq_decimal", node) if type.kind is Kind.DECIMAL else node

    def sum(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        if type.kind is Kind.DECIMAL:
            return template("coalesce(iq_decimal_sum({0}), '0')", node)
        return template(f"coalesce(sum({{0}}), {'0.0' if type.kind is Kind.FLOAT else '0'})", node)

    def rows_source(self, alias: str, columns: Sequence[tuple[str, ValueType]]) -> RowsSource:
        slot = f"{alias}.rows"
        each = peewee.Select(
            [template("json_each({0})", peewee.Value(Slot(slot), converter=False))],
            [
                peewee.SQL(_JSON_COLUMN.get(stored_type(type).kind, "value ->> {0}").format(index)).alias(name)
                for index, (name, type) in enumerate(columns)
            ],
        )
        forms = [_JSON_FORM.get(stored_type(type).kind) for _, type in columns]
        return RowsSource(each.alias(alias), (slot,), json_rows(forms), len(columns))

    def plan(self, query: peewee.Node) -> Plan:
        """As it is; but a key that it counts is known without RETURNING, which costs as much as the INSERT."""
        if isinstance(query, peewee.Insert) and _counts(query):
            return Plan((query.returning(),), counts=True)
        return Plan((query,))

    def _to_column(self, type: ValueType) -> Convert | None:
        return _TO_COLUMN.get(type.kind)

    def _from_column(self, type: ValueType) -> Convert | None:
        if type.kind is Kind.JSON:
            read = json_reader(type)
            return lambda text: read(json.loads(text))
        return _FROM_COLUMN.get(type.kind)


def _counts(query: Any) -> bool:
    """Whether an INSERT makes one row, and answers no more than the key that it counts for it."""
    if query._on_conflict is not None or not query._returning or not isinstance(query._insert, Mapping):
        return False
    key = query.table.record.key
    return key.type.kind is Kind.INT and [each.name for each in query._returning] == [key.column]


#: What JSON has no exact notation for, inside the one parameter of ``rows_source``.
_JSON_COLUMN = {Kind.FLOAT: "iq_float(value ->> {0})", Kind.BYTES: "iq_unhex(value ->> {0})"}
_JSON_FORM: dict[Kind, Convert] = {Kind.FLOAT: repr, Kind.BYTES: bytes.hex}

_TO_COLUMN: dict[Kind, Convert] = {
    Kind.BOOL: int,
    Kind.DECIMAL: decimal_text,
    Kind.DATE: dt.date.isoformat,
    Kind.DATETIME: iso_datetime,
    Kind.TIMEDELTA: microseconds,
    Kind.UUID: str,
}

_FROM_COLUMN: dict[Kind, Convert] = {
    Kind.BOOL: bool,
    Kind.DECIMAL: Decimal,
    Kind.DATE: dt.date.fromisoformat,
    Kind.DATETIME: dt.datetime.fromisoformat,
    Kind.TIMEDELTA: lambda value: dt.timedelta(microseconds=value),
    Kind.UUID: uuid.UUID,
}
