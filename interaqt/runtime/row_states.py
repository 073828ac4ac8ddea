"""Row states: whether a condition holds for a row, and what else matters of it there, from its image.

It is worked out in Python where the row itself says it, else by one statement for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.evaluate import compile_function, compile_tuple
from interaqt.core.expressions import TRUE, Const, Expr, Op, Root
from interaqt.runtime.adjust import image_source, is_local, read_images, type_of
from interaqt.runtime.moves import State
from interaqt.storage.prepared import Image, PreparedRows
from interaqt.storage.states import PLACE, states_of

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["RowStates", "guarded", "state_of"]


class RowStates:
    """The states of rows of ``root``: the values of ``state`` where ``condition`` holds, else None."""

    def __init__(self, planner: Planner, root: Root, condition: Expr, state: Sequence[Expr] = ()) -> None:
        self.planner = planner
        self.root = root
        self.condition = condition
        self.state = tuple(state)
        self.local = all(map(is_local, (condition, *state)))
        self._names = sorted({name for each in (condition, *state) for _, name in read_images(each)})
        self.reads = frozenset(self._names)

    def of(self, run: Run, images: Sequence[Image | None]) -> list[State | None]:
        if self.local:
            return [None if each is None or not self._holds(each) else self._values(each) for each in images]
        rows = [
            {PLACE: place, **{f"{self.root.name}.{name}": image[name] for name in self._names}}
            for place, image in enumerate(images)
            if image is not None
        ]
        found: list[State | None] = [None] * len(images)
        for place, *cells in self.select.run(run.tx, rows).fetchall():
            found[place] = state_of(
                [
                    value if convert is None or value is None else convert(value)
                    for convert, value in zip(self.converters, cells, strict=True)
                ]
            )
        return found

    @cached_property
    def _holds(self) -> Callable[[Any], Any]:
        return compile_function(self.condition, [self.root.name], image_source)

    @cached_property
    def _values(self) -> Callable[[Any], State]:
        return compile_tuple(self.state, [self.root.name], image_source)

    @cached_property
    def select(self) -> PreparedRows:
        attributes = self.root.record.attributes
        columns = [(f"{self.root.name}.{name}", type_of(attributes[name])) for name in self._names]
        return states_of(self.planner.statements, self.root.name, columns, guarded(self.condition, *self.state))

    @cached_property
    def converters(self) -> list[Any]:
        """What turns the cells of a condition and a state into values."""
        from_db = self.planner.schema.dialect.from_db
        return [None, *(from_db(each.type.optional()) for each in self.state)]


def guarded(condition: Expr, *state: Expr) -> list[Expr]:
    """The condition, and the state where it holds: elsewhere it need not even be computable."""
    if condition == TRUE:
        return [condition, *state]
    return [condition, *(_where(condition, each) for each in state)]


def _where(condition: Expr, value: Expr) -> Expr:
    type = value.type.optional()
    return Op("case", (condition, value, Const(None, type)), type)


def state_of(cells: Sequence[Any]) -> State | None:
    holds, *values = cells
    return tuple(values) if holds else None
