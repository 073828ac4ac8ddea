"""Groups: requests of one interaction that follow one another in a batch, checked together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import groupby
from typing import Any

import attrs

from interaqt.core.event import Event
from interaqt.core.model import RecordModel
from interaqt.core.record import key_of
from interaqt.runtime.dispatch import InteractionDispatch
from interaqt.runtime.events import actor_of
from interaqt.runtime.run import Run

__all__ = ["Group", "grouped"]

#: For so many events at a time, what callbacks see is made: what is not kept is soon gone.
_CHUNK = 64


@attrs.frozen(eq=False)
class Group:
    """Requests in their order, each with who asks, and what is kept of both."""

    dispatch: InteractionDispatch
    requests: Sequence[Any]
    users: Sequence[Any]
    actors: Sequence[str | None]
    stored: Sequence[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.requests)

    def first(self, length: int) -> Group:
        """The first of them."""
        return Group(
            self.dispatch, self.requests[:length], self.users[:length], self.actors[:length], self.stored[:length]
        )

    @classmethod
    def checked(cls, dispatch: InteractionDispatch, requests: Sequence[Any], users: Sequence[Any]) -> Group:
        """Raises what is wrong with the first that is wrong."""
        payload, right = dispatch.payload, dispatch.payload.glance.is_right
        actors: list[str | None] = []
        stored = []
        for request, user in zip(requests, users, strict=True):
            if not right(request.__dict__):
                payload.check(request)
            actors.append(actor_of(user))
            stored.append(payload.stored(request))
        return cls(dispatch, requests, users, actors, stored)

    def rows(self) -> Iterator[tuple[Any, Any, str | None, dict[str, Any]]]:
        """Each request with its user, and what is kept of both."""
        return zip(self.requests, self.users, self.actors, self.stored, strict=True)

    def events(self, at: dt.datetime) -> Iterator[Event[Any]]:
        """What callbacks see of each; of some that follow one another, what they name loads together."""
        dispatch, kind = self.dispatch, self.dispatch.user
        name, fresh = dispatch.interaction.name, dispatch.payload.fresh
        for start in range(0, len(self), _CHUNK):
            like = dispatch.holding().like
            requests, users = self.requests[start : start + _CHUNK], self.users[start : start + _CHUNK]
            for request, user in zip(requests, users, strict=True):
                asking = like(kind, user) if kind is not None and isinstance(user, kind.cls) else user
                yield Event(name, at, asking, fresh(request, like))

    def event_columns(self, at: dt.datetime, contexts: Sequence[dict[str, Any] | None]) -> dict[str, Sequence[Any]]:
        """What is kept of the events, see :meth:`InteractionDispatch.event_row`."""
        return {
            "interaction": [self.dispatch.interaction.name] * len(self),
            "at": [at] * len(self),
            "actor": self.actors,
            "payload": self.stored,
            "context": contexts,
        }

    # -- what they refer to exists

    def require_references(self, run: Run) -> None:
        """As of each request, of all at once: what nothing has proven to exist is looked up."""
        named = self.dispatch.payload.named(self.requests)
        for index in self._naming({record: keys - run.proven_keys[record] for record, keys in named.items()}):
            self.dispatch.require_references(run, self.requests[index])

    def missing(self) -> Iterator[int]:
        """The requests that refer to a record that is not there, or come from a user who isn't."""
        named = self.dispatch.payload.named(self.requests)
        if self.dispatch.user is not None:
            named.setdefault(self.dispatch.user.root, set()).update(filter(None, map(self._key_of_user, self.users)))
        return self._naming(named)

    def _naming(self, named: Mapping[RecordModel, Set[Any]]) -> Iterator[int]:
        """The requests that name what of this is not there."""
        loader = self.dispatch.storage.loader
        gone = {record: missing for record, keys in named.items() if (missing := keys - loader.existing(record, keys))}
        if not gone:
            return
        users = frozenset[Any]() if self.dispatch.user is None else gone.get(self.dispatch.user.root, frozenset())
        for index, (request, user) in enumerate(zip(self.requests, self.users, strict=True)):
            mine = self.dispatch.payload.named([request])
            if self._key_of_user(user) in users or any(
                keys & gone.get(each, frozenset()) for each, keys in mine.items()
            ):
                yield index

    def _key_of_user(self, user: Any) -> Any:
        kind = self.dispatch.user
        return key_of(user) if kind is not None and isinstance(user, kind.cls) else None


def grouped(requests: Iterable[Any], user: Any, dispatch_of: Callable[[type], InteractionDispatch]) -> list[Group]:
    """The groups of requests, each an instance of an interaction's class, or a pair of one and the user who asks."""
    pairs = ((each if isinstance(each, tuple) else (each, user)) for each in requests)
    groups = []
    for cls, some in groupby(pairs, lambda pair: type(pair[0])):
        dispatch = dispatch_of(cls)
        found, users = zip(*some, strict=True)
        groups.append(Group.checked(dispatch, found, users))
    return groups
