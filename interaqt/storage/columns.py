"""Columns of values on their way to the database: a column is checked as a whole where that says as much.

Most columns hold numbers and texts that pass as they are. That all of them do is seen at once;
where one doesn't, each is looked at by itself, and the one that is refused says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import is_
from types import NoneType
from typing import TYPE_CHECKING, Any

from interaqt.core.types import Kind, ValueType
from interaqt.storage.convert import INT_MAX, INT_MIN, Convert, stored_type

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["ConvertColumn", "are_one", "column_to_db", "formed", "json_rows", "passing"]

#: Answers the values of a column as the driver takes them.
ConvertColumn = Callable[[Sequence[Any]], Sequence[Any]]


def column_to_db(dialect: Dialect, type: ValueType) -> ConvertColumn:
    """What :meth:`Dialect.to_db` does to each value, done to all values of a column."""
    convert = dialect.to_db(type)
    if convert is None:
        return lambda values: values
    passes = passing(type) if stored_type(type).kind in _AS_THEY_ARE else None
    if passes is None:
        return lambda values: formed(values, convert)
    return lambda values: values if passes(values) else formed(values, convert)


def formed(values: Sequence[Any], convert: Convert) -> Sequence[Any]:
    """The values of a column, each converted."""
    # What is the same for all rows, such as the moment of a batch, is converted once.
    return [convert(values[0])] * len(values) if are_one(values) else [convert(each) for each in values]


def are_one(values: Sequence[Any]) -> bool:
    """Whether all of them are one and the same object, and there is one."""
    return bool(values) and all(map(is_, values, repeat(values[0])))


# -- what is in order as it is ---------------------------------------------------------------


def passing(of: ValueType) -> Callable[[Sequence[Any]], bool] | None:
    """Whether all values of a column are plainly of the type, and such as can be stored; None where none is plainly."""
    stored = stored_type(of)
    found = None if stored.members else _PLAIN.get(stored.kind)
    if found is None:
        return None
    cls, storable = found
    classes = {cls, NoneType} if stored.nullable else {cls}

    def passes(values: Sequence[Any]) -> bool:
        present = set(map(type, values))
        if not present <= classes:
            return False
        if NoneType in present:
            values = [each for each in values if each is not None]
        return not values or storable(values)

    return passes


def _are_of_64_bits(values: Sequence[int]) -> bool:
    return min(values) >= INT_MIN and max(values) <= INT_MAX


def _are_ascii(values: Sequence[str]) -> bool:
    text = "".join(values)
    return text.isascii() and "\0" not in text


_PLAIN: dict[Kind, tuple[type[Any], Callable[[Sequence[Any]], bool]]] = {
    Kind.BOOL: (bool, lambda values: True),
    Kind.INT: (int, _are_of_64_bits),
    Kind.FLOAT: (float, lambda values: all(map(math.isfinite, values))),
    Kind.STR: (str, _are_ascii),
}

#: What every driver takes as it is, if it is plain.
_AS_THEY_ARE = frozenset({Kind.INT, Kind.STR})


# -- rows as one value -----------------------------------------------------------------------


_as_json = json.JSONEncoder(ensure_ascii=False).encode


def json_rows(forms: Sequence[Convert | None]) -> Callable[[Sequence[Sequence[Any]]], tuple[str]]:
    """Rows, given by their columns, as one JSON array of arrays; ``forms`` are what JSON has for a column's values."""
    written = [None if form is None else _or_none(form) for form in forms]

    def convert(columns: Sequence[Sequence[Any]]) -> tuple[str]:
        cells = (
            column if form is None else formed(column, form) for form, column in zip(written, columns, strict=True)
        )
        return (_as_json(list(zip(*cells, strict=True))),)

    return convert


def _or_none(form: Convert) -> Convert:
    return lambda value: None if value is None else form(value)
