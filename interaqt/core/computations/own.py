"""Own values: what follows from a record itself and what it refers to, and is stored with its row."""

from __future__ import annotations

import builtins
from collections.abc import Iterator

import attrs

from interaqt.core.computations.aggregation import Computation
from interaqt.core.computations.rule import HOST, ValueRule
from interaqt.core.errors import InvalidAttribute
from interaqt.core.expressions import TRUE, Attr, Const, Expr, Root, case, children
from interaqt.core.fields import ComputedSpec
from interaqt.core.model import Property, RecordModel
from interaqt.core.parts import belongs
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind

__all__ = ["OwnRule", "StoredComputed", "reads_key", "resolve_stored"]


class StoredComputed(Computation):
    """What stands behind the property of ``@iq.computed(stored=True)``."""

    def __init__(self, spec: ComputedSpec) -> None:
        self.location, self.name = spec.location, spec.name

    @property
    def follows_row(self) -> bool:
        return True

    def __str__(self) -> str:
        return "computed(stored=True)"


@attrs.frozen(eq=False, kw_only=True)
class OwnRule(ValueRule):
    """Keeps what ``expr`` is of ``Root(HOST)``, with whatever writes the row.

    - delta: none; who sets an attribute of the row that it reads, sets it in the same statement;
    - recompute: the expression, also where something changes to which the record refers.
    """

    root = HOST
    with_row = True

    expr: Expr

    @builtins.property
    def source(self) -> RecordModel:
        return self.property.record

    @builtins.property
    def kept(self) -> tuple[Property, ...]:
        return (self.property,)

    @builtins.property
    def telling(self) -> tuple[Property, ...]:
        """Those of what is kept that tell whether anything is to be written."""
        return self.kept

    def reads(self) -> Iterator[Expr]:
        yield self.expr

    def initial(self, kept: Property) -> None:
        return None

    def recomputed(self, kept: Property) -> Expr:
        return self.expr


def resolve_stored(property: Property, spec: ComputedSpec) -> OwnRule:
    """The rule of a stored computed property."""
    subject = f"{property}: computed(stored=True)"
    if property.type.kind is Kind.JSON:
        raise InvalidAttribute(
            "a JSON value can't be compared, so that it changes can't be told",
            code="computed.stored_type",
            subject=subject,
            location=property.location,
            hint="leave stored=True out, or store the part of it that matters",
        )
    root = Root(HOST, property.owner)
    # As its class has it: the table has None where a row is of another kind.
    type = property.owner.attributes[property.name].type  # type: ignore[attr-defined]
    expr = trace_value(spec.function, [root], type, subject=subject, location=property.location)
    if reads_key(expr):
        raise InvalidAttribute(
            f"it reads {property.record.key}, which the database counts when the row is made",
            code="computed.stored_key",
            subject=subject,
            location=property.location,
            hint="give the record a UUID key, which is made before its row, or leave stored=True out",
        )
    table = property.record
    within = belongs(property.owner, Root(HOST, table))
    if within == TRUE:
        return OwnRule(property=property, expr=expr)
    # What one kind of several in a table has is None in the rows of the others.
    return OwnRule(property=property, expr=case(within, expr, Const(None, property.type.optional())))


def reads_key(expr: Expr) -> bool:
    """Whether it reads the key of ``Root(HOST)`` where that is not known before its row is."""
    match expr:
        case Attr(of=Root(name=name, record=record), name=attribute) if name == HOST:
            return attribute == record.key.name and record.key.type.kind is not Kind.UUID
        case Root(name=name, record=record):
            return name == HOST and record.key.type.kind is not Kind.UUID
        case Attr(of=of):
            return reads_key(of)
        case _:
            return any(map(reads_key, children(expr)))
