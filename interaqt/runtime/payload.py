"""Payloads: checked as a whole, given to callbacks afresh, stored with the event, read from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
from cattrs import Converter

from interaqt.core.errors import InvalidValue, PayloadError, PayloadProblem, did_you_mean
from interaqt.core.interaction import InteractionModel, PayloadItem
from interaqt.core.model import RecordModel
from interaqt.core.record import Record, key_of
from interaqt.core.types import Kind
from interaqt.runtime.nested import copied, declared_in, plain, records_in
from interaqt.runtime.payload_glance import PayloadGlance
from interaqt.runtime.payload_values import Problems, check_item, key_from_json, value_from_json
from interaqt.storage.convert import CONVERTER
from interaqt.storage.row_classes import declared_class

__all__ = ["Payload"]

#: Records of one kind by their keys, and another for a given one.
Ghosts = Callable[[RecordModel, Iterable[Any]], list[Record]]
Like = Callable[[RecordModel, Record], Record]


class Payload:
    """What can be done with the payloads of one interaction."""

    def __init__(self, interaction: InteractionModel, records: Mapping[type, RecordModel]) -> None:
        self.interaction = interaction
        self._records = records
        self.cls = interaction.cls
        self._checks = [check_item(item) for item in interaction.items.values()]
        self._references = [item for item in interaction.items.values() if item.record is not None]
        self._referring = [(item.name, item.record, item.many) for item in self._references if item.record is not None]
        self._converter: Converter | None = None
        self._json = [item for item in interaction.items.values() if item.type.kind is Kind.JSON]
        declared = any(item.record is not None and item.record.is_view for item in self._references)
        self.names_views = declared or (bool(self._json) and any(each.is_view for each in records.values()))
        """Whether what it refers to may have to be in a view."""
        self.glance = PayloadGlance.at(list(interaction.items.values()))

    # -- checking

    def check(self, request: Any) -> None:
        """Raise a :class:`~interaqt.PayloadError` with all that is wrong, if anything is."""
        values = request.__dict__
        problems = [problem for check in self._checks for problem in check(values)]
        if problems:
            raise PayloadError(self.interaction.name, tuple(problems))

    def references(self, request: Any) -> Iterator[tuple[str, RecordModel, Any]]:
        """Path, record and key of everything that a payload refers to, whatever view it is declared to be in."""
        for item in self._references:
            value = request.__dict__[item.name]
            assert item.record is not None
            if value is None:
                continue
            if not item.many:
                yield item.name, item.record.root, key_of(value)
                continue
            for index, each in enumerate(value):
                yield f"{item.name}[{index}]", item.record.root, key_of(each)
        for item in self._json:
            for path, each in records_in(request.__dict__[item.name], item.name):
                yield path, self._record_of(each).root, key_of(each)

    def named(self, requests: Sequence[Any]) -> dict[RecordModel, set[Any]]:
        """The keys of everything that payloads refer to, of each kind."""
        found: dict[RecordModel, set[Any]] = {}
        if self._json or any(many for _, _, many in self._referring):
            for request in requests:
                for _, record, key in self.references(request):
                    found.setdefault(record, set()).add(key)
            return found
        for name, record, _ in self._referring:
            values = [each.__dict__[name] for each in requests]
            found.setdefault(record.root, set()).update(key_of(value) for value in values if value is not None)
        return found

    def declared(self, request: Any) -> Iterator[tuple[str, RecordModel, Any]]:
        """Path, record and key of everything that a payload refers to, by the record that is declared there."""
        for item in self._references:
            value = request.__dict__[item.name]
            assert item.record is not None
            if not item.many:
                value = () if value is None else (value,)
            for index, each in enumerate(value or ()):
                yield f"{item.name}[{index}]" if item.many else item.name, item.record, key_of(each)
        for item in self._json:
            for path, cls, each in declared_in(item.type.python, request.__dict__[item.name], item.name, self._names):
                yield path, self._records[cls], key_of(each)

    @cached_property
    def _names(self) -> dict[str, Any]:
        """What annotations may name that are not resolved in their own module."""
        return {cls.__name__: cls for cls in self._records}

    def _record_of(self, each: Record) -> RecordModel:
        found = self._records.get(declared_class(type(each)))
        if found is None:
            problem = PayloadProblem("payload.reference", type(each).__name__, "is of no record of this controller")
            raise PayloadError(self.interaction.name, (problem,))
        return found

    # -- for callbacks

    def fresh(self, request: Any, like: Like) -> Any:
        """The payload for one attempt: its records load inside the transaction, its JSON is a copy.

        So a callback sees what the dispatch acts on, not what the caller once read, and cannot
        change what a retry will see.
        """
        if not self._references and not self._json:
            return request
        made: Any = object.__new__(self.cls)
        values = made.__dict__
        values |= request.__dict__
        for name, record, many in self._referring:
            value = values[name]
            if value is not None:
                values[name] = type(value)(like(record, each) for each in value) if many else like(record, value)
        for item in self._json:
            values[item.name] = self._fresh_json(values[item.name], like)
        return made

    def _fresh_json(self, value: Any, like: Like) -> Any:
        """A copy in which each record is one, however often it is there."""
        fresh: dict[tuple[type, Any], Record] = {}
        for _, each in records_in(value, ""):
            named = type(each), key_of(each)
            if named not in fresh:
                fresh[named] = like(self._record_of(each), each)
        return copied(value, lambda each: fresh[type(each), key_of(each)])

    # -- for the event record

    def stored(self, request: Any) -> dict[str, Any]:
        """The payload as JSON values, references by their keys."""
        if self.glance.stored is not None:
            return self.glance.stored(request.__dict__)
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
        for (name, item), check in zip(items.items(), self._checks, strict=True):
            if name in payload:
                found: Problems = []
                values[name] = self._from_json(item, payload[name], ghosts, found)
                problems += found or check(values)
            elif item.required:
                problems.append(PayloadProblem("payload.missing", name, "is missing"))
        if problems:
            raise PayloadError(self.interaction.name, tuple(problems))
        try:
            return self.cls(**values)
        except (ValueError, TypeError) as error:
            raise PayloadError(self.interaction.name, tuple(self._invalid(values, error))) from error

    def _from_json(self, item: PayloadItem, value: Any, ghosts: Ghosts, problems: Problems) -> Any:
        if value is None:
            return None
        if item.record is None:
            return value_from_json(self._from_json_converter(ghosts), item, value, problems)
        if not item.many:
            (key,) = _keys(item.record, [(item.name, value)], problems)
            return None if problems else ghosts(item.record, [key])[0]
        if not isinstance(value, list | tuple):
            problems.append(PayloadProblem("payload.not_a_list", item.name, f"is {value!r}, not a list"))
            return None
        keys = _keys(item.record, [(f"{item.name}[{index}]", each) for index, each in enumerate(value)], problems)
        return None if problems else ghosts(item.record, keys)

    def _from_json_converter(self, ghosts: Ghosts) -> Converter:
        """Cattrs with the records of this controller, each read by its key."""
        if self._converter is None:
            self._converter = CONVERTER.copy()

            def structure(value: Any, cls: Any) -> Any:
                record = self._records[cls]
                return ghosts(record, [key_from_json(record, value)])[0]

            self._converter.register_structure_hook_func(lambda cls: cls in self._records, structure)
        return self._converter

    def _invalid(self, values: dict[str, Any], error: Exception) -> Iterator[PayloadProblem]:
        """What the validators say, each asked by itself; a converter's refusal is about the whole."""
        made: Any = object.__new__(self.cls)
        made.__dict__.update(values)
        refused = False
        for each in attrs.fields(self.cls):
            try:
                if each.validator is not None and each.name in values:
                    each.validator(made, each, values[each.name])
            except (ValueError, TypeError) as problem:
                refused = True
                yield PayloadProblem("payload.invalid", each.name, str(problem.args[0] if problem.args else problem))
        if not refused:
            yield PayloadProblem("payload.invalid", "payload", str(error))


#: What is a JSON value already.
_AS_IS = frozenset({str, int, float, bool, type(None)})


def _keys(record: RecordModel, values: Iterable[tuple[str, Any]], problems: Problems) -> list[Any]:
    keys: list[Any] = []
    for path, value in values:
        try:
            keys.append(key_from_json(record, value))
        except InvalidValue as error:
            keys.append(None)
            problems.append(PayloadProblem("payload.reference", path, error.message))
    return keys
