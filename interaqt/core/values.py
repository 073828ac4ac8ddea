"""Whether a Python value is of a stored type: one check for payloads, records and defaults."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from interaqt.core.record import Record, key_of, made_as
from interaqt.core.types import Kind, ValueType

__all__ = ["Check", "check_of"]

#: Answers what is wrong with a value, or None.
Check = Callable[[Any], str | None]

_PYTHON: dict[Kind, tuple[type, ...]] = {
    Kind.BOOL: (bool,),
    Kind.INT: (int,),
    Kind.FLOAT: (float, int),
    Kind.DECIMAL: (Decimal, int),
    Kind.STR: (str,),
    Kind.BYTES: (bytes,),
    Kind.DATE: (dt.date,),
    Kind.DATETIME: (dt.datetime,),
    Kind.TIMEDELTA: (dt.timedelta,),
    Kind.UUID: (uuid.UUID,),
}


def check_of(type: ValueType) -> Check:
    """The check for one type, made once. ``None`` passes where the type is nullable.

    An int passes for a float or a Decimal, as it does for a type checker; a bool passes for
    nothing but bool. A datetime must be aware; a record must be stored.
    """
    inner = _reference(type) if type.kind is Kind.RECORD else _value(type)
    if type.nullable:
        return lambda value: None if value is None else inner(value)
    return lambda value: f"is None, but {type} is not optional" if value is None else inner(value)


def _reference(type: ValueType) -> Check:
    assert type.record is not None
    # Which of the records are in a view only the database knows.
    cls, name = made_as(type.record.cls), type.record.name

    def check(value: Any) -> str | None:
        if not isinstance(value, cls):
            return f"is {_described(value)}, not a {name}"
        assert isinstance(value, Record)
        return f"is a {name} that is not stored yet" if key_of(value) is None else None

    return check


def _value(type: ValueType) -> Check:
    if type.kind is Kind.JSON:
        return lambda value: None
    if type.kind is Kind.ENUM:
        return lambda value: None if isinstance(value, type.python) else f"is {_described(value)}, not a {type}"
    allowed, members = _PYTHON[type.kind], type.members
    exact = frozenset(allowed)

    def check(value: Any) -> str | None:
        # The exact class first: a bool is an int and a datetime is a date only to isinstance().
        if value.__class__ not in exact and not _is_other_subclass(value, allowed):
            return f"is {_described(value)}, not {type}"
        if members and value not in members:
            return f"is {value!r}, not one of {', '.join(map(repr, members))}"
        return None

    if type.kind is Kind.DATETIME:
        return lambda value: check(value) or _naive(value)
    return check


def _is_other_subclass(value: Any, allowed: tuple[type, ...]) -> bool:
    return isinstance(value, allowed) and not isinstance(value, bool | dt.datetime)


def _naive(value: dt.datetime) -> str | None:
    return None if value.utcoffset() is not None else "has no time zone; give an aware datetime"


def _described(value: Any) -> str:
    text = repr(value)
    return f"{value.__class__.__name__} {text if len(text) <= 60 else text[:57] + '...'}"
