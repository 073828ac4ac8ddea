"""The result of a dispatch."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar

import attrs

from interaqt.core.errors import SideEffectError
from interaqt.core.event import Event
from interaqt.runtime.effects import Mutation

__all__ = ["DispatchResult", "Outcome", "PostCommit", "Writes"]

R = TypeVar("R")

PostCommit = Literal["not_run", "complete", "failed"]


class Writes(Protocol):
    """What a dispatch wrote; told only to those who ask."""

    def mutations(self) -> list[Mutation]: ...
    def created(self, record: type[R]) -> list[R]: ...


@attrs.define(eq=False)
class Outcome:
    """What became of one side effect, for one mutation."""

    name: str
    mutation: Mutation | None
    result: Any = None
    error: SideEffectError | None = None


@attrs.define(eq=False)
class DispatchResult:
    """What a dispatch did. Without ``error`` the facts are committed.

    ``data`` is what ``resolve`` answered; ``side_effects`` what became of each callback after the
    commit, and ``post_commit`` whether all of them went well. ``outcome`` is ``applied`` or
    ``replayed`` where there was an idempotency key: what is replayed was done before, so it has
    the ``data`` and the ``created`` records of then, no effects, and no callbacks were called.
    """

    event: Event[Any]
    error: Exception | None = None
    data: Any = None
    side_effects: list[Outcome] = attrs.field(factory=list)
    post_commit: PostCommit = "not_run"
    outcome: Literal["applied", "replayed"] | None = None
    _writes: Writes | None = attrs.field(default=None, repr=False)

    @property
    def effects(self) -> list[Mutation]:
        """Every mutation of a record, in causal order."""
        return [] if self._writes is None else self._writes.mutations()

    def created(self, record: type[R]) -> list[R]:
        """The records of a class that the dispatch created, in order."""
        return [] if self._writes is None else self._writes.created(record)
