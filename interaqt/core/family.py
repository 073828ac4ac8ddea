"""Families: an entity from which others inherit, and the kinds that lie in one table with it.

The table has a record of its own, with the attributes of all kinds and a property that says which
kind a row is of. What is planned and written is about that record; what is declared is about the
kinds, each of which is a part of it.
"""

from __future__ import annotations

import attrs

from interaqt.core.class_body import RecordDeclaration
from interaqt.core.constraints import OWN, ConstraintModel
from interaqt.core.errors import InvalidAttribute
from interaqt.core.expressions import BOOL, Attr, Const, Expr, Op, Root, any_of, negate
from interaqt.core.model import Attribute, Family, Mirror, Property, RecordModel, Reference
from interaqt.core.parts import MEMBER, belongs
from interaqt.core.types import Kind, ValueType

__all__ = ["KIND", "gather", "kind_of"]

#: What the property is called that says which kind a row is of; its column has a name for people.
KIND, _COLUMN = "is__a", "is_a"

_TEXT = ValueType(Kind.STR)


def kind_of(cls: type, declaration: RecordDeclaration, base: RecordModel) -> RecordModel:
    """The model of a class that inherits from the one of ``base``."""
    family = _family_of(base)
    found = RecordModel(
        name=declaration.name,
        cls=cls,
        table=base.table,
        kind=declaration.kind,
        location=declaration.location,
        part_of=base,
        abstract=declaration.abstract,
    )
    family.members[found.name] = found
    return found


def _family_of(base: RecordModel) -> Family:
    if base.root.family is None:
        table = RecordModel(
            name=base.name, cls=base.cls, table=base.table, kind=base.kind, location=base.location, abstract=True
        )
        kind = Property(
            record=table,
            name=KIND,
            location=base.location,
            type=_TEXT,
            column=_COLUMN,
            index=True,
            hidden=True,
        )
        table.family = Family(kind, {base.name: base})
        base.part_of = table
    assert base.root.family is not None
    return base.root.family


def gather(table: RecordModel, family: Family) -> None:
    """Give the table what its kinds have, once that is known, and each kind its condition."""
    (top, *others) = family.members.values()
    table.ends = top.ends
    table.attributes.update({name: each for name, each in top.attributes.items() if _has_place(each)})
    table.attributes[KIND] = family.kind
    for record in others:
        for name, each in record.attributes.items():
            if each.owner is record and _has_place(each):
                _require_place(table, each)
                table.attributes[name] = _of_some(table, each)
    for record in others:
        names = [each.name for each in family.members.values() if each.is_a(record)]
        row = Attr(Root(MEMBER, table), KIND, _TEXT)
        record.condition = Op("eq" if len(names) == 1 else "in", (row, *(Const(each, _TEXT) for each in names)), BOOL)
    for record in others:
        required = [each for each in record.stored() if each.owner is record and _is_required(each)]
        table.constraints += [_never_none(table, each) for each in required]


def _has_place(attribute: Attribute) -> bool:
    return isinstance(attribute, Property | Reference | Mirror)


def _is_required(attribute: Property | Reference) -> bool:
    """Whether every row of the kind has it, and no other one."""
    computation = attribute.computation
    return not attribute.type.nullable and (computation is None or computation.follows_row)


def _of_some(table: RecordModel, attribute: Attribute) -> Attribute:
    """The attribute as the table has it: what only some rows have is None in the others.

    What is derived is kept for every row: of one that has nothing to derive it from, it is what it
    is over nothing.
    """
    if isinstance(attribute, Property | Reference) and _is_required(attribute):
        return attrs.evolve(attribute, type=attribute.type.optional())
    return attribute


def _never_none(table: RecordModel, attribute: Property | Reference) -> ConstraintModel:
    """That the rows of the attribute's own kind have it."""
    row = Root(OWN, table)
    exists: Expr = negate(Op("is_null", (Attr(row, attribute.name, attribute.type.optional()),), BOOL))
    return ConstraintModel(
        kind="not_null",
        record=table,
        attributes=(attribute,),
        condition=any_of(negate(belongs(attribute.owner, row)), exists),
        name=None,
        code=None,
        location=attribute.location,
    )


def _require_place(table: RecordModel, attribute: Attribute) -> None:
    other = table.attributes.get(attribute.name)
    columns = {each.column.lower(): each for each in table.stored()}
    hint = f"declare it once, in {table.name} or a class between, if it means the same; else rename one of them"
    if other is None and isinstance(attribute, Property | Reference):
        other = columns.get(attribute.column.lower())
        hint = "rename one of them"
    if other is not None:
        raise InvalidAttribute(
            f"{attribute} and {other} would both be stored under the name {attribute.name!r}, "
            f"for {attribute.owner} and {other.owner} are kinds of {table.name} and lie in one table",
            code="attribute.kinds_clash",
            subject=str(attribute),
            location=attribute.location,
            hint=hint,
        )
