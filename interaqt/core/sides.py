"""Sides: what makes a record found from either of two references, as a friendship is by both friends.

The record is stored once. Beside it are its sides, one for each record that either reference names,
and a collection over both references is one over sides. They are derived from it as a Transform's
records are, so whatever is kept over a collection is kept over this one by the same rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.computations.transform import SOURCE, Derivation, Variant
from interaqt.core.declare import entity
from interaqt.core.expressions import BOOL, INT, Attr, Expr, Op, Root, all_of, any_of, negate
from interaqt.core.fields import key, one
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.core.errors import Location

__all__ = ["Sides", "sides_of"]

KEY, LINK, NEAR, FAR, POSITION = "id", "link", "near", "far", "position"


@attrs.frozen(eq=False)
class Sides:
    """The record of the sides: each is of one ``link``, and has a ``near`` end and a ``far`` one."""

    record: RecordModel
    either: tuple[Reference, Reference]

    @property
    def relation(self) -> RecordModel:
        """Whose records have these sides."""
        return self.either[0].record

    @property
    def link(self) -> Reference:
        return self._reference(LINK)

    @property
    def near(self) -> Reference:
        return self._reference(NEAR)

    @property
    def far(self) -> Reference:
        return self._reference(FAR)

    def _reference(self, name: str) -> Reference:
        found = self.record.attributes[name]
        assert isinstance(found, Reference)
        return found


def sides_of(either: tuple[Reference, Reference], location: Location) -> Sides:
    """The sides of the record that both references are of; both lead to records of one kind."""
    first, second = either
    name = f"{first.record.name}__{first.name}_or_{second.name}"
    near, nullable = first.target, first.type.nullable or second.type.nullable
    # What lets an end go, or goes with it, is said by the references that are stored: a side follows.
    body: dict[str, Any] = {KEY: key(), NEAR: one(on_delete="cascade"), FAR: one(on_delete="cascade")}
    annotations = {KEY: int, NEAR: near.cls, FAR: near.cls | None if nullable else near.cls}
    record = RecordModel(
        name=name,
        cls=entity(type(name, (), {**body, "__annotations__": annotations, "__module__": __name__})),
        table=f"{first.record.table}__{first.name}_or_{second.name}",
        kind="entity",
        location=location,
    )

    def reference(name: str, target: RecordModel, nullable: bool = False) -> Reference:
        return Reference(
            record=record,
            name=name,
            location=location,
            type=ValueType(Kind.RECORD, nullable, record=target),
            column=name,
            target=target,
            hidden=name == LINK,
            on_delete="cascade",
        )

    def number(name: str) -> Property:
        return Property(
            record=record,
            name=name,
            location=location,
            type=INT,
            column=name,
            key=name == KEY,
            hidden=name == POSITION,
        )

    link, position = reference(LINK, first.record), number(POSITION)
    record.attributes |= {
        KEY: number(KEY),
        NEAR: reference(NEAR, near),
        FAR: reference(FAR, near, nullable),
        LINK: link,
        POSITION: position,
    }
    record.unique = ((LINK, POSITION),)
    variants = (
        Variant(0, _is_there(first), {NEAR: _value(first), FAR: _value(second)}, record),
        # A record both of whose references name the same one has one side.
        Variant(1, _is_another(second, first), {NEAR: _value(second), FAR: _value(first)}, record),
    )
    record.derivations.append(Derivation(record, first.record, variants, link, position, "sides"))
    record.sides = Sides(record, either)
    return record.sides


def _value(reference: Reference) -> Attr:
    return Attr(Root(SOURCE, reference.record), reference.name, reference.type)


def _is_there(reference: Reference) -> Expr:
    return all_of(*[negate(Op("is_null", (_value(reference),), BOOL))] * reference.type.nullable)


def _is_another(one: Reference, other: Reference) -> Expr:
    """Whether a reference names a record, and not that which the other one names."""
    differ = Op(
        "ne", tuple(attrs.evolve(each, type=each.type.optional(False)) for each in map(_value, (one, other))), BOOL
    )
    return all_of(_is_there(one), any_of(negate(_is_there(other)), differ))
