"""Asking for the values of rows that are going to be made, where Python works them out of the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST
from interaqt.core.evaluate import compile_tuple
from interaqt.core.expressions import Expr
from interaqt.runtime.adjust import is_local, read_images, type_of
from interaqt.runtime.completion import row_source
from interaqt.runtime.custom_inputs import Given, InPython, converted
from interaqt.runtime.custom_values import CustomValues
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Executor
from interaqt.storage.moment import present
from interaqt.storage.prepared import Image, PreparedRows
from interaqt.storage.states import PLACE, states_of

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Asking"]


class Asking:
    """Adds the value of one rule to rows, given what it reads of them and of what they refer to.

    ``expanded`` puts in their place what the database works out as rows are made. What lies behind
    references is read by one statement for all rows, with a lock: who changes it comes before that,
    or waits and then finds the rows.
    """

    def __init__(self, planner: Planner, rule: CustomRule | OwnCustomRule, expanded: Callable[[Expr], Expr]) -> None:
        assert rule.own is not None
        self.planner = planner
        self.rule = rule
        self._given = rule.own.given
        self._own = tuple(map(expanded, rule.own.exprs))
        self._local = all(map(is_local, self._own))
        self._values = CustomValues(rule)

    def __call__(self, executor: Executor, images: Sequence[Image]) -> None:
        read = [self._read(image) for image in images] if self._local else self._select(executor, images)
        for image, values in zip(images, read, strict=True):
            (image[self.rule.name],) = self._values.computed(Given(self._given(values), []))

    # -- of the rows alone

    def _read(self, image: Image) -> list[Any]:
        return self._in_python(self._local_values(image))

    @cached_property
    def _local_values(self) -> Any:
        return compile_tuple(self._own, [HOST], row_source, given={"present": present})

    @cached_property
    def _in_python(self) -> InPython:
        return InPython(self._own)

    # -- of what they refer to

    def _select(self, executor: Executor, images: Sequence[Image]) -> list[list[Any]]:
        rows = [
            {PLACE: place, **{f"{HOST}.{name}": image[name] for name in self._names}}
            for place, image in enumerate(images)
        ]
        found: list[list[Any]] = [[]] * len(images)
        for place, *cells in self._statement.run(executor, rows).fetchall():
            found[place] = converted(cells, self._converters)
        return found

    @cached_property
    def _names(self) -> list[str]:
        return sorted({name for each in self._own for _, name in read_images(each)})

    @cached_property
    def _statement(self) -> PreparedRows:
        record = self.rule.record
        columns = [(f"{HOST}.{name}", type_of(record.attributes[name])) for name in self._names]
        return states_of(self.planner.statements, HOST, columns, self._own)

    @cached_property
    def _converters(self) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        return [from_db(each.type.optional(False)) for each in self._own]

    def steps(self) -> Iterator[Step]:
        if not self._local:
            yield Step(self._statement.sql, f"what {self.rule} reads of a new row and of what it refers to")
