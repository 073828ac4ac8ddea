"""Every and Any: whether all related records satisfy a condition, or at least one does."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Literal, TypeVar, cast

from interaqt.core.computations.aggregation import BOOL, INT, AggregateRule, Aggregation, Target, counted
from interaqt.core.errors import Location
from interaqt.core.expressions import Const, Op, negate
from interaqt.core.many import Many
from interaqt.core.types import Kind

__all__ = ["Any", "AnySpec", "Every", "EverySpec"]

T = TypeVar("T")

_ZERO = Const(0, INT)


def Every(over: Many[T] | type[T], where: Callable[[T], bool], *, init: Literal[False] = False) -> bool:
    """Whether ``where`` holds for all records in ``over``. True on nothing."""
    return cast(bool, EverySpec(over, Location.of_caller(), where))


def Any(over: Many[T] | type[T], where: Callable[[T], bool], *, init: Literal[False] = False) -> bool:
    """Whether ``where`` holds for at least one record in ``over``. False on nothing."""
    return cast(bool, AnySpec(over, Location.of_caller(), where))


class EverySpec(Aggregation):
    name_of = "Every"
    where: Callable[[typing.Any], bool]

    def resolve(self, target: Target) -> AggregateRule:
        target.require(Kind.BOOL)
        # Counting those that fail needs no total beside it: all hold when none fails.
        failing, read = target.hidden("failing", counted(negate(target.trace(self.where, BOOL))))
        return target.rule([failing], Op("eq", (read, _ZERO), BOOL))


class AnySpec(Aggregation):
    name_of = "Any"
    where: Callable[[typing.Any], bool]

    def resolve(self, target: Target) -> AggregateRule:
        target.require(Kind.BOOL)
        matching, read = target.hidden("matching", counted(target.trace(self.where, BOOL)))
        return target.rule([matching], Op("gt", (read, _ZERO), BOOL))
