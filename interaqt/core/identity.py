"""Identity: a record that is known by values of its own, so that making it again finds it."""

from __future__ import annotations

from typing import Literal

import attrs

from interaqt.core.errors import InvalidEntity, did_you_mean
from interaqt.core.model import Property, RecordModel, Reference

__all__ = ["CONFLICTS", "Identity", "IdentityConflict", "resolve_identity"]

IdentityConflict = Literal["keep", "update", "refuse"]

CONFLICTS = ("keep", "update", "refuse")


@attrs.frozen(eq=False)
class Identity:
    """The attributes that tell a record from all others, and what becomes of other values when it is made again."""

    attributes: tuple[Property | Reference, ...]
    conflict: IdentityConflict

    @property
    def names(self) -> frozenset[str]:
        return frozenset(each.name for each in self.attributes)


def resolve_identity(record: RecordModel, names: tuple[str, ...], conflict: IdentityConflict) -> Identity:
    """The identity of a record, which no two have; it gets the constraint that holds it."""
    attributes = []
    for name in names:
        found = record.attributes.get(name)
        if not isinstance(found, Property | Reference) or found.hidden:
            known = [each.name for each in record.stored() if not each.hidden]
            raise _error(record, f"{record} stores no {name!r}. {did_you_mean(name, known)}")
        is_key = isinstance(found, Property) and found.key
        if is_key or found.computation is not None:
            what = "the key, which is given when the record is stored" if is_key else "derived"
            raise _error(record, f"{found} is {what}; an identity is what a maker gives")
        if found.type.nullable:
            raise _error(
                record,
                f"{found} may be None, and None is not the same as another None",
                f"write {name}: {found.type.optional(False)}, or leave it out of the identity",
            )
        attributes.append(found)
    table = record.root
    if record.condition is not None and not any(each.owner is record for each in attributes):
        raise _error(
            record,
            f"all that it is known by is that of {record.part_of}, of which there are other kinds",
            f"declare identity={names!r} above class {record.part_of}, or name an attribute of {record} as well",
        )
    if table.derivations:
        raise _error(
            record,
            f"records of {record} follow from other records ({table.derivations[0]}), each from one of them",
            "give it no identity, and let an interaction make what several have in common",
        )
    if len(set(attributes)) < len(attributes):
        raise _error(record, f"identity={names!r} names an attribute twice")
    if not any(set(group) == set(names) for group in table.unique) and not (
        len(attributes) == 1 and attributes[0].unique
    ):
        table.unique = (*table.unique, names)
    return Identity(tuple(attributes), conflict)


def _error(record: RecordModel, message: str, hint: str = "") -> InvalidEntity:
    return InvalidEntity(
        message, code="entity.identity", subject=f"{record}: identity", location=record.location, hint=hint
    )
