"""Conditions: who may do what, as functions of the event, combined with ``&``, ``|`` and ``~``.

They fail closed: only ``True`` admits. What is not a plain bool, and what raises, denies, and no
``~`` turns it into a pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast, overload

from interaqt.core.errors import ConditionRejected, GuardError, InvalidInteraction, Location, NestedDispatchError
from interaqt.core.event import Event
from interaqt.core.locks import AskLocks, Locks, locks_of

__all__ = ["Condition", "condition"]

P = TypeVar("P")


class Condition(Generic[P]):
    """Something that must hold of an event for it to be admitted."""

    name: str
    locks: tuple[Locks, ...] = ()
    """What is locked before it runs, and before any other condition does."""

    def rejection(self, event: Event[P], expected: bool = True) -> GuardError | None:
        """None where the condition is ``expected``, else the error that says so."""
        raise NotImplementedError

    def check(self, event: Event[P]) -> None:
        """Raise :class:`~interaqt.ConditionRejected` where the condition does not hold."""
        error = self.rejection(event)
        if error is not None:
            raise error

    def __and__(self, other: Condition[P]) -> Condition[P]:
        return _Combined("and", self, _condition(other))

    def __or__(self, other: Condition[P]) -> Condition[P]:
        return _Combined("or", self, _condition(other))

    def __invert__(self) -> Condition[P]:
        return _Negated(self)

    def __bool__(self) -> bool:
        raise InvalidInteraction(
            "a condition has no truth before there is an event",
            code="condition.truth",
            location=Location.of_caller(),
            hint="combine conditions with &, | and ~, not with and, or and not",
        )

    def __repr__(self) -> str:
        return f"<condition {self.name}>"


@overload
def condition(function: Callable[[Event[P]], bool], /) -> Condition[P]: ...
@overload
def condition(*, locks: AskLocks) -> Callable[[Callable[[Event[P]], bool]], Condition[P]]: ...
def condition(function: Any = None, /, *, locks: AskLocks | None = None) -> Any:
    """Decorates a function over the event that answers whether the interaction is admitted.

    It runs inside the transaction, so what it reads through the payload and the user's records
    is what the dispatch will act on. It answers ``True`` or ``False``, or raises
    :class:`~interaqt.ConditionRejected` with a message and a code of its own, which no ``~``
    turns into a pass.

    ``locks(event)`` answers records that are locked before any condition of the guard runs, as that of
    an :func:`interaction` does: also where ``|`` or ``~`` make nobody ask for this one.
    """
    location = Location.of_caller()

    def decorate(function: Any) -> Condition[Any]:
        if not callable(function):
            raise InvalidInteraction(f"@iq.condition decorates a function, not {function!r}", location=location)
        return _Function(function, locks_of(getattr(function, "__name__", repr(function)), locks, location))

    if function is None and locks is not None:
        return decorate
    return decorate(function)


class _Function(Condition[P]):
    def __init__(self, function: Callable[[Event[P]], bool], locks: Locks | None = None) -> None:
        self.function = function
        self.locks = () if locks is None else (locks,)
        self.name = getattr(function, "__name__", repr(function))
        self.__doc__ = function.__doc__

    def rejection(self, event: Event[P], expected: bool = True) -> GuardError | None:
        try:
            # A type checker trusts the annotation; the guard does not.
            held = cast(object, self.function(event))
        except GuardError as error:
            if isinstance(error, ConditionRejected):
                error.condition = error.condition or self.name
            error.at(event.interaction, None)
            return error
        except NestedDispatchError:
            raise  # a mistake of the program, not a denial
        except Exception as error:
            denial = _rejected(self, event, f"{self.name} raised {type(error).__name__}: {error}", "condition.raised")
            denial.__cause__ = error
            return denial
        if held is expected:
            return None
        if not isinstance(held, bool):
            text = f"{self.name} answered {held!r}, which is neither True nor False"
            hint = " (is a return missing?)" if held is None else ""
            return _rejected(self, event, text + hint, "condition.invalid_result")
        return _rejected(self, event, f"{self.name} does not hold" if expected else f"{self.name} holds", None)


class _Combined(Condition[P]):
    def __init__(self, word: str, left: Condition[P], right: Condition[P]) -> None:
        self.word, self.left, self.right = word, left, right
        self.locks = (*left.locks, *right.locks)
        self.name = f"({left.name} {word} {right.name})"

    def rejection(self, event: Event[P], expected: bool = True) -> GuardError | None:
        # De Morgan: not (a and b) asks for (not a) or (not b), so that an error inside stays one.
        both = (self.word == "and") is expected
        first = self.left.rejection(event, expected)
        if both:
            return first or self.right.rejection(event, expected)
        return None if first is None else self.right.rejection(event, expected)


class _Negated(Condition[P]):
    def __init__(self, inner: Condition[P]) -> None:
        self.inner = inner
        self.locks = inner.locks
        self.name = f"not {inner.name}"

    def rejection(self, event: Event[P], expected: bool = True) -> GuardError | None:
        return self.inner.rejection(event, not expected)


def _condition(other: Any) -> Condition[Any]:
    if not isinstance(other, Condition):
        name = getattr(other, "__name__", None) or repr(other)
        raise InvalidInteraction(
            f"conditions combine with conditions, not with {name}",
            code="condition.combined",
            location=Location.of_caller(2),
            hint=f"decorate {name} with @iq.condition" if callable(other) else "",
        )
    return other


def _rejected(condition: Condition[Any], event: Event[Any], text: str, code: str | None) -> ConditionRejected:
    return ConditionRejected(text, condition=condition.name, code=code, subject=event.interaction)
