"""Count: how many related records there are, or how many satisfy a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, cast

from interaqt.core.computations.aggregation import AggregateRule, Aggregation, Target, counted
from interaqt.core.errors import Location
from interaqt.core.many import Many
from interaqt.core.types import Kind

__all__ = ["Count", "CountSpec"]

T = TypeVar("T")


def Count(over: Many[T] | type[T], where: Callable[[T], bool] | None = None, *, init: Literal[False] = False) -> int:
    """The number of records in ``over``, or of those for which ``where`` holds. 0 on nothing."""
    return cast(int, CountSpec(over, Location.of_caller(), where))


class CountSpec(Aggregation):
    name_of = "Count"

    def resolve(self, target: Target) -> AggregateRule:
        target.require(Kind.INT)
        # A condition is 1 or 0, so entering, leaving and staying are one subtraction.
        return target.total(counted(self.matches(target)))
