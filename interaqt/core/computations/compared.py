"""Values that are found by comparing records with one another, where others are found by adding.

One record is in the comparison while its condition holds, with a state of its own: what it offers
(``Maximum``), where it stands in the order (``First``), the value it has (``Distinct``). A write
changes the states of the records that it reaches, and the value follows from those alone, or is
looked up where what it was taken from is gone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from interaqt.core.computations.aggregation import BOOL, LINK, Aggregation, HostRule, Target
from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import TRUE, Attr, Const, Expr, Op, Root, all_of, negate
from interaqt.core.lift import lift
from interaqt.core.model import Constant, Index, Property
from interaqt.core.trace_session import CUSTOM, refuse
from interaqt.core.tracing import Branch, Tree
from interaqt.core.types import Kind, ValueType
from interaqt.core.values import check_of

__all__ = ["ORDERED", "ComparedRule", "Comparison", "Kept", "LookupRule", "ordered_type", "scalar_type"]

#: Kinds whose values have an order that Python and all databases agree on.
ORDERED = (
    Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR, Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA,
)  # fmt: skip


@attrs.frozen(eq=False, kw_only=True)
class ComparedRule(HostRule):
    """Records for which ``condition`` holds are compared by their ``state``."""

    condition: Expr

    @property
    @abstractmethod
    def state(self) -> tuple[Expr, ...]:
        """What matters of one record, ``Root(LINK)``, while its condition holds."""

    def reads(self) -> Iterator[Expr]:
        yield self.condition
        yield from self.state

    @property
    def found_by(self) -> tuple[str, ...]:
        """What tells the records of one host from those of others."""
        via = self.collection.via
        return () if isinstance(via, Constant) else (via.name,)

    def columns(self, *exprs: Expr) -> tuple[str, ...] | None:
        """The collection's reference and what the expressions read, where each is a column of the record itself."""
        names = dict.fromkeys(self.found_by)
        for expr in exprs:
            match expr:
                case Root(name=name, record=record) if name == LINK:
                    names[record.key.name] = None
                case Attr(of=Root(name=root), name=name) if root == LINK:
                    names[name] = None
                case _:
                    return None
        return tuple(names)


@attrs.frozen(eq=False)
class Kept:
    """What is kept of the record that was found: where, and what it is of ``Root(LINK)``."""

    property: Property
    expr: Expr


@attrs.frozen(eq=False, kw_only=True)
class LookupRule(ComparedRule):
    """Keeps ``order`` and ``also`` of the record that comes first by ``order``, or last if ``descending``.

    - delta: a record that comes is compared with what is kept; where the one goes from which that was
      taken, the next is looked up;
    - recompute: the first record of the collection by the order.
    """

    order: tuple[Kept, ...]
    also: tuple[Kept, ...] = ()
    descending: bool

    @property
    def of_record(self) -> tuple[Kept, ...]:
        return self.order + self.also

    @property
    def kept(self) -> tuple[Property, ...]:
        return tuple(each.property for each in self.of_record)

    @property
    def state(self) -> tuple[Expr, ...]:
        return tuple(each.expr for each in self.of_record)

    def initial(self, kept: Property) -> Const:
        return Const(None, kept.type.optional())

    def recomputed(self, kept: Property) -> Expr:
        each = next(each for each in self.of_record if each.property is kept)
        found = self.over("first", each.expr, self.condition, kept.type.optional())
        return attrs.evolve(found, order=tuple(each.expr for each in self.order), descending=self.descending)

    @property
    def index(self) -> Index | None:
        names = self.columns(*(each.expr for each in self.order))
        return None if names is None else Index(names, ordered=True, found_by=len(self.found_by))


class Comparison(Aggregation):
    """The declaration of a value that is found by comparing."""

    def __init__(self, over: Any, of: Callable[[Any], Any], where: Any, default: Any, location: Location) -> None:
        super().__init__(over, location, where)
        self.of, self.default = of, default

    def condition(self, target: Target, present: Expr) -> Expr:
        """That it is in the collection, that ``where`` holds, and that there is a value to compare."""
        exists = negate(Op("is_null", (present,), BOOL)) if present.type.nullable else TRUE
        return all_of(target.collection.where or TRUE, self.matches(target) or TRUE, exists)

    def value_of(self, target: Target, expected: ValueType) -> Expr:
        """``of`` as the attribute's type; what is of another is said in those words."""
        try:
            return target.trace(self.of, expected)
        except TraceError as error:
            if error.message.startswith("it gives ") and CUSTOM in error.hint:
                error.hint = f"{self.name_of} gives what its attribute is declared as: answer {target.type}"
            raise

    def require_something(self, target: Target) -> None:
        """Refuse a type that has no place for nothing, and a default that is not of the type."""
        name, attribute = self.name_of, target.attribute
        if self.default is None:
            if not target.type.nullable:
                kind = target.type.kind
                raise target.error(
                    f"the {name.lower()} of nothing is None, but the attribute is declared {target.type}",
                    f"{name.lower()}.nothing",
                    hint=f"write {attribute.name}: {target.type} | None, or give a default= of {kind.value}",
                )
            return
        wrong = check_of(target.type)(self.default)
        if wrong is not None:
            raise target.error(f"the default {wrong}", f"{name.lower()}.default")


def ordered_type(tree: Tree) -> ValueType:
    """The type of what a callback answers, whatever it is, as long as it has an order."""
    found = scalar_type(tree)
    if found.kind not in ORDERED:
        refuse(f"it gives {found}, which has no order", "order by a number, a text, a date or a duration")
    return found


_WIDER = (Kind.INT, Kind.DECIMAL, Kind.FLOAT)


def scalar_type(tree: Tree) -> ValueType:
    """The type of what a callback answers, whatever it is, as long as equal values can be told."""
    types = [None if value is None else lift(value).type for value in _leaves(tree)]
    found = [each for each in types if each is not None]
    if not found:
        refuse("it gives None and nothing else", "is a `return` missing?")
    if any(each.kind is Kind.JSON for each in found):
        refuse("it gives a JSON value", "compare a part of it that is an attribute of its own")
    nullable = len(found) < len(types) or any(each.nullable for each in found)
    widest = max(found, key=lambda each: _WIDER.index(each.kind) if each.kind in _WIDER else 0)
    # Members narrow what may be stored; values that are compared need no such thing.
    bare = widest if widest.kind is Kind.ENUM else attrs.evolve(widest, members=())
    return bare.optional(nullable)


def _leaves(tree: Tree) -> Iterator[Any]:
    if isinstance(tree, Branch):
        yield from _leaves(tree.then)
        yield from _leaves(tree.otherwise)
    else:
        yield tree.value
