"""Comparing: contributing records came, changed or went, or what they refer to changed.

What each was and is to a rule that compares them is worked out first: in Python where the row
itself says it, else by one statement. What follows for the hosts is then the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import ComparedRule, DistinctRule, LookupRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.evaluate import compile_function, compile_tuple
from interaqt.core.expressions import TRUE, Const, Expr, Op, Root
from interaqt.core.model import RecordModel
from interaqt.runtime.adjust import image_source, is_local, read_images, type_of
from interaqt.runtime.distinct import DistinctUpdate
from interaqt.runtime.graph import Path
from interaqt.runtime.lookups import LookupUpdate
from interaqt.runtime.moves import Move, State
from interaqt.runtime.reaction import NEW, OLD, Pair, Reaction, Step
from interaqt.runtime.spread import Cut
from interaqt.storage.prepared import Image, Prepared, PreparedRows
from interaqt.storage.scope import Image as ImageBinding
from interaqt.storage.states import PLACE, states_along, states_of

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Compare", "CompareFar"]

Update = LookupUpdate | DistinctUpdate


def _update(planner: Planner, rule: ComparedRule) -> Update:
    if isinstance(rule, LookupRule):
        return LookupUpdate(planner, rule)
    assert isinstance(rule, DistinctRule)
    return DistinctUpdate(planner, rule)


class Compare(Reaction):
    """Follows contributing records that came, changed or went, whatever host they came to or left."""

    def __init__(self, planner: Planner, rule: ComparedRule) -> None:
        self.rule = rule
        self.rules = (rule,)
        self.update = _update(planner, rule)
        self.via = rule.collection.via
        self.key = rule.collection.link.key.name
        self.states = _States(planner, rule)
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
        self.update.apply(run, [each for each in moves if each.host is not None and each.old != each.new])

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
        self.update = _update(planner, rule)
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
                move = Move(host, key, _state(cells[:middle]), _state(cells[middle:]))
                if host is not None and move.old != move.new:
                    moves.append(move)
        self.update.apply(run, moves)

    @cached_property
    def _select(self) -> Prepared:
        link, via = self.rule.collection.link, self.rule.collection.via
        exprs = [each for root in (OLD, NEW) for each in _guarded(*self._cut.under(root))]
        bindings = {NEW: ImageBinding(NEW), OLD: ImageBinding(OLD)}
        return states_along(self.planner.statements, link, LINK, [via, link.key], exprs, self.path, bindings)

    @cached_property
    def _converters(self) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        link, via = self.rule.collection.link, self.rule.collection.via
        state = _converters(self.planner, self.rule)
        return [from_db(via.type.optional()), from_db(link.key.type), *state, *state]

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        condition = f"if what {self.rule} reads of {'.'.join((LINK, *self.path))} changed"
        yield Step(self._select.sql, f"{condition}: what each record was to it, and is")
        yield from self.update.steps()


class _States:
    """What rows are to a rule, from their images."""

    def __init__(self, planner: Planner, rule: ComparedRule) -> None:
        self.planner = planner
        self.rule = rule
        self._exprs = (rule.condition, *rule.state)
        self.local = all(map(is_local, self._exprs))
        self._names = sorted({name for each in self._exprs for _, name in read_images(each)})
        self.reads = frozenset(self._names)

    def of(self, run: Run, images: Sequence[Image | None]) -> list[State | None]:
        if self.local:
            return [None if each is None or not self._holds(each) else self._values(each) for each in images]
        rows = [
            {PLACE: place, **{f"{LINK}.{name}": image[name] for name in self._names}}
            for place, image in enumerate(images)
            if image is not None
        ]
        found: list[State | None] = [None] * len(images)
        for place, *cells in self.select.run(run.tx, rows).fetchall():
            found[place] = _state(
                [
                    value if convert is None or value is None else convert(value)
                    for convert, value in zip(self._converters, cells, strict=True)
                ]
            )
        return found

    @cached_property
    def _holds(self) -> Callable[[Any], Any]:
        return compile_function(self.rule.condition, [LINK], image_source)

    @cached_property
    def _values(self) -> Callable[[Any], State]:
        return compile_tuple(self.rule.state, [LINK], image_source)

    @cached_property
    def select(self) -> PreparedRows:
        link = self.rule.collection.link
        columns = [(f"{LINK}.{name}", type_of(link.attributes[name])) for name in self._names]
        return states_of(self.planner.statements, LINK, columns, _guarded(*self._exprs))

    @cached_property
    def _converters(self) -> list[Any]:
        return _converters(self.planner, self.rule)


def _guarded(condition: Expr, *state: Expr) -> list[Expr]:
    """The condition, and the state where it holds: elsewhere it need not even be computable."""
    if condition == TRUE:
        return [condition, *state]
    return [condition, *(_where(condition, each) for each in state)]


def _where(condition: Expr, value: Expr) -> Expr:
    type = value.type.optional()
    return Op("case", (condition, value, Const(None, type)), type)


def _state(cells: Sequence[Any]) -> State | None:
    holds, *values = cells
    return tuple(values) if holds else None


def _converters(planner: Planner, rule: ComparedRule) -> list[Any]:
    from_db = planner.schema.dialect.from_db
    return [None, *(from_db(each.type.optional()) for each in rule.state)]
