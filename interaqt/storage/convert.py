"""Values on their way to a column and back: one strict check and one conversion per kind.

What a database would take but not give back (a NUL in a text, an integer of 65 bits, NaN) is
refused here, in the same words for every database, before any statement is sent.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

from cattrs.errors import BaseValidationError
from cattrs.preconf.json import JsonConverter, make_converter

from interaqt.core.decimals import EXACT
from interaqt.core.errors import InvalidValue
from interaqt.core.types import Kind, ValueType

__all__ = [
    "CONVERTER",
    "UTC",
    "Convert",
    "as_stored",
    "checker",
    "comparable",
    "decimal_text",
    "iso_datetime",
    "json_reader",
    "json_writer",
    "microseconds",
    "optional",
    "stored_type",
]

Convert = Callable[[Any], Any]

UTC = dt.UTC
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

#: The digits that PostgreSQL's NUMERIC holds before and after the point.
DIGITS_BEFORE, DIGITS_AFTER = 131_072, 16_383


def _converter() -> JsonConverter:
    """The cattrs converter of JSON columns, taught the scalar types that JSON has no notation for."""
    converter = make_converter()
    for scalar, allowed in ((bool, (bool,)), (int, (int,)), (float, (float, int)), (str, (str,))):
        converter.register_structure_hook(scalar, _strict(scalar, allowed))
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, _decimal_from_json)
    converter.register_unstructure_hook(uuid.UUID, str)
    converter.register_structure_hook(uuid.UUID, lambda value, _: uuid.UUID(value))
    converter.register_unstructure_hook(dt.timedelta, microseconds)
    converter.register_structure_hook(dt.timedelta, lambda value, _: dt.timedelta(microseconds=value))
    return converter


def _strict(scalar: type, allowed: tuple[type, ...]) -> Callable[[Any, Any], Any]:
    """Takes what JSON has for the type and nothing that could be converted to it: "false" is no bool."""

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and scalar is not bool):
            raise TypeError(f"{value!r} is not {scalar.__name__}")
        return scalar(value)

    return structure


def _decimal_from_json(value: Any, _: Any) -> Decimal:
    """From its text; a number's digits are those that it was written with."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float | str):
        raise TypeError(f"{value!r} is not Decimal")
    return Decimal(repr(value) if isinstance(value, float) else value)


def stored_type(type: ValueType) -> ValueType:
    """The type of the column: for a reference that of the key it stores, else the type itself."""
    if type.kind is Kind.RECORD:
        assert type.record is not None, "a reference names its record"
        return stored_type(type.record.key.type).optional(type.nullable)
    return type


def optional(type: ValueType, convert: Convert) -> Convert:
    """``convert``, letting None through where the type is nullable."""
    if not type.nullable:
        return convert
    return lambda value: None if value is None else convert(value)


def checker(type: ValueType) -> Convert:
    """Answers a value of the type in its plainest form, or raises ``InvalidValue``.

    Plainest: a subclass's instance as the class itself, an Enum member by its value, a datetime
    in UTC, JSON as text. None is let through where the type is nullable.
    """
    type = stored_type(type)
    if type.kind is Kind.JSON:
        return optional(type, json_writer(type))
    if type.kind is Kind.ENUM:
        return optional(type, _enum(type))
    check = _CHECKS[type.kind]
    if type.members:
        check = _member(type, check)
    return optional(type, check)


def as_stored(type: ValueType) -> Convert:
    """Answers what a value is once it was stored and read again, or raises ``InvalidValue``."""
    check = checker(type.optional(False))
    if type.kind is Kind.JSON:
        read = json_reader(type)
        return optional(type, lambda value: read(json.loads(check(value))))
    if type.kind is Kind.ENUM:
        return optional(type, lambda value: type.python(check(value)))
    return optional(type, check)


def comparable(type: ValueType) -> Convert:
    """Answers a form of a value in which equal ones are equal, whatever its class says of that."""
    if type.kind is not Kind.JSON:
        return lambda value: value
    write = json_writer(type)
    return optional(type, lambda value: json.loads(write(value)))


# -- scalars -----------------------------------------------------------------------------


def _wrong(value: object, wanted: str, code: str = "value.type") -> InvalidValue:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return InvalidValue(f"{shown} is not {wanted}", code=code)


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise _wrong(value, "True or False")


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if INT_MIN <= value <= INT_MAX:
            return value if type(value) is int else int(value)
        raise _wrong(value, "an int of 64 bits", "value.range")
    raise _wrong(value, "an int")


def _float(value: Any) -> float:
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number + 0.0  # -0.0 is stored as 0.0
        raise _wrong(value, "a finite float", "value.range")
    raise _wrong(value, "a float")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _wrong(value, "a Decimal")
    if not value.is_finite():
        raise _wrong(value, "a finite Decimal", "value.range")
    if not value:
        return Decimal(0)
    if not -DIGITS_AFTER <= value.adjusted() < DIGITS_BEFORE:
        raise _wrong(value, f"within {DIGITS_BEFORE} digits before and {DIGITS_AFTER} after the point", "value.range")
    plain = value.normalize(EXACT)
    exponent = plain.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent < -DIGITS_AFTER:
        raise _wrong(value, f"within {DIGITS_AFTER} digits after the point", "value.range")
    return plain if exponent <= 0 else plain.quantize(Decimal(1), context=EXACT)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a str")
    if "\0" in value:
        raise _wrong(value, "a text that can be stored: it has a NUL character", "value.text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong(value, "a text that can be stored: it has a lone surrogate", "value.text") from None
    return value if type(value) is str else str.__str__(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value if type(value) is bytes else bytes(value)
    raise _wrong(value, "bytes")


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise _wrong(value, "a date")


def _datetime(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        raise _wrong(value, "a datetime")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise InvalidValue(
            f"{value!r} names no instant: it has no time zone",
            code="value.naive_datetime",
            hint="Give it one, as in datetime.now(timezone.utc).",
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise _wrong(value, "within the years 1 to 9999 in UTC", "value.range") from None


def _timedelta(value: Any) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        return value
    raise _wrong(value, "a timedelta")


def _uuid(value: Any) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    raise _wrong(value, "a UUID")


_CHECKS: dict[Kind, Convert] = {
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.DECIMAL: _decimal,
    Kind.STR: _str,
    Kind.BYTES: _bytes,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.TIMEDELTA: _timedelta,
    Kind.UUID: _uuid,
}


def _member(type: ValueType, check: Convert) -> Convert:
    members = frozenset(type.members)

    def member(value: Any) -> Any:
        plain = check(value)
        if plain not in members:
            raise _wrong(value, f"one of {', '.join(map(repr, type.members))}", "value.member")
        return plain

    return member


def _enum(type: ValueType) -> Convert:
    cls = type.python

    def member(value: Any) -> Any:
        if not isinstance(value, cls):
            raise _wrong(value, f"a member of {cls.__name__}", "value.member")
        return value.value

    return member


# -- forms that columns have ---------------------------------------------------------------


def decimal_text(value: Decimal) -> str:
    """The one text of a number: equal numbers have equal texts, and there is no ``-0`` or exponent."""
    return format(value.normalize(EXACT), "f") if value else "0"


def iso_datetime(value: dt.datetime) -> str:
    """Fixed width and in UTC, so that the order of the texts is the order of the instants."""
    global _last
    known, text = _last
    if known is not value:
        text = value.isoformat(timespec="microseconds")
        _last = value, text
    return text


#: The moment of an event is in most of what it writes.
_last: tuple[dt.datetime | None, str] = (None, "")


def microseconds(value: dt.timedelta) -> int:
    return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds


# -- JSON ------------------------------------------------------------------------------------

#: Shared by all JSON columns; a user may register hooks for classes of their own.
CONVERTER = _converter()


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_as_json = _ENCODER.encode


def _flat_encoder() -> Callable[[Any, int], Iterable[str]]:
    """The pieces of JSON of what holds nothing that could hold itself.

    By the encoder in C, which ``encode`` makes anew each time.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: (_as_json(value),)
    found: Callable[[Any, int], Iterable[str]] = make(
        None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return found


_flat_pieces = _flat_encoder()

_JSON_SCALARS = frozenset({str, int, float, bool, type(None)})
_class_of = attrgetter("__class__")


def json_writer(type: ValueType) -> Convert:
    """A value of the annotation as JSON text."""
    annotation = type.python
    is_open = annotation in (dict, dict[str, Any])

    def write(value: Any) -> str:
        try:
            # Most payloads of events are JSON already, and every dispatch writes one.
            is_json = is_open and value.__class__ is dict and _JSON_SCALARS.issuperset(map(_class_of, value.values()))
            plain = value if is_json else CONVERTER.unstructure(value, unstructure_as=annotation)
            text = "".join(_flat_pieces(plain, 0)) if is_json else _as_json(plain)
            if not text.isascii():
                text.encode()
        except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
            raise InvalidValue(f"{annotation} cannot be written as JSON: {error}", code="value.json") from error
        if "\\u0000" in text and _has_nul(plain):
            raise InvalidValue("a text in it has a NUL character, which cannot be stored", code="value.text")
        return text

    return write


def _has_nul(plain: Any) -> bool:
    if isinstance(plain, str):
        return "\0" in plain
    if isinstance(plain, dict):
        return any(_has_nul(key) or _has_nul(value) for key, value in plain.items())
    return isinstance(plain, (list, tuple)) and any(map(_has_nul, plain))


def json_reader(type: ValueType) -> Convert:
    """A value of the annotation from what JSON text was parsed to."""
    annotation = type.python

    def read(plain: Any) -> Any:
        try:
            return CONVERTER.structure(plain, annotation)
        except (BaseValidationError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise InvalidValue(f"stored JSON is not a {annotation}: {error}", code="value.json") from error

    return read
