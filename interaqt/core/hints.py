"""What to write instead of an annotation or a default that cannot be."""

from __future__ import annotations

import datetime as dt
import enum
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.types import ValueType, split_optional

__all__ = ["default_hint", "shown", "type_hint"]


def shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", "") if isinstance(annotation, type) else str(annotation)


def type_hint(name: str, annotation: Any) -> str:
    """What to write for an annotation that can't be stored."""
    bare, _ = split_optional(annotation)
    args = typing.get_args(bare)
    if typing.get_origin(bare) in (set, frozenset, Sequence, Iterable) or bare in (set, frozenset):
        return f"write {name}: list[{', '.join(map(shown, args)) or 'str'}]"
    if typing.get_origin(bare) is typing.Literal or (isinstance(bare, type) and issubclass(bare, enum.Enum)):
        return "give all of them values of one type, such as their names"
    if isinstance(bare, type) and bare.__module__ not in ("builtins", "typing"):
        return f"decorate {bare.__name__} with @iq.entity for records, or with @attrs.frozen for a JSON value"
    return (
        "types are: bool, int, float, Decimal, str, bytes, date, datetime, timedelta, UUID, Enum, Literal, "
        "dict, list, attrs classes, entities"
    )


def default_hint(each: AttributeDeclaration, type: ValueType, value: Any) -> str:
    if value is None:
        return f"write {each.name}: {type} | None = None, or leave the default out"
    if isinstance(value, dt.datetime):
        return "write dt.datetime(..., tzinfo=dt.UTC)"
    return ""
