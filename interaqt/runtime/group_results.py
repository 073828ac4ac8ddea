"""The results of a group that was written together, worked out of what was written for all when somebody asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cached_property

from interaqt.runtime.created import Created, CreatedRows
from interaqt.runtime.dispatch import Writes
from interaqt.runtime.effects import Effect, Membership
from interaqt.runtime.group import Group
from interaqt.runtime.result import DispatchResult

__all__ = ["GroupResults"]


class GroupResults:
    """``own`` answers what was created for an event; ``effects`` are those of all of them."""

    def __init__(
        self,
        group: Group,
        at: dt.datetime,
        contexts: Sequence[dict[str, object] | None],
        events: CreatedRows,
        own: Callable[[int], list[Created]],
        effects: Sequence[Effect | Created],
    ) -> None:
        self.dispatch = group.dispatch
        self._group, self._at = group, at
        self._contexts, self._events, self._own = contexts, events, own
        self._effects = effects

    def __len__(self) -> int:
        return len(self._group)

    def complete(self) -> None:
        self._events.fetch()

    def result(self, index: int) -> DispatchResult:
        event = self.dispatch.event(self._group.requests[index], self._group.users[index], self._at)
        event.context = self._contexts[index] or {}
        event_row, *_ = created = self._created(index)
        event.id = event_row.key
        effects: list[Effect | Created] = []
        for each in created:
            effects += [each, *self._came.get(id(each.image), ())]
        if index == len(self) - 1:
            # What was derived for all of them is told once, with the last.
            effects += self._shared
        return DispatchResult(event, writes=Writes(self.dispatch.storage, created, effects))

    def _created(self, index: int) -> list[Created]:
        return [*self._events.each(index, index + 1), *self._own(index)]

    @cached_property
    def _came(self) -> dict[int, list[Membership]]:
        """A record that is made in a view came there with the event that made it."""
        found: dict[int, list[Membership]] = {}
        for each in self._effects:
            if isinstance(each, Membership) and each.old is None and each.values is not None:
                found.setdefault(id(each.values), []).append(each)
        return found

    @cached_property
    def _shared(self) -> list[Effect | Created]:
        own = {id(each.image) for index in range(len(self)) for each in self._created(index)}
        came = {id(each) for image in own for each in self._came.get(image, ())}
        return [
            each
            for each in self._effects
            if id(each) not in came and not (isinstance(each, Created) and id(each.image) in own)
        ]
