"""The SQL of the task queue: all that is asked of its table, and nothing of why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import peewee

from interaqt.core.model import Property, RecordModel
from interaqt.core.types import Kind, ValueType
from interaqt.storage.prepared import KEY, Prepared, PreparedRows, Reader, RowsOf
from interaqt.storage.schema import Schema, column
from interaqt.storage.sql import bind, constant
from interaqt.storage.statements import Statements

__all__ = ["QueueStatements"]

INT = ValueType(Kind.INT)


class QueueStatements:
    """The statements of one database's queue. A task is known by what it computes and for whom, and has a version."""

    def __init__(self, schema: Schema, record: RecordModel, attributes: Iterable[str]) -> None:
        self._schema = schema
        self._dialect = schema.dialect
        self._named = {each.name: each for each in record.properties()}
        self._table: Any = schema.table(record)
        self._mine = tuple(attributes)
        """What the model computes: a task of anything else is another program's."""
        self.reader = Reader(schema, tuple(self._named.values()))
        self.request = self._request()
        self.due = self._due()
        self.claim = self._claim()
        self.extend = self._extend()
        self.finish = self._finish()
        self.give_back = self._after("due", "attempts")
        self.fail = self._after("due", "status", "error")
        self.retry = self._retry()
        self.found = self._found()
        self.forget = Statements(schema).delete_rows(record)
        self.unfinished = self._unfinished()
        self.listed = self._listed()

    # -- asking for a computation

    def _request(self) -> PreparedRows:
        """INSERT a task for each given host, due at once; one that is there gets another version."""
        rows = self._rows("asked", "host")
        given: dict[str, Any] = {
            "attribute": self._slot("attribute"),
            "host": rows.column("host"),
            "version": self._constant("version", 1),
            "requested": self._slot("now"),
            **self._anew(),
        }
        source = peewee.Select([rows.source], list(given.values()))
        if not self._dialect.for_update:
            # Without a WHERE, SQLite takes the ON of ON CONFLICT for that of a join.
            source = source.where(peewee.SQL("TRUE"))
        query = self._table.insert(source, [self._column(name) for name in given])
        newer = self._column("version") + self._constant("version", 1)
        update = {"version": newer, "requested": self._slot("now"), **self._anew()}
        changes = {self._column(name): value for name, value in update.items()}
        query = self._dialect.renew(query, ("attribute", "host"), changes)
        return PreparedRows(query, rows, self._schema)

    def _anew(self) -> dict[str, Any]:
        """What a task is before anybody has tried it: no claim of an older version holds it."""
        return {
            "due": self._slot("now"),
            "attempts": self._constant("attempts", 0),
            "status": self._constant("status", "waiting"),
            "claim": self._constant("claim", None),
            "error": self._constant("error", None),
        }

    # -- doing it

    def _due(self) -> Prepared:
        """SELECT and lock tasks that are due, those first that are due longest, whoever had claimed them."""
        query = self._all().where(
            self._column("status") == self._constant("status", "waiting"),
            self._column("due") <= self._slot("now"),
            self._is_mine(),
        )
        query = query.order_by(self._column("due"), self._column("id")).limit(self._limit())
        # What another worker is claiming is passed over.
        query = query.for_update("FOR UPDATE SKIP LOCKED") if self._dialect.for_update else query
        return Prepared(query, self._schema)

    def _claim(self) -> PreparedRows:
        """UPDATE tasks: claimed by the slot ``claim`` until they are due again, and tried once more."""
        rows = self._rows("claimed", "id", "due")
        changes = {
            self._column("due"): rows.column("due"),
            self._column("claim"): self._slot("claim"),
            self._column("attempts"): self._column("attempts") + self._constant("attempts", 1),
        }
        return self._update(rows, changes, self._is(rows))

    def _extend(self) -> PreparedRows:
        """UPDATE when tasks are due again, of which the claim still holds."""
        rows = self._rows("claimed", "id", "due")
        holds = self._column("claim") == self._slot("claim")
        return self._update(rows, {self._column("due"): rows.column("due")}, self._is(rows) & holds)

    def _finish(self) -> Prepared:
        """DELETE a task of which there is no newer version; how many rows there were says whether it was."""
        return Prepared(self._table.delete().where(self._is_version()), self._schema)

    def _after(self, *names: str) -> Prepared:
        """UPDATE a task that did not succeed, unless somebody else has it by now."""
        changes = {self._column(name): self._slot(name) for name in names}
        changes[self._column("claim")] = self._constant("claim", None)
        holds = self._column("claim") == self._slot("claim")
        return Prepared(self._table.update(changes).where(self._is_version() & holds), self._schema)

    # -- looking after it

    def _retry(self) -> Prepared:
        """UPDATE a task that has failed, so that it is tried as if it were new."""
        changes = {self._column(name): value for name, value in self._anew().items()}
        failed = self._column("status") == self._constant("status", "failed")
        return Prepared(self._table.update(changes).where(self._is_key() & failed), self._schema)

    def _found(self) -> PreparedRows:
        """SELECT the keys of the tasks of given hosts."""
        rows = self._rows("gone", "attribute", "host")
        first, second = (self._column(name) == rows.column(name) for name in ("attribute", "host"))
        query = peewee.Select([rows.source], [self._column("id")])
        return PreparedRows(query.join(self._table, peewee.JOIN.INNER, first & second), rows, self._schema)

    def _unfinished(self) -> PreparedRows:
        """SELECT those of the given hosts for which a computation is not done."""
        rows = self._rows("asked", "host")
        query = self._table.select(self._column("host")).where(
            self._column("attribute") == self._slot("attribute"),
            self._column("host").in_(peewee.Select([rows.source], [rows.column("host")])),
        )
        return PreparedRows(query, rows, self._schema)

    def _listed(self) -> Prepared:
        """SELECT tasks in the order in which they were first asked for, after the slot ``key``."""
        query = self._all().where(self._is_mine(), self._column("id") > self._slot(KEY))
        return Prepared(query.order_by(self._column("id")).limit(self._limit()), self._schema)

    # -- parts

    def _all(self) -> Any:
        return self._table.select(*[column(self._table, each) for each in self._named.values()])

    def _column(self, name: str) -> peewee.Column:
        return column(self._table, self._named[name])

    def _property(self, name: str) -> Property:
        return self._named[{"now": "due", KEY: "id"}.get(name, name)]

    def _slot(self, name: str) -> peewee.Node:
        return bind(name, self._property(name).type, self._dialect)

    def _constant(self, name: str, value: object) -> peewee.Node:
        return constant(value, self._named[name].type, self._dialect)

    def _limit(self) -> peewee.Node:
        return bind("limit", INT, self._dialect)

    def _rows(self, alias: str, *names: str) -> RowsOf:
        return RowsOf(self._schema, alias, [(name, self._named[name].type) for name in names])

    def _is_mine(self) -> peewee.Node:
        return self._column("attribute").in_([self._constant("attribute", name) for name in self._mine])

    def _is_key(self) -> Any:
        return self._column("id") == self._slot(KEY)

    def _is_version(self) -> Any:
        return self._is_key() & (self._column("version") == self._slot("version"))

    def _is(self, rows: RowsOf) -> Any:
        return self._column("id") == rows.column("id")

    def _update(self, rows: RowsOf, changes: dict[Any, Any], where: Any) -> PreparedRows:
        return PreparedRows(self._table.update(changes).from_(rows.source).where(where), rows, self._schema)
