"""Traced values: a stand-in records what is done to it, by Python's own operators.

All of a stand-in's own names begin with ``_iq_``: any other name may be an attribute of the user's.
"""

from __future__ import annotations

from typing import Any, NoReturn

from interaqt.core.expressions import BOOL, INT, Aggregate, Attr, Const, Expr, Op, Param, Root, all_of, any_of
from interaqt.core.lift import lift
from interaqt.core.trace_session import CUSTOM, current, describe, refusal, refuse
from interaqt.core.typed_operations import arithmetic, compare, power, rounded, truth, unary
from interaqt.core.types import Kind
from interaqt.core.value_attributes import value_attribute

__all__ = ["Traced", "wrapped"]


class Traced:
    """A value, never None."""

    __slots__ = ("_iq_expr",)
    _iq_expr: Expr

    def __init__(self, expr: Expr) -> None:
        object.__setattr__(self, "_iq_expr", expr)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return wrapped(value_attribute(self._iq_expr, name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        refuse(f"a callback can't set .{name}: it only says what a value is", "iq.field(changes=...) declares a change")

    def __repr__(self) -> str:
        return f"<traced {describe(self._iq_expr)}>"

    # -- truth and comparison

    def __bool__(self) -> bool:
        return current().decide(truth(self._iq_expr))

    def __eq__(self, other: object) -> Any:
        return _comparison("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return _comparison("ne", self, other)

    def __lt__(self, other: object) -> Any:
        return _comparison("lt", self, other)

    def __le__(self, other: object) -> Any:
        return _comparison("le", self, other)

    def __gt__(self, other: object) -> Any:
        return _comparison("gt", self, other)

    def __ge__(self, other: object) -> Any:
        return _comparison("ge", self, other)

    def __hash__(self) -> NoReturn:
        raise refusal(
            f"{describe(self._iq_expr)} is looked up in a set or dict, which a trace can't see",
            f"write a tuple, `x in (...)`, or a chain of `if`; else, {CUSTOM}",
        )

    # -- arithmetic

    def __add__(self, other: object) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: object) -> Any:
        return _binary("add", other, self)

    def __sub__(self, other: object) -> Any:
        return _binary("sub", self, other)

    def __rsub__(self, other: object) -> Any:
        return _binary("sub", other, self)

    def __mul__(self, other: object) -> Any:
        return _binary("mul", self, other)

    def __rmul__(self, other: object) -> Any:
        return _binary("mul", other, self)

    def __truediv__(self, other: object) -> Any:
        return _binary("truediv", self, other)

    def __rtruediv__(self, other: object) -> Any:
        return _binary("truediv", other, self)

    def __floordiv__(self, other: object) -> Any:
        return _binary("floordiv", self, other)

    def __rfloordiv__(self, other: object) -> Any:
        return _binary("floordiv", other, self)

    def __mod__(self, other: object) -> Any:
        return _binary("mod", self, other)

    def __rmod__(self, other: object) -> Any:
        return _binary("mod", other, self)

    def __divmod__(self, other: object) -> Any:
        return self // other, self % other

    def __pow__(self, other: object) -> Any:
        return Traced(power(self._iq_expr, other))

    def __rpow__(self, other: object) -> NoReturn:
        refuse(f"{other!r} ** {describe(self._iq_expr)} can't be traced", CUSTOM)

    def __and__(self, other: object) -> Any:
        return self._iq_logic(other, "and")

    def __or__(self, other: object) -> Any:
        return self._iq_logic(other, "or")

    __rand__, __ror__ = __and__, __or__

    def _iq_logic(self, other: object, name: str) -> Any:
        both = self._iq_expr, lift(other)
        if any(each.type.kind is not Kind.BOOL for each in both):
            refuse(f"bitwise {name} can't be traced", f"for a condition, write `{name}`")
        return Traced(all_of(*both) if name == "and" else any_of(*both))

    def __invert__(self) -> NoReturn:
        refuse("~ can't be traced", "for a condition, write `not`")

    def __neg__(self) -> Any:
        return Traced(unary("neg", self._iq_expr))

    def __pos__(self) -> Any:
        return Traced(unary("pos", self._iq_expr))

    def __abs__(self) -> Any:
        return Traced(unary("abs", self._iq_expr))

    def __round__(self, places: object = None) -> Any:
        return Traced(rounded("round", self._iq_expr, places))

    def __floor__(self) -> Any:
        return Traced(rounded("floor", self._iq_expr))

    def __ceil__(self) -> Any:
        return Traced(rounded("ceil", self._iq_expr))

    def __trunc__(self) -> Any:
        return Traced(rounded("trunc", self._iq_expr))

    # -- text and containers

    def _iq_length(self) -> Any:
        if self._iq_expr.type.kind not in (Kind.STR, Kind.BYTES):
            refuse(f"{describe(self._iq_expr)} is a {self._iq_expr.type.optional(False)}, which has no length")
        return Traced(Op("length", (self._iq_expr,), INT))

    def __len__(self) -> NoReturn:
        raise refusal("len() was called in a way that a trace can't see", "call the builtin, `len(x)`")

    def __contains__(self, part: object) -> bool:
        if self._iq_expr.type.kind is not Kind.STR:
            refuse(f"`in {describe(self._iq_expr)}`: only a str can be searched", CUSTOM)
        inner = lift(part)
        if inner.type.kind is not Kind.STR:
            raise TypeError(f"'in <string>' requires string, not {inner.type}")
        return current().decide(Op("contains", (self._iq_expr, inner), BOOL))

    def __str__(self) -> str:
        return current().token(_text(self._iq_expr))

    def __format__(self, spec: str) -> str:
        if spec:
            refuse(f"the format {spec!r} can't be traced", CUSTOM)
        return str(self)

    def __iter__(self) -> NoReturn:
        refuse(f"a loop over {describe(self._iq_expr)} can't be traced", CUSTOM)

    def __getitem__(self, key: object) -> NoReturn:
        refuse(f"{describe(self._iq_expr)}[...] can't be traced", CUSTOM)

    def __call__(self, *args: object) -> NoReturn:
        raise TypeError(f"{describe(self._iq_expr)} is a {self._iq_expr.type.optional(False)} and can't be called")

    def __int__(self) -> NoReturn:
        refuse("int(x) can't be traced", "write math.trunc(x), or round(x)")

    def __float__(self) -> NoReturn:
        refuse("float(x) can't be traced, nor can what calls it, such as math.sqrt", f"write `x * 1.0`; else, {CUSTOM}")

    def __index__(self) -> NoReturn:
        raise refusal(f"{describe(self._iq_expr)} is used as an index or in range(), which can't be traced", CUSTOM)


def _binary(name: str, left: object, right: object) -> Any:
    # Python's own TypeError for None is the right one: the trace says which attribute may be None.
    if left is None or right is None:
        return NotImplemented
    return Traced(arithmetic(name, lift(left), lift(right)))


def _comparison(name: str, left: object, right: object) -> Any:
    if right is None:
        return {"eq": False, "ne": True}.get(name, NotImplemented)
    return Traced(compare(name, lift(left), lift(right)))


def wrapped(value: Any) -> Any:
    """An expression as its stand-in; the method of a value so that its result is one."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Root | Param | Attr | Op | Aggregate):
        return Traced(value)
    return lambda *args, **named: wrapped(value(*args, **named))


def _text(expr: Expr) -> Expr:
    """What ``str()`` of a value is, where that is the same everywhere."""
    if expr.type.kind is Kind.STR:
        return expr
    if expr.type.kind is Kind.ENUM:
        return value_attribute(expr, "__str__")()  # type: ignore[operator]
    kind = expr.type.optional(False)
    raise refusal(
        f"{describe(expr)} is {kind}, and only a str can be put into a text",
        f"format it where it is shown; else, {CUSTOM}",
    )
