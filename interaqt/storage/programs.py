"""What a query comes to on a database: mostly one statement, more where it lacks what one would need.

Whoever asks for an UPDATE that answers what it wrote gets that everywhere; only a dialect knows
whether it takes a SELECT beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import peewee

from interaqt.core.moments import NOW
from interaqt.storage.database import Executor, Result, Row
from interaqt.storage.moment import present
from interaqt.storage.sql import binder, compile_statement, converters_of, runner

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["Counted", "Plan", "Program", "Rows"]


@attrs.frozen
class Plan:
    """Statements in order, of which one answers for all."""

    steps: tuple[peewee.Node, ...]
    answer: int = 0
    singly: bool = False
    """Whether a list of rows must be given one at a time, for only so each is answered for."""
    then: Callable[[int], Sequence[str]] | None = None
    """The texts of more, for so many first values of the rows answered; the rest of the rows is the answer."""
    counts: bool = False
    """Whether it inserts one row, whose key the database counts and the driver knows: that is the answer."""


class Counted:
    """The key that the database has counted for a row, as the result of its INSERT."""

    __slots__ = ("key",)
    rowcount = 1

    def __init__(self, inserted: Any) -> None:
        self.key = inserted.lastrowid

    def fetchone(self) -> Row | None:
        return (self.key,)

    def fetchall(self) -> list[Row]:
        return [(self.key,)]


class Rows:
    """Rows that are there already, as a result."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = list(rows)
        self.rowcount = len(self._rows)

    def fetchone(self) -> Row | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Row]:
        rows, self._rows = self._rows, []
        return rows


class Program:
    """A query made ready to be run, with values by name."""

    def __init__(self, query: peewee.Node, dialect: Dialect) -> None:
        plan = dialect.plan(query)
        statements = [compile_statement(step, dialect) for step in plan.steps]
        further = () if plan.then is None else plan.then(1)
        self.sql = ";\n".join([*(statement.sql for statement in statements), *further])
        self.singly = plan.singly
        self._steps = [(each.sql, binder(each, converters_of([each], dialect))) for each in statements]
        self._answer = plan.answer
        self._then = plan.then
        self._counts = plan.counts
        self._is_timed = any(NOW.name in statement.slots for statement in statements)
        self.run: Callable[[Executor, Mapping[str, Any]], Result] = self._run
        if len(statements) == 1 and plan.then is None and not self._is_timed:
            (only,) = statements
            self.run = runner(only, converters_of([only], dialect), Counted if plan.counts else None)

    def _run(self, executor: Executor, given: Mapping[str, Any]) -> Result:
        if self._is_timed:
            given = {**given, NOW.name: present()}
        if self._then is not None:
            return self._run_found(executor, given, self._then)
        results = [executor.execute(sql, bind(given)) for sql, bind in self._steps]
        return Counted(results[0]) if self._counts else results[self._answer]

    def run_each(self, executor: Executor, each_given: Sequence[Mapping[str, Any]]) -> Result:
        """Once for each; answers what all of them did."""
        results = [self.run(executor, given) for given in each_given]
        return Rows([row for result in results for row in result.fetchall()])

    def _run_found(self, executor: Executor, given: Mapping[str, Any], then: Callable[[int], Sequence[str]]) -> Result:
        sql, bind = self._steps[0]
        rows = executor.execute(sql, bind(given)).fetchall()
        if rows:
            keys = [row[0] for row in rows]
            for sql in then(len(keys)):
                executor.execute(sql, keys)
        return Rows([row[1:] for row in rows])
