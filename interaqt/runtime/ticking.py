"""Ticking: values that changed with the clock are brought right, with all that is derived from them.

What is due is found by an index, in batches, each a short transaction of its own. Several
processes may do so at once: each takes what no other is at.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING

from interaqt.core.computations import RealTimeRule
from interaqt.core.errors import InvalidValue, SideEffectError
from interaqt.core.moments import microseconds, moment
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of
from interaqt.runtime.dispatch import Writes
from interaqt.runtime.effects import Mutation
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.result import Outcome
from interaqt.runtime.run import Run
from interaqt.runtime.telling import Telling
from interaqt.runtime.transaction import Transactions
from interaqt.storage.due import due_first, due_rows
from interaqt.storage.moment import during
from interaqt.storage.prepared import Prepared, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Ticker"]

_NUMBER = ValueType(Kind.INT)


class Ticker:
    """Knows all values of one controller that change with the clock."""

    def __init__(self, transactions: Transactions, telling: Telling) -> None:
        self._transactions = transactions
        self._telling = telling
        graph = transactions.planner.graph
        rules = [rule for rule in graph.rules if isinstance(rule, RealTimeRule)]
        # Those first from which others follow: one that reads another is then brought right once.
        self._due = [_Due(transactions.planner, rule) for rule in sorted(rules, key=graph.level)]

    def tick(self, now: dt.datetime, batch: int) -> int:
        """Bring right all that is due by then; answers how many values that were."""
        if check_of(_NUMBER)(batch) is not None or batch < 1:
            raise InvalidValue(f"batch= takes a number from 1 on, not {batch!r}", code="tick.batch")
        told: list[Outcome] = []
        total = sum(self._all(due, now, batch, told) for due in self._due)
        failed = [each.error for each in told if each.error is not None]
        if failed:
            raise SideEffectError(
                f"{len(failed)} of {len(told)} side effects failed after {total} values were brought right: "
                f"{failed[0].message}"
            ) from failed[0]
        return total

    def _all(self, due: _Due, now: dt.datetime, batch: int, told: list[Outcome]) -> int:
        total = 0

        def work(run: Run) -> tuple[int, list[Mutation]]:
            with during(now):
                found = due.bring(run, now, batch)
                run.settle()
            return found, Writes(self._transactions.storage, run.created, run.mutations).mutations()

        while True:
            found, mutations = self._transactions.run(work, f"tick {due.rule}")
            told += self._telling.tell(mutations)
            total += found
            if found < batch:
                return total

    def next_due(self) -> dt.datetime | None:
        """When the next of them changes; None where none does."""
        found = [each for due in self._due if (each := due.first(self._transactions)) is not None]
        return moment(min(found)) if found else None


class _Due:
    """One value that changes with the clock, of any number of records."""

    def __init__(self, planner: Planner, rule: RealTimeRule) -> None:
        self.rule = rule
        self._planner = planner
        self._update = HostUpdate(planner, [rule])

    def bring(self, run: Run, now: dt.datetime, batch: int) -> int:
        """Bring some of what is due right; answers how many there were."""
        rows = self._rows.run(run.tx, {"now": microseconds(now), "batch": batch}).fetchall()
        found = sorted((self._reader.image(row) for row in rows), key=lambda image: image[self.rule.record.key.name])
        if found:
            self._update.rewrite(run, found)
        return len(found)

    def first(self, transactions: Transactions) -> int | None:
        with transactions.storage.executor() as executor:
            row = self._first.run(executor, {}).fetchone()
        return None if row is None else int(row[0])

    @property
    def _told(self) -> tuple[Stored, ...]:
        return self._update.rewriting

    @cached_property
    def _rows(self) -> Prepared:
        return due_rows(self._planner.statements, self.rule.record, self.rule.until, self._told)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._planner.schema, self._told)

    @cached_property
    def _first(self) -> Prepared:
        return due_first(self._planner.statements, self.rule.record, self.rule.until)
