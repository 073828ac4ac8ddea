"""Summation and WeightedSummation: the sum of a value over related records."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeVar, cast

from interaqt.core.computations.aggregation import ZEROS, AggregateRule, Aggregation, Target, non_null
from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import Const, Expr, Op, case
from interaqt.core.many import Many
from interaqt.core.trace_session import CUSTOM
from interaqt.core.types import Kind

__all__ = ["NUMBERS", "Summation", "SummationSpec", "WeightedSummation", "WeightedSummationSpec", "zero_of"]

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)

NUMBERS = (Kind.INT, Kind.FLOAT, Kind.DECIMAL)


def zero_of(target: Target) -> Const:
    return Const(ZEROS[target.type.kind], target.type.optional(False))


def summand(target: Target, of: Callable[[Any], Any]) -> Expr:
    """What is summed, as the attribute's type; what is no number, or not that one, is said in those words."""
    try:
        return target.trace(of, target.type.optional())
    except TraceError as error:
        if error.message.startswith("it gives ") and CUSTOM in error.hint:
            name = target.text.split("(")[0]
            error.hint = f"{name} adds up what its attribute is declared as: answer {target.type}"
        raise


def Summation(
    over: Many[T] | type[T],
    of: Callable[[T], N | None],
    where: Callable[[T], bool] | None = None,
    *,
    init: Literal[False] = False,
) -> N:
    """The sum of ``of`` over the records in ``over`` (for which ``where`` holds); 0 on nothing.

    A record whose ``of`` is None adds nothing. Of the attribute's type: int, float or Decimal.
    """
    return cast(N, SummationSpec(over, of, where, Location.of_caller()))


class SummationSpec(Aggregation):
    name_of = "Summation"

    def __init__(self, over: Any, of: Callable[[Any], Any], where: Any, location: Location) -> None:
        super().__init__(over, location, where)
        self.of = of

    def resolve(self, target: Target) -> AggregateRule:
        target.require(*NUMBERS)
        value = non_null(summand(target, self.of), zero_of(target))
        condition = self.matches(target)
        return target.total(value if condition is None else case(condition, value, zero_of(target)))


def WeightedSummation(
    over: Many[T] | type[T],
    weight: Callable[[T], int | N | None],
    of: Callable[[T], N | None],
    where: Callable[[T], bool] | None = None,
    *,
    start: N | None = None,
    init: Literal[False] = False,
) -> N:
    """The sum of ``weight * of`` over the records in ``over``; 0 on nothing.

    ``start`` is a number that the sum is added to. A record whose weight or value is None adds
    nothing.
    """
    return cast(N, WeightedSummationSpec(over, weight, of, where, start, Location.of_caller()))


class WeightedSummationSpec(Aggregation):
    name_of = "WeightedSummation"

    def __init__(
        self,
        over: Any,
        weight: Callable[[Any], Any],
        of: Callable[[Any], Any],
        where: Any,
        start: Any,
        location: Location,
    ) -> None:
        super().__init__(over, location, where)
        self.weight, self.of, self.start = weight, of, start

    def resolve(self, target: Target) -> AggregateRule:
        target.require(*NUMBERS)
        zero = zero_of(target)
        factors = [non_null(summand(target, each), zero) for each in (self.weight, self.of)]
        product: Expr = Op("mul", tuple(factors), zero.type)
        condition = self.matches(target)
        contribution = product if condition is None else case(condition, product, zero)
        if self.start is None:
            return target.total(contribution)
        total, read = target.hidden("sum", contribution)
        return target.rule([total], Op("add", (Const(self.start, zero.type), read), zero.type))
