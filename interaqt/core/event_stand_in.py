"""The event as parameters, for callbacks that are traced over a record and an event together."""

from __future__ import annotations

from interaqt.core.expressions import Expr, Param
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel
from interaqt.core.tracing import Fields
from interaqt.core.types import Kind, ValueType

__all__ = ["AT", "USER", "event_fields", "payload_param"]

#: Names of an event's parameters.
AT, USER = "at", "user"


def payload_param(item: str) -> str:
    return f"payload.{item}"


def event_fields(interaction: InteractionModel, user: RecordModel | None) -> Fields:
    """What a callback may read of an event: its time, its user, and the payload's single values.

    Lists and JSON are left out, for they have no meaning as one parameter of a statement.
    """
    items: dict[str, Expr | Fields] = {
        name: Param(payload_param(name), item.type)
        for name, item in interaction.items.items()
        if not item.many and item.type.kind is not Kind.JSON
    }
    parts: dict[str, Expr | Fields] = {
        "at": Param(AT, ValueType(Kind.DATETIME)),
        "payload": Fields(interaction.name, items, interaction.cls),
    }
    if user is not None:
        parts["user"] = Param(USER, user.type)
    return Fields("the event", parts)
