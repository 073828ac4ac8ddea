"""Aggregations: derived values that are sums of what each related record contributes.

``Count``, ``Summation``, ``Average``, ``Any`` and the rest differ only in what one record
contributes and in how the value follows from the sums. So each is kept right by one rule:

- delta: a sum moves by ``contribution(new) - contribution(old)``;
- recompute: a sum is the sum of the contributions of all records of the collection.

(Incremental maintenance of self-maintainable aggregates, after Gupta, Mumick and Subrahmanian,
"Maintaining Views Incrementally", 1993.)
"""

from __future__ import annotations

import builtins
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from interaqt.core.computations.rule import HOST, LINK, ValueRule
from interaqt.core.errors import InvalidComputation, Location, being_declared
from interaqt.core.expressions import Attr, Const, Expr, Fold, Op, Root, all_of, case
from interaqt.core.fields import ManySpec, Spec
from interaqt.core.model import Collection, Property, RecordModel, Reference
from interaqt.core.record import LazyAttribute
from interaqt.core.tracing import Tree, trace_value
from interaqt.core.types import Kind, ValueType

__all__ = [
    "HOST",
    "LINK",
    "ZEROS",
    "AggregateRule",
    "Aggregation",
    "Computation",
    "HostRule",
    "Sum",
    "Target",
    "counted",
    "non_null",
    "source_of",
]

BOOL = ValueType(Kind.BOOL)
INT = ValueType(Kind.INT)
FLOAT = ValueType(Kind.FLOAT)
DECIMAL = ValueType(Kind.DECIMAL)

#: What the sum of nothing is.
ZEROS: dict[Kind, int | float | Decimal] = {Kind.INT: 0, Kind.FLOAT: 0.0, Kind.DECIMAL: Decimal(0)}


class Computation(Spec):
    """What stands behind an attribute that the framework keeps."""

    @property
    def follows_row(self) -> bool:
        """Whether it is worked out from the row itself, so that a row of another kind has none."""
        return False


@attrs.frozen(eq=False)
class Sum:
    """One running sum: where it is kept and what one record (``Root(LINK)``) adds to it."""

    property: Property
    contribution: Expr


@attrs.frozen(eq=False, kw_only=True)
class HostRule(ValueRule):
    """Keeps a value of the host from the records of ``collection``, each ``Root(LINK)``."""

    root = LINK

    collection: Collection

    @builtins.property
    def source(self) -> RecordModel:
        return self.collection.link

    @builtins.property
    def via(self) -> Reference:
        return self.collection.via

    def over(self, kind: str, value: Expr, where: Expr | None, type: ValueType) -> Fold:
        """What the records of the host come to; see :class:`~interaqt.core.expressions.Fold`."""
        host, link = Root(HOST, self.property.record), Root(LINK, self.collection.link)
        return Fold(kind, host, self.collection, link, value, where, (), False, type)


@attrs.frozen(eq=False, kw_only=True)
class AggregateRule(HostRule):
    """Keeps ``sums``; where there is no ``value``, the only one is the property."""

    sums: tuple[Sum, ...]

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return tuple(each.property for each in self.sums)

    def reads(self) -> Iterator[Expr]:
        return (each.contribution for each in self.sums)

    def initial(self, kept: Property) -> Const:
        return Const(ZEROS[kept.type.kind], kept.type.optional(False))

    def recomputed(self, kept: Property) -> Expr:
        each = next(each for each in self.sums if each.property is kept)
        match each.contribution:
            # Records that add nothing need not even be looked at.
            case Op(name="case", args=(condition, value, Const(value=zero))) if not zero:
                return self.over("sum", value, condition, each.contribution.type)
        return self.over("sum", each.contribution, None, each.contribution.type)


@attrs.define(eq=False)
class Target:
    """The attribute that a computation is resolved for: places its sums and traces its callbacks."""

    attribute: Property
    collection: Collection
    text: str

    @property
    def type(self) -> ValueType:
        return self.attribute.type

    @property
    def element(self) -> Expr:
        """An element of the collection, as what it is declared to be of, which may have methods of its own."""
        target, far = self.collection.target, self.collection.far
        if far is None:
            return Root(LINK, target)
        return Attr(Root(LINK, self.collection.link), far.name, target.type.optional(far.type.nullable))

    def trace(self, function: Callable[[Any], Any], expected: ValueType | Callable[[Tree], ValueType]) -> Expr:
        """The callback, over an element of the collection, as an expression over ``Root(LINK)``."""
        return trace_value(
            function,
            [self.element],
            expected,
            subject=f"{self.attribute}: {self.text}",
            location=self.attribute.location,
        )

    def error(self, message: str, code: str, hint: str = "") -> InvalidComputation:
        return InvalidComputation(
            message,
            code=code,
            subject=f"{self.attribute}: {self.text}",
            location=self.attribute.location,
            hint=hint,
        )

    def require(self, *kinds: Kind, nullable: bool = False) -> None:
        """Refuse an annotation that the computation's value does not fit."""
        if self.type.kind not in kinds or self.type.members or (self.type.nullable and not nullable):
            names = [f"{kind.value} | None" if nullable else kind.value for kind in kinds]
            wanted = " or ".join(names)
            name = self.text.split("(")[0]
            kept = self.type.kind.value
            raise self.error(
                f"{name} gives {wanted}, but the attribute is declared {self.type}",
                f"{name.lower()}.type",
                hint=f"write {self.attribute.name}: {kept if kept in names else names[0]} = iq.{self.text}",
            )

    def total(self, contribution: Expr) -> AggregateRule:
        """The rule of a value that is a sum."""
        if contribution.type.kind is Kind.FLOAT:
            kept, read = self.hidden("sum", contribution)
            return self.rule([kept], read)
        return self.rule([Sum(self.attribute, contribution)])

    def hidden(self, suffix: str, contribution: Expr) -> tuple[Sum, Expr]:
        """A sum kept beside the value, and the expression that reads it from the host.

        Floats are added up as decimals: what rounding takes from a sum of floats is lost for ever,
        and 1e16 + 1 - 1e16 would be 0.
        """
        if contribution.type.kind is Kind.FLOAT:
            kept, read = self.beside(suffix, DECIMAL)
            return Sum(kept, Op("to_decimal", (contribution,), DECIMAL)), Op("to_float", (read,), FLOAT)
        kept, read = self.beside(suffix, contribution.type.optional(False))
        return Sum(kept, contribution), read

    def beside(self, suffix: str, type: ValueType) -> tuple[Property, Expr]:
        """A property kept beside the value, and the expression that reads it from the host."""
        record = self.attribute.record
        name = f"{self.attribute.name}__{suffix}"
        kept = Property(
            record=record,
            owner=self.attribute.owner,
            name=name,
            location=self.attribute.location,
            type=type,
            column=name,
            hidden=True,
        )
        record.attributes[name] = kept
        return kept, Attr(Root(HOST, record), name, kept.type)

    def rule(self, sums: Sequence[Sum], value: Expr | None = None) -> AggregateRule:
        """The rule; what is not in the collection adds nothing, whatever it is."""
        within = tuple(attrs.evolve(each, contribution=self._within(each.contribution)) for each in sums)
        return AggregateRule(property=self.attribute, collection=self.collection, value=value, sums=within)

    def _within(self, contribution: Expr) -> Expr:
        if self.collection.where is None:
            return contribution
        zero = Const(ZEROS[contribution.type.kind], contribution.type.optional(False))
        match contribution:
            # One condition, where the contribution has one itself.
            case Op(name="case", args=(condition, value, otherwise)) if otherwise == zero:
                return case(all_of(self.collection.where, condition), value, zero)
        return case(self.collection.where, contribution, zero)


class Aggregation(Computation):
    """The declaration of an aggregation over a collection, or over a class in a dictionary."""

    name_of: ClassVar[str]

    def __init__(self, over: Any, location: Location, where: Callable[[Any], bool] | None = None) -> None:
        self.over: ManySpec | type[Any] = source_of(over, self.name_of, location)
        self.location = location
        self.where = where

    @abstractmethod
    def resolve(self, target: Target) -> HostRule:
        """What each record contributes and how the value follows; refuses a type that does not fit."""

    def matches(self, target: Target) -> Expr | None:
        return None if self.where is None else target.trace(self.where, BOOL)

    def __str__(self) -> str:
        over = self.over.__name__ if isinstance(self.over, type) else self.over.name or "over"
        return f"{self.name_of}({over}{', where=...' if self.where is not None else ''})"


def source_of(over: Any, name: str, location: Location) -> ManySpec | type[Any]:
    """What an aggregation runs over, if it is one of the things that it can run over."""
    if isinstance(over, LazyAttribute) and isinstance(over.spec, ManySpec):
        # That of a class which the own one inherits from: Content.likes.
        return over.spec
    if isinstance(over, type) and "__iq_record__" in vars(over):
        return over
    if not isinstance(over, ManySpec):
        subject = being_declared()
        hint = (
            f"declare it in the same class, above: likes: Many[Like] = iq.many(inverse=...), and write iq.{name}(likes)"
        )
        if isinstance(over, str) and over.isidentifier():
            hint = f"write iq.{name}({over}), without quotes, below the declaration of {over} in the same class"
        elif isinstance(over, type):
            hint = (
                f"in an @iq.dictionary it runs over the class of an entity or a relation, which {over.__name__} is not"
            )
        raise InvalidComputation(
            f"{name} runs over a collection of its own class, not over {over!r}",
            code=f"{name.lower()}.over",
            subject=f"{subject}: {name}(...)" if subject else "",
            location=location,
            hint=hint,
        )
    return over


def non_null(value: Expr, zero: Const) -> Expr:
    """The value, or ``zero`` where it is None: what is not there adds nothing."""
    if not value.type.nullable:
        return value
    return Op("case", (Op("is_null", (value,), BOOL), zero, value), value.type.optional(False))


def counted(condition: Expr | None) -> Expr:
    """1 for a record that satisfies the condition, 0 for one that does not."""
    one, zero = Const(1, INT), Const(0, INT)
    return one if condition is None else case(condition, one, zero)
