"""Working values out anew, by spans of keys: in SQL where SQL can, and by the keys of a span where Python must.

What is right already is not written: a row that is written though nothing changes costs as much as any other
write, and locks out whoever wants to change it.

Others write meanwhile, and each of them leaves a value right that was right. So a row that is right
as of one moment stays so, and only those that are not are looked at closer:

- a value that follows from its own row is written by one UPDATE, which sees each row as it is when it has locked it;
- one that follows from the records of a collection is moved by others under the lock of its host. The hosts
  of the span are locked first; the UPDATE begins once that is done, and so it sees all that the moves
  before came of, and none of those that come after;
- where something depends on the values, the rows that differ are locked and read, worked out anew by a
  statement of its own, and what did change is told.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import HostRule, LookupRule, ValueRule
from interaqt.core.computations.rule import HOST
from interaqt.core.expressions import Expr, Param, Root
from interaqt.core.model import Property, RecordModel
from interaqt.runtime.hosts import HostUpdate, assigned
from interaqt.storage.database import Executor
from interaqt.storage.prepared import Reader
from interaqt.storage.spans import (
    OverSpan,
    Span,
    assign_within,
    assign_worked,
    differing_within,
    lock_within,
    values_within,
)
from interaqt.storage.statements import rereads

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Anew", "InPython", "InSQL"]


class Anew(ABC):
    """Works out anew what one rule keeps of the rows in a span of keys."""

    most: int
    """Of how many rows at a time, where nobody says so."""

    beside: RecordModel | None = None
    """The record of which all rows are read, too."""

    @abstractmethod
    def is_right(self, executor: Executor, span: Span) -> bool:
        """Whether there is nothing to do, as far as that can be asked without a lock."""

    @abstractmethod
    def run(self, run: Run, span: Span) -> None:
        """Do it."""


class InPython(Anew):
    """By the keys of the span: for what Python must be asked."""

    most = 1000

    def __init__(self, planner: Planner, over: RecordModel, again: Callable[[Run, Sequence[Any]], None]) -> None:
        self._again = again
        root = Root(HOST, over)
        self._keys = values_within(planner.statements, root, [root])
        self._convert = planner.schema.dialect.from_db(over.key.type)

    def is_right(self, executor: Executor, span: Span) -> bool:
        return False

    def run(self, run: Run, span: Span) -> None:
        convert = self._convert
        found = self._keys.run(run.tx, span).fetchall()
        keys = [key if convert is None else convert(key) for (key,) in found]
        if keys:
            self._again(run, keys)


class InSQL(Anew):
    """By one UPDATE of the span; where something depends on the values, of the rows that differ."""

    most = 10_000

    def __init__(self, planner: Planner, rule: ValueRule) -> None:
        self.planner = planner
        self.rule = rule
        self.over = rule.record
        self.update = HostUpdate(planner, [rule])
        if isinstance(rule, HostRule) and not (isinstance(rule, LookupRule) and rule.index is not None):
            self.beside = rule.source

    def is_right(self, executor: Executor, span: Span) -> bool:
        return self._any.run(executor, span).fetchone() is None

    def run(self, run: Run, span: Span) -> None:
        if self._at_once:
            if self._lock is not None:
                self._lock.run(run.tx, span)
            self._assign.run(run.tx, span)
            return
        found = [self._reader.image(row) for row in self._differing.run(run.tx, span).fetchall()]
        if found:
            self.update.rewrite(run, found)

    # -- what is to be, and where it is not

    @cached_property
    def _fresh(self) -> dict[Property, Expr]:
        return assigned([self.rule], self.rule.recomputed)

    @cached_property
    def _telling(self) -> dict[Property, Expr]:
        """Where one of these is another, there is something to be written."""
        kept = {each: self.rule.sufficient(each) for each in self.rule.kept}
        # Where what is kept is right, the value is to follow from it as it is.
        return kept if self.rule.value is None else {**kept, self.rule.property: self.rule.value}

    @cached_property
    def _any(self) -> OverSpan:
        return differing_within(self.planner.statements, self.over, HOST, (self.over.key,), self._telling, limit=1)

    # -- where nothing depends on it

    @cached_property
    def _at_once(self) -> bool:
        return not self.update.watched and not rereads(self.over, self.update.assignments(self._fresh).values())

    @cached_property
    def _assign(self) -> OverSpan:
        statements = self.planner.statements
        if not isinstance(self.rule, HostRule):
            assignments = self.update.assignments(self._fresh)
            return assign_within(statements, self.over, HOST, assignments, self._telling)
        # What is read of many records is read once for each host.
        given = {each: Param(f"worked.{each.name}", each.type) for each in self.rule.kept}
        worked = {given[each].name: self.rule.recomputed(each) for each in self.rule.kept}
        fresh = assigned([self.rule], given.__getitem__)
        return assign_worked(statements, self.over, HOST, worked, self.update.assignments(fresh), fresh)

    @cached_property
    def _lock(self) -> OverSpan | None:
        """What keeps others from moving the values meanwhile."""
        if self._locking is None or not isinstance(self.rule, HostRule):
            return None
        return lock_within(self.planner.statements, self.over, self._locking)

    @cached_property
    def _locking(self) -> str | None:
        dialect = self.planner.schema.dialect
        if not dialect.for_update:
            return None
        # A record that comes and is not the greatest changes nothing of its host, but it refers to it,
        # which a lock of more force waits for: what it is compared with may be wrong.
        return "FOR UPDATE" if isinstance(self.rule, LookupRule) else dialect.for_change

    # -- where something does

    @cached_property
    def _differing(self) -> OverSpan:
        return differing_within(
            self.planner.statements, self.over, HOST, self._known, self._telling, lock=self._locking
        )

    @cached_property
    def _known(self) -> tuple[Any, ...]:
        return self.update.returning or (self.over.key,)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.planner.schema, self._known)
