"""Every error that interaqt raises: one hierarchy, each with a code, a place and a way out."""

from __future__ import annotations

import difflib
import linecache
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs

__all__ = [
    "CommitUnknown",
    "ComputationCycle",
    "ComputationError",
    "ConditionRejected",
    "ConstraintViolationError",
    "DatabaseError",
    "DeclarationError",
    "DeclarationWarning",
    "DispatchError",
    "GuardError",
    "IdempotencyError",
    "IdentityConflictError",
    "ImpossibleMove",
    "InteraqtError",
    "InvalidAttribute",
    "InvalidComputation",
    "InvalidEntity",
    "InvalidInteraction",
    "InvalidQuery",
    "InvalidValue",
    "Location",
    "NestedDispatchError",
    "NotInstalled",
    "PayloadError",
    "PayloadProblem",
    "RecordNotFound",
    "SetupError",
    "SideEffectError",
    "StorageError",
    "TraceError",
    "TransactionAbortedError",
    "TransactionCapabilityError",
    "TransactionRetryExhaustedError",
    "TransactionTimeoutError",
    "UnresolvedName",
    "being_declared",
    "did_you_mean",
]


@attrs.frozen
class Location:
    """A place in the user's source: where something was declared."""

    file: str
    line: int

    @classmethod
    def of_caller(cls, depth: int = 1) -> Location:
        """The line that called the function that calls this (``depth`` frames further out)."""
        frame: FrameType = sys._getframe(depth + 1)
        return cls(frame.f_code.co_filename, frame.f_lineno)

    @classmethod
    def of_function(cls, function: Callable[..., Any]) -> Location | None:
        """The line of a function's ``def`` or ``lambda``; its first one may be a decorator's."""
        code = getattr(function, "__code__", None)
        if not isinstance(code, CodeType):
            return None
        line, text = code.co_firstlineno, linecache.getline(code.co_filename, code.co_firstlineno)
        while text.lstrip().startswith("@"):
            line, text = line + 1, linecache.getline(code.co_filename, line + 1)
        return cls(code.co_filename, line)

    def __str__(self) -> str:
        path = Path(self.file)
        try:
            shown = path.relative_to(Path.cwd())
        except ValueError:
            shown = path
        return f"{shown}:{self.line}"


_ATTRIBUTE = re.compile(r"\s+(\w+)\s*(:|=(?!=))")


def being_declared() -> str:
    """``Post.like_count``: the class and attribute whose declaration is running now, or ``""``.

    A call in a class body can't know its class yet, so its frame and its line are asked.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("interaqt."):
        frame = frame.f_back
    if frame is None or "__qualname__" not in frame.f_locals:
        return ""
    name = _ATTRIBUTE.match(linecache.getline(frame.f_code.co_filename, frame.f_lineno))
    owner = frame.f_code.co_name
    return f"{owner}.{name[1]}" if name is not None else owner


def did_you_mean(wrong: str, names: Iterable[str], also: Iterable[str] = ()) -> str:
    """``Did you mean 'x'?  There is: x, y, z.`` - the nearest existing name and all of them.

    ``also`` are names that may be meant and are known to everyone.
    """
    known = list(names)
    if not known:
        return "There is none."
    near = difflib.get_close_matches(wrong, [*known, *also], n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]!r}?  " if near else ""
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{guess}There is: {shown}."


class InteraqtError(Exception):
    """The root of all of them.

    ``code`` is stable and meant for programs; ``subject`` names the class and attribute
    (``Post.like_count: Count(likes)``); ``location`` is the file and line where it was
    written; ``hint`` says what to write instead.
    """

    default_code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        subject: str = "",
        location: Location | None = None,
        hint: str = "",
    ) -> None:
        self.message = message
        self.code = code or self.default_code
        self.subject = subject
        self.location = location
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        place = ", ".join(str(part) for part in (self.location, self.subject) if part)
        lines = [f"[{self.code}]"]
        if place:
            lines.append(f"  {place}")
        lines += [f"  {line}" for text in (self.message, self.hint) if text for line in text.splitlines()]
        return "\n".join(lines)

    def at(self, subject: str, location: Location | None) -> InteraqtError:
        """Fill in the place, where it is not known yet; answers the error itself."""
        self.subject = self.subject or subject
        self.location = self.location or location
        return self


# -- what is wrong in a model ------------------------------------------------------------


class DeclarationError(InteraqtError):
    """A model cannot mean anything as it is written. Raised before anything runs."""

    default_code = "declaration"


class DeclarationWarning(UserWarning):
    """Something in a model that has a meaning, and is probably not what was meant."""


class InvalidEntity(DeclarationError):
    default_code = "entity.invalid"


class InvalidAttribute(DeclarationError):
    default_code = "attribute.invalid"


class InvalidInteraction(DeclarationError):
    default_code = "interaction.invalid"


class InvalidComputation(DeclarationError):
    default_code = "computation.invalid"


class UnresolvedName(DeclarationError):
    default_code = "name.unresolved"


class ComputationCycle(DeclarationError):
    default_code = "computation.cycle"


class TraceError(DeclarationError):
    """A callback does something that cannot be turned into an expression."""

    default_code = "trace"


class SetupError(InteraqtError):
    """The model is right, but the database cannot take it as it is."""

    default_code = "setup"


class NotInstalled(SetupError):
    default_code = "setup.not_installed"


# -- what is wrong with a value, a query or a stored record ------------------------------


class InvalidValue(InteraqtError):
    """A value is not of the type that its attribute declares."""

    default_code = "value.invalid"


class InvalidQuery(InteraqtError):
    default_code = "query.invalid"


class StorageError(InteraqtError):
    default_code = "storage"


class DatabaseError(StorageError):
    """The database can't be reached, or refuses a statement, for a reason of its own; its error is ``__cause__``.

    ``database.unreachable``, ``database.access_denied``, ``database.missing``: there is no
    connection. ``database.too_deep``: a condition is nested more deeply than it takes.
    ``database.statement``: any other statement that it does not take.
    """

    default_code = "database.statement"


class CommitUnknown(StorageError):
    """The connection broke while a COMMIT was under way: it may have happened or not.

    It is not tried again by itself, for that could do the same thing twice. Under an idempotency
    key a dispatch is, since the key tells whether the first time counted.
    """

    default_code = "transaction.commit_unknown"


class RecordNotFound(StorageError):
    default_code = "record.not_found"


class ConstraintViolationError(StorageError):
    """The database refused a row.

    ``constraint`` is its name there, ``kind`` one of ``unique``, ``not_null``, ``foreign_key``
    and ``check``; ``record`` and ``properties`` name what it is about in the model's words.
    ``violation_code`` is the ``code=`` of the declared constraint, if it has one.
    """

    default_code = "constraint.violated"

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        constraint: str = "",
        record: str = "",
        properties: tuple[str, ...] = (),
        code: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, code=code or f"constraint.{kind}", subject=record, hint=hint)
        self.kind = kind
        self.constraint = constraint
        self.record = record
        self.properties = properties
        self.violation_code = code


class IdentityConflictError(StorageError):
    """There is a record with the same identity already, whose other values are different ones.

    ``key`` is that record's, ``properties`` are those that differ.
    """

    default_code = "identity.conflict"

    def __init__(self, message: str, *, record: str, key: Any, properties: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, subject=record, hint=hint)
        self.record = record
        self.key = key
        self.properties = properties


class ComputationError(InteraqtError):
    """A Custom computation can't be done: nothing of what asked for it is written.

    ``computation.failed``: a function of the user's raised an error, which is ``__cause__``.
    ``custom.value``: it answered what its attribute does not take. ``custom.touches``: one write
    would have it done for more records than ``touches=`` allows.
    """

    default_code = "computation.failed"


# -- what is wrong with a dispatch --------------------------------------------------------


class DispatchError(InteraqtError):
    default_code = "dispatch"


class NestedDispatchError(DispatchError):
    default_code = "dispatch.nested"


class GuardError(DispatchError):
    """The request was not admitted; nothing was written."""

    default_code = "guard"


@attrs.frozen
class PayloadProblem:
    """One thing that is wrong with a payload: its code, the path to it, and a sentence."""

    code: str
    path: str
    message: str


class PayloadError(GuardError):
    """All that is wrong with a payload, at once, in ``problems``."""

    default_code = "payload.invalid"

    def __init__(self, interaction: str, problems: tuple[PayloadProblem, ...]) -> None:
        text = "\n".join(f"{problem.path}: {problem.message} [{problem.code}]" for problem in problems)
        super().__init__(text, code=problems[0].code, subject=interaction)
        self.problems = problems


class ConditionRejected(GuardError):
    """A condition did not hold. ``condition`` is its name.

    A condition may raise it to say why in its own words, and with a code of its own:
    ``raise iq.ConditionRejected("the shop is closed", code="shop.closed")``.
    """

    default_code = "condition.rejected"

    def __init__(self, message: str, *, condition: str = "", code: str | None = None, subject: str = "") -> None:
        super().__init__(message, code=code, subject=subject)
        self.condition = condition


class TransactionRetryExhaustedError(DispatchError):
    """A conflict came back at each of ``attempts`` attempts; the last one is ``__cause__``.

    ``isolation`` is the level that they had.
    """

    default_code = "transaction.retry_exhausted"

    def __init__(self, message: str, *, attempts: int, isolation: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.attempts = attempts
        self.isolation = isolation


class TransactionAbortedError(DispatchError):
    """A transaction of several dispatches can't be committed any more; what went wrong is ``__cause__``."""

    default_code = "transaction.aborted"

    @classmethod
    def because_of(cls, error: BaseException, name: str) -> TransactionAbortedError:
        return cls(
            f"the transaction was undone when {type(error).__name__} was raised: {error.args[0] if error.args else ''}",
            subject=name,
            hint="let the error through; what may fail and leave the rest standing is dispatched by itself",
        )


class TransactionTimeoutError(DispatchError):
    """A transaction of several dispatches was open for too long; nothing was written."""

    default_code = "transaction.timeout"


class TransactionCapabilityError(DispatchError):
    """The database does not promise what a transaction was asked for; nothing was begun.

    ``requested`` is that, such as an isolation level, and ``capability`` the record of what its
    driver does promise.
    """

    default_code = "transaction.capability"

    def __init__(self, message: str, *, requested: str, capability: Any, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.requested = requested
        self.capability = capability


class IdempotencyError(DispatchError):
    """A dispatch with an idempotency key can be neither done nor repeated; nothing was written.

    ``idempotency.conflict``: the key was used with another payload. ``idempotency.in_flight``:
    another dispatch with it is not over. ``idempotency.data``: the answer can't be kept.
    """

    default_code = "idempotency"


class ImpossibleMove(DispatchError):
    """A strict transition found no move from the state that a record is in; nothing was written.

    ``record`` and ``key`` are whose, ``attribute`` the name of what was to move from ``state``;
    ``interaction`` is the one that was dispatched, and ``moves`` the states that it does move, each
    with the next one (None where a callback would say).
    """

    default_code = "statemachine.impossible_move"

    def __init__(
        self,
        message: str,
        *,
        record: str,
        key: Any,
        attribute: str,
        state: Any,
        interaction: str,
        moves: dict[Any, Any],
        location: Location | None = None,
    ) -> None:
        super().__init__(message, subject=f"{record}.{attribute}: on({interaction})", location=location)
        self.record = record
        self.key = key
        self.attribute = attribute
        self.state = state
        self.interaction = interaction
        self.moves = moves


class SideEffectError(DispatchError):
    """A post-commit callback failed after the facts were committed."""

    default_code = "side_effect.failed"
