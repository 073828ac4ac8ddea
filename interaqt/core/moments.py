"""Moments as whole microseconds since 1970 in UTC: they are added, divided and compared without an end of time."""

from __future__ import annotations

import datetime as dt

from interaqt.core.expressions import Param
from interaqt.core.types import Kind, ValueType

__all__ = ["DAY", "FURTHEST", "NOW", "earliest", "microseconds", "moment"]

#: The present moment in an expression; no attribute can be called so.
NOW = Param("the time", ValueType(Kind.DATETIME))

#: Microseconds of a day.
DAY = 86_400_000_000

#: No number of microseconds is further from 0, so that a few can be added in 64 bits.
FURTHEST = 10**18

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def microseconds(value: dt.timedelta | dt.date) -> int:
    """A duration, or the time since 1970 of a moment or of a day's beginning; no further from 0 than ``FURTHEST``."""
    if isinstance(value, dt.datetime):
        value = value - _EPOCH
    elif isinstance(value, dt.date):
        value = value - _EPOCH.date()
    return max(-FURTHEST, min(FURTHEST, value // _MICROSECOND))


def moment(since: int) -> dt.datetime | None:
    """The moment so many microseconds after 1970; None where there is no year for it."""
    try:
        return _EPOCH + since * _MICROSECOND
    except OverflowError:
        return None


def earliest(*moments: int | None) -> int | None:
    """The least of those that are not None."""
    return min((each for each in moments if each is not None), default=None)
