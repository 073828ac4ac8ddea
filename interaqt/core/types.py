"""The types that a stored value can have, and how an annotation names one."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import operator
import types
import typing
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Union

import attrs

if TYPE_CHECKING:
    from interaqt.core.model import RecordModel

__all__ = ["PYTHON_TYPES", "Kind", "UnsupportedType", "ValueType", "split_optional", "value_type"]


class Kind(enum.Enum):
    """What sort of value: decides column type, conversion, and which operations exist."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    DECIMAL = "Decimal"
    STR = "str"
    BYTES = "bytes"
    DATE = "date"
    DATETIME = "datetime"
    TIMEDELTA = "timedelta"
    UUID = "UUID"
    ENUM = "Enum"
    JSON = "JSON"
    RECORD = "record"
    """A reference to a record; its value is that record's key."""


@attrs.frozen
class ValueType:
    """A kind, whether ``None`` is allowed, and what narrows it further.

    ``python`` is the Enum class of an ENUM and the annotation of a JSON value; ``members`` are
    the allowed stored values of an ENUM or a ``Literal`` (which is a STR or an INT); ``record``
    is the model that a RECORD refers to.
    """

    kind: Kind
    nullable: bool = False
    python: Any = attrs.field(default=None, eq=False)
    members: tuple[str, ...] | tuple[int, ...] = ()
    record: RecordModel | None = None

    def optional(self, nullable: bool = True) -> ValueType:
        return attrs.evolve(self, nullable=nullable)

    def __str__(self) -> str:
        if self.kind is Kind.RECORD and self.record is not None:
            name = self.record.name
        elif self.kind is Kind.ENUM:
            name = getattr(self.python, "__name__", "Enum")
        elif self.members:
            name = f"Literal[{', '.join(map(repr, self.members))}]"
        else:
            name = self.kind.value
        return f"{name} | None" if self.nullable else name


class UnsupportedType(TypeError):
    """An annotation that names no storable type; the message says why."""


_SCALARS: dict[Any, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    str: Kind.STR,
    bytes: Kind.BYTES,
    dt.date: Kind.DATE,
    dt.datetime: Kind.DATETIME,
    dt.timedelta: Kind.TIMEDELTA,
    uuid.UUID: Kind.UUID,
}

#: The Python class of each scalar kind.
PYTHON_TYPES: dict[Kind, Any] = {kind: python for python, kind in _SCALARS.items()}

#: Containers that are stored as JSON.
_JSON = (dict, list, tuple)


def split_optional(annotation: Any) -> tuple[Any, bool]:
    """``T | None`` as ``(T, True)``, anything else as it is with ``False``."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        args = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        if len(args) < len(typing.get_args(annotation)):
            return functools.reduce(operator.or_, args), True
    return annotation, False


def value_type(annotation: Any) -> ValueType:
    """The stored type that a (resolved) annotation names.

    Raises :class:`UnsupportedType` for what cannot be stored.
    """
    annotation, nullable = split_optional(annotation)
    origin = typing.get_origin(annotation)
    if annotation in _SCALARS:
        return ValueType(_SCALARS[annotation], nullable)
    if origin is Literal:
        return _literal(typing.get_args(annotation), nullable)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _enum(annotation, nullable)
    if origin in _JSON or annotation in _JSON or (isinstance(annotation, type) and attrs.has(annotation)):
        return ValueType(Kind.JSON, nullable, annotation)
    if origin in (Union, types.UnionType):
        raise UnsupportedType(f"{annotation} is a union of several types; a column has one (and may be '| None')")
    name = annotation.__name__ if isinstance(annotation, type) and not origin else str(annotation)
    raise UnsupportedType(f"{name} is not a type that can be stored")


def _literal(values: tuple[Any, ...], nullable: bool) -> ValueType:
    for kind, python in ((Kind.STR, str), (Kind.INT, int)):
        if all(type(value) is python for value in values):
            return ValueType(kind, nullable, members=values)
    raise UnsupportedType("a Literal is stored when its values are all str or all int")


def _enum(cls: type[enum.Enum], nullable: bool) -> ValueType:
    values = tuple(member.value for member in cls)
    for python in (str, int):
        if values and all(type(value) is python for value in values):
            return ValueType(Kind.ENUM, nullable, cls, members=values)
    raise UnsupportedType(f"{cls.__name__} is stored by its members' values, which must be all str or all int")
