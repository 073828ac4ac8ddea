"""on: what one interaction does to one attribute, as written; DELETED, the state of a record that is no more."""

from __future__ import annotations

import ast
import enum
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Final, Generic, Literal, TypeVar, overload

import attrs

from interaqt.core.errors import InvalidComputation, Location, being_declared
from interaqt.core.event import Event

__all__ = ["DELETED", "Deleted", "Transition", "on"]

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Deleted(enum.Enum):
    """The type of :data:`DELETED`."""

    DELETED = "deleted"

    def __repr__(self) -> str:
        return "iq.DELETED"


DELETED: Final[Literal[Deleted.DELETED]] = Deleted.DELETED
"""The state that a table of moves may lead to and no record is in: a record that reaches it is deleted."""


@attrs.frozen(eq=False)
class Transition(Generic[S]):
    """One interaction's effect on an attribute; made by :func:`on`."""

    source: type
    moves: Mapping[S, S | Deleted | Callable[[Any, Any], S]] | None
    record: Callable[[Any], object] | None
    set: Callable[..., S] | None
    strict: bool
    location: Location

    def __str__(self) -> str:
        return f"on({getattr(self.source, '__name__', self.source)})"


@overload
def on(
    source: type[P],
    moves: Mapping[S, S | Deleted | Callable[[Event[P], Any], S]],
    *,
    record: Callable[[Event[P]], object] | None = ...,
    strict: bool = ...,
) -> Transition[S]: ...
# Of a reference, where there is none yet.
@overload
def on(
    source: type[P],
    moves: Mapping[None, Callable[[Event[P], Any], object]],
    *,
    record: Callable[[Event[P]], object] | None = ...,
    strict: bool = ...,
) -> Transition[Any]: ...
@overload
def on(
    source: type[P], *, set: Callable[[Event[P]], S], record: Callable[[Event[P]], object] | None = ...
) -> Transition[S]: ...
# What `record` answers is what `set` is given; left out, it is the class that is being declared.
@overload
def on(
    source: type[P], *, set: Callable[[Event[P], R], S], record: Callable[[Event[P]], Sequence[R] | None]
) -> Transition[S]: ...
@overload
def on(
    source: type[P], *, set: Callable[[Event[P], R], S], record: Callable[[Event[P]], R | None]
) -> Transition[S]: ...
@overload
def on(source: type[P], *, set: Callable[[Event[P], Any], S]) -> Transition[S]: ...
def on(
    source: type[Any],
    moves: Mapping[Any, Any] | None = None,
    *,
    record: Callable[[Any], object] | None = None,
    set: Callable[..., Any] | None = None,
    strict: bool = False,
) -> Transition[Any]:
    """What interaction ``source`` does to the attribute that this is declared on.

    ``moves`` maps a present value to the next one, or to a callback ``(event, record)`` that
    answers it, or to :data:`~interaqt.DELETED`, which ends the record. Where the present value is
    not in it nothing changes; with ``strict=True`` that is an :class:`~interaqt.ImpossibleMove`.

    ``set`` computes the next value from the event instead, or from the event and the record as it
    was before it. ``record`` answers the record to change, several, or None; left out, it is the
    payload's only item of that entity.
    """
    location = Location.of_caller()
    subject = _declared(source)
    if (moves is None) == (set is None):
        raise InvalidComputation(
            "on() takes either moves, a mapping from present to next value, or set=, a callback over the event",
            code="on.moves_or_set",
            subject=subject,
            location=location,
            hint='write iq.on(Pay, {"new": "paid"}), or iq.on(Rename, set=lambda e: e.payload.name)',
        )
    given: object = moves
    if given is not None and not (isinstance(given, Mapping) and given):
        raise InvalidComputation(
            f"moves are a mapping from present to next value, not {moves!r}",
            code="on.moves",
            subject=subject,
            location=location,
            hint='write iq.on(Pay, {"new": "paid"})',
        )
    if strict and moves is None:
        raise InvalidComputation(
            "strict= is about the present values that moves lack; set= takes any",
            code="on.strict",
            subject=subject,
            location=location,
            hint='write moves, iq.on(Pay, {"new": "paid"}, strict=True), or refuse with a guard',
        )
    if moves is not None:
        _refuse_states_written_twice(moves, sys._getframe(1), subject, location)
    return Transition(source, moves, record, set, strict, location)


def _declared(source: object) -> str:
    subject = being_declared()
    return f"{subject}: on({getattr(source, '__name__', source)})" if subject else ""


def _refuse_states_written_twice(moves: Mapping[Any, Any], frame: FrameType, subject: str, location: Location) -> None:
    """A dict keeps the last of two equal keys and says nothing, so the source is asked."""
    written = _table_in(frame)
    if written is None or len(written) == len(moves):
        return
    texts = [ast.unparse(key) for key in written]
    twice = next((text for place, text in enumerate(texts) if text in texts[:place]), None)
    raise InvalidComputation(
        f"{twice} stands twice in the table of moves" if twice else "two states of the table of moves are the same",
        code="on.state_twice",
        subject=subject,
        location=location,
        hint="one event moves a state to one other; let the next value be a callback over the event to choose",
    )


def _table_in(frame: FrameType) -> list[ast.expr] | None:
    """The keys of the table in the call that the frame is at, if it is written there and nothing else is in it."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    first, last, start, end = positions
    if first is None or last is None or start is None or end is None:
        return None
    lines = [line.encode() for line in linecache.getlines(frame.f_code.co_filename)[first - 1 : last]]
    if len(lines) != last - first + 1:
        return None
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        call = ast.parse(b"".join(lines).decode(), mode="eval").body
    except (SyntaxError, UnicodeDecodeError):
        return None
    if not isinstance(call, ast.Call):
        return None
    given = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "moves")]
    if not given or not isinstance(given[0], ast.Dict):
        return None
    keys = [key for key in given[0].keys if key is not None]
    return keys if len(keys) == len(given[0].keys) else None
