"""The SQL of sequences: how far each scope has come, and what the numbered records themselves say of it.

A counter is a row, found by its name. To take numbers is one statement, which makes the row or moves it
on, and holds it until the transaction ends.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import peewee

from interaqt.core.computations import SequenceRule
from interaqt.core.errors import Location
from interaqt.core.expressions import BOOL, Attr, Expr, Op, Root, all_of, negate
from interaqt.core.model import Property, RecordModel
from interaqt.core.parts import MEMBER, belongs
from interaqt.core.types import Kind, ValueType
from interaqt.storage.prepared import Prepared, PreparedRows, RowsOf
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Row
from interaqt.storage.sql import bind, template
from interaqt.storage.statements import Statements

__all__ = ["CounterStatements", "NumberStatements", "counter_record"]

_INT, _STR = ValueType(Kind.INT), ValueType(Kind.STR)


class _Counter:
    """How far the numbers of one scope have come: from ``first`` to ``last`` they are given, or reserved."""


def counter_record() -> RecordModel:
    """The model of counters, which is no part of the user's: nothing depends on it and nobody asks for it."""
    location = Location(__file__, 1)
    record = RecordModel(
        name="SequenceCounter", cls=_Counter, table="sequence_counter", kind="entity", location=location
    )
    for name, type in (("scope", _STR), ("first", _INT), ("last", _INT)):
        record.attributes[name] = Property(
            record=record, name=name, location=location, type=type, column=name, key=name == "scope"
        )
    return record


class CounterStatements:
    """The statements about the counters themselves."""

    def __init__(self, schema: Schema, record: RecordModel) -> None:
        self._schema = schema
        self._dialect = schema.dialect
        self._named = {each.name: each for each in record.properties()}
        self._table: Any = schema.table(record)
        self.take = self._take()
        self.take_rows = self._rows(self._moved_on())
        self.raise_rows = self._rows(self._raised())
        self.read_rows = self._read_rows()
        self.all_of = self._all_of()

    def _take(self) -> Prepared:
        """Move the counter ``scope`` on by as many as there are from ``first`` to ``last``, or make it with these.

        Answers its ``last`` then.
        """
        given = {self._column(name): bind(name, each.type, self._dialect) for name, each in self._named.items()}
        query = self._dialect.renew(self._table.insert(given), ("scope",), self._moved_on())
        return Prepared(query.returning(self._column("last")), self._schema)

    def _rows(self, changes: dict[Any, Any]) -> PreparedRows:
        """The same for a list of counters, or what else is to become of those that are there; answers each."""
        rows = RowsOf(self._schema, "asked", [(name, each.type) for name, each in self._named.items()])
        columns = [self._column(name) for name in self._named]
        # Without a WHERE, SQLite takes the ON of ON CONFLICT for that of a join.
        source = peewee.Select([rows.source], [rows.column(name) for name in self._named]).where(peewee.SQL("TRUE"))
        query = self._dialect.renew(self._table.insert(source, columns), ("scope",), changes)
        return PreparedRows(query.returning(self._column("scope"), self._column("last")), rows, self._schema)

    def _moved_on(self) -> dict[Any, Any]:
        last, asked = self._column("last"), self._asked
        return {last: template("{0} + ({1} - {2} + 1)", last, asked("last"), asked("first"))}

    def _raised(self) -> dict[Any, Any]:
        last, asked = self._column("last"), self._asked("last")
        return {last: template("CASE WHEN {0} < {1} THEN {1} ELSE {0} END", last, asked)}

    def _read_rows(self) -> PreparedRows:
        """SELECT the counters of the given names, with their ``first`` and ``last``."""
        rows = RowsOf(self._schema, "asked", [("scope", _STR)])
        chosen = self._column("scope").in_(peewee.Select([rows.source], [rows.column("scope")]))
        return PreparedRows(self._all().where(chosen), rows, self._schema)

    def _all_of(self) -> Prepared:
        """SELECT the counters whose names are between the slots ``from`` and ``to``, so many as the slot ``most``."""
        low, high = (bind(name, _STR, self._dialect) for name in ("from", "to"))
        query = self._all().where(self._column("scope") >= low, self._column("scope") <= high)
        return Prepared(query.limit(bind("most", _INT, self._dialect)), self._schema)

    def _all(self) -> Any:
        return self._table.select(*[self._column(name) for name in self._named])

    def _column(self, name: str) -> Any:
        return column(self._table, self._named[name])

    def _asked(self, name: str) -> peewee.Node:
        return self._dialect.asked(self._column(name))


class NumberStatements:
    """What the records of one sequence say of their numbers."""

    def __init__(self, statements: Statements, rule: SequenceRule) -> None:
        self._statements = statements
        self._rule = rule
        self._root = Root(MEMBER, rule.record)

    @cached_property
    def some(self) -> Prepared:
        """SELECT one record that has a number, if there is any."""
        query = self._of_kind(self._table.select(self._key), self._has_number()).limit(1)
        return Prepared(query, self._statements.schema)

    @cached_property
    def highest(self) -> Prepared:
        """SELECT each scope with its highest number."""
        query = self._of_kind(self._table.select(*self._scope, self._highest()), self._has_number())
        return Prepared(self._grouped(query), self._statements.schema)

    @cached_property
    def doubles(self) -> Prepared:
        """SELECT each scope with each number that several records have, and how many do."""
        count = peewee.fn.COUNT(peewee.SQL("1"))
        number = column(self._table, self._rule.property)
        query = self._of_kind(self._table.select(*self._scope, number, count), self._has_number())
        query = query.group_by(*self._scope, number).having(template("{0} > 1", count)).order_by(*self._scope, number)
        return Prepared(query, self._statements.schema)

    @cached_property
    def missing(self) -> Prepared:
        """SELECT the records without a number."""
        query = self._of_kind(self._table.select(self._key), self._has_no_number()).order_by(self._key)
        return Prepared(query, self._statements.schema)

    @cached_property
    def concerned(self) -> PreparedRows:
        """SELECT the scopes of the given records, each with its highest number, which an index finds."""
        schema, rule = self._statements.schema, self._rule
        rows = RowsOf(schema, "named", [("key", rule.record.key.type)])
        near = schema.alias(rule.record, "near")
        chosen = column(near, rule.record.key).in_(peewee.Select([rows.source], [rows.column("key")]))
        scope = [column(near, each) for each in rule.scope]
        same: Any = self._table.select(self._highest())
        for mine, its in zip(self._scope, scope, strict=True):
            same = same.where(mine == its)
        query = peewee.Select([near], [*scope, same]).where(chosen).distinct()
        return PreparedRows(query, rows, schema)

    @cached_property
    def unnumbered(self) -> PreparedRows:
        """SELECT and lock those of the given records that have no number, in the order of their keys, with scopes."""
        schema, rule = self._statements.schema, self._rule
        rows = RowsOf(schema, "named", [("key", rule.record.key.type)])
        query = self._table.select(self._key, *self._scope)
        chosen = self._key.in_(peewee.Select([rows.source], [rows.column("key")]))
        query = self._of_kind(query.where(chosen), self._has_no_number()).order_by(self._key)
        return PreparedRows(schema.for_change(query), rows, schema)

    @property
    def _table(self) -> Any:
        return self._statements.schema.table(self._rule.record)

    @property
    def _key(self) -> Any:
        return column(self._table, self._rule.record.key)

    @property
    def _scope(self) -> list[Any]:
        return [column(self._table, each) for each in self._rule.scope]

    def _highest(self) -> Any:
        return peewee.fn.MAX(column(self._table, self._rule.property))

    def _grouped(self, query: Any) -> Any:
        return query.group_by(*self._scope).order_by(*self._scope) if self._scope else query

    def _has_no_number(self) -> Expr:
        number = self._rule.property
        return Op("is_null", (Attr(self._root, number.name, number.type.optional()),), BOOL)

    def _has_number(self) -> Expr:
        return negate(self._has_no_number())

    def _of_kind(self, query: Any, condition: Expr) -> Any:
        """Of a table of several kinds, the rows of that which has numbers."""
        within = all_of(belongs(self._rule.property.owner, self._root), condition)
        return query.where(self._statements.node(within, {MEMBER: Row(self._table)}))
