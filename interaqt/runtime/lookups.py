"""Looking up: what is kept of the record that comes first, and what happens when that one goes.

A record that comes, or that moves towards the front, is compared with what is kept, by one UPDATE.
Where one goes or moves back, its host is locked and read: if what is kept was taken from it, the
first of those that are left is looked up. The lock makes two that go at once see one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.computations import LookupRule
from interaqt.core.computations.aggregation import BOOL, HOST
from interaqt.core.expressions import Expr, Op, Param, all_of, any_of, case
from interaqt.core.model import Property
from interaqt.runtime.hosts import HostUpdate, assigned, stored
from interaqt.runtime.moves import Move, State
from interaqt.runtime.reaction import Step
from interaqt.storage.prepared import KEY, Prepared, PreparedRows, Reader

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["LookupUpdate"]


class LookupUpdate(HostUpdate):
    """Keeps the values of one rule on its hosts."""

    needs_key = False

    def __init__(self, planner: Planner, rule: LookupRule) -> None:
        super().__init__(planner, [rule])
        self.rule = rule
        self._depth = len(rule.order)

    def apply(self, run: Run, moves: Sequence[Move]) -> None:
        """Follow the moves of records, each already done in the database."""
        left: dict[Any, list[State]] = {}
        came: dict[Any, State] = {}
        for each in moves:
            if each.new is None or (each.old is not None and self._is_before(each.old, each.new)):
                assert each.old is not None
                left.setdefault(each.host, []).append(each.old)
            elif each.host not in came or self._is_before(each.new, came[each.host]):
                came[each.host] = each.new
        again = self._bereft(run, left)
        self.again(run, again, locked=True)
        self._came(run, {host: state for host, state in came.items() if host not in again})

    def _is_before(self, one: State, other: State) -> bool:
        ahead, behind = one[: self._depth], other[: self._depth]
        return ahead > behind if self.rule.descending else ahead < behind

    # -- where one goes

    def _bereft(self, run: Run, left: Mapping[Any, Sequence[State]]) -> set[Any]:
        """Those of the hosts that what is kept of may be of a record that left, all of them locked."""
        if not left:
            return set()
        rows = [{KEY: key} for key in sorted(left)]
        found = set()
        for row in self._held.run(run.tx, rows).fetchall():
            image = self._held_reader.image(row)
            host = image[self.host.key.name]
            held = tuple(image[each.property.name] for each in self.rule.order)
            if None in held or not all(self._is_before(held, state) for state in left[host]):
                found.add(host)
        return found

    @property
    def _holding(self) -> tuple[Property, ...]:
        return (self.host.key, *(each.property for each in self.rule.order))

    @cached_property
    def _held(self) -> PreparedRows:
        return self.planner.statements.read_rows(self.host, self._holding)

    @cached_property
    def _held_reader(self) -> Reader:
        return Reader(self.planner.schema, self._holding)

    # -- where one comes

    def _came(self, run: Run, came: Mapping[Any, State]) -> None:
        if not came:
            return
        rows = [{KEY: key, **dict(zip(self._names, came[key], strict=True))} for key in sorted(came)]
        if len(rows) == 1:
            self.one(run, self._compare_one, rows[0])
        else:
            self.several(run, [row[KEY] for row in rows], lambda: self._compare_rows.run(run.tx, rows))

    @cached_property
    def _names(self) -> list[str]:
        return [_fresh(each).name for each in self.kept]

    @cached_property
    def _assignments(self) -> dict[Property, Expr]:
        """What is kept becomes what came, where that comes first."""
        first = self._comes_first()
        return self.assignments(assigned([self.rule], lambda each: case(first, _fresh(each), stored(each))))

    def _comes_first(self) -> Expr:
        ahead = "gt" if self.rule.descending else "lt"
        *before, last = [each.property for each in self.rule.order]
        conditions: list[Expr] = [Op("is_null", (stored(last),), BOOL)]
        equal: list[Expr] = []
        for each in before:
            conditions.append(all_of(*equal, _compared(ahead, each)))
            equal.append(_compared("eq", each))
        # The record that is kept may have changed in what is kept of it besides.
        conditions.append(all_of(*equal, _compared({"gt": "ge", "lt": "le"}[ahead] if self.rule.also else ahead, last)))
        return any_of(*conditions)

    @cached_property
    def _compare_one(self) -> Prepared:
        return self.planner.statements.adjust(self.host, HOST, self._assignments, {}, self.returning)

    @cached_property
    def _compare_rows(self) -> PreparedRows:
        columns = [(KEY, self.host.key.type), *((_fresh(each).name, each.type) for each in self.kept)]
        return self.planner.statements.adjust_rows(self.host, HOST, self._assignments, columns, self.returning)

    # -- for explain

    def steps(self) -> Iterator[Step]:
        yield Step(self._held.sql, f"if a record leaves or moves back: what {self.rule} was taken from")
        yield Step(self.count_again.sql, f"{self.rule} is looked up, if it was taken from that record")
        yield from self.plan(self._compare_one, f"{self.rule} is compared with a record that comes or moves forward")


def _fresh(kept: Property) -> Param:
    """What came, in the place of what is kept."""
    return Param(f"came.{kept.name}", kept.type)


def _compared(name: str, kept: Property) -> Expr:
    # Where nothing is kept, that is what decides.
    new, held = (attrs.evolve(each, type=kept.type.optional(False)) for each in (_fresh(kept), stored(kept)))
    return Op(name, (new, held), BOOL)
