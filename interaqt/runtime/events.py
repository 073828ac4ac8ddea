"""The event record: what was asked, by whom and when. It is a record like any other, so it can be queried."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from interaqt.core.declare import entity
from interaqt.core.errors import InvalidValue
from interaqt.core.fields import key
from interaqt.core.record import Record, key_of

__all__ = ["InteractionEvent", "actor_of"]


@entity
class InteractionEvent:
    """One dispatched interaction, stored in the transaction of its facts.

    ``actor`` is the user's key as text; nothing else of the user is kept. ``payload`` holds what
    was asked for, references by their keys; ``context`` what ``map_event_data`` added.
    """

    id: int = key()
    interaction: str
    at: dt.datetime
    actor: str | None
    payload: dict[str, Any]
    context: dict[str, Any] | None = None


def actor_of(user: Any) -> str | None:
    """What is kept of a dispatch's user: a stored record's key, or the text, number or UUID itself."""
    if user is None:
        return None
    found = key_of(user) if isinstance(user, Record) else user
    if found.__class__ is int or found.__class__ is str:
        return str(found)
    if isinstance(found, str | int | uuid.UUID) and not isinstance(found, bool):
        return str(found)
    raise InvalidValue(
        f"user= is {user!r}, which nobody can be told by",
        code="dispatch.user",
        hint="give a stored record, or a text, number or UUID that identifies the user",
    )
