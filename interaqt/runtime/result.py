"""The result of a dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import attrs

from interaqt.core.errors import SideEffectError
from interaqt.core.event import Event
from interaqt.runtime.effects import Mutation

__all__ = ["DispatchResult", "Outcome", "PostCommit"]

R = TypeVar("R")

PostCommit = Literal["not_run", "complete", "failed"]


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

    ``data`` is what ``resolve`` answered; ``effects`` every mutation of a record in causal order;
    ``side_effects`` what became of each callback after the commit, and ``post_commit`` whether
    all of them went well.
    """

    event: Event[Any]
    error: Exception | None = None
    data: Any = None
    effects: list[Mutation] = attrs.field(factory=list, repr=False)
    side_effects: list[Outcome] = attrs.field(factory=list)
    post_commit: PostCommit = "not_run"
    _records: Callable[[type], list[Any]] = attrs.field(default=lambda record: [], repr=False)

    def created(self, record: type[R]) -> list[R]:
        """The records of a class that the dispatch created, in order."""
        return self._records(record)
