"""Counting different values: one counts where no other record of the host has it.

What came and what went is asked for in one statement, whatever the number of records; the number
then moves by the difference, as a sum does. Hosts are locked first, where a database has locks, so
that two who bring the same value at once see one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import DistinctRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.expressions import Root
from interaqt.runtime.moves import Move
from interaqt.runtime.reaction import Step
from interaqt.runtime.sums import SumUpdate, delta_param
from interaqt.storage.prepared import KEY, PreparedRows
from interaqt.storage.states import PLACE, absent

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["DistinctUpdate"]


class DistinctUpdate(SumUpdate):
    """Keeps the value of one rule on its hosts."""

    needs_key = True

    def __init__(self, planner: Planner, rule: DistinctRule) -> None:
        super().__init__(planner, [rule])
        self.rule = rule

    def apply(self, run: Run, moves: Sequence[Move]) -> None:
        """Follow the moves of records, each already done in the database."""
        asked = [(each, state) for each in moves for state in (each.old, each.new) if state is not None]
        if not asked:
            return
        if self.planner.schema.dialect.for_update:
            self._lock.run(run.tx, [{KEY: host} for host in sorted({each.host for each in moves})])
        rows = [
            {PLACE: place, "host": each.host, "key": each.key, "value": value}
            for place, (each, (value,)) in enumerate(asked)
        ]
        places = [asked[place] for (place,) in self._absent.run(run.tx, rows).fetchall()]
        alone = {(each.host, state) for each, state in places}
        deltas: dict[Any, int] = {}
        # Of these, no record has the value but those that moved.
        gone = {(each.host, each.old) for each in moves} & alone
        come = {(each.host, each.new) for each in moves} & alone
        for found, step in ((gone - come, -1), (come - gone, +1)):
            for host, _ in found:
                deltas[host] = deltas.get(host, 0) + step
        name = delta_param(self.rule.property).name
        self.by(run, {host: {name: delta} for host, delta in deltas.items() if delta}, locked=True)

    @cached_property
    def _absent(self) -> PreparedRows:
        collection, rule = self.collection, self.rule
        link = Root(LINK, collection.link)
        host = self.host.key.type
        return absent(self.planner.statements, link, collection.via, host, rule.of, rule.condition)

    def steps(self) -> Iterator[Step]:
        if self.planner.schema.dialect.for_update:
            yield Step(self._lock.sql, f"{self.rule} is counted by one at a time")
        yield Step(self._absent.sql, f"whether any other record has the value that {self.rule} counts")
        yield from self.plan(self.move_one, f"{self.rule} moves by the difference")
