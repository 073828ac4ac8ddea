"""The SQL of MySQL and MariaDB, in a session whose mode is the standard's as far as there is one.

A value in a statement's text has its own type, so nothing is cast. What both databases would do
without a word (answer NULL where a divisor is 0, cut off a number that is too large) is made an
error, as it is in Python and on the other databases.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import peewee

from interaqt.core.errors import InvalidValue
from interaqt.core.expressions import Const, Op
from interaqt.core.moments import FURTHEST
from interaqt.core.types import Kind, ValueType
from interaqt.drivers.mysql_case import lower, upper
from interaqt.drivers.mysql_plans import plan
from interaqt.drivers.mysql_values import literal, plain_decimal
from interaqt.storage.columns import json_rows
from interaqt.storage.convert import Convert, json_reader, microseconds, stored_type
from interaqt.storage.dialect import COMMON, WHITE_SPACE, Dialect, OperationKey, Renderer, RowsSource, earliest
from interaqt.storage.programs import Plan
from interaqt.storage.sql import Slot, template

__all__ = ["INDEXED_LENGTH", "MySQLDialect"]

#: Characters of a text, bytes of a binary, that an index takes: a column without a length can have none.
INDEXED_LENGTH = 255
#: The digits of a DECIMAL before and after the point.
DIGITS_BEFORE, DIGITS_AFTER = 35, 30

_BOOL, _INT, _DECIMAL, _FLOAT, _STR = Kind.BOOL, Kind.INT, Kind.DECIMAL, Kind.FLOAT, Kind.STR
_DATE, _DATETIME, _TIMEDELTA = Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA
_DAY = 86_400_000_000


def _dividing(text: str, type: str) -> Renderer:
    """A division that fails where the divisor is 0: there ``exp`` is asked for more than a DOUBLE holds."""

    def render(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
        left, right = nodes
        divisor = op.args[1]
        if not isinstance(divisor, Const) or not divisor.value:
            right = template(f"CASE WHEN {{0}} = 0 THEN CAST(exp(1000 + {{0}}) AS {type}) ELSE {{0}} END", right)
        return template(text, left, right)

    return render


def _whole(text: str) -> str:
    """A DOUBLE to an integer, or an error where it is too large for one: CAST would cut it off."""
    return (
        f"CASE WHEN abs({{0}}) < 9223372036854775807e0 THEN CAST({text} AS SIGNED)"
        " ELSE CAST(exp(1000 + abs({0})) AS SIGNED) END"
    )


def _round_to(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    """A DECIMAL rounds halves away from zero; a half's half never is one, and is what it rounds right."""
    constant = op.args[1]
    assert isinstance(constant, Const)
    assert isinstance(constant.value, int)
    places = constant.value
    half = f"{Decimal((0, (5,), -places - 1)):f}"
    return template(
        f"CASE WHEN abs({{0}} - truncate({{0}}, {places})) = {half}"
        f" THEN 2 * round({{0}} * 0.5, {places}) ELSE round({{0}}, {places}) END",
        nodes[0],
    )


def _stripping(pattern: str) -> Renderer:
    """``TRIM`` takes off one text, again and again, not any of several characters."""

    def render(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
        return template("regexp_replace({0}, {1}, '')", nodes[0], peewee.Value(pattern, converter=False))

    return render


def _concat(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    return template("concat(" + ", ".join(f"{{{index}}}" for index in range(len(nodes))) + ")", *nodes)


_SPACE = f"[{WHITE_SPACE}]+"
_DAYS = f"({{1}} DIV {_DAY} - ({{1}} % {_DAY} < 0))"

OPERATIONS: dict[OperationKey, Renderer] = COMMON | {
    # The negative of an integer that is not in a column is a DECIMAL, for the least one has none.
    ("neg", _INT): "(0 - {0})",
    ("neg", _TIMEDELTA): "(0 - {0})",
    "truediv": _dividing("({0} / {1})", "DOUBLE"),
    ("floordiv", _INT): _dividing(
        "({0} DIV {1} - CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)", "SIGNED"
    ),
    ("floordiv", _TIMEDELTA): _dividing(
        "({0} DIV {1} - CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)", "SIGNED"
    ),
    ("mod", _INT): _dividing(
        "({0} % {1} + CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN {1} ELSE 0 END)", "SIGNED"
    ),
    # DIV would answer a BIGINT. Without the rest the quotient is whole, so nothing of it is rounded.
    ("floordiv", _DECIMAL): _dividing("truncate(({0} - {0} % {1}) / {1}, 0)", "DECIMAL(1,0)"),
    ("mod", _DECIMAL): _dividing("({0} % {1})", "DECIMAL(1,0)"),
    ("add", _DATETIME): "({0} + INTERVAL {1} MICROSECOND)",
    ("sub", _DATETIME): "({0} - INTERVAL {1} MICROSECOND)",
    ("sub", _DATETIME, _DATETIME): "timestampdiff(MICROSECOND, {1}, {0})",
    ("add", _DATE): f"({{0}} + INTERVAL {_DAYS} DAY)",
    ("sub", _DATE): f"({{0}} - INTERVAL {_DAYS} DAY)",
    ("sub", _DATE, _DATE): f"(datediff({{0}}, {{1}}) * {_DAY})",
    ("add", _TIMEDELTA, _DATETIME): "({1} + INTERVAL {0} MICROSECOND)",
    ("add", _TIMEDELTA, _DATE): f"({{1}} + INTERVAL {_DAYS.replace('{1}', '{0}')} DAY)",
    "to_float": "CAST({0} AS DOUBLE)",
    "to_decimal": f"CAST({{0}} AS DECIMAL(65,{DIGITS_AFTER}))",
    "to_int": "CAST({0} AS SIGNED)",
    "floor": _whole("floor({0})"),
    "ceil": _whole("ceiling({0})"),
    "trunc": _whole("truncate({0}, 0)"),
    "round": _whole("round({0})"),
    # DIV fails where the quotient is too large; CAST cuts it off.
    ("floor", _DECIMAL): "(floor({0}) DIV 1)",
    ("ceil", _DECIMAL): "(ceiling({0}) DIV 1)",
    ("trunc", _DECIMAL): "(truncate({0}, 0) DIV 1)",
    ("round", _DECIMAL): (
        "(CASE WHEN abs({0} - truncate({0}, 0)) = 0.5 THEN 2 * round({0} * 0.5, 0) ELSE round({0}, 0) END DIV 1)"
    ),
    "round_to": _round_to,
    "lower": lower,
    "upper": upper,
    "strip": _stripping(f"\\A{_SPACE}|{_SPACE}\\z"),
    "lstrip": _stripping(f"\\A{_SPACE}"),
    "rstrip": _stripping(f"{_SPACE}\\z"),
    "concat": _concat,
    "startswith": "(left({0}, char_length({1})) = {1})",
    "endswith": "(right({0}, char_length({1})) = {1})",
    "contains": "(locate({1}, {0}) > 0)",
    "length": "char_length({0})",
    "year": "year({0})",
    "month": "month({0})",
    "day": "dayofmonth({0})",
    "hour": "hour({0})",
    "minute": "minute({0})",
    "second": "second({0})",
    "microsecond": "microsecond({0})",
    "weekday": "weekday({0})",
    "isoweekday": "(weekday({0}) + 1)",
    "date": "CAST({0} AS DATE)",
    "days": f"({{0}} DIV {_DAY} - ({{0}} % {_DAY} < 0))",
    # Through an exact number, since not every count of microseconds is a DOUBLE.
    "total_seconds": "CAST({0} * 0.000001 AS DOUBLE)",
    "microseconds": "timestampdiff(MICROSECOND, '1970-01-01', {0})",
    ("microseconds", _TIMEDELTA): f"greatest(least({{0}}, {FURTHEST}), -{FURTHEST})",
    "earliest": earliest("least"),
}


class MySQLDialect(Dialect):
    """``flavor`` is ``MariaDB`` or ``MySQL``."""

    for_update = True
    share_lock = "LOCK IN SHARE MODE"
    reference_locks = True
    references_inline = True
    indexes_inline = True
    identity = "AUTO_INCREMENT"
    # An index is over all rows there; NULL, which the others have in this column, equals nothing.
    partial_unique = (
        "ALTER TABLE {table} ADD COLUMN {name} TINYINT GENERATED ALWAYS AS (CASE WHEN {condition} THEN 1 END) VIRTUAL,"
        " ADD UNIQUE INDEX {name} ({columns}, {name})"
    )
    operations: Mapping[OperationKey, Renderer] = OPERATIONS
    null_safe: Mapping[str, str] = {"eq": "({0} <=> {1})", "ne": "(NOT ({0} <=> {1}))"}

    def __init__(self, flavor: str = "MariaDB") -> None:
        self.name = flavor
        self.peewee: peewee.Database = peewee.MySQLDatabase(None)
        is_mariadb = flavor == "MariaDB"
        #: In the order of code points, and with spaces at the end counting as any character does.
        self.collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        #: The statements that can tell of the rows they wrote, by RETURNING.
        self.answering = frozenset({"INSERT", "DELETE"}) if is_mariadb else frozenset()
        self.table_options = f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={self.collation}"
        self.column_types: Mapping[Kind, str] = {
            Kind.BOOL: "TINYINT(1)",
            Kind.INT: "BIGINT",
            Kind.FLOAT: "DOUBLE",
            Kind.DECIMAL: f"DECIMAL(65,{DIGITS_AFTER})",
            Kind.STR: f"LONGTEXT COLLATE {self.collation}",
            Kind.BYTES: "LONGBLOB",
            Kind.DATE: "DATE",
            Kind.DATETIME: "DATETIME(6)",
            Kind.TIMEDELTA: "BIGINT",
            Kind.UUID: "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
            # As MariaDB's own JSON; MySQL's would round integers of more than 64 bits.
            Kind.JSON: f"LONGTEXT COLLATE {self.collation}",
        }

    # -- text ------------------------------------------------------------------------------

    def renew(self, query: Any, columns: Sequence[str], changes: Mapping[Any, peewee.Node]) -> Any:
        # Which unique values are the same is not asked there.
        return query.on_conflict(update=changes)

    def asked(self, column: Any) -> peewee.Node:
        return template("VALUES({0})", peewee.Entity(column.name))

    def paramstyle(self, pieces: Sequence[str]) -> str:
        return "%s".join(piece.replace("%", "%%") for piece in pieces)

    def typed(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return node  # a value's text has its own type here

    def integer(self, value: int, type: ValueType) -> peewee.Node:
        if type.kind is Kind.BOOL:
            return peewee.SQL("TRUE" if value else "FALSE")
        return peewee.SQL(str(int(value)) if value >= 0 else f"({int(value)})")

    def quoted(self, value: Any) -> str:
        return literal(value)

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def ordering(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return node

    def sum(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        # The sum of BIGINTs is a DECIMAL there; DIV makes it one again, or fails where it is none.
        if type.kind is Kind.DECIMAL:
            return template("coalesce(sum({0}), 0)", node)
        return template("coalesce(sum({0}), 0e0)" if type.kind is Kind.FLOAT else "(coalesce(sum({0}), 0) DIV 1)", node)

    def rows_source(self, alias: str, columns: Sequence[tuple[str, ValueType]]) -> RowsSource:
        slot = f"{alias}.rows"
        kinds = [stored_type(type).kind for _, type in columns]
        paths = ", ".join(
            f"{self.quote(name)} {self._json_type(type)} PATH '$[{index}]' ERROR ON ERROR"
            for index, (name, type) in enumerate(columns)
        )
        each = peewee.Select(
            [
                template(
                    f"JSON_TABLE({{0}}, '$[*]' COLUMNS ({paths})) AS `each`", peewee.Value(Slot(slot), converter=False)
                )
            ],
            [
                peewee.SQL(_JSON_COLUMN.get(kind, "{0}").format(f"`each`.{self.quote(name)}")).alias(name)
                for kind, (name, _) in zip(kinds, columns, strict=True)
            ],
        )
        forms = [_JSON_FORM.get(kind) for kind in kinds]
        return RowsSource(each.alias(alias), (slot,), json_rows(forms), len(columns))

    def _json_type(self, type: ValueType) -> str:
        if stored_type(type).kind is Kind.BYTES:
            return f"LONGTEXT COLLATE {self.collation}"
        return self.column_type(type)

    def plan(self, query: peewee.Node) -> Plan:
        return plan(query, self)

    # -- schema ----------------------------------------------------------------------------

    def indexed_type(self, type: ValueType) -> str:
        words = self.column_type(type)
        if words.startswith("LONGTEXT"):
            return words.replace("LONGTEXT", f"VARCHAR({INDEXED_LENGTH})")
        return words.replace("LONGBLOB", f"VARBINARY({INDEXED_LENGTH})")

    def indexed_part(self, words: str) -> str:
        return f"({INDEXED_LENGTH})" if words.startswith("LONG") else ""

    def sql_type(self, type: ValueType) -> str:
        return super().sql_type(type).split(" CHARACTER SET ")[0]

    def check(self, type: ValueType, column: str) -> str | None:
        if type.kind is Kind.BOOL:
            return f"{self.quote(column)} IN (0, 1)"
        return super().check(type, column)

    # -- values ----------------------------------------------------------------------------

    def _to_column(self, type: ValueType) -> Convert | None:
        return _TO_COLUMN.get(type.kind)

    def _from_column(self, type: ValueType) -> Convert | None:
        if type.kind is Kind.JSON:
            read = json_reader(type)
            return lambda text: read(json.loads(text))
        return _FROM_COLUMN.get(type.kind)


def _fitting(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if value.adjusted() >= DIGITS_BEFORE or (isinstance(exponent, int) and -exponent > DIGITS_AFTER):
        raise InvalidValue(
            f"{value} is not within {DIGITS_BEFORE} digits before and {DIGITS_AFTER} after the point",
            code="value.range",
            hint="a DECIMAL of MySQL and MariaDB has no more; PostgreSQL and SQLite take any number",
        )
    return value


#: What JSON has no notation for, inside the one parameter of ``rows_source``.
#: MariaDB takes what unhex() answers for shorter than it is where it keeps it in a table of its own.
_JSON_COLUMN = {Kind.BYTES: "from_base64({0})"}
_JSON_FORM: dict[Kind, Convert] = {
    Kind.BYTES: lambda value: b64encode(value).decode(),
    Kind.DECIMAL: lambda value: format(value, "f"),
    Kind.DATE: dt.date.isoformat,
    Kind.DATETIME: lambda value: value.replace(tzinfo=None).isoformat(" ", "microseconds"),
}

_TO_COLUMN: dict[Kind, Convert] = {
    Kind.BOOL: int,
    Kind.DECIMAL: _fitting,
    Kind.TIMEDELTA: microseconds,
    Kind.UUID: str,
}

_FROM_COLUMN: dict[Kind, Convert] = {
    Kind.BOOL: bool,
    Kind.DECIMAL: plain_decimal,
    Kind.TIMEDELTA: lambda value: dt.timedelta(microseconds=value),
    Kind.UUID: uuid.UUID,
}
