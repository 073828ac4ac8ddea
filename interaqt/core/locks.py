"""Locks that an interaction or a condition asks for: what is declared, before there is an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from interaqt.core.errors import InvalidInteraction, InvalidValue, Location
from interaqt.core.event import Event

__all__ = ["AskLocks", "Locks", "Matching", "locks_of", "matching"]

R = TypeVar("R")

#: Answers what is to be locked for an event: a record, a dictionary's class, ``iq.matching(...)``, or several of them.
AskLocks = Callable[[Event[Any]], object]


@attrs.frozen(eq=False)
class Locks:
    """A ``locks=`` as it is written; ``of`` is what it stands in."""

    of: str
    ask: AskLocks
    location: Location

    def __str__(self) -> str:
        return f"locks= of {self.of}"


def locks_of(of: str, ask: object, location: Location) -> Locks | None:
    """The declaration of what ``locks=`` was given; None where it was not."""
    if ask is None:
        return None
    if not callable(ask):
        raise InvalidInteraction(
            f"locks= takes a function over the event, not {ask!r}",
            code="interaction.locks",
            subject=of,
            location=location,
            hint="what is locked is known once there is an event: locks=lambda e: [e.payload.account, e.user]",
        )
    return Locks(of, ask, location)


@attrs.frozen(eq=False)
class Matching(Generic[R]):
    """All records of a class for which something holds; see :func:`matching`."""

    of: type[R]
    where: Callable[[R], bool]

    def __str__(self) -> str:
        return f"matching({self.of.__name__})"


def matching(of: type[R], where: Callable[[R], bool]) -> Matching[R]:
    """All records of a class for which ``where`` holds, to be locked by ``locks=``.

    ``where`` is what a query's ``where()`` takes. What matches is looked up again until nothing new
    is found; a record that comes to match later, because another dispatch makes or changes it, is
    not kept out. Lock what it would refer to for that.
    """
    given: Any = of
    if not isinstance(given, type) or "__iq_record__" not in vars(given) or not callable(where):
        raise InvalidValue(
            f"matching takes a class of records and a function over one of them, not {of!r} and {where!r}",
            code="matching.arguments",
            subject="matching",
            location=Location.of_caller(),
            hint="write iq.matching(Account, lambda account: account.owner == e.user)",
        )
    return Matching(of, where)
