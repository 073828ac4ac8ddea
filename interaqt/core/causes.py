"""Finding an error among those that led to another one."""

from __future__ import annotations

from collections.abc import Iterator

from interaqt.core.errors import ConstraintViolationError, InteraqtError

__all__ = ["find_constraint_violation_error", "find_error", "has_error_code"]


def find_constraint_violation_error(error: BaseException | None) -> ConstraintViolationError | None:
    """The refused row that an error is about or was caused by; None where there is none."""
    return next((each for each in _chain(error) if isinstance(each, ConstraintViolationError)), None)


def find_error(error: BaseException | None, code: str) -> InteraqtError | None:
    """The nearest error with the code among an error and those that led to it; None where there is none.

    The code is one of interaqt's, or a ``violation_code`` of the model.
    """
    found = (each for each in _chain(error) if isinstance(each, InteraqtError) and code in _codes(each))
    return next(found, None)


def has_error_code(error: BaseException | None, code: str) -> bool:
    """Whether an error, or one that led to it, has the code: an interaqt code, or a ``violation_code`` of the model."""
    return find_error(error, code) is not None


def _codes(error: InteraqtError) -> tuple[str | None, ...]:
    if isinstance(error, ConstraintViolationError):
        return error.code, error.violation_code
    return (error.code,)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it, the nearest first; those of a group as well."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
