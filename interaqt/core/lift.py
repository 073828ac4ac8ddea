"""Lifting: what a callback gives or uses, as an expression."""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from interaqt.core.errors import did_you_mean
from interaqt.core.expressions import Const, Expr
from interaqt.core.trace_session import CUSTOM, current, describe, refuse, tracing_active
from interaqt.core.typed_operations import STR, concat, to_kind
from interaqt.core.types import Kind, UnsupportedType, ValueType, value_type

__all__ = ["as_constant", "coerce", "constant_hooks", "expression_of", "lift"]

#: Asked for a value that is no plain constant, such as a stored record: the Const for it, or None.
constant_hooks: list[Callable[[Any], Const | None]] = []

_KINDS: dict[type, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    bytes: Kind.BYTES,
    dt.date: Kind.DATE,
    dt.timedelta: Kind.TIMEDELTA,
    uuid.UUID: Kind.UUID,
}

_LARGEST = 2**63


def expression_of(value: object) -> Expr | None:
    """The expression that a stand-in stands for; None of any other value."""
    return getattr(value, "_iq_expr", None) if hasattr(type(value), "_iq_expr") else None


def lift(value: object) -> Expr:
    """The expression of a traced value, a text with traced values in it, or a constant."""
    found = expression_of(value)
    if found is None:
        found = as_constant(value)
    if found is None:
        name = type(value).__name__
        refuse(f"{value!r} is of type {name}, which can't be in an expression", CUSTOM)
    return found


def as_constant(value: object) -> Expr | None:
    """The constant that a plain Python value is, or None where it can't be one."""
    if isinstance(value, enum.Enum):
        try:
            return Const(value, value_type(type(value)))
        except UnsupportedType as error:
            refuse(str(error))
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, dt.datetime):
        return _moment(value)
    kind = _KINDS.get(type(value))
    if kind is None:
        return next((found for hook in constant_hooks if (found := hook(value)) is not None), None)
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        refuse(f"{value} does not fit into 64 bits")
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        refuse(f"{value!r} is not a finite number")
    return Const(value, ValueType(kind))


_NOW = dt.timedelta(seconds=2)


def _text(value: str) -> Expr:
    # The marks of formatted text are not ASCII, and there are none outside a trace.
    if value.isascii() or not tracing_active():
        return Const(value, STR)
    parts = current().parts(value)
    return concat(*(Const(part, STR) if isinstance(part, str) else part for part in parts)) if parts else Const("", STR)


def _moment(value: dt.datetime) -> Const:
    if value.tzinfo is None:
        refuse(f"{value!r} has no time zone", "write datetime(..., tzinfo=UTC): times are compared by instant")
    moment = value.astimezone(dt.UTC)
    # A query is traced when it is asked, so there the moment is the right one.
    if not (tracing_active() and current().allow_collections) and abs(moment - dt.datetime.now(dt.UTC)) < _NOW:
        refuse(
            "datetime.now() in a callback is the moment of its tracing, not of its use",
            "iq.RealTime(lambda each, now: ...) gives the callback the present moment, and follows it",
        )
    return Const(moment, ValueType(Kind.DATETIME))


def coerce(value: object, expected: ValueType) -> Expr:
    """The value as an expression of the expected kind, converted where Python's typing would allow it."""
    if value is None:
        if not expected.nullable:
            refuse(f"it may give None, but {expected} is expected")
        return Const(None, expected)
    if expected.kind is Kind.JSON and isinstance(value, dict | list | tuple | str | int | float):
        return Const(value, expected.optional(False))
    found = lift(value)
    kind = found.type.kind
    if kind is not expected.kind:
        converted = to_kind(found, expected.kind) if expected.kind is not Kind.BOOL else None
        if converted is None:
            hints = {
                Kind.BOOL: "write a condition, such as `x is not None`, `x != 0` or `bool(x)`",
                Kind.INT: "write round(x), or math.floor(x)" if kind in (Kind.FLOAT, Kind.DECIMAL) else "",
            }
            refuse(
                f"it gives {_shown(found)}, but {expected} is expected",
                hints.get(expected.kind, ""),
            )
        return converted
    if kind is Kind.RECORD:
        return _as_record(found, expected)
    if kind is Kind.ENUM and found.type.python is not expected.python:
        refuse(f"it gives {describe(found)}, {found.type}, but {expected} is expected")
    if expected.members and kind is not Kind.ENUM:
        _require_member(found, expected)
    return found


def _shown(found: Expr) -> str:
    kind = str(found.type.optional(False))
    name = describe(found)
    return name if name.endswith(f" {kind}") else f"{name}, {kind}"


def _as_record(found: Expr, expected: ValueType) -> Expr:
    if isinstance(found, Const) and found.type.record is None:
        return attrs.evolve(found, type=expected.optional(False))
    if expected.record is not None and not (found.type.record and found.type.record.is_a(expected.record)):
        refuse(f"it gives {describe(found)}, {found.type.optional(False)}, but {expected} is expected")
    return found


def _require_member(found: Expr, expected: ValueType) -> None:
    members: tuple[object, ...] = expected.members
    if isinstance(found, Const):
        if found.value not in members:
            refuse(
                f"it gives {found.value!r}, but {expected} is expected",
                did_you_mean(str(found.value), map(str, members)),
            )
    elif not found.type.members or not set(found.type.members) <= set(members):
        refuse(f"it gives {describe(found)}, {found.type.optional(False)}, but {expected} is expected")
