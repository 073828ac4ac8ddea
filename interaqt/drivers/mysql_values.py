"""Values in statements' texts and in rows: how MySQL writes them and how it is told them.

A session has ``NO_BACKSLASH_ESCAPES``, so a quote is all that a text must have doubled.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pymysql.constants import FIELD_TYPE

from interaqt.core.decimals import EXACT
from interaqt.storage.convert import UTC
from interaqt.storage.database import Row

__all__ = ["Column", "column_of", "literal", "plain_decimal", "read_row"]

Column = Callable[[bytes], Any]
"""From the text of a column to its value."""


# -- to the server -----------------------------------------------------------------------------


def literal(value: object) -> str:
    """A value as SQL text of its own type: 1e0 is a DOUBLE, 1.0 a DECIMAL, and a date no text."""
    form = _FORMS.get(type(value))
    return form(value) if form is not None else _other(value)


def _text(value: str) -> str:
    if "'" in value:
        value = value.replace("'", "''")
    return f"'{value}'"


def _float(value: float) -> str:
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _decimal(value: Decimal) -> str:
    text = format(value, "f")
    # Without a point it would be an integer.
    return text if "." in text else f"{text}.0"


def _datetime(value: dt.datetime) -> str:
    if value.tzinfo is not UTC and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return f"TIMESTAMP'{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"


_FORMS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "NULL",
    bool: lambda value: "TRUE" if value else "FALSE",
    int: str,
    float: _float,
    Decimal: _decimal,
    str: _text,
    bytes: lambda value: f"x'{value.hex()}'",
    dt.date: lambda value: f"DATE'{value.isoformat()}'",
    dt.datetime: _datetime,
    uuid.UUID: lambda value: f"'{value}'",
}


def _other(value: object) -> str:
    """A value of a subclass, as its nearest class that has a form."""
    for cls in type(value).__mro__:
        if cls in _FORMS:
            return _FORMS[cls](value)
    raise TypeError(f"{value!r} has no form as a parameter")


# -- from the server ---------------------------------------------------------------------------


def _instant(value: bytes) -> dt.datetime:
    return dt.datetime.fromisoformat(value.decode("ascii")).replace(tzinfo=UTC)


def _day(value: bytes) -> dt.date:
    return dt.date.fromisoformat(value.decode("ascii"))


def _number(value: bytes) -> Decimal:
    return Decimal(value.decode("ascii"))


def plain_decimal(value: Decimal) -> Decimal:
    """Without the zeros after the point that a column of a fixed scale, or arithmetic, leaves."""
    plain = value.normalize(EXACT)
    exponent = plain.as_tuple().exponent
    return plain if isinstance(exponent, int) and exponent <= 0 else plain.quantize(Decimal(1), context=EXACT)


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


_READ: dict[int, Column] = {
    **dict.fromkeys(
        (
            FIELD_TYPE.TINY,
            FIELD_TYPE.SHORT,
            FIELD_TYPE.LONG,
            FIELD_TYPE.LONGLONG,
            FIELD_TYPE.INT24,
            FIELD_TYPE.YEAR,
        ),
        int,
    ),
    FIELD_TYPE.FLOAT: float,
    FIELD_TYPE.DOUBLE: float,
    FIELD_TYPE.DECIMAL: _number,
    FIELD_TYPE.NEWDECIMAL: _number,
    FIELD_TYPE.DATE: _day,
    FIELD_TYPE.DATETIME: _instant,
    FIELD_TYPE.TIMESTAMP: _instant,
    FIELD_TYPE.BIT: _bits,
}

#: The character set of what is bytes and no text.
_BINARY = 63
_TEXTUAL = frozenset(
    (
        FIELD_TYPE.VARCHAR,
        FIELD_TYPE.VAR_STRING,
        FIELD_TYPE.STRING,
        FIELD_TYPE.TINY_BLOB,
        FIELD_TYPE.MEDIUM_BLOB,
        FIELD_TYPE.LONG_BLOB,
        FIELD_TYPE.BLOB,
    )
)


def column_of(packet: bytes) -> Column:
    """How the values of a column are read, from its definition."""
    at = 0
    for _ in range(6):  # catalog, schema, table, original table, name, original name
        size = packet[at]
        if size < 0xFB:
            at += size + 1
        else:
            at += int.from_bytes(packet[at + 1 : at + 3], "little") + 3
    charset = int.from_bytes(packet[at + 1 : at + 3], "little")
    type = packet[at + 7]
    if charset == _BINARY and type in _TEXTUAL:
        return bytes
    return _READ.get(type, bytes.decode)


def read_row(columns: list[Column], packet: bytes) -> Row:
    """The values of a row in the text protocol."""
    values: list[Any] = []
    at = 0
    for read in columns:
        size = packet[at]
        at += 1
        if size == 0xFB:
            values.append(None)
            continue
        if size > 0xFB:
            width = 2 if size == 0xFC else 3 if size == 0xFD else 8
            size = int.from_bytes(packet[at : at + width], "little")
            at += width
        values.append(read(packet[at : at + size]))
        at += size
    return tuple(values)
