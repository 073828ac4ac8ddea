"""Following own values: a record changed to which others refer, and what they store of it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import OwnRule
from interaqt.core.computations.rule import HOST
from interaqt.core.expressions import Expr, Root
from interaqt.core.model import Property, RecordModel
from interaqt.runtime.graph import Path
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.runtime.spread import Cut
from interaqt.storage.follow import assign_along, differing_along
from interaqt.storage.prepared import KEY, Prepared, Reader
from interaqt.storage.statements import rereads

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["OwnFar"]


class OwnFar(Reaction):
    """Works values out anew for the records that lead to a changed one by ``path``, where they differ.

    One UPDATE does it where nothing depends on the values and the database answers what it wrote.
    Else the rows that differ are locked and read, and then written.
    """

    def __init__(self, planner: Planner, rules: Sequence[OwnRule], path: Path) -> None:
        self.planner = planner
        self.rules: tuple[OwnRule, ...] = tuple(rules)
        self.path = path
        self.update = HostUpdate(planner, rules)
        self._cut = Cut(Root(HOST, self.update.host), path, [expr for each in rules for expr in each.reads()])
        self.reads = self._cut.reads

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        for old, new in pairs:
            assert old is not None, "a record that is referred to is changed, not made or deleted"
            assert new is not None
            if self._cut.given(old, new) is not None:
                self._follow(run, {KEY: new[self._cut.record.key.name]})

    def _follow(self, run: Run, given: Mapping[str, Any]) -> None:
        update = self.update
        if self._at_once:
            for row in self._assign.run(run.tx, given).fetchall():
                run.touched(update.host, self._reader.image(row)[update.host.key.name], update.names)
            return
        found = [self._reader.image(row) for row in self._differing.run(run.tx, given).fetchall()]
        if found:
            update.rewrite(run, found)

    @cached_property
    def _at_once(self) -> bool:
        can = self.planner.schema.database.capability.returning
        return can and not self.update.watched and not rereads(self.update.host, self._assignments.values())

    @cached_property
    def _assignments(self) -> dict[Property, Expr]:
        return self.update.assignments({each: rule.recomputed(each) for rule in self.rules for each in rule.kept})

    @cached_property
    def _telling(self) -> dict[Property, Expr]:
        """Where one of these is another, there is something to be written."""
        return {each: self._assignments[each] for rule in self.rules for each in rule.telling}

    @cached_property
    def _assign(self) -> Prepared:
        host = self.update.host
        return assign_along(
            self.planner.statements, host, HOST, self._assignments, self._telling, self.path, (host.key,)
        )

    @cached_property
    def _differing(self) -> Prepared:
        host = self.update.host
        returning = self.update.rewriting
        return differing_along(self.planner.statements, host, HOST, self._telling, self.path, returning)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.planner.schema, self.update.rewriting)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        names = ", ".join(str(rule) for rule in self.rules)
        condition = f"if what {names} reads of {'.'.join((HOST, *self.path))} changed"
        if self._at_once:
            yield Step(self._assign.sql, f"{condition}: {names} where it is another now")
        else:
            yield Step(self._differing.sql, f"{condition}: where {names} is another now")
            yield Step(self.update.count_again.sql, f"{names} is worked out anew there")
