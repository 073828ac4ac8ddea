"""CockroachDB's SQL, as far as it is not PostgreSQL's.

What it means otherwise, or does not have, is said beside what is written instead; all else of
``postgresql_dialect`` is in its documentation with the same meaning. Durations are whole
microseconds: it answers EXTRACT by a float, and the difference of two moments no further apart
than 292 years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import peewee

from interaqt.core.moments import DAY, FURTHEST
from interaqt.core.types import Kind, ValueType
from interaqt.drivers.postgresql_dialect import OPERATIONS as POSTGRESQL
from interaqt.drivers.postgresql_dialect import PostgreSQLDialect
from interaqt.storage.convert import Convert, microseconds, stored_type
from interaqt.storage.dialect import COMMON, OperationKey, Renderer, earliest
from interaqt.storage.sql import template

__all__ = ["CockroachDBDialect"]

_INT, _FLOAT, _STR = Kind.INT, Kind.FLOAT, Kind.STR
_DATE, _DATETIME, _TIMEDELTA = Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA

#: The quotient of two integers is a DECIMAL by ``/``; by ``//`` it is an integer, cut off towards zero.
_FLOORDIV = "(({0} // {1}) - CASE WHEN {0} % {1} <> 0 AND ({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)"


def _days(node: str) -> str:
    return f"(({node} // {DAY}) - CASE WHEN {node} % {DAY} < 0 THEN 1 ELSE 0 END)"


def _span(node: str, sign: str) -> str:
    # Days apart, for an interval holds no more nanoseconds than 64 bits do.
    return f"{sign} ({node} // {DAY}) * interval '1 day' {sign} ({node} % {DAY}) * interval '1 microsecond'"


def _since(node: str) -> str:
    """Microseconds since 1970: its day's, and then what is small enough to be exact as a float."""
    return (
        f"((CAST({node} AS DATE) - CAST('1970-01-01' AS DATE)) * {DAY}"
        f" + CAST(extract(hour FROM {node}) AS BIGINT) * 3600000000"
        f" + CAST(extract(minute FROM {node}) AS BIGINT) * 60000000"
        f" + CAST(round(extract(second FROM {node}) * 1000000) AS BIGINT))"
    )


_CHANGED: dict[OperationKey, Renderer] = {
    ("floordiv", _INT): _FLOORDIV,
    ("floordiv", _TIMEDELTA): _FLOORDIV,
    # A text without a collation is compared by its bytes, and UTF-8 keeps the order of code points.
    **{(name, _STR): COMMON[name] for name in ("lt", "le", "gt", "ge")},
    ("abs", _TIMEDELTA): COMMON["abs"],
    ("add", _DATETIME): f"({{0}} {_span('{1}', '+')})",
    ("sub", _DATETIME): f"({{0}} {_span('{1}', '-')})",
    ("add", _TIMEDELTA, _DATETIME): f"({{1}} {_span('{0}', '+')})",
    ("sub", _DATETIME, _DATETIME): f"({_since('{0}')} - {_since('{1}')})",
    ("add", _DATE): f"({{0}} + CAST({_days('{1}')} AS INTEGER))",
    ("sub", _DATE): f"({{0}} - CAST({_days('{1}')} AS INTEGER))",
    ("add", _TIMEDELTA, _DATE): f"({{1}} + CAST({_days('{0}')} AS INTEGER))",
    ("sub", _DATE, _DATE): f"(({{0}} - {{1}}) * {DAY})",
    # There is no trim_scale; zeros after the point are taken off where the value is read.
    ("to_decimal", _FLOAT): "round(CAST(CAST({0} AS TEXT) AS NUMERIC), 30)",
    "startswith": "(left({0}, length({1})) = {1})",
    # No collation that knows more can be asked for; see the page on databases for what differs.
    "lower": "lower({0})",
    "upper": "upper({0})",
    "microsecond": "(CAST(round(extract(second FROM {0}) * 1000000) AS BIGINT) % 1000000)",
    "days": _days("{0}"),
    "total_seconds": "CAST(CAST({0} AS NUMERIC) * 0.000001 AS DOUBLE PRECISION)",
    "microseconds": _since("{0}"),
    ("microseconds", _DATE): f"(({{0}} - CAST('1970-01-01' AS DATE)) * {DAY})",
    ("microseconds", _TIMEDELTA): f"greatest(least({{0}}, {FURTHEST}), -{FURTHEST})",
    "earliest": earliest("least"),
}


class CockroachDBDialect(PostgreSQLDialect):
    name = "CockroachDB"
    # Both are words for a lock that FOR UPDATE takes; under SERIALIZABLE a shared one is none unless
    # a setting makes it one, and is not needed: who read what another has changed is refused.
    for_change = "FOR UPDATE"
    share_lock = None
    column_types: Mapping[Kind, str] = {
        **PostgreSQLDialect.column_types,
        # A column can't have the collation "C", and without any it has that order.
        Kind.STR: "TEXT",
        Kind.TIMEDELTA: "BIGINT",
    }

    def __init__(self) -> None:
        super().__init__()
        self.operations: Mapping[OperationKey, Renderer] = {**POSTGRESQL, **_CHANGED}

    def ordering(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return node

    def sum(self, node: peewee.Node, type: ValueType) -> peewee.Node:
        return template(f"CAST(coalesce(sum({{0}}), 0) AS {self.sql_type(type)})", node)

    def _array_of(self, type: ValueType) -> str:
        # There are no arrays of JSON.
        return "TEXT[]" if stored_type(type).kind is Kind.JSON else super()._array_of(type)

    def _element(self, column: str, type: ValueType) -> str:
        return f"CAST({column} AS JSONB)" if stored_type(type).kind is Kind.JSON else column

    def _to_column(self, type: ValueType) -> Convert | None:
        return microseconds if type.kind is _TIMEDELTA else super()._to_column(type)

    def _from_column(self, type: ValueType) -> Convert | None:
        if type.kind is _TIMEDELTA:
            return lambda value: dt.timedelta(microseconds=value)
        return super()._from_column(type)
