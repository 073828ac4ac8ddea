"""Idempotency: how long the answer to a key is kept, and how long another with the same key waits for it."""

from __future__ import annotations

import datetime as dt

import attrs

from interaqt.core.errors import InvalidInteraction, Location

__all__ = ["Idempotency"]


@attrs.frozen(kw_only=True)
class Idempotency:
    """What a dispatch with an ``idempotency_key`` promises; of an interaction, or of a controller for all of them.

    ``expires`` is how long a key is known; left out, it is known for ever. ``wait`` is how long a
    dispatch waits for another one that has the same key and is not over yet.
    """

    expires: dt.timedelta | None = None
    wait: dt.timedelta = dt.timedelta(seconds=10)

    def __attrs_post_init__(self) -> None:
        for name, value in (("expires", self.expires), ("wait", self.wait)):
            if value is None and name == "expires":
                continue
            if not isinstance(value, dt.timedelta) or value <= dt.timedelta(0):
                raise InvalidInteraction(
                    f"{name}= takes a timedelta longer than none, not {value!r}",
                    code=f"idempotency.{name}",
                    subject="Idempotency",
                    location=Location.of_caller(2),
                    hint=f"write {name}=timedelta({'days=1' if name == 'expires' else 'seconds=10'})",
                )
