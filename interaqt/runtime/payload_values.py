"""The values of a payload: whether each is of its item's type, and what each means that came as JSON."""

from __future__ import annotations

import contextlib
import typing
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError

from interaqt.core.errors import InvalidValue, PayloadProblem
from interaqt.core.interaction import PayloadItem
from interaqt.core.model import RecordModel
from interaqt.core.record import Record, key_of
from interaqt.core.types import PYTHON_TYPES, Kind, ValueType
from interaqt.core.values import Check, check_of
from interaqt.runtime.nested import json_problems, plain
from interaqt.storage.convert import checker, json_writer

__all__ = ["CheckItem", "Problems", "check_item", "key_from_json", "value_from_json"]

Problems = list[PayloadProblem]

#: Answers what is wrong with an item among the values of a payload.
CheckItem = Callable[[Mapping[str, Any]], Iterable[PayloadProblem]]


# -- values as they are in Python -----------------------------------------------------------


def check_item(item: PayloadItem) -> CheckItem:
    """The check of one item, made once."""
    name, code = item.name, "payload.reference" if item.record is not None else "payload.type"
    check = _check_of(item.type.optional(False))
    json = item.type.kind is Kind.JSON

    def problems(values: Mapping[str, Any]) -> Iterable[PayloadProblem]:
        value = values[name]
        if value is None:
            if item.type.nullable:
                return ()
            return (PayloadProblem(code, name, f"is None, but {item.type} is not optional"),)
        if item.many:
            return _check_list(name, code, check, value)
        if json:
            found = tuple(json_problems(item.type.python, value, name))
            if found:
                return found
        wrong = check(value)
        return () if wrong is None else (PayloadProblem(code, name, wrong),)

    return problems


def _check_of(type: ValueType) -> Check:
    """Of the type, and such that it can be stored: a finite number, a text without NUL."""
    is_of_type = check_of(type)
    if type.kind is Kind.RECORD:
        return is_of_type
    storable = _json_writer if type.kind is Kind.JSON else checker(type)

    def check(value: Any) -> str | None:
        wrong = is_of_type(value)
        if wrong is None:
            try:
                storable(value)
            except InvalidValue as error:
                return error.message
        return wrong

    return check


def _json_writer(value: Any) -> object:
    return _WRITE_JSON(plain(value))


_WRITE_JSON = json_writer(ValueType(Kind.JSON, python=Any))


def _check_list(name: str, code: str, check: Check, value: Any) -> Iterator[PayloadProblem]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        yield PayloadProblem("payload.not_a_list", name, f"is {value!r}, not a list")
        return
    for index, each in enumerate(value):
        wrong = check(each)
        if wrong is not None:
            yield PayloadProblem(code, f"{name}[{index}]", wrong)


# -- values as they come in JSON -----------------------------------------------------------


def value_from_json(converter: Converter, item: PayloadItem, value: Any, problems: Problems) -> Any:
    """The value that JSON means; what is wrong with it is added to ``problems``."""
    if item.type.kind is Kind.JSON:
        return _shaped(converter, item.type.python, value, item.name, problems)
    target = item.type.python or PYTHON_TYPES[item.type.kind]
    return _structured(converter, target, value, item.name, problems, str(item.type))


def key_from_json(record: RecordModel, value: Any) -> Any:
    """The key that a JSON value names: itself, or that under the key's name in an object.

    Raises :class:`~interaqt.InvalidValue` where it names none.
    """
    key = record.key
    found: Any = value.get(key.name) if isinstance(value, Mapping) else value
    if isinstance(value, Record):
        found = key_of(value) if isinstance(value, record.made_as.cls) else None
    elif key.type.kind is Kind.UUID and isinstance(found, str):
        with contextlib.suppress(ValueError):
            found = uuid.UUID(found)
    wrong = _check_of(key.type)(found)
    if wrong is not None:
        raise InvalidValue(f"{value!r} names no {record}: its key {wrong}", code="payload.reference")
    return found


def _shaped(converter: Converter, annotation: Any, value: Any, path: str, problems: Problems) -> Any:
    """A value of a JSON annotation. A text is no list of its letters, though it could be taken for one."""
    origin, args = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            problems.append(PayloadProblem("payload.not_a_list", path, f"is {value!r}, not a list"))
            return value
        if args and (origin is list or args[1:] == (...,)):
            places = enumerate(value)
            return origin(_shaped(converter, args[0], each, f"{path}[{index}]", problems) for index, each in places)
    elif (origin is dict or attrs.has(origin)) and not isinstance(value, Mapping | origin):
        name = "a mapping" if origin is dict else f"a {origin.__name__}"
        problems.append(PayloadProblem("payload.type", path, f"is {value!r}, not {name}"))
        return value
    return _structured(converter, annotation, value, path, problems)


def _structured(
    converter: Converter, target: Any, value: Any, path: str, problems: Problems, name: str | None = None
) -> Any:
    if isinstance(target, type) and isinstance(value, target) and (value.__class__ is not bool or target is bool):
        return value
    try:
        return converter.structure(value, target)
    except BaseValidationError as error:
        for line in transform_error(error, path, _message):
            message, _, place = line.rpartition(" @ ")
            problems.append(PayloadProblem("payload.type", place, message))
    except _REFUSALS as error:
        code = error.code if isinstance(error, InvalidValue) else "payload.type"
        text = f"is {value!r}, not {name or getattr(target, '__name__', target)}"
        problems.append(PayloadProblem(code, path, _message(error) if code != "payload.type" else text))
    return value


_REFUSALS = (InvalidValue, ValueError, TypeError, KeyError, ArithmeticError, AttributeError)


def _message(error: BaseException, _: object = None) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return error.message if isinstance(error, InvalidValue) else str(error)
