"""Decimal arithmetic that never rounds, so that a sum is the same however it came about.

Python's own context keeps 28 digits; a database keeps all of them. What is derived is worked out
in both, so in Python it is worked out here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context
from typing import Any

from interaqt.core.types import Kind

__all__ = ["EXACT", "adder", "subtracter"]

#: Wide enough for every NUMERIC of PostgreSQL, so that sums and products never round.
EXACT = Context(prec=300_000, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)


def adder(kind: Kind) -> Callable[[Any, Any], Any]:
    return EXACT.add if kind is Kind.DECIMAL else operator.add


def subtracter(kind: Kind) -> Callable[[Any, Any], Any]:
    return EXACT.subtract if kind is Kind.DECIMAL else operator.sub
