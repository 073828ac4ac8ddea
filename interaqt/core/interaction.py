"""The parts of an interaction: its declaration as written, its resolved model, guard and hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from interaqt.core.errors import Location
from interaqt.core.idempotency import Idempotency
from interaqt.core.locks import Locks
from interaqt.core.types import ValueType

if TYPE_CHECKING:
    from interaqt.core.class_body import AttributeDeclaration, Scope
    from interaqt.core.event import Event
    from interaqt.core.model import RecordModel

__all__ = ["Guard", "Hooks", "InteractionDeclaration", "InteractionModel", "PayloadItem"]


class Guard(Protocol):
    """Decides whether a request is admitted. ``locks``, if it has any, are what it has locked before."""

    def check(self, event: Event[Any]) -> None:
        """Raise a :class:`~interaqt.GuardError` where it is not."""


@attrs.frozen
class Hooks:
    """Functions of the user's, called along a dispatch; see ``@iq.interaction``."""

    map_event_data: Callable[..., Mapping[str, Any]] | None = None
    resolve: Callable[..., Any] | None = None
    after_dispatch: Callable[..., Any] | None = None
    post_commit: Callable[..., Any] | None = None


@attrs.define(eq=False)
class InteractionDeclaration:
    """An interaction class as written."""

    name: str
    cls: type
    location: Location
    scope: Scope
    attributes: dict[str, AttributeDeclaration]
    guard: Guard | None
    hooks: Hooks
    idempotency: Idempotency | None = None
    locks: Locks | None = None


@attrs.define(eq=False)
class PayloadItem:
    """One attribute of a payload: a value, a reference to a stored record, or a list of either.

    ``type`` is that of an element where ``many``.
    """

    name: str
    type: ValueType
    many: bool = False
    required: bool = True

    @property
    def record(self) -> RecordModel | None:
        return self.type.record


@attrs.define(eq=False)
class InteractionModel:
    """A resolved interaction."""

    name: str
    cls: type
    location: Location
    items: dict[str, PayloadItem]
    guard: Guard | None
    hooks: Hooks
    idempotency: Idempotency | None = None
    locks: Locks | None = None

    @property
    def asked_locks(self) -> tuple[Locks, ...]:
        """What it and the conditions of its guard have locked."""
        own = () if self.locks is None else (self.locks,)
        return (*own, *getattr(self.guard, "locks", ()))

    def __str__(self) -> str:
        return self.name
