"""Average: the mean of a value over related records."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from interaqt.core.computations.aggregation import (
    BOOL,
    ZEROS,
    AggregateRule,
    Aggregation,
    Target,
    counted,
    non_null,
)
from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import Const, Expr, Op, all_of, case, negate
from interaqt.core.many import Many
from interaqt.core.types import Kind, ValueType

__all__ = ["Average", "AverageSpec"]

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)

_DECIMAL, _FLOAT = ValueType(Kind.DECIMAL), ValueType(Kind.FLOAT)


@overload
def Average(
    over: Many[T] | type[T],
    of: Callable[[T], N | None],
    where: Callable[[T], bool] | None = ...,
    *,
    init: Literal[False] = ...,
) -> float | None: ...
@overload
def Average(
    over: Many[T] | type[T],
    of: Callable[[T], N | None],
    where: Callable[[T], bool] | None = ...,
    *,
    default: float,
    init: Literal[False] = ...,
) -> float: ...
def Average(
    over: Any, of: Any, where: Any = None, *, default: float | None = None, init: Literal[False] = False
) -> Any:
    """The mean of ``of`` over the records in ``over`` (for which ``where`` holds).

    On nothing it is ``default``, or None if there is no default. A record whose ``of`` is None
    is not in the mean.
    """
    return AverageSpec(over, of, where, default, Location.of_caller())


class AverageSpec(Aggregation):
    name_of = "Average"

    def __init__(self, over: Any, of: Any, where: Any, default: float | None, location: Location) -> None:
        super().__init__(over, location, where)
        self.of, self.default = of, default

    def resolve(self, target: Target) -> AggregateRule:
        if self.default is not None and (isinstance(self.default, bool) or not isinstance(self.default, int | float)):
            raise target.error(f"the default is {self.default!r}, not a number", "average.default", "write default=0.0")
        target.require(Kind.FLOAT, nullable=self.default is None)
        if self.default is None and not target.type.nullable:
            raise target.error(
                "the average of nothing is None, but the attribute is declared float",
                "average.nothing",
                hint=f"write {target.attribute.name}: float | None, or give a default=, such as 0.0",
            )
        value = self._value(target)
        zero = Const(ZEROS[value.type.kind], value.type.optional(False))
        present = negate(Op("is_null", (value,), BOOL)) if value.type.nullable else None
        conditions = [each for each in (self.matches(target), present) if each is not None]
        counts = all_of(*conditions) if conditions else None
        amount = non_null(value, zero)
        total, read_total = target.hidden("sum", amount if counts is None else case(counts, amount, zero))
        if read_total.type.kind is Kind.DECIMAL:
            read_total = Op("to_float", (read_total,), _FLOAT)
        number, read_number = target.hidden("count", counted(counts))
        mean = Op("truediv", (read_total, Op("to_float", (read_number,), _FLOAT)), _FLOAT)
        nothing = Op("eq", (read_number, Const(0, ValueType(Kind.INT))), BOOL)
        empty = Const(None if self.default is None else float(self.default), target.type)
        result: Expr = Op("case", (nothing, empty, mean), target.type)
        return target.rule([total, number], result)

    def _value(self, target: Target) -> Expr:
        """What the mean is of: ints and floats are summed as float, Decimals as themselves."""
        try:
            return target.trace(self.of, _FLOAT.optional())
        except TraceError:
            with suppress(TraceError):
                return target.trace(self.of, _DECIMAL.optional())
            raise
