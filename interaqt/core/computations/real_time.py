"""RealTime: a value that changes with the clock, kept with the moment at which it is looked at again."""

from __future__ import annotations

import builtins
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, cast

import attrs

from interaqt.core.computations.aggregation import BOOL, Computation
from interaqt.core.computations.own import OwnRule, reads_key
from interaqt.core.computations.rule import HOST
from interaqt.core.errors import InvalidComputation, Location, being_declared
from interaqt.core.expressions import TRUE, Attr, Const, Expr, Op, Root, all_of, case, negate, replace
from interaqt.core.model import Property
from interaqt.core.moments import NOW
from interaqt.core.next_change import ChangesAlways, depends_on_time, next_change
from interaqt.core.parts import belongs
from interaqt.core.trace_session import describe
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind, ValueType

__all__ = ["RealTime", "RealTimeRule", "RealTimeSpec", "resolve_real_time"]

V = TypeVar("V")


def RealTime(
    value: Callable[[Any, dt.datetime], V], *, every: dt.timedelta | None = None, init: Literal[False] = False
) -> V:
    """What ``value(record, now)`` is at each moment.

    Whoever loads, queries or sorts by it gets what it is then. What is derived from it is as of
    the last :meth:`~interaqt.Controller.tick`, which brings those values right that changed by
    then; the moment at which each changes next is known and indexed. A value that is another at
    every moment, such as ``now - order.at``, is looked at again after ``every``.
    """
    return cast(V, RealTimeSpec(value, every, Location.of_caller()))


class RealTimeSpec(Computation):
    def __init__(self, value: Any, every: Any, location: Location) -> None:
        self.value, self.every, self.location = value, every, location
        if every is not None and (not isinstance(every, dt.timedelta) or every <= dt.timedelta(0)):
            raise InvalidComputation(
                f"every= takes a duration longer than none, not {every!r}",
                code="real_time.every",
                subject=f"{being_declared()}: RealTime(...)",
                location=location,
                hint="write every=dt.timedelta(minutes=1)",
            )

    @property
    def follows_row(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"RealTime(...{', every=...' if self.every is not None else ''})"


@attrs.frozen(eq=False, kw_only=True)
class RealTimeRule(OwnRule):
    """Keeps what ``expr`` is of ``Root(HOST)`` and the present moment, ``NOW``.

    ``until`` is when that may be another, in microseconds since 1970, and None where it never is;
    ``at`` is of which moment it is.
    """

    until: Property
    at: Property
    next: Expr

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return (self.property, self.until, self.at)

    @builtins.property
    def telling(self) -> tuple[Property, ...]:
        return (self.property, self.until)

    def reads(self) -> Iterator[Expr]:
        yield self.expr
        yield self.next

    def recomputed(self, kept: Property) -> Expr:
        return {self.property: self.expr, self.until: self.next, self.at: NOW}[kept]

    def expected(self, kept: Property) -> Expr:
        """As of the moment of which the value is."""
        then = Attr(Root(HOST, self.record), self.at.name, NOW.type)
        return replace(self.recomputed(kept), lambda node: then if node == NOW else None)

    def sufficient(self, kept: Property) -> Expr:
        """An older moment will do where what is stored is right for it."""
        if kept is not self.at:
            return self.recomputed(kept)
        row = Root(HOST, self.record)
        at = Attr(row, self.at.name, self.at.type)
        agree = (
            Op("eq", (Attr(row, each.name, each.type), self.expected(each)), BOOL)
            for each in (self.property, self.until)
        )
        return case(all_of(negate(Op("is_null", (at,), BOOL)), *agree), at, NOW)


def resolve_real_time(property: Property, spec: RealTimeSpec) -> RealTimeRule:
    """The rule of a value that changes with the clock; adds what is kept beside it to the record."""
    record, subject = property.record, f"{property}: {spec}"

    def refuse(message: str, code: str, hint: str) -> InvalidComputation:
        return InvalidComputation(message, code=f"real_time.{code}", subject=subject, location=spec.location, hint=hint)

    if property.type.kind is Kind.JSON:
        raise refuse("a JSON value can't be compared, so that it changes can't be told", "type", "give a part of it")
    declared = property.owner.attributes[property.name]
    assert isinstance(declared, Property)
    root = Root(HOST, property.owner)
    expr = trace_value(spec.value, [root, NOW], declared.type, subject=subject, location=spec.location)
    if not depends_on_time(expr):
        raise refuse(
            "it is the same at every moment: it does not read the time, its second argument",
            "no_time",
            f"write @iq.computed(stored=True) def {property.name}(self) instead",
        )
    if reads_key(expr):
        raise refuse(
            f"it reads {record.key}, which the database counts when the row is made",
            "key",
            "give the record a UUID key, which is made before its row",
        )
    try:
        following = next_change(expr, spec.every)
    except ChangesAlways as error:
        raise refuse(
            f"{describe(error.part)} is another at every moment, so there is no next one at which it changes",
            "every",
            "say how old the value may become: every=dt.timedelta(minutes=1); or give what changes now and then: "
            "a comparison, now.date(), or whole units, (now - since) // dt.timedelta(minutes=1)",
        ) from None
    within = belongs(property.owner, Root(HOST, record))
    if within != TRUE:
        # What one kind of several in a table has is None in the rows of the others.
        declared.live = expr
        expr = case(within, expr, Const(None, property.type.optional()))
        following = case(within, following, Const(None, following.type.optional()))
    property.live = expr
    until = _beside(property, "until", ValueType(Kind.INT))
    until.index = True
    return RealTimeRule(property=property, expr=expr, next=following, until=until, at=_beside(property, "at", NOW.type))


def _beside(property: Property, suffix: str, type: ValueType) -> Property:
    name = f"{property.name}__{suffix}"
    made = Property(
        record=property.record,
        owner=property.owner,
        name=name,
        location=property.location,
        # Rows that were there before the computation have none until it is rebuilt.
        type=type.optional(),
        column=name,
        hidden=True,
    )
    property.record.attributes[name] = made
    return made
