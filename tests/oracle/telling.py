"""What is told of a step: the effects of a dispatch are the difference between what there was and what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from interaqt.core.model import ComputedProperty, Mirror, RecordModel, Reference
from interaqt.core.model import Property as StoredProperty
from interaqt.runtime.effects import Mutation
from tests.oracle.interpreter import Interpreter

__all__ = ["State", "require_told"]


@attrs.frozen
class State:
    """What there is: the rows of each kind of record by their keys, and the keys of what is in each view."""

    rows: Mapping[str, Mapping[Any, Mapping[str, Any]]]
    members: Mapping[str, set[Any]]

    @classmethod
    def of(cls, interpreter: Interpreter) -> State:
        return cls(interpreter.state(), interpreter.members())

    def row(self, record: RecordModel, key: Any) -> Mapping[str, Any]:
        return next(self.rows[kind.name][key] for kind in record.kinds if key in self.rows[kind.name])


def require_told(
    effects: Iterable[Mutation], records: Mapping[str, RecordModel], watched: set[str], was: State, now: State
) -> None:
    """What was made, changed and deleted is told, in an order that may be, and nothing else."""
    told: dict[tuple[str, Any], list[Mutation]] = {}
    for each in effects:
        if each.record.__name__ in records:
            told.setdefault((each.record.__name__, each.key), []).append(each)
    for name, record in records.items():
        if record.is_view and name not in watched:
            continue
        before = was.members[name] if record.is_view else was.rows[name].keys()
        after = now.members[name] if record.is_view else now.rows[name].keys()
        for key in {*before, *after, *(key for other, key in told if other == name)}:
            _require_one(record, key, told.get((name, key), []), key in before, key in after, was, now)


def _require_one(
    record: RecordModel, key: Any, effects: list[Mutation], was_there: bool, is_there: bool, was: State, now: State
) -> None:
    kinds = [each.kind for each in effects]
    there = was_there
    for kind in kinds:
        assert (kind == "create") is not there, f"told of {record}#{key}, which {'was' * was_there} there: {kinds}"
        there = kind != "delete"
    assert there is is_there, f"told of {record}#{key}: {kinds}, but it {'is' if is_there else 'is not'} there now"
    if was_there and is_there and "create" not in kinds:
        old, new = (state.row(record, key) for state in (was, now))
        names = {
            name for name in new if name in record.attributes and _is_stored(record, name) and old[name] != new[name]
        }
        known = frozenset[str]().union(*(each.names for each in effects))
        assert names <= known, f"told of {record}#{key}: {sorted(known)}, but {sorted(names)} changed"


def _is_stored(record: RecordModel, name: str) -> bool:
    attribute = record.attributes[name]
    return isinstance(attribute, StoredProperty | Reference) and not isinstance(attribute, ComputedProperty | Mirror)
