"""Spans: the rows of a table by ranges of their keys, and statements that take one range at a time.

No key but the two that bound a range is ever bound to a statement, so it costs what its rows cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import peewee

from interaqt.core.expressions import Expr, Param, Root
from interaqt.core.model import Property, RecordModel
from interaqt.core.types import Kind
from interaqt.storage.database import Executor, Result
from interaqt.storage.prepared import KEY, Prepared, Stored
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Binding, Row
from interaqt.storage.sql import bind, template
from interaqt.storage.statements import Statements

__all__ = [
    "OverSpan",
    "Span",
    "assign_within",
    "assign_worked",
    "bounds",
    "count",
    "differing",
    "differing_within",
    "lock_within",
    "values_within",
]

AFTER, UPTO = "after", "upto"

#: More rows than there are. A subselect with a limit is worked out by itself, and so once for each row.
_ALL = 2**63 - 1


@attrs.frozen
class Span:
    """The rows whose keys come after one key, up to and with another; None is no bound."""

    after: Any = None
    upto: Any = None


#: The rows of a table that are in the span for which a statement is written.
Within = Callable[[Any], list[peewee.Node]]


class OverSpan:
    """A statement about the rows of a span; its text says which bounds there are, and is written when first needed."""

    def __init__(self, schema: Schema, record: RecordModel, write: Callable[[Within], Any]) -> None:
        self._schema = schema
        self._key = record.key
        self._write = write
        self._texts: dict[tuple[bool, bool], Prepared] = {}

    def run(self, executor: Executor, span: Span) -> Result:
        bounded = span.after is not None, span.upto is not None
        if bounded not in self._texts:
            self._texts[bounded] = Prepared(self._write(lambda table: self._within(table, *bounded)), self._schema)
        return self._texts[bounded].run(executor, {AFTER: span.after, UPTO: span.upto})

    def _within(self, table: Any, after: bool, upto: bool) -> list[peewee.Node]:
        key = column(table, self._key)
        found: list[peewee.Node] = []
        if after:
            found.append(key > bind(AFTER, self._key.type, self._schema.dialect))
        if upto:
            found.append(key <= bind(UPTO, self._key.type, self._schema.dialect))
        return found


def bounds(statements: Statements, record: RecordModel, size: int) -> tuple[Prepared, Prepared]:
    """SELECT the key that ends the first ``size`` rows, or those after the slot ``key``, and the one after it."""
    table = statements.schema.table(record)
    key = column(table, record.key)
    query = table.select(key).order_by(key).limit(2).offset(size - 1)
    slot = bind(KEY, record.key.type, statements.schema.dialect)
    return statements.prepared(query), statements.prepared(query.where(key > slot))


def count(statements: Statements, record: RecordModel) -> Prepared:
    """SELECT how many rows there are."""
    return statements.prepared(statements.schema.table(record).select(peewee.fn.COUNT(peewee.SQL("*"))))


def values_within(statements: Statements, root: Root, exprs: Sequence[Expr]) -> OverSpan:
    """SELECT expressions over the rows of ``root``, in the order of their keys."""
    record = root.record
    table = statements.schema.alias(record, "host")

    def write(within: Within) -> Any:
        values = [statements.node(each, {root.name: Row(table)}) for each in exprs]
        return _where(peewee.Select([table], values), within(table)).order_by(column(table, record.key))

    return OverSpan(statements.schema, record, write)


def lock_within(statements: Statements, record: RecordModel, how: str) -> OverSpan:
    """Lock the rows, in the order of their keys, and answer no more of them than how many there are."""
    table = statements.schema.table(record)
    key = column(table, record.key)

    def write(within: Within) -> Any:
        locked = _where(table.select(key), within(table)).order_by(key).for_update(how).alias("locked#")
        return peewee.Select([locked], [peewee.fn.COUNT(peewee.SQL("*"))])

    return OverSpan(statements.schema, record, write)


def differing(
    statements: Statements,
    record: RecordModel,
    root: str,
    expected: Mapping[Property, Expr],
    telling: Mapping[Property, Expr],
) -> OverSpan:
    """SELECT key, stored and expected value of the rows where any of the ``telling`` ones is not what it should be."""
    table = statements.schema.alias(record, "host")
    bound: dict[str, Binding] = {root: Row(table)}

    def write(within: Within) -> Any:
        key = column(table, record.key)
        columns: list[peewee.Node] = [key]
        for each, expr in expected.items():
            columns += [column(table, each), statements.node(expr, bound)]
        query = peewee.Select([table], columns)
        return query.where(*within(table), _differ(statements, table, root, telling, nearly=True)).order_by(key)

    return OverSpan(statements.schema, record, write)


def differing_within(
    statements: Statements,
    record: RecordModel,
    root: str,
    values: Sequence[Stored],
    telling: Mapping[Property, Expr],
    *,
    lock: str | None = None,
    limit: int | None = None,
) -> OverSpan:
    """SELECT values of the rows where any of the ``telling`` ones is not what it should be."""
    table = statements.schema.table(record)

    def write(within: Within) -> Any:
        query: Any = table.select(*[column(table, each) for each in values])
        query = query.where(*within(table), _differ(statements, table, root, telling))
        if limit is not None:
            return query.limit(limit)
        query = query.order_by(column(table, record.key))
        return query.for_update(lock) if lock else query

    return OverSpan(statements.schema, record, write)


def assign_within(
    statements: Statements,
    record: RecordModel,
    root: str,
    assignments: Mapping[Property, Expr],
    telling: Mapping[Property, Expr],
) -> OverSpan:
    """UPDATE the rows where any of the ``telling`` values is not what it should be."""
    table = statements.schema.table(record)
    bound: dict[str, Binding] = {root: Row(table)}

    def write(within: Within) -> Any:
        values = {column(table, each): statements.node(expr, bound, lock=True) for each, expr in assignments.items()}
        return table.update(values).where(*within(table), _differ(statements, table, root, telling))

    return OverSpan(statements.schema, record, write)


def assign_worked(
    statements: Statements,
    record: RecordModel,
    root: str,
    worked: Mapping[str, Expr],
    assignments: Mapping[Property, Expr],
    telling: Mapping[Property, Expr],
) -> OverSpan:
    """The same, where ``worked`` expressions are worked out once for each row, and read as Params of their names."""
    schema = statements.schema
    table = schema.table(record)

    def write(within: Within) -> Any:
        row = schema.alias(record, "row#")
        names = {name: f"w{place}" for place, name in enumerate(worked)}
        values = [peewee.Alias(statements.node(expr, {root: Row(row)}), names[name]) for name, expr in worked.items()]
        source = (
            _where(row.select(column(row, record.key).alias(KEY), *values), within(row)).limit(_ALL).alias("worked#")
        )

        def leaf(expr: Expr) -> peewee.Node | None:
            return peewee.Column(source, names[expr.name]) if isinstance(expr, Param) and expr.name in names else None

        bound: dict[str, Binding] = {root: Row(table)}
        changes = {
            column(table, each): statements.node(expr, bound, leaf, lock=True) for each, expr in assignments.items()
        }
        is_same = column(table, record.key) == peewee.Column(source, KEY)
        query = table.update(changes).from_(source)
        return query.where(is_same & _differ(statements, table, root, telling, leaf))

    return OverSpan(schema, record, write)


def _differ(
    statements: Statements,
    table: peewee.Table,
    root: str,
    telling: Mapping[Property, Expr],
    leaf: Callable[[Expr], peewee.Node | None] | None = None,
    *,
    nearly: bool = False,
) -> peewee.Node:
    """Whether any value is not what it should be; ``nearly`` the same is enough for a float.

    The order of adding shows in the last digits of one.
    """
    bound: dict[str, Binding] = {root: Row(table)}
    different = []
    for each, expr in telling.items():
        text = _FAR_APART if nearly and each.type.kind is Kind.FLOAT else statements.schema.dialect.null_safe["ne"]
        different.append(template(text, column(table, each), statements.node(expr, bound, leaf)))
    return template("(" + " OR ".join(f"{{{place}}}" for place in range(len(different))) + ")", *different)


_FAR_APART = "COALESCE(ABS({0} - {1}) > 1e-9 * (1.0 + ABS({1})), ({0} IS NULL) <> ({1} IS NULL))"


def _where(query: Any, conditions: Sequence[peewee.Node]) -> Any:
    return query.where(*conditions) if conditions else query
