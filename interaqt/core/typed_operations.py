"""The operations of Python's values on expressions: which kinds go together, and as what."""

from __future__ import annotations

import datetime as dt
import enum
import operator
from decimal import Decimal
from typing import Any

import attrs

from interaqt.core.errors import did_you_mean
from interaqt.core.expressions import BOOL, INT, Const, Expr, Op, any_of, negate
from interaqt.core.trace_session import CUSTOM, current, describe, refuse
from interaqt.core.types import Kind, ValueType

__all__ = ["arithmetic", "compare", "concat", "divide", "power", "promote", "rounded", "to_kind", "truth", "unary"]

FLOAT, DECIMAL, STR = ValueType(Kind.FLOAT), ValueType(Kind.DECIMAL), ValueType(Kind.STR)
DATE, DATETIME, TIMEDELTA = ValueType(Kind.DATE), ValueType(Kind.DATETIME), ValueType(Kind.TIMEDELTA)

_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "neg": "-",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_NUMBERS = (Kind.INT, Kind.FLOAT, Kind.DECIMAL)
_UNORDERED = (Kind.UUID, Kind.ENUM, Kind.RECORD)

#: Sums and products of times: (operation, left, right) to the kind of the result.
_TIMES: dict[tuple[str, Kind, Kind], ValueType] = {
    ("add", Kind.TIMEDELTA, Kind.TIMEDELTA): TIMEDELTA,
    ("sub", Kind.TIMEDELTA, Kind.TIMEDELTA): TIMEDELTA,
    ("add", Kind.DATETIME, Kind.TIMEDELTA): DATETIME,
    ("add", Kind.DATE, Kind.TIMEDELTA): DATE,
    ("sub", Kind.DATETIME, Kind.TIMEDELTA): DATETIME,
    ("sub", Kind.DATE, Kind.TIMEDELTA): DATE,
    ("sub", Kind.DATETIME, Kind.DATETIME): TIMEDELTA,
    ("sub", Kind.DATE, Kind.DATE): TIMEDELTA,
    ("mul", Kind.TIMEDELTA, Kind.INT): TIMEDELTA,
}


def to_kind(expr: Expr, kind: Kind) -> Expr | None:
    """The number as another kind, where Python converts it by itself; None where it does not."""
    if expr.type.kind is kind:
        return expr
    if isinstance(expr, Const):
        value: Any = expr.value
        if kind is Kind.INT and type(value) is bool:
            return Const(int(value), INT)
        if kind is Kind.FLOAT and type(value) in (bool, int):
            return Const(float(value), FLOAT)
        if kind is Kind.DECIMAL and type(value) in (bool, int):
            return Const(Decimal(value), DECIMAL)
        return None
    match expr.type.kind, kind:
        case Kind.BOOL, Kind.INT:
            return Op("to_int", (expr,), INT)
        case ((Kind.BOOL | Kind.INT), Kind.FLOAT):
            return Op("to_float", (integer(expr),), FLOAT)
        case ((Kind.BOOL | Kind.INT), Kind.DECIMAL):
            return Op("to_decimal", (integer(expr),), DECIMAL)
    return None


def integer(expr: Expr) -> Expr:
    """A BOOL as the INT that it is in arithmetic."""
    return (to_kind(expr, Kind.INT) or expr) if expr.type.kind is Kind.BOOL else expr


def promote(left: Expr, right: Expr) -> tuple[Expr, Expr] | None:
    """Both numbers as one kind, as Python would make them; None where it would not."""
    for kind in (left.type.kind, right.type.kind):
        one, other = to_kind(left, kind), to_kind(right, kind)
        if one is not None and other is not None:
            return one, other
    return None


def truth(expr: Expr) -> Expr:
    """What ``bool()`` of a value is."""
    empty: dict[Kind, tuple[object, ValueType]] = {
        Kind.INT: (0, INT), Kind.FLOAT: (0.0, FLOAT), Kind.DECIMAL: (Decimal(0), DECIMAL), Kind.STR: ("", STR),
    }  # fmt: skip
    kind = expr.type.kind
    if kind is Kind.BOOL:
        return expr
    if kind in empty:
        return Op("ne", (expr, Const(*empty[kind])), BOOL)
    if kind is Kind.BYTES:
        return Op("ne", (Op("length", (expr,), INT), Const(0, INT)), BOOL)
    if kind is Kind.TIMEDELTA:
        return Op("ne", (Op("total_seconds", (expr,), FLOAT), Const(0.0, FLOAT)), BOOL)
    if kind is Kind.JSON:
        refuse(f"whether {describe(expr)} is empty can't be told of a JSON value", CUSTOM)
    if kind is Kind.ENUM:
        falsy = [Const(member, expr.type.optional(False)) for member in expr.type.python if not member]
        return negate(any_of(*(Op("eq", (expr, each), BOOL) for each in falsy)))
    return Const(True, BOOL)


# -- arithmetic ---------------------------------------------------------------------------


def arithmetic(name: str, left: Expr, right: Expr) -> Expr:
    """``left + right`` and the like."""
    if left.type.kind is Kind.STR and right.type.kind is Kind.STR and name == "add":
        return concat(left, right)
    left, right = integer(left), integer(right)
    if name == "mul" and left.type.kind is Kind.INT and right.type.kind is Kind.TIMEDELTA:
        left, right = right, left
    if name == "add" and left.type.kind is Kind.TIMEDELTA:
        left, right = (left, right) if right.type.kind is Kind.TIMEDELTA else (right, left)
    made = _TIMES.get((name, left.type.kind, right.type.kind))
    if made is not None:
        return Op(name, (left, right), made)
    if name in ("truediv", "floordiv", "mod"):
        return _how_often(left, right) if _are_spans(name, left, right) else divide(name, left, right)
    both = _both_numbers(name, left, right)
    return Op(name, both, ValueType(both[0].type.kind))


def _both_numbers(name: str, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    kinds = left.type.kind, right.type.kind
    both = promote(left, right)
    if both is None or both[0].type.kind not in _NUMBERS:
        hint = CUSTOM
        if set(kinds) == {Kind.FLOAT, Kind.DECIMAL}:
            hint = "Python does not mix float and Decimal: write the constant as Decimal('0.5'), or use one type"
        elif Kind.TIMEDELTA in kinds and name == "truediv":
            hint = "write `span.total_seconds() / ...`"
        elif Kind.STR in kinds and name == "add":
            hint = "Python does not add a str to another type"
        refuse(f"{describe(left)} {_SYMBOLS[name]} {describe(right)}: {_kinds(*kinds)} can't be combined so", hint)
    return both


def _kinds(left: Kind, right: Kind) -> str:
    return f"two {left.value}s" if left is right else f"{left.value} and {right.value}"


def _are_spans(name: str, left: Expr, right: Expr) -> bool:
    return name == "floordiv" and left.type.kind is right.type.kind is Kind.TIMEDELTA


def _how_often(left: Expr, right: Expr) -> Expr:
    """How often a duration goes into another."""
    _require_divisor("floordiv", left, right, Const(dt.timedelta(0), TIMEDELTA))
    return Op("floordiv", (left, right), INT)


def divide(name: str, left: Expr, right: Expr) -> Expr:
    """A quotient or remainder; the run must know that the divisor is not 0."""
    both = _both_numbers(name, left, right)
    kind = both[0].type.kind
    symbol = _SYMBOLS[name]
    if name == "truediv" and kind is Kind.DECIMAL:
        refuse(
            f"{describe(left)} / {describe(right)}: no two databases round a Decimal quotient alike",
            f"use // or a product with a constant Decimal; else, {CUSTOM}",
        )
    if name != "truediv" and kind is Kind.FLOAT:
        refuse(f"{describe(left)} {symbol} {describe(right)}: {symbol} on float can't be traced", "use int or Decimal")
    _require_divisor(name, left, right, to_kind(Const(0, INT), right.type.kind) or Const(0, INT))
    if name == "truediv":
        one, other = to_kind(both[0], Kind.FLOAT), to_kind(both[1], Kind.FLOAT)
        return Op("truediv", (one or left, other or right), FLOAT)
    return Op(name, both, ValueType(kind))


def _require_divisor(name: str, left: Expr, right: Expr, zero: Expr) -> None:
    symbol = _SYMBOLS[name]
    if isinstance(right, Const):
        if right == zero:
            refuse("the divisor is 0")
    elif current().decide(Op("eq", (right, zero), BOOL)):
        shown = right.name if hasattr(right, "name") and not isinstance(right, Op) else "y"
        refuse(
            f"the divisor may be 0: {describe(right)}",
            f"write `x {symbol} {shown} if {shown} else ...` with what it shall be then",
        )


def power(base: Expr, exponent: object) -> Expr:
    """``base ** n`` as a product, for a small constant n."""
    if type(exponent) is not int or not 1 <= exponent <= 8:
        refuse(f"{describe(base)} ** {exponent}: only a constant exponent from 1 to 8 can be traced", CUSTOM)
    found = integer(base)
    for _ in range(exponent - 1):
        found = arithmetic("mul", found, base)
    return found


def unary(name: str, value: Expr) -> Expr:
    """``-value``, ``+value`` and ``abs(value)``."""
    value = integer(value)
    if value.type.kind not in (*_NUMBERS, Kind.TIMEDELTA):
        refuse(f"{describe(value)} is no number, so {'-' if name == 'neg' else name} has no meaning for it")
    return value if name == "pos" else Op(name, (value,), ValueType(value.type.kind))


def rounded(name: str, value: Expr, places: object = None) -> Expr:
    """``round``, ``math.floor``, ``math.ceil`` and ``math.trunc``."""
    value = integer(value)
    kind = value.type.kind
    if kind not in _NUMBERS:
        refuse(f"{describe(value)} is no number, so it can't be rounded")
    if places is not None:
        if type(places) is not int or places < 0:
            refuse("round(x, n) takes a constant n that is not negative")
        if kind is Kind.FLOAT:
            refuse(
                f"round({describe(value)}, {places}): a float has no exact decimal places",
                "declare the attribute as Decimal, which has",
            )
        return value if kind is Kind.INT else Op("round_to", (value, Const(places, INT)), DECIMAL)
    return value if kind is Kind.INT else Op(name, (value,), INT)


def concat(*parts: Expr) -> Expr:
    flat: list[Expr] = []
    for part in parts:
        flat += part.args if isinstance(part, Op) and part.name == "concat" else (part,)
    return flat[0] if len(flat) == 1 else Op("concat", tuple(flat), STR)


# -- comparison ---------------------------------------------------------------------------


def compare(name: str, left: Expr, right: Expr) -> Expr:
    """``left == right`` and the like, with the constant, if any, on the right."""
    if isinstance(left, Const):
        name, left, right = _MIRRORED[name], right, left
    left, right = _comparable(name, left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(bool(getattr(operator, name)(left.value, right.value)), BOOL)
    if left.type.kind is Kind.BOOL and isinstance(right, Const) and name in ("eq", "ne"):
        return left if (name == "eq") == bool(right.value) else negate(left)
    return Op(name, (left, right), BOOL)


def _comparable(name: str, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    kind, other = left.type.kind, right.type.kind
    if isinstance(right, Const):
        right = _as_member(left, right)
        other = right.type.kind
    both = (left, right) if kind is other else promote(left, right)
    if both is None:
        hints = {
            frozenset((Kind.DATE, Kind.DATETIME)): "compare dates: `at.date()`",
            frozenset((Kind.FLOAT, Kind.DECIMAL)): "write the constant as Decimal('0.5'), or use one type",
        }
        never = "is always False" if name == "eq" else "is always True" if name == "ne" else "is a TypeError"
        refuse(
            f"{describe(left)} is {_a(left)}, and {describe(right)} is {_a(right)}: to compare them with "
            f"{_SYMBOLS[name]} {never}",
            hints.get(frozenset((kind, other)), "compare values of one type"),
        )
    if kind is Kind.JSON:
        refuse(f"{describe(left)} is a JSON value, which can't be compared", CUSTOM)
    if kind in _UNORDERED and name not in ("eq", "ne"):
        refuse(f"{describe(left)} is {_a(left)}, which has no order that all databases share", CUSTOM)
    if kind is Kind.RECORD:
        return _same_record(left, right)
    if kind is Kind.ENUM and left.type.python is not right.type.python:
        refuse(f"{describe(left)} is {_a(left)} and {describe(right)} is {_a(right)}: they are never equal")
    return both


def _a(expr: Expr) -> str:
    name = str(expr.type.optional(False))
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def _as_member(left: Expr, right: Const) -> Const:
    """The constant as a member of the Enum or Literal that it is compared with."""
    members = left.type.members
    value: Any = right.value
    if left.type.kind is Kind.ENUM and not isinstance(value, enum.Enum):
        cls = left.type.python
        if issubclass(cls, str | int) and value in members:
            return Const(cls(value), left.type.optional(False))
        shown = [f"{cls.__name__}.{member.name}" for member in cls]
        near = next((f"{cls.__name__}.{member.name}" for member in cls if member.value == value), str(value))
        refuse(f"{describe(left)} is never {value!r}: it is {_a(left)}", did_you_mean(near, shown))
    if members and left.type.kind in (Kind.STR, Kind.INT) and type(value) in (str, int) and value not in members:
        refuse(f"{describe(left)} is never {value!r}", did_you_mean(str(value), map(str, members)))
    return right


def _same_record(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    one, other = left.type.record, right.type.record
    if isinstance(right, Const) and other is None:
        right = attrs.evolve(right, type=left.type.optional(False))
    elif one is None or other is None or one.root is not other.root:
        refuse(f"{describe(left)} is {_a(left)} and {describe(right)} is {_a(right)}: they are never equal")
    return left, right
