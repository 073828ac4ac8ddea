"""Payloads: checked as a whole, given to callbacks afresh, stored with the event, read from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError

from interaqt.core.errors import InvalidValue, PayloadError, PayloadProblem, did_you_mean
from interaqt.core.interaction import InteractionModel, PayloadItem
from interaqt.core.model import RecordModel
from interaqt.core.record import Record, key_of
from interaqt.core.types import PYTHON_TYPES, Kind
from interaqt.core.values import Check, check_of
from interaqt.runtime.nested import copied, json_problems, plain, records_in
from interaqt.storage.convert import CONVERTER

__all__ = ["Payload"]

Ghosts = Callable[[RecordModel, Iterable[Any]], list[Record]]


class Payload:
    """What can be done with the payloads of one interaction."""

    def __init__(self, interaction: InteractionModel, records: Mapping[type, RecordModel]) -> None:
        self.interaction = interaction
        self._records = records
        self.cls = interaction.cls
        self._checks = [
            (item, check_of(attrs.evolve(item.type, nullable=False))) for item in interaction.items.values()
        ]
        self._references = [item for item in interaction.items.values() if item.record is not None]
        self._json = [item for item in interaction.items.values() if item.type.kind is Kind.JSON]

    # -- checking

    def check(self, request: Any) -> None:
        """Raise a :class:`~interaqt.PayloadError` with all that is wrong, if anything is."""
        values = request.__dict__
        problems = [problem for item, check in self._checks for problem in _problems(item, check, values[item.name])]
        for item in self._json:
            if values[item.name] is not None:
                problems += json_problems(item.type.python, values[item.name], item.name)
        if problems:
            raise PayloadError(self.interaction.name, tuple(problems))

    def references(self, request: Any) -> Iterator[tuple[str, RecordModel, Any]]:
        """Path, record and key of everything that a payload refers to."""
        for item in self._references:
            value = request.__dict__[item.name]
            assert item.record is not None
            if value is None:
                continue
            if not item.many:
                yield item.name, item.record, key_of(value)
                continue
            for index, each in enumerate(value):
                yield f"{item.name}[{index}]", item.record, key_of(each)
        for item in self._json:
            for path, each in records_in(request.__dict__[item.name], item.name):
                yield path, self._record_of(each), key_of(each)

    def _record_of(self, each: Record) -> RecordModel:
        found = self._records.get(type(each))
        if found is None:
            problem = PayloadProblem("payload.reference", type(each).__name__, "is of no record of this controller")
            raise PayloadError(self.interaction.name, (problem,))
        return found

    # -- for callbacks

    def fresh(self, request: Any, ghosts: Ghosts) -> Any:
        """The payload for one attempt: its records load inside the transaction, its JSON is a copy.

        So a callback sees what the dispatch acts on, not what the caller once read, and cannot
        change what a retry will see.
        """
        if not self._references and not self._json:
            return request
        values = dict(request.__dict__)
        for item in self._references:
            value = values[item.name]
            if value is not None:
                assert item.record is not None
                keys = [key_of(each) for each in value] if item.many else [key_of(value)]
                found = ghosts(item.record, keys)
                values[item.name] = type(value)(found) if item.many else found[0]
        for item in self._json:
            values[item.name] = self._fresh_json(values[item.name], ghosts)
        made: Any = object.__new__(self.cls)
        made.__dict__.update(values)
        return made

    def _fresh_json(self, value: Any, ghosts: Ghosts) -> Any:
        """A copy whose records of one class load together, by one query."""
        found: dict[RecordModel, dict[Any, None]] = {}
        for _, each in records_in(value, ""):
            found.setdefault(self._record_of(each), {})[key_of(each)] = None
        fresh = {
            (record.cls, key): ghost
            for record, keys in found.items()
            for key, ghost in zip(keys, ghosts(record, keys), strict=True)
        }
        return copied(value, lambda each: fresh[type(each), key_of(each)])

    # -- for the event record

    def stored(self, request: Any) -> dict[str, Any]:
        """The payload as JSON values, references by their keys."""
        found = {}
        for item in self.interaction.items.values():
            value = request.__dict__[item.name]
            if item.record is not None and value is not None:
                value = [key_of(each) for each in value] if item.many else key_of(value)
            found[item.name] = value if type(value) in _AS_IS else plain(value)
        return found

    # -- from JSON

    def parse(self, payload: Any, ghosts: Ghosts) -> Any:
        """An instance of the interaction's class from a mapping of JSON values; a record is its key.

        Raises a :class:`~interaqt.PayloadError` with all problems.
        """
        if not isinstance(payload, Mapping):
            problem = PayloadProblem("payload.not_a_mapping", "payload", f"is {type(payload).__name__}, not a mapping")
            raise PayloadError(self.interaction.name, (problem,))
        items = self.interaction.items
        problems = [
            PayloadProblem("payload.unknown", str(name), f"there is no such item. {did_you_mean(str(name), items)}")
            for name in payload
            if name not in items
        ]
        values: dict[str, Any] = {}
        for name, item in items.items():
            if name in payload:
                try:
                    values[name] = self._structured(item, payload[name], ghosts)
                except _Problem as problem:
                    problems.append(problem.problem)
            elif item.required:
                problems.append(PayloadProblem("payload.missing", name, "is missing"))
        if problems:
            raise PayloadError(self.interaction.name, tuple(problems))
        return self.cls(**values)

    def _structured(self, item: PayloadItem, value: Any, ghosts: Ghosts) -> Any:
        if value is None:
            return None
        if item.record is not None:
            if item.many and not isinstance(value, list | tuple):
                raise _Problem("payload.not_a_list", item.name, f"is {value!r}, not a list")
            try:
                keys = [_key(item.record, each) for each in (value if item.many else [value])]
            except ValueError as error:
                raise _Problem("payload.reference", item.name, str(error)) from None
            found = ghosts(item.record, keys)
            return found if item.many else found[0]
        target = item.type.python or PYTHON_TYPES.get(item.type.kind)
        if target is None or (isinstance(target, type) and isinstance(value, target)):
            return value
        try:
            return self._converter(ghosts).structure(value, target)
        except (BaseValidationError, InvalidValue, ValueError, TypeError, ArithmeticError) as error:
            text = "; ".join(transform_error(error)) if isinstance(error, BaseValidationError) else str(error)
            raise _Problem("payload.type", item.name, f"is {value!r}, not {item.type} ({text})") from error

    def _converter(self, ghosts: Ghosts) -> Converter:
        """Cattrs with the records of this controller, each read by its key."""
        converter = CONVERTER.copy()

        def structure(value: Any, cls: Any) -> Any:
            record = self._records[cls]
            return ghosts(record, [_key(record, value)])[0]

        converter.register_structure_hook_func(lambda cls: cls in self._records, structure)
        return converter


#: What is a JSON value already.
_AS_IS = frozenset({str, int, float, bool, type(None)})


class _Problem(Exception):
    def __init__(self, code: str, path: str, message: str) -> None:
        self.problem = PayloadProblem(code, path, message)


def _problems(item: PayloadItem, check: Check, value: Any) -> Iterator[PayloadProblem]:
    if value is None:
        if item.required or not item.type.nullable:
            yield PayloadProblem("payload.missing", item.name, f"is None, but {item.type} is required")
    elif not item.many:
        wrong = check(value)
        if wrong is not None:
            yield PayloadProblem(_code(item), item.name, wrong)
    elif isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        yield PayloadProblem("payload.not_a_list", item.name, f"is {value!r}, not a list")
    else:
        for index, each in enumerate(value):
            wrong = check(each) if each is not None else "is None"
            if wrong is not None:
                yield PayloadProblem(_code(item), f"{item.name}[{index}]", wrong)


def _code(item: PayloadItem) -> str:
    return "payload.reference" if item.record is not None else "payload.type"


def _key(record: RecordModel, value: Any) -> Any:
    """The key that a JSON value names: itself, or that under the key's name in an object."""
    key = record.key
    found = value.get(key.name) if isinstance(value, Mapping) else value
    if isinstance(found, Record):
        found = key_of(found)
    if key.type.kind is Kind.UUID and isinstance(found, str):
        found = CONVERTER.structure(found, PYTHON_TYPES[Kind.UUID])
    wrong = check_of(key.type)(found)
    if wrong is not None:
        raise ValueError(f"{value!r} names no {record}: its key {wrong}")
    return found
