"""What a record's decorator says beside its attributes: constraints, identity and retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.constraints import Constraint, require_constraints, resolve_constraint
from interaqt.core.errors import InvalidEntity, Location
from interaqt.core.identity import CONFLICTS, IdentityConflict, resolve_identity
from interaqt.core.retention import Retention, resolve_retention

if TYPE_CHECKING:
    from interaqt.core.model import Model, RecordModel

__all__ = ["RecordRules", "declared_rules", "resolve_rules"]


@attrs.frozen
class RecordRules:
    """Those of one class, as written."""

    constraints: tuple[Constraint, ...] = ()
    identity: tuple[str, ...] = ()
    identity_conflict: IdentityConflict = "keep"
    retention: Retention | None = None


def declared_rules(
    subject: str,
    location: Location,
    constraints: Any,
    identity: Any,
    identity_conflict: Any,
    retention: Any,
) -> RecordRules:
    """The rules, if what is given can be some."""

    def refuse(message: str, code: str, hint: str) -> None:
        raise InvalidEntity(message, code=f"entity.{code}", subject=subject, location=location, hint=hint)

    if not isinstance(identity, list | tuple) or not all(isinstance(each, str) for each in identity):
        shown = f'("{identity}",)' if isinstance(identity, str) else '("email",)'
        refuse(
            f"identity= takes the names of attributes, not {identity!r}",
            "identity",
            f"write identity={shown}",
        )
    if identity_conflict not in CONFLICTS:
        refuse(
            f"identity_conflict={identity_conflict!r} is none of 'keep', 'update', 'refuse'",
            "identity_conflict",
            "'keep' leaves the stored record as it is, 'update' sets the other values, "
            "'refuse' raises where they differ",
        )
    if retention is not None and not isinstance(retention, Retention):
        refuse(
            f"retention= takes iq.Retention(...), not {retention!r}",
            "retention",
            "write retention=iq.Retention(keep=1000)",
        )
    found = require_constraints(constraints, subject, location)
    return RecordRules(found, tuple(identity), identity_conflict, retention)


def resolve_rules(model: Model, record: RecordModel, rules: RecordRules) -> None:
    """What they mean, once every name is known."""
    record.root.constraints += [resolve_constraint(record, each) for each in rules.constraints]
    if rules.identity:
        record.identity = resolve_identity(record, rules.identity, rules.identity_conflict)
    elif record.part_of is not None:
        # Kinds are known by what that which they inherit from is known by.
        record.identity = record.part_of.identity
    if rules.retention is not None:
        record.retention = resolve_retention(model, record, rules.retention)
