"""What the ``iq.Custom`` of random models asks of Python: a number that tells apart what it was given, in each form.

Models import it, so that a failure that is printed can be pasted. Two values that are equal are one here, whatever
their types: 1, 1.0 and True.
"""

from __future__ import annotations

import datetime as dt
import enum
import zlib
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import interaqt as iq

__all__ = [
    "COMPUTES",
    "counted",
    "day_of",
    "folded",
    "halved",
    "largest",
    "next_largest",
    "next_total",
    "perhaps",
    "priced",
    "recounted",
    "spelt",
    "tested",
    "total",
]

#: What answers a value of each kind, of whatever it is given.
COMPUTES = {
    "int": "folded", "str": "spelt", "bool": "tested", "float": "halved", "Decimal": "priced", "dt.date": "day_of",
}  # fmt: skip


def folded(*given: Any) -> int:
    """Below a hundred; of values in another order it is another one."""
    return zlib.crc32(_text(given).encode()) % 97


def spelt(*given: Any) -> str:
    return ("", "a", "b", "Ab", "bab", "\u00e4")[folded(*given) % 6]


def tested(*given: Any) -> bool:
    return folded(*given) % 2 == 0


def halved(*given: Any) -> float:
    return folded(*given) / 8


def priced(*given: Any) -> Decimal:
    return Decimal(folded(*given)) / 4


def day_of(*given: Any) -> dt.date:
    return dt.date(2026, 10, 1) + dt.timedelta(days=folded(*given))


def perhaps(*given: Any) -> int | None:
    found = folded(*given)
    return None if found % 3 == 0 else found


def total(rows: Iterable[Any]) -> int:
    return sum(map(_share, rows))


def next_total(value: int, old: Any, new: Any) -> Any:
    """As ``total`` is after one row changed; now and then it does not know."""
    return iq.UNKNOWN if value % 5 == 4 else value - _share(old) + _share(new)


def largest(rows: Iterable[Any]) -> int | None:
    return max((_share(each) for each in rows if each is not None), default=None)


def next_largest(value: int | None, old: Any, new: Any) -> Any:
    """As ``largest`` is after one row changed, as long as another does not have to take its place."""
    if new is not None and (value is None or _share(new) >= value):
        return _share(new)
    return iq.UNKNOWN if old is not None and _share(old) == value else value


def counted(rows: Iterable[Any]) -> tuple[int, dict[str, int]]:
    there = [each for each in rows if each is not None]
    return _told({"rows": len(there), "total": total(there)})


def recounted(value: int, state: dict[str, int], old: Any, new: Any) -> Any:
    """As ``counted`` is after one row changed; now and then it does not know."""
    rows = state["rows"] + (new is not None) - (old is not None)
    return (
        iq.UNKNOWN if value % 7 == 6 else _told({"rows": rows, "total": total([new]) - total([old]) + state["total"]})
    )


def _told(state: dict[str, int]) -> tuple[int, dict[str, int]]:
    return state["rows"] * state["total"] % 97, state


def _share(row: Any) -> int:
    """What one row adds; nothing, where it is None, for a step can't tell that from no row."""
    return 0 if row is None else folded(row)


def _text(value: Any) -> str:
    match value:
        case tuple() | list():
            return f"({','.join(map(_text, value))})"
        case float():
            # What is not exact differs between databases in its last digits.
            return str(Fraction(round(value, 6)))
        case int() | Decimal():
            return str(Fraction(value))
        case enum.Enum():
            return repr(value.value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat()
        case _:
            return repr(value)
