"""Distinct: how many different values there are over related records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, cast

import attrs

from interaqt.core.computations.aggregation import INT, Target
from interaqt.core.computations.compared import ComparedRule, Comparison, scalar_type
from interaqt.core.errors import Location
from interaqt.core.expressions import Const, Expr
from interaqt.core.many import Many
from interaqt.core.model import Index, Property
from interaqt.core.types import Kind

__all__ = ["Distinct", "DistinctRule", "DistinctSpec"]

R = TypeVar("R")


def Distinct(
    over: Many[R] | type[R],
    of: Callable[[R], object],
    where: Callable[[R], bool] | None = None,
    *,
    init: Literal[False] = False,
) -> int:
    """How many different values ``of`` has over the records in ``over`` (for which ``where`` holds).

    None is no value. 0 on nothing. ``of`` may answer a record: how many different ones there are.
    """
    return cast(int, DistinctSpec(over, of, where, None, Location.of_caller()))


@attrs.frozen(eq=False, kw_only=True)
class DistinctRule(ComparedRule):
    """Keeps the number of different values of ``of``.

    - delta: a value that comes counts if no other record of the host has it, and so does one that goes;
    - recompute: the different values are counted.
    """

    of: Expr

    @property
    def kept(self) -> tuple[Property, ...]:
        return (self.property,)

    @property
    def state(self) -> tuple[Expr, ...]:
        return (self.of,)

    def initial(self, kept: Property) -> Const:
        return Const(0, INT)

    def recomputed(self, kept: Property) -> Expr:
        return self.over("distinct", self.of, self.condition, INT)

    @property
    def index(self) -> Index | None:
        names = self.columns(self.of)
        return None if names is None else Index(names, ordered=False)


class DistinctSpec(Comparison):
    name_of = "Distinct"

    def resolve(self, target: Target) -> DistinctRule:
        target.require(Kind.INT)
        of = target.trace(self.of, scalar_type)
        return DistinctRule(
            property=target.attribute,
            collection=target.collection,
            value=None,
            condition=self.condition(target, of),
            of=of,
        )
