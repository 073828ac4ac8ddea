"""Comparing: contributing records came, changed or went, or what they refer to changed.

What each was and is to a rule that compares them is worked out first: in Python where the row
itself says it, else by one statement. What follows for the hosts is then the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import ComparedRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.expressions import Root
from interaqt.core.model import RecordModel
from interaqt.runtime.graph import Path
from interaqt.runtime.moves import Move
from interaqt.runtime.reaction import NEW, OLD, Pair, Reaction, Step
from interaqt.runtime.row_states import RowStates, guarded, state_of
from interaqt.runtime.spread import Cut
from interaqt.runtime.updates import following
from interaqt.storage.prepared import Prepared
from interaqt.storage.scope import Image as ImageBinding
from interaqt.storage.states import states_along

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Compare", "CompareFar"]


class Compare(Reaction):
    """Follows contributing records that came, changed or went, whatever host they came to or left."""

    def __init__(self, planner: Planner, rule: ComparedRule) -> None:
        self.rule = rule
        self.rules = (rule,)
        self.update = following(planner, rule)
        self.via = rule.collection.via
        self.key = rule.collection.link.key.name
        self.states = RowStates(planner, Root(LINK, rule.collection.link), rule.condition, rule.state)
        self.reads = self.states.reads | {self.via.name} | ({self.key} if self.update.needs_key else set())

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        states = iter(self.states.of(run, [image for pair in pairs for image in pair]))
        moves: list[Move] = []
        for old, new in pairs:
            before, after = next(states), next(states)
            known = new or old
            assert known is not None
            key = known.get(self.key)
            left, come = (None if image is None else self.via.key_in(image) for image in (old, new))
            if left == come:
                moves.append(Move(left, key, before, after))
            else:
                moves += [Move(left, key, before, None), Move(come, key, None, after)]
        moves = [each for each in moves if each.host is not None and each.old != each.new]
        if run.ending:
            moves = [each for each in moves if not run.is_ending(self.update.host, each.host)]
        self.update.apply(run, moves)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        if not self.states.local:
            yield Step(self.states.select.sql, f"what the record is to {self.rule}")
        yield from self.update.steps()


class CompareFar(Reaction):
    """Follows contributing records whose references along ``path`` lead to a changed one."""

    def __init__(self, planner: Planner, rule: ComparedRule, path: Path) -> None:
        self.planner = planner
        self.rule = rule
        self.rules = (rule,)
        self.path = path
        self.update = following(planner, rule)
        self._cut = Cut(Root(LINK, rule.collection.link), path, [rule.condition, *rule.state])
        self.reads = self._cut.reads

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        moves: list[Move] = []
        for old, new in pairs:
            assert old is not None, "a record that is referred to is changed, not made or deleted"
            assert new is not None
            given = self._cut.given(old, new)
            if given is None:
                continue
            for row in self._select.run(run.tx, given).fetchall():
                host, key, *cells = (
                    value if convert is None or value is None else convert(value)
                    for convert, value in zip(self._converters, row, strict=True)
                )
                middle = len(cells) // 2
                move = Move(host, key, state_of(cells[:middle]), state_of(cells[middle:]))
                if host is not None and move.old != move.new:
                    moves.append(move)
        self.update.apply(run, moves)

    @cached_property
    def _select(self) -> Prepared:
        link, via = self.rule.collection.link, self.rule.collection.via
        exprs = [each for root in (OLD, NEW) for each in guarded(*self._cut.under(root))]
        bindings = {NEW: ImageBinding(NEW), OLD: ImageBinding(OLD)}
        return states_along(self.planner.statements, link, LINK, [via, link.key], exprs, self.path, bindings)

    @cached_property
    def _converters(self) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        link, via = self.rule.collection.link, self.rule.collection.via
        state = [None, *(from_db(each.type.optional()) for each in self.rule.state)]
        return [from_db(via.type.optional()), from_db(link.key.type), *state, *state]

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        condition = f"if what {self.rule} reads of {'.'.join((LINK, *self.path))} changed"
        yield Step(self._select.sql, f"{condition}: what each record was to it, and is")
        yield from self.update.steps()
