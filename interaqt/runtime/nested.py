"""JSON payloads: lists, mappings and attrs classes, with stored records anywhere inside.

``list[Line]`` with an attrs class ``Line(product: Product, quantity: int)`` is how a request
with many lines is written. The records in it are references like any other.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from interaqt.core.errors import PayloadProblem
from interaqt.core.record import Record, key_of, made_as
from interaqt.core.types import UnsupportedType, split_optional, value_type
from interaqt.core.values import check_of
from interaqt.storage.convert import CONVERTER

__all__ = ["copied", "declared_in", "json_problems", "plain", "records_in"]


def records_in(value: Any, path: str) -> Iterator[tuple[str, Record]]:
    """Every record inside, with the path to it."""
    if isinstance(value, Record):
        yield path, value
    else:
        for step, inner in _inside(value):
            yield from records_in(inner, path + step)


def declared_in(
    annotation: Any, value: Any, path: str, names: Mapping[str, Any]
) -> Iterator[tuple[str, type[Any], Record]]:
    """Every record inside of which the annotation says what it is, with the path to it and that class.

    ``names`` are those of classes that annotations may use besides what their module knows.
    """
    bare, _ = split_optional(annotation)
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if isinstance(value, Record):
        if isinstance(bare, type) and issubclass(bare, Record):
            yield path, bare, value
    elif isinstance(value, list | tuple) and args:
        for place, inner in enumerate(value):
            each = args[place] if origin is tuple and args[1:] != (...,) else args[0]
            yield from declared_in(each, inner, f"{path}[{place}]", names)
    elif isinstance(value, Mapping) and len(args) == 2:
        for key, inner in value.items():
            yield from declared_in(args[1], inner, f"{path}[{key!r}]", names)
    elif attrs.has(type(value)):
        for field in attrs.fields(_resolved(type(value), names)):
            yield from declared_in(field.type, getattr(value, field.name), f"{path}.{field.name}", names)


def copied(value: Any, swap: Callable[[Record], Record]) -> Any:
    """The value again, down to its scalars, with other instances for its records."""
    if isinstance(value, Record):
        return swap(value)
    if isinstance(value, Mapping):
        return {key: copied(inner, swap) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(inner, swap) for inner in value)
    if attrs.has(type(value)):
        made = object.__new__(type(value))
        for field in attrs.fields(type(value)):
            object.__setattr__(made, field.name, copied(getattr(value, field.name), swap))
        return made
    return value


def plain(value: Any) -> Any:
    """The value as JSON has it, records by their keys."""
    if isinstance(value, Record):
        return plain(key_of(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return CONVERTER.unstructure(value)


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", inner) for index, inner in enumerate(value))
    elif attrs.has(type(value)):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in attrs.fields(type(value)))


def json_problems(annotation: Any, value: Any, path: str) -> Iterator[PayloadProblem]:
    """All that is wrong with a value, as far as the annotation says what is right."""
    bare, nullable = split_optional(annotation)
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if bare is Any or (value is None and nullable):
        return
    if isinstance(bare, type) and issubclass(bare, Record):
        if not isinstance(value, Record) or not isinstance(value, made_as(bare)):
            yield PayloadProblem("payload.reference", path, f"is {value!r}, not a {bare.__name__}")
        elif key_of(value) is None:
            yield PayloadProblem("payload.reference", path, f"is a {bare.__name__} that is not stored yet")
    elif (origin or bare) in (list, tuple):
        if not isinstance(value, list | tuple):
            yield PayloadProblem("payload.not_a_list", path, f"is {value!r}, not a list")
        elif args:
            for index, inner in enumerate(value):
                yield from json_problems(args[0], inner, f"{path}[{index}]")
    elif (origin or bare) is dict:
        if not isinstance(value, Mapping):
            yield PayloadProblem("payload.type", path, f"is {value!r}, not a mapping")
        elif len(args) == 2:
            for key, inner in value.items():
                yield from json_problems(args[1], inner, f"{path}[{key!r}]")
    elif isinstance(bare, type) and attrs.has(bare):
        if not isinstance(value, bare):
            yield PayloadProblem("payload.type", path, f"is {value!r}, not a {bare.__name__}")
            return
        for field in attrs.fields(_resolved(bare)):
            if not isinstance(field.type, str) and field.type is not None:
                yield from json_problems(field.type, getattr(value, field.name), f"{path}.{field.name}")
    else:
        try:
            wrong = check_of(value_type(annotation))(value)
        except UnsupportedType:
            return
        if wrong is not None:
            yield PayloadProblem("payload.type", path, wrong)


def _resolved(cls: type[Any], names: Mapping[str, Any] | None = None) -> type[Any]:
    try:
        return attrs.resolve_types(cls, None, None if names is None else dict(names))
    except NameError:
        # A class of a function names what its module does not know; its fields stay unchecked.
        return cls
