"""An event: one fact, who asked for what and when. Callbacks of a dispatch are given one."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, TypeVar

import attrs

__all__ = ["Event"]

P = TypeVar("P")


@attrs.define(eq=False)
class Event(Generic[P]):
    """What an interaction's callbacks see.

    ``payload`` is the request itself, an instance of the interaction's class; ``at`` is the
    time of the dispatch, aware and in UTC; ``user`` is who asked, as given to ``dispatch``.
    ``id`` is the key of the stored event row, and 0 while it is not stored yet.
    """

    interaction: str
    at: dt.datetime
    user: Any
    payload: P
    context: dict[str, Any] = attrs.field(factory=dict)
    id: int = 0
