"""Admission: locks that are asked for are taken before any condition runs, all of them in one order.

By table, and of a table by key: so two dispatches that name what they decide by never wait for each
other in a circle, in whatever order their payloads or conditions name it. What is found by way of
what the database holds may be another by the time that it is locked. So it is looked for again, until
nothing is found that is not locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from interaqt.core.errors import GuardError, InteraqtError, NestedDispatchError
from interaqt.core.event import Event
from interaqt.core.locks import Locks, Matching
from interaqt.core.model import ONLY, RecordModel
from interaqt.core.record import is_record, key_of
from interaqt.storage.holding import Holding
from interaqt.storage.row_classes import declared_class
from interaqt.storage.storage import Storage

__all__ = ["Admission", "Asking", "take"]

#: How often what is to be locked is looked for.
ROUNDS = 5

#: The keys of records to be locked, by table.
Wanted = dict[RecordModel, set[Any]]


class Admission:
    """What one interaction and the conditions of its guard ask for."""

    def __init__(self, storage: Storage, interaction: str, asked: Sequence[Locks]) -> None:
        self._storage = storage
        self._interaction = interaction
        self._asked = tuple(dict.fromkeys(asked))

    def wanted(self, event: Event[Any], wanted: Wanted) -> bool:
        """Add what is to be locked for an event; answers whether it was looked for in the database by a match."""
        matched = False
        for locks in self._asked:
            for each in self._answered(locks, event):
                if isinstance(each, Matching):
                    matched = True
                    self._match(locks, each, wanted)
                else:
                    record, key = self._named(locks, each)
                    wanted.setdefault(record.root, set()).add(key)
        return matched

    def unsettled(self) -> GuardError:
        return GuardError(
            f"what locks= asks for was another at each of {ROUNDS} times that it was looked for",
            code="locks.unsettled",
            subject=self._interaction,
            hint="lock what these records refer to instead, which changes less often",
        )

    # -- what is answered

    def _answered(self, locks: Locks, event: Event[Any]) -> Iterable[object]:
        try:
            found = locks.ask(event)
            if is_record(found) or isinstance(found, Matching | type):
                return [found]
            if isinstance(found, Iterable) and not isinstance(found, str | bytes):
                return list(found)
        except (GuardError, NestedDispatchError):
            raise
        except Exception as error:
            raise self._raised(locks, error) from error
        raise self._refusal(locks, found)

    def _named(self, locks: Locks, each: object) -> tuple[RecordModel, Any]:
        """The record, and its key."""
        records = self._storage.model.records
        if is_record(each):
            record = records.get(declared_class(type(each)))
            if record is not None and key_of(each) is not None:
                return record, key_of(each)
        elif isinstance(each, type):
            record = records.get(each)
            if record is not None and record.is_dictionary:
                return record, ONLY
        raise self._refusal(locks, each)

    def _match(self, locks: Locks, match: Matching[Any], wanted: Wanted) -> None:
        try:
            record = self._storage.record_of(match.of)
            query = self._storage.query(match.of).where(match.where)
            if self._storage.schema.dialect.for_update:
                wanted.setdefault(record.root, set()).update(key_of(each) for each in query.all())
        except InteraqtError as error:
            raise self._raised(locks, error) from error

    def _refusal(self, locks: Locks, found: object) -> GuardError:
        hint = "answer a record, a dictionary's class, iq.matching(...), or a list of them"
        if found is None:
            hint = "leave out what is not there, so that it shows: [e.payload.account] if e.payload.account else []"
        elif isinstance(found, Iterable) and not isinstance(found, str | bytes):
            hint = "put them into one list: [*e.payload.accounts, e.user]"
        return GuardError(
            f"{locks} answers {found!r}, which is no stored record of this controller",
            code="locks.result",
            subject=self._interaction,
            location=locks.location,
            hint=hint,
        )

    def _raised(self, locks: Locks, error: Exception) -> GuardError:
        return GuardError(
            f"{locks} raised {type(error).__name__}: {error}",
            code="locks.raised",
            subject=self._interaction,
            location=locks.location,
        )


#: What asks, and the event that it is asked about, whose records load by the given holding.
Asking = tuple[Admission, Callable[[Holding], Event[Any]]]


def take(asking: Sequence[Asking], storage: Storage, holding: Holding, *, forgiving: bool = False) -> None:
    """Lock all that is asked for; the rows are ``holding``'s, so what is asked of them next costs no statement.

    Where it is ``forgiving``, what refuses to say what is to be locked is passed over.
    """
    taken: Wanted = {}
    for _ in range(ROUNDS):
        # What only tells what is to be locked is not locked by that.
        looking = Holding(storage.loader, lambda _: None, lambda _: False)
        wanted: Wanted = {}
        matched = False
        for admission, event in asking:
            with suppress(GuardError) if forgiving else nullcontext():
                matched |= admission.wanted(event(looking), wanted)
        new = _new(wanted, taken)
        if not new or not storage.schema.dialect.for_update:
            return
        for record, keys in new:
            holding.take(record, keys)
            taken.setdefault(record, set()).update(keys)
        if not looking.has_read and not matched:
            return
    raise asking[-1][0].unsettled()


def _new(wanted: Wanted, taken: Wanted) -> list[tuple[RecordModel, list[Any]]]:
    """What is not locked yet, in the order in which it is going to be."""
    new = ((record, wanted[record] - taken.get(record, set())) for record in wanted)
    return [(record, sorted(keys)) for record, keys in sorted(new, key=lambda each: each[0].table) if keys]
