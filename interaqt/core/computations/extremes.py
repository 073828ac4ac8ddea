"""Maximum and Minimum: the greatest or the least value over related records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from interaqt.core.computations.aggregation import BOOL, Target
from interaqt.core.computations.compared import ORDERED, Comparison, Kept, LookupRule
from interaqt.core.errors import Location
from interaqt.core.expressions import Const, Expr, Op
from interaqt.core.many import Many

__all__ = ["ExtremeSpec", "Maximum", "MaximumSpec", "Minimum", "MinimumSpec"]

R = TypeVar("R")
V = TypeVar("V", int, float, Decimal, str, dt.date, dt.datetime, dt.timedelta)


@overload
def Maximum(
    over: Many[R] | type[R],
    of: Callable[[R], V | None],
    where: Callable[[R], bool] | None = ...,
    *,
    init: Literal[False] = ...,
) -> V | None: ...
@overload
def Maximum(
    over: Many[R] | type[R],
    of: Callable[[R], V | None],
    where: Callable[[R], bool] | None = ...,
    *,
    default: V,
    init: Literal[False] = ...,
) -> V: ...
def Maximum(over: Any, of: Any, where: Any = None, *, default: Any = None, init: Literal[False] = False) -> Any:
    """The greatest ``of`` over the records in ``over`` (for which ``where`` holds).

    On nothing it is ``default``, or None if there is no default. A record whose ``of`` is None does
    not count. Texts are in the order of their code points.
    """
    return MaximumSpec(over, of, where, default, Location.of_caller())


@overload
def Minimum(
    over: Many[R] | type[R],
    of: Callable[[R], V | None],
    where: Callable[[R], bool] | None = ...,
    *,
    init: Literal[False] = ...,
) -> V | None: ...
@overload
def Minimum(
    over: Many[R] | type[R],
    of: Callable[[R], V | None],
    where: Callable[[R], bool] | None = ...,
    *,
    default: V,
    init: Literal[False] = ...,
) -> V: ...
def Minimum(over: Any, of: Any, where: Any = None, *, default: Any = None, init: Literal[False] = False) -> Any:
    """The least ``of`` over the records in ``over`` (for which ``where`` holds).

    On nothing it is ``default``, or None if there is no default. A record whose ``of`` is None does
    not count. Texts are in the order of their code points.
    """
    return MinimumSpec(over, of, where, default, Location.of_caller())


class ExtremeSpec(Comparison):
    descending: bool

    def resolve(self, target: Target) -> LookupRule:
        target.require(*ORDERED, nullable=self.default is None)
        self.require_something(target)
        of = self.value_of(target, target.type.optional())
        kept, value = target.attribute, None
        if self.default is not None:
            kept, read = target.beside("found", target.type.optional())
            nothing: Expr = Op("is_null", (read,), BOOL)
            value = Op("case", (nothing, Const(self.default, target.type), read), target.type)
        return LookupRule(
            property=target.attribute,
            collection=target.collection,
            value=value,
            condition=self.condition(target, of),
            order=(Kept(kept, of),),
            descending=self.descending,
        )


class MaximumSpec(ExtremeSpec):
    name_of = "Maximum"
    descending = True


class MinimumSpec(ExtremeSpec):
    name_of = "Minimum"
    descending = False
