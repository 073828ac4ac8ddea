"""Every error that interaqt raises: one hierarchy, each with a code, a place and a way out."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import attrs

__all__ = [
    "ComputationCycle",
    "ConditionRejected",
    "ConstraintViolationError",
    "DeclarationError",
    "DispatchError",
    "GuardError",
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
    "TransactionCapabilityError",
    "TransactionRetryExhaustedError",
    "UnresolvedName",
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

    def __str__(self) -> str:
        path = Path(self.file)
        try:
            shown = path.relative_to(Path.cwd())
        except ValueError:
            shown = path
        return f"{shown}:{self.line}"


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """``Did you mean 'x'?  There is: x, y, z.`` - the nearest existing name and all of them."""
    known = list(names)
    if not known:
        return "There is none."
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
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


class RecordNotFound(StorageError):
    default_code = "record.not_found"


class ConstraintViolationError(StorageError):
    """The database refused a row.

    ``constraint`` is its name there, ``kind`` one of ``unique``, ``not_null``, ``foreign_key``
    and ``check``; ``record`` and ``properties`` name what it is about in the model's words.
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
    """A condition did not hold. ``condition`` is its name."""

    default_code = "condition.rejected"

    def __init__(self, message: str, *, condition: str, code: str | None = None, subject: str = "") -> None:
        super().__init__(message, code=code, subject=subject)
        self.condition = condition


class TransactionRetryExhaustedError(DispatchError):
    """A conflict came back at each of ``attempts`` attempts; the last one is ``__cause__``."""

    default_code = "transaction.retry_exhausted"

    def __init__(self, message: str, *, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class TransactionCapabilityError(DispatchError):
    default_code = "transaction.capability"


class SideEffectError(DispatchError):
    """A post-commit callback failed after the facts were committed."""

    default_code = "side_effect.failed"
