"""Decimal arithmetic that never rounds, so that a sum is the same however it came about.

Python's own context keeps 28 digits; a database keeps all of them. What is derived is worked out
in both, so in Python it is worked out here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any

from interaqt.core.errors import InvalidValue
from interaqt.core.types import Kind

__all__ = ["EXACT", "adder", "from_float", "subtracter"]

#: Wide enough for every NUMERIC of PostgreSQL, so that sums and products never round.
EXACT = Context(prec=300_000, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)


#: What every database keeps of a float that is added up: MySQL and MariaDB have no more places.
_PLACES = 30
_LEAST = Decimal((0, (1,), -_PLACES))


def from_float(value: float) -> Decimal:
    """A float as its shortest text says it, 0.1 for 0.1, to 30 places.

    Raises :class:`~interaqt.InvalidValue` for what is no finite number.
    """
    if not math.isfinite(value):
        raise InvalidValue(f"{value} is no finite number, so it can't be added up", code="value.not_finite")
    found = Decimal(repr(float(value)))
    return found if found.as_tuple().exponent >= -_PLACES else found.quantize(_LEAST, ROUND_HALF_UP, EXACT)  # type: ignore[operator]


def adder(kind: Kind) -> Callable[[Any, Any], Any]:
    return EXACT.add if kind is Kind.DECIMAL else operator.add


def subtracter(kind: Kind) -> Callable[[Any, Any], Any]:
    return EXACT.subtract if kind is Kind.DECIMAL else operator.sub
