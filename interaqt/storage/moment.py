"""The moment of what is going on: one for all that a dispatch does, whatever the clock says meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from interaqt.core.errors import InvalidValue

__all__ = ["Clock", "begin_moment", "clock_of", "during", "end_moment", "present", "require_moment"]

Clock = Callable[[], dt.datetime]

_moment: ContextVar[dt.datetime | None] = ContextVar("interaqt_moment", default=None)

#: Lets it be a moment for the statements that are run; what it answers, given to ``end_moment``, ends that.
begin_moment, end_moment = _moment.set, _moment.reset


@contextmanager
def during(moment: dt.datetime) -> Iterator[None]:
    """Let it be that moment for the statements that are run."""
    token = begin_moment(moment)
    try:
        yield
    finally:
        end_moment(token)


def present() -> dt.datetime:
    """The moment that it is for a statement that asks; only where one was set."""
    found = _moment.get()
    assert found is not None, "what writes says of which moment it is"
    return found


def clock_of(clock: Clock | None) -> Clock:
    """The clock that was given, as one that answers in UTC; by default that of the machine."""
    if clock is None:
        return lambda: dt.datetime.now(dt.UTC)
    return lambda: require_moment(clock(), "clock=", "clock")


def require_moment(given: object, name: str, code: str) -> dt.datetime:
    """A moment in UTC, if it is one."""
    if not isinstance(given, dt.datetime) or given.utcoffset() is None:
        raise InvalidValue(
            f"{name} is an aware datetime, not {given!r}",
            code=f"moment.{code}",
            hint="write dt.datetime.now(dt.UTC), for instance",
        )
    return given.astimezone(dt.UTC)
