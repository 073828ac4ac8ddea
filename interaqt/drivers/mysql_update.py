"""UPDATE and DELETE as MySQL and MariaDB write them: another source is joined, and assignments take turns.

A source of given rows comes first, and the table's rows are found by their keys: every row that
is looked at is locked, and the optimizer, which knows nothing of the source, may prefer to look at
all of a small table.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import peewee

__all__ = ["ByKey", "MySQLDelete", "MySQLUpdate"]

Assignment = tuple[peewee.Column, peewee.Node]

_OLD = "old#"


class ByKey(peewee.Join):
    """The rows of a table that a condition finds by their keys, or by another ``index``, for those of a source."""

    def __init__(
        self, source: peewee.Source, table: peewee.Table, where: peewee.Node, index: str | None = "PRIMARY"
    ) -> None:
        super().__init__(source, table, "STRAIGHT_JOIN", where)
        self._where = where
        self._hint = "" if index is None else f" FORCE INDEX ({index})"

    def __sql__(self, ctx: Any) -> Any:
        ctx.sql(self.lhs).literal(" STRAIGHT_JOIN ").sql(self.rhs).literal(self._hint)
        with ctx.scope_normal():
            return ctx.literal(" ON ").sql(self._where)


class MySQLDelete(peewee.Node):
    """Deletes the rows of a table that a source names by their keys."""

    def __init__(self, source: peewee.Source, table: peewee.Table, where: peewee.Node) -> None:
        self._join = _Named(source, table, where)
        self._table = table

    def __sql__(self, ctx: Any) -> Any:
        ctx.alias_manager[self._table] = self._table.__name__
        with ctx.scope_values(subquery=True):
            ctx.literal("DELETE ").sql(self._table).literal(" FROM ")
        return ctx.sql(self._join)


class _Named(ByKey):
    """In a statement that writes to the table, which has its own name there."""

    def __sql__(self, ctx: Any) -> Any:
        with ctx.scope_source(parentheses=False):
            ctx.sql(self.lhs).literal(" STRAIGHT_JOIN ")
        with ctx.scope_values(subquery=True):
            ctx.sql(self.rhs).literal(" FORCE INDEX (PRIMARY) ON ")
        with ctx.scope_normal():
            return ctx.sql(self._where)


class MySQLUpdate(peewee.Node):
    """Assignments to the rows of a table that a condition finds, perhaps beside a row of another source.

    MySQL makes them one after the other, and one that reads a column assigned before it would see
    the new value; so what reads a column is assigned before it. Where each reads what another
    assigns, MariaDB has a mode for it (``simultaneous``), and MySQL joins the row as it was, locked.
    """

    def __init__(
        self,
        table: peewee.Table,
        key: peewee.Column,
        assignments: Sequence[Assignment],
        where: peewee.Node,
        source: peewee.Source | None,
        database: peewee.Database,
        simultaneous: bool,
    ) -> None:
        self._table = table
        self._key = key
        self._where = where
        self._join = None if source is None else _Named(source, table, where)
        ordered = _in_turn(table, assignments, database)
        self._assignments = assignments if ordered is None else ordered
        self._from_old = ordered is None and not simultaneous

    def __sql__(self, ctx: Any) -> Any:
        # A subselect that reads the table calls it by its own name.
        ctx.alias_manager[self._table] = self._table.__name__
        ctx.literal("UPDATE ")
        self._rows(ctx)
        if self._from_old:
            self._join_old(ctx)
        ctx.literal(" SET ")
        for place, (column, value) in enumerate(self._assignments):
            ctx.literal(", " if place else "")
            with ctx.scope_normal(subquery=True):
                ctx.sql(column).literal(" = ")
                if self._from_old:
                    ctx.alias_manager[self._table] = _OLD
                ctx.sql(value)
                ctx.alias_manager[self._table] = self._table.__name__
        if self._join is None:
            with ctx.scope_normal(subquery=True):
                ctx.literal(" WHERE ").sql(self._where)
        return ctx

    def _rows(self, ctx: Any) -> None:
        if self._join is not None:
            ctx.sql(self._join)
        else:
            with ctx.scope_values(subquery=True):
                ctx.sql(self._table)

    def _join_old(self, ctx: Any) -> None:
        name, old, key = (peewee.Entity(each) for each in (self._table.__name__, _OLD, self._key.name))
        with ctx.scope_normal(subquery=True):
            ctx.literal(" JOIN (SELECT ").sql(name).literal(".* FROM ")
            self._rows(ctx)
            if self._join is None:
                ctx.literal(" WHERE ").sql(self._where)
            ctx.literal(" FOR UPDATE) AS ").sql(old).literal(" ON ").sql(old).literal(".").sql(key)
            ctx.literal(" = ").sql(self._key)


def _in_turn(
    table: peewee.Table, assignments: Sequence[Assignment], database: peewee.Database
) -> Sequence[Assignment] | None:
    """The assignments in an order in which each reads old values only; None where there is none."""
    if len(assignments) < 2:
        return assignments
    names = {_text(table, column, database): place for place, (column, _) in enumerate(assignments)}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for place in range(len(assignments)):
        sorter.add(place)
    for place, (_, value) in enumerate(assignments):
        text = _text(table, value, database)
        for name, other in names.items():
            if other != place and name in text:
                sorter.add(other, place)
    try:
        return [assignments[place] for place in sorter.static_order()]
    except CycleError:
        return None


def _text(table: peewee.Table, node: peewee.Node, database: peewee.Database) -> str:
    """The SQL of a value; in it a column of the table is always ``table.column``, and of an alias never."""
    ctx: Any = database.get_sql_context(param="?")
    ctx.alias_manager[table] = table.__name__
    with ctx.scope_normal(subquery=True):
        text, _ = ctx.sql(node).query()
    return str(text)
