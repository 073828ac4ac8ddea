"""The attributes and methods that traced values have, by their kind: ``.year``, ``.lower()``, ``.value``."""

from __future__ import annotations

import enum
from collections.abc import Callable

from interaqt.core.errors import did_you_mean
from interaqt.core.expressions import BOOL, INT, Const, Expr, Op, any_of, case
from interaqt.core.lift import expression_of, lift
from interaqt.core.trace_session import CUSTOM, describe, refusal, refuse
from interaqt.core.typed_operations import DATE, FLOAT, STR
from interaqt.core.types import Kind, ValueType

__all__ = ["value_attribute"]

Method = Callable[..., Expr]


def value_attribute(expr: Expr, name: str) -> Expr | Method:
    """The attribute of a value as an expression, or the method that answers one."""
    known = _ATTRIBUTES.get(expr.type.kind, {})
    if name in known:
        return known[name](expr)
    if name.startswith("__"):
        raise AttributeError(name)
    kind = expr.type.optional(False)
    hint = did_you_mean(name, [each for each in known if each[0] != "_"])
    raise refusal(f"{describe(expr)} is {kind}, of which .{name} can't be traced", f"{hint}\nElse, {CUSTOM}.")


def _part(name: str, type: ValueType) -> Callable[[Expr], Expr]:
    return lambda expr: Op(name, (expr,), type)


def _call(name: str, type: ValueType) -> Callable[[Expr], Method]:
    def bind(expr: Expr) -> Method:
        def method(*args: object, **named: object) -> Expr:
            if args or named:
                refuse(f".{name}() with arguments can't be traced", CUSTOM)
            return Op(name, (expr,), type)

        return method

    return bind


def _affix(name: str) -> Callable[[Expr], Method]:
    def bind(expr: Expr) -> Method:
        def method(affix: object) -> Expr:
            if isinstance(affix, tuple):
                return any_of(*(method(each) for each in affix))
            return Op(name, (expr, _text_argument(name, affix)), BOOL)

        return method

    return bind


def _replace(expr: Expr) -> Method:
    def method(old: object, new: object, *count: object) -> Expr:
        if count or not isinstance(old, str) or not old or expression_of(old) is not None:
            refuse(".replace(old, new) takes a constant, non-empty `old` and no count", CUSTOM)
        before = _text_argument("replace", old)
        if not isinstance(before, Const):
            refuse(".replace(old, new) takes a constant `old`", CUSTOM)
        return Op("replace", (expr, before, _text_argument("replace", new)), STR)

    return method


def _text_argument(name: str, value: object) -> Expr:
    if value is None:
        raise TypeError(f".{name}() takes a str, not None")
    found = lift(value)
    if found.type.kind is not Kind.STR:
        refuse(f".{name}() takes a str, not {describe(found)}")
    return found


def _by_member(expr: Expr, of: Callable[[enum.Enum], str | int]) -> Expr:
    """A choice by the member, for what is stored is the member's value, not its name or text."""
    members = list(expr.type.python)
    constants = [lift(of(member)) for member in members]
    found: Expr = constants[-1]
    for member, constant in reversed(list(zip(members[:-1], constants[:-1], strict=True))):
        found = case(Op("eq", (expr, Const(member, expr.type.optional(False))), BOOL), constant, found)
    return found


_ATTRIBUTES: dict[Kind, dict[str, Callable[[Expr], Expr | Method]]] = {
    Kind.STR: {
        **{name: _call(name, STR) for name in ("lower", "upper", "strip", "lstrip", "rstrip")},
        "startswith": _affix("startswith"),
        "endswith": _affix("endswith"),
        "replace": _replace,
    },
    Kind.DATE: {
        **{name: _part(name, INT) for name in ("year", "month", "day")},
        **{name: _call(name, INT) for name in ("weekday", "isoweekday")},
    },
    Kind.DATETIME: {
        **{name: _part(name, INT) for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")},
        **{name: _call(name, INT) for name in ("weekday", "isoweekday")},
        "date": _call("date", DATE),
    },
    Kind.TIMEDELTA: {"days": _part("days", INT), "total_seconds": _call("total_seconds", FLOAT)},
    Kind.ENUM: {
        "value": lambda expr: _by_member(expr, lambda member: member.value),
        "name": lambda expr: _by_member(expr, lambda member: member.name),
        "__str__": lambda expr: lambda: _by_member(expr, format),
    },
}
