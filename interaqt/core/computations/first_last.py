"""First and Last: a value of the related record that comes first, or last, by an order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from interaqt.core.computations.aggregation import BOOL, Target
from interaqt.core.computations.compared import Comparison, Kept, LookupRule, ordered_type
from interaqt.core.errors import Location
from interaqt.core.expressions import Const, Expr, Op
from interaqt.core.many import Many

__all__ = ["EndSpec", "First", "FirstSpec", "Last", "LastSpec"]

R = TypeVar("R")
V = TypeVar("V")

Ordered = int | float | Decimal | str | dt.date | dt.datetime | dt.timedelta


@overload
def First(
    over: Many[R] | type[R],
    of: Callable[[R], V],
    by: Callable[[R], Ordered | None],
    where: Callable[[R], bool] | None = ...,
    *,
    init: Literal[False] = ...,
) -> V | None: ...
@overload
def First(
    over: Many[R] | type[R],
    of: Callable[[R], V],
    by: Callable[[R], Ordered | None],
    where: Callable[[R], bool] | None = ...,
    *,
    default: V,
    init: Literal[False] = ...,
) -> V: ...
def First(over: Any, of: Any, by: Any, where: Any = None, *, default: Any = None, init: Literal[False] = False) -> Any:
    """The ``of`` of the record in ``over`` (for which ``where`` holds) that comes first by ``by``.

    Of records that are equal by it, the one with the least key comes first. On nothing it is
    ``default``, or None if there is no default. A record whose ``by`` is None does not count.
    """
    return FirstSpec(over, of, by, where, default, Location.of_caller())


@overload
def Last(
    over: Many[R] | type[R],
    of: Callable[[R], V],
    by: Callable[[R], Ordered | None],
    where: Callable[[R], bool] | None = ...,
    *,
    init: Literal[False] = ...,
) -> V | None: ...
@overload
def Last(
    over: Many[R] | type[R],
    of: Callable[[R], V],
    by: Callable[[R], Ordered | None],
    where: Callable[[R], bool] | None = ...,
    *,
    default: V,
    init: Literal[False] = ...,
) -> V: ...
def Last(over: Any, of: Any, by: Any, where: Any = None, *, default: Any = None, init: Literal[False] = False) -> Any:
    """The ``of`` of the record in ``over`` (for which ``where`` holds) that comes last by ``by``.

    Of records that are equal by it, the one with the greatest key comes last. On nothing it is
    ``default``, or None if there is no default. A record whose ``by`` is None does not count.
    """
    return LastSpec(over, of, by, where, default, Location.of_caller())


class EndSpec(Comparison):
    descending: bool

    def __init__(self, over: Any, of: Any, by: Callable[[Any], Any], where: Any, default: Any, location: Location):
        super().__init__(over, of, where, default, location)
        self.by = by

    def resolve(self, target: Target) -> LookupRule:
        self.require_something(target)
        of = self.value_of(target, target.type)
        by = target.trace(self.by, ordered_type)
        place, _ = target.beside("by", by.type.optional())
        key, read_key = target.beside("key", target.collection.target.key.type.optional())
        kept, value = target.attribute, None
        if self.default is not None:
            # None may be what was found, so the key tells whether anything was.
            kept, read = target.beside("found", target.type.optional())
            nothing: Expr = Op("is_null", (read_key,), BOOL)
            value = Op("case", (nothing, Const(self.default, target.type), read), target.type)
        return LookupRule(
            property=target.attribute,
            collection=target.collection,
            value=value,
            condition=self.condition(target, by),
            order=(Kept(place, by), Kept(key, target.element)),
            also=(Kept(kept, of),),
            descending=self.descending,
        )


class FirstSpec(EndSpec):
    name_of = "First"
    descending = False


class LastSpec(EndSpec):
    name_of = "Last"
    descending = True
