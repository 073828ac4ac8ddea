"""PostgreSQL's SQL: every value of a declared type, texts in the order of their code points.

Instants are read with the session's time zone at UTC, which the driver sets.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import peewee

from interaqt.core.decimals import EXACT
from interaqt.core.expressions import Const, Op
from interaqt.core.moments import FURTHEST
from interaqt.core.types import Kind, ValueType
from interaqt.storage.columns import formed
from interaqt.storage.convert import UTC, Convert, json_reader
from interaqt.storage.dialect import COMMON, Dialect, OperationKey, Renderer, RowsSource, places, trimming
from interaqt.storage.sql import Slot, template

__all__ = ["PostgreSQLDialect"]

_DECIMAL, _FLOAT, _STR = Kind.DECIMAL, Kind.FLOAT, Kind.STR
_DATE, _DATETIME, _TIMEDELTA = Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA


def _round_to(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    """NUMERIC rounds halves away from zero; a half's half never is one, and is what it rounds right."""
    constant = op.args[1]
    assert isinstance(constant, Const)
    assert isinstance(constant.value, int)
    places = constant.value
    half = f"{Decimal((0, (5,), -places - 1)):f}"
    return template(
        f"CASE WHEN abs({{0}} - trunc({{0}}, {places})) = {half}"
        f" THEN 2 * round({{0}} * 0.5, {places}) ELSE round({{0}}, {places}) END",
        nodes[0],
    )


def _seconds(node: str) -> str:
    return f"extract(epoch FROM {node})"


def _days(node: str) -> str:
    return f"floor(floor(extract(epoch FROM {node})) / 86400)"


OPERATIONS: dict[OperationKey, Renderer] = COMMON | {
    # Two values that come from no column have the database's own order otherwise.
    ("lt", _STR): '({0} COLLATE "C" < {1})',
    ("le", _STR): '({0} COLLATE "C" <= {1})',
    ("gt", _STR): '({0} COLLATE "C" > {1})',
    ("ge", _STR): '({0} COLLATE "C" >= {1})',
    ("floordiv", _DECIMAL): "div({0}, {1})",
    ("mod", _DECIMAL): "mod({0}, {1})",
    ("floordiv", _TIMEDELTA): (
        f"CAST(div({_seconds('{0}')}, {_seconds('{1}')}) - CASE WHEN mod({_seconds('{0}')}, {_seconds('{1}')}) <> 0"
        " AND ({0} < interval '0') <> ({1} < interval '0') THEN 1 ELSE 0 END AS BIGINT)"
    ),
    ("abs", _TIMEDELTA): "CASE WHEN {0} < interval '0' THEN - {0} ELSE {0} END",
    ("add", _DATE): f"({{0}} + CAST({_days('{1}')} AS INTEGER))",
    ("sub", _DATE): f"({{0}} - CAST({_days('{1}')} AS INTEGER))",
    ("add", _TIMEDELTA, _DATE): f"({{1}} + CAST({_days('{0}')} AS INTEGER))",
    ("sub", _DATE, _DATE): "make_interval(days => {0} - {1})",
    "to_float": "CAST({0} AS DOUBLE PRECISION)",
    "to_decimal": "CAST({0} AS NUMERIC)",
    ("to_decimal", _FLOAT): "trim_scale(round(CAST(CAST({0} AS TEXT) AS NUMERIC), 30))",
    "to_int": "CAST(CAST({0} AS INTEGER) AS BIGINT)",
    "floor": "CAST(floor({0}) AS BIGINT)",
    "ceil": "CAST(ceil({0}) AS BIGINT)",
    "trunc": "CAST(trunc({0}) AS BIGINT)",
    "round": "CAST(round({0}) AS BIGINT)",
    ("round", _DECIMAL): (
        "CAST(CASE WHEN abs({0} - trunc({0})) = 0.5 THEN 2 * round({0} * 0.5) ELSE round({0}) END AS BIGINT)"
    ),
    "round_to": _round_to,
    "strip": trimming("btrim"),
    "startswith": "starts_with({0}, {1})",
    "endswith": "(right({0}, length({1})) = {1})",
    "contains": "(strpos({0}, {1}) > 0)",
    "length": "CAST(length({0}) AS BIGINT)",
    "year": "CAST(extract(year FROM {0}) AS BIGINT)",
    "month": "CAST(extract(month FROM {0}) AS BIGINT)",
    "day": "CAST(extract(day FROM {0}) AS BIGINT)",
    "hour": "CAST(extract(hour FROM {0}) AS BIGINT)",
    "minute": "CAST(extract(minute FROM {0}) AS BIGINT)",
    "second": "CAST(floor(extract(second FROM {0})) AS BIGINT)",
    "microsecond": "(CAST(extract(microseconds FROM {0}) AS BIGINT) % 1000000)",
    "weekday": "(CAST(extract(isodow FROM {0}) AS BIGINT) - 1)",
    "isoweekday": "CAST(extract(isodow FROM {0}) AS BIGINT)",
    "date": "CAST({0} AS DATE)",
    "days": f"CAST({_days('{0}')} AS BIGINT)",
    "total_seconds": "CAST(extract(epoch FROM {0}) AS DOUBLE PRECISION)",
    "microseconds": f"CAST({_seconds('{0}')} * 1000000 AS BIGINT)",
    ("microseconds", _TIMEDELTA): (
        f"CAST(greatest(least({_seconds('{0}')} * 1000000, {FURTHEST}), -{FURTHEST}) AS BIGINT)"
    ),
    # It takes no notice of NULL, where there is anything else.
    "earliest": lambda dialect, op, nodes: template(f"least({', '.join(places(nodes))})", *nodes),
}


class PostgreSQLDialect(Dialect):
    name = "PostgreSQL"
    for_update = True
    # Whoever inserts a row that refers to one holds its key: two that do and then change it would
    # each wait for the other, were the change to ask for the key, too.
    for_change = "FOR NO KEY UPDATE"
    share_lock: str | None = "FOR SHARE"
    null_safe: Mapping[str, str] = {
        "eq": "({0} IS NOT DISTINCT FROM {1})",
        "ne": "({0} IS DISTINCT FROM {1})",
    }
    column_types: Mapping[Kind, str] = {
        Kind.BOOL: "BOOLEAN",
        Kind.INT: "BIGINT",
        Kind.FLOAT: "DOUBLE PRECISION",
        Kind.DECIMAL: "NUMERIC",
        Kind.STR: 'TEXT COLLATE "C"',
        Kind.BYTES: "BYTEA",
        Kind.DATE: "DATE",
        Kind.DATETIME: "TIMESTAMPTZ",
        Kind.TIMEDELTA: "INTERVAL",
        Kind.UUID: "UUID",
        Kind.JSON: "JSONB",
    }

    def __init__(self, case: str = "und-x-icu") -> None:
        """``case`` is a collation that knows upper and lower case of all scripts."""
        changed: dict[OperationKey, Renderer] = {
            name: f'({name}({{0}} COLLATE "{case}") COLLATE "C")' for name in ("lower", "upper")
        }
        self.operations: Mapping[OperationKey, Renderer] = {**OPERATIONS, **changed}
        self.peewee: peewee.Database = peewee.PostgresqlDatabase(None, prefer_psycopg3=True)

    def paramstyle(self, pieces: Sequence[str]) -> str:
        return "%s".join(piece.replace("%", "%%") for piece in pieces)

    def typed(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return template(f"CAST({{0}} AS {self.sql_type(type)})", node)

    def integer(self, value: int, type: ValueType) -> peewee.Node:
        if type.kind is Kind.BOOL:
            return peewee.SQL("TRUE" if value else "FALSE")
        # Quoted, for a minus sign binds weaker than a cast and the least integer has no positive.
        return peewee.SQL(f"CAST('{int(value)}' AS BIGINT)")

    def quoted(self, value: Any) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, (int, float, Decimal)):
            return f"({value})"
        if isinstance(value, bytes):
            return f"'\\x{value.hex()}'::bytea"
        return "'" + str(value).replace("'", "''") + "'"

    def ordering(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return template('{0} COLLATE "C"', node) if self.sql_type(type) == "TEXT" else node

    def sum(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        # The sum of BIGINTs is a NUMERIC there, and the sum of none is NULL everywhere.
        zero = "interval '0'" if type.kind is Kind.TIMEDELTA else "0"
        return template(f"CAST(coalesce(sum({{0}}), {zero}) AS {self.sql_type(type)})", node)

    def rows_source(self, alias: str, columns: Sequence[tuple[str, ValueType]]) -> RowsSource:
        slots = tuple(f"{alias}.{index}" for index in range(len(columns)))
        names = ", ".join(self.quote(name) for name, _ in columns)
        arrays = ", ".join(f"CAST({{{index}}} AS {self._array_of(type)})" for index, (_, type) in enumerate(columns))
        each = peewee.Select(
            [
                template(
                    f'unnest({arrays}) AS "each"({names})',
                    *(peewee.Value(Slot(slot), converter=False) for slot in slots),
                )
            ],
            [peewee.SQL(self._element(f'"each".{self.quote(name)}', type)).alias(name) for name, type in columns],
        )
        return RowsSource(each.alias(alias), slots, lambda columns: tuple(map(_array, columns)), len(columns))

    def _array_of(self, type: ValueType) -> str:
        """The type of an array of values."""
        return f"{self.sql_type(type)}[]"

    def _element(self, column: str, type: ValueType) -> str:
        """A value out of such an array."""
        return column

    def _from_column(self, type: ValueType) -> Convert | None:
        if type.kind is Kind.JSON:
            return json_reader(type)
        return _FROM_COLUMN.get(type.kind)


def _array(values: Sequence[Any]) -> str:
    """An array as the text that PostgreSQL reads, which the statement casts to its type."""
    return "{" + ",".join(formed(values, _in_array)) + "}"


def _in_array(value: Any) -> str:
    text: str = _ELEMENT.get(type(value), _element)(value)
    return text


def _element(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _duration(value: dt.timedelta) -> str:
    # Each part with a sign of its own: a duration of -1 day and +1 hour must not become -25 hours.
    return f"{value.days} days {value.seconds:+d}.{value.microseconds:06d} seconds"


_ELEMENT: dict[type, Convert] = {
    type(None): lambda value: "NULL",
    int: str,
    float: repr,
    bool: lambda value: "t" if value else "f",
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    dt.timedelta: lambda value: f'"{_duration(value)}"',
    dt.datetime: lambda value: f'"{value.isoformat()}"',
}


def _plain(value: Decimal) -> Decimal:
    """Without the zeros after the point that arithmetic leaves; SQLite has none either."""
    plain = value.normalize(EXACT)
    exponent = plain.as_tuple().exponent
    return plain if isinstance(exponent, int) and exponent <= 0 else plain.quantize(Decimal(1), context=EXACT)


_FROM_COLUMN: dict[Kind, Convert] = {
    Kind.DECIMAL: _plain,
    Kind.DATETIME: lambda value: value.replace(tzinfo=UTC),
}
