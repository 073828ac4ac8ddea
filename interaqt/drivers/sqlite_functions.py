"""What SQLite lacks, as functions of Python: exact decimals, Unicode case, date arithmetic.

They are the Python operations themselves, so an expression cannot mean something else here.
Decimals are canonical texts, instants ISO texts in UTC, durations microseconds; NULL gives NULL.
"""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from interaqt.core.decimals import EXACT, from_float
from interaqt.core.moments import microseconds
from interaqt.storage.convert import decimal_text, iso_datetime

__all__ = ["FUNCTIONS", "register"]


def register(connection: sqlite3.Connection) -> None:
    """Give a connection all of them. Deterministic: they may stand in an index or be moved."""
    for name, (arity, function) in FUNCTIONS.items():
        connection.create_function(name, arity, _strict(function), deterministic=True)
    decimal_sum: Any = _DecimalSum  # typeshed knows aggregates of integers only
    connection.create_aggregate("iq_decimal_sum", 1, decimal_sum)
    connection.create_collation("iq_decimal", _compare)


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return None if None in args else function(*args)

    return call


class _DecimalSum:
    def __init__(self) -> None:
        self.total = Decimal(0)

    def step(self, value: str | None, /) -> None:
        if value is not None:
            self.total = EXACT.add(self.total, Decimal(value))

    def finalize(self) -> str:
        return decimal_text(self.total)


def _compare(left: str, right: str) -> int:
    return int(EXACT.compare(Decimal(left), Decimal(right)))


def _binary(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[str, str], str]:
    return lambda left, right: decimal_text(operation(Decimal(left), Decimal(right)))


def _to_int(rounding: str) -> Callable[[str], int]:
    return lambda value: int(Decimal(value).to_integral_value(rounding, EXACT))


def _round(value: str, places: int) -> str:
    # quantize gives a number that has fewer places than asked more of them, which the text drops.
    return decimal_text(Decimal(value).quantize(Decimal((0, (1,), -places)), ROUND_HALF_EVEN, EXACT))


def _datetime_add(value: str, delta: int) -> str:
    return iso_datetime(dt.datetime.fromisoformat(value) + dt.timedelta(microseconds=delta))


def _datetime_sub(left: str, right: str) -> int:
    return (dt.datetime.fromisoformat(left) - dt.datetime.fromisoformat(right)) // _MICROSECOND


def _date_add(value: str, delta: int, sign: int) -> str:
    # Whole days, floored, before the sign: what date + timedelta and date - timedelta do.
    return (dt.date.fromisoformat(value) + dt.timedelta(days=sign * (delta // _DAY))).isoformat()


def _date_sub(left: str, right: str) -> int:
    return (dt.date.fromisoformat(left) - dt.date.fromisoformat(right)).days * _DAY


def _since(value: str) -> int:
    found = dt.datetime.fromisoformat(value)
    return microseconds(found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC))


_MICROSECOND = dt.timedelta(microseconds=1)
_DAY = 86_400_000_000

FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "iq_decimal_add": (2, _binary(EXACT.add)),
    "iq_decimal_sub": (2, _binary(EXACT.subtract)),
    "iq_decimal_mul": (2, _binary(EXACT.multiply)),
    "iq_decimal_floordiv": (2, _binary(EXACT.divide_int)),
    "iq_decimal_mod": (2, _binary(EXACT.remainder)),
    "iq_decimal_neg": (1, lambda value: decimal_text(EXACT.minus(Decimal(value)))),
    "iq_decimal_abs": (1, lambda value: decimal_text(EXACT.abs(Decimal(value)))),
    "iq_decimal_float": (1, float),
    "iq_decimal_of_float": (1, lambda value: decimal_text(from_float(value))),
    "iq_decimal_floor": (1, _to_int(ROUND_FLOOR)),
    "iq_decimal_ceil": (1, _to_int(ROUND_CEILING)),
    "iq_decimal_trunc": (1, _to_int(ROUND_DOWN)),
    "iq_decimal_round_int": (1, _to_int(ROUND_HALF_EVEN)),
    "iq_decimal_round": (2, _round),
    "iq_floor": (1, math.floor),
    "iq_ceil": (1, math.ceil),
    "iq_trunc": (1, math.trunc),
    "iq_round": (1, round),
    "iq_float": (1, float),
    "iq_lower": (1, str.lower),
    "iq_upper": (1, str.upper),
    "iq_unhex": (1, bytes.fromhex),
    "iq_datetime_add": (2, _datetime_add),
    "iq_datetime_sub": (2, _datetime_sub),
    "iq_date_add": (3, _date_add),
    "iq_date_sub": (2, _date_sub),
    "iq_since": (1, _since),
    "iq_total_seconds": (1, lambda value: value / 1_000_000),
}
