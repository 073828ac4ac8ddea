"""Sample records: plausible, deterministic values to run a callback on in plain Python."""

from __future__ import annotations

import datetime as dt
import types
import uuid
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from interaqt.core.expressions import Expr
from interaqt.core.model import ComputedProperty, Constant, Property, RecordModel, Reference
from interaqt.core.stand_in import Fields
from interaqt.core.types import Kind, ValueType

__all__ = ["Pools", "Sample", "Samples"]

#: Values that the callback itself names, by kind: they lead down its less likely paths.
Pools = Mapping[Kind, tuple[Any, ...]]

_UTC = dt.UTC
_VALUES: dict[Kind, tuple[Any, ...]] = {
    Kind.BOOL: (True, False),
    Kind.INT: (3, 0, -2, 1, 10),
    Kind.FLOAT: (2.5, 0.0, -1.25, 7.0),
    Kind.DECIMAL: (Decimal("2.50"), Decimal("0.00"), Decimal("-1.25"), Decimal("10.05")),
    Kind.STR: ("Ada Lovelace", "", " b ", "Straße", "a"),
    Kind.BYTES: (b"ab", b"", b"\x00"),
    Kind.DATE: (dt.date(2024, 2, 29), dt.date(2026, 1, 1), dt.date(1999, 12, 31)),
    Kind.DATETIME: (
        dt.datetime(2024, 2, 29, 12, 30, 15, 250_000, _UTC),
        dt.datetime(2026, 1, 1, tzinfo=_UTC),
        dt.datetime(1999, 12, 31, 23, 59, 59, tzinfo=_UTC),
    ),
    Kind.TIMEDELTA: (dt.timedelta(hours=36), dt.timedelta(0), dt.timedelta(days=-1, seconds=5)),
    Kind.UUID: (uuid.UUID(int=1), uuid.UUID(int=2**127 + 5)),
    Kind.JSON: ({}, [1, 2]),
}


class Samples:
    """One set of sample values: ``turn`` chooses which."""

    def __init__(self, turn: int, pools: Pools) -> None:
        self._turn = turn
        self._pools = pools
        self._records: dict[tuple[int, int], Sample] = {}

    def value(self, name: str, type: ValueType) -> Any:
        place = zlib.crc32(name.encode()) + self._turn
        if type.nullable and place % 3 == 0:
            return None
        if type.kind is Kind.RECORD:
            return None if type.record is None else self._record(type.record, place % 2)
        if type.kind is Kind.ENUM:
            values: tuple[Any, ...] = tuple(type.python)
        else:
            values = type.members or self._pools.get(type.kind, ()) + _VALUES[type.kind]
        return values[place % len(values)]

    def one_of(self, name: str, options: list[str]) -> str:
        return options[(zlib.crc32(name.encode()) + self._turn) % len(options)]

    def source(self, name: str, source: Expr | Fields) -> Any:
        """A sample of an argument of the callback."""
        if isinstance(source, Fields):
            parts = {part: self.source(f"{name}.{part}", inner) for part, inner in source.parts.items()}
            return FieldsSample(parts, source.cls)
        return self.value(name, source.type)

    def only(self, record: RecordModel) -> Sample:
        """The sample of a dictionary, which is the same wherever it is read."""
        return self._record(record, 0)

    def _record(self, record: RecordModel, number: int) -> Sample:
        if record.is_dictionary:
            number = 0
        # Few of each, so that two references are now and then to the same one.
        found = self._records.get((id(record), number))
        if found is None:
            found = self._records[id(record), number] = Sample(record, number, self)
        return found


class Sample:
    """A record whose attributes are made when they are read."""

    def __init__(self, record: RecordModel, number: int, samples: Samples) -> None:
        self._iq_record, self._iq_number, self._iq_samples = record, number, samples

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What ``isinstance`` goes by, as for what stands for a record in a trace."""
        return self._iq_record.made_as.cls

    def __getattr__(self, name: str) -> Any:
        record = self._iq_record
        family = record.root.family
        if family is not None:
            if name == family.kind.name:
                return self._iq_samples.one_of(f"{record.name}{self._iq_number}", [each.name for each in record.kinds])
            # It may be asked of what it is, and then for what only such a one has.
            record = family.members[getattr(self, family.kind.name)]
        match record.attributes.get(name):
            case Constant(target=dictionary):
                return self._iq_samples.only(dictionary)
            case Property() | Reference() as attribute:
                value = self._iq_samples.value(f"{record.name}{self._iq_number}.{name}", attribute.type)
                self.__dict__[name] = value
                return value
            case ComputedProperty(function=function):
                return function(self)
            case None:
                return member_of(self, record.cls, name)
            case other:
                raise AttributeError(f"{other} has no sample")


class FieldsSample:
    """A sample of an event or a payload."""

    def __init__(self, parts: dict[str, Any], cls: type | None) -> None:
        self.__dict__.update(parts)
        self._iq_cls = cls

    def __getattr__(self, name: str) -> Any:
        return member_of(self, self._iq_cls, name)


def member_of(owner: object, cls: type | None, name: str) -> Any:
    """A method or property of the user's class, on an object that is not of it."""
    for base in cls.__mro__ if cls is not None else ():
        found = base.__dict__.get(name)
        if isinstance(found, types.FunctionType):
            return types.MethodType(found, owner)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(owner)
        if isinstance(found, staticmethod | classmethod):
            return found.__get__(None, cls)
        if found is not None and not hasattr(type(found), "__get__"):
            return found
    raise AttributeError(name)
