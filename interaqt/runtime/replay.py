"""What a dispatch with an idempotency key leaves for its repetition, and what that answers."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from interaqt.core.errors import IdempotencyError, InvalidValue
from interaqt.core.types import Kind
from interaqt.runtime.effects import Mutation

if TYPE_CHECKING:
    from interaqt.runtime.result import DispatchResult
    from interaqt.runtime.run import Created
    from interaqt.storage.storage import Storage

__all__ = ["Replayed", "archived", "fingerprint", "require_key"]

#: Characters of a key at most.
_LONGEST = 255


def require_key(key: object) -> str:
    """The key, if it is one."""
    if not isinstance(key, str) or not key or len(key) > _LONGEST or "\0" in key:
        raise InvalidValue(
            f"idempotency_key= takes a text of 1 to {_LONGEST} characters, not {key!r}",
            code="idempotency.key",
            hint="give one that the caller makes once for what it means to do once, such as a UUID; "
            "leave it out where it has none",
        )
    return key


def fingerprint(payload: Mapping[str, Any]) -> str:
    """Tells one payload from another: the same values give the same, in every process."""
    text = json.dumps(payload, sort_keys=True, ensure_ascii=True, default=_shown)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _shown(value: object) -> str:
    # What JSON has no notation for, such as the key of a reference that is a UUID.
    return f"{type(value).__name__}:{value}"


def archived(result: DispatchResult, created: list[Created], interaction: str) -> dict[str, Any]:
    """What a repetition will answer; raises :class:`~interaqt.IdempotencyError` where it can't be kept."""
    wrong = next(_not_json(result.data, "data"), None)
    if wrong is not None:
        raise IdempotencyError(
            f"{wrong}, which can't be kept for a dispatch with the same key",
            code="idempotency.data",
            subject=f"{interaction}: resolve",
            hint="answer JSON where a key is given: dicts with text keys, lists, texts, finite numbers, True, False, "
            "None; of a record, its key",
        )
    keys: dict[str, list[Any]] = {}
    for each in created:
        key = each.key
        keys.setdefault(each.record.name, []).append(str(key) if isinstance(key, uuid.UUID) else key)
    event = result.event
    return {"data": result.data, "created": keys, "event": created[0].key, "context": dict(event.context)}


def _not_json(value: object, path: str) -> Iterator[str]:
    """What in a value would not come back from JSON as it is."""
    if value is None or type(value) in (bool, int, str):
        return
    if type(value) is float:
        if not math.isfinite(value):
            yield f"{path} is {value!r}"
    elif type(value) is list:
        for index, each in enumerate(value):
            yield from _not_json(each, f"{path}[{index}]")
    elif type(value) is dict:
        for name, each in value.items():
            if type(name) is not str:
                yield f"{path} has the key {name!r}"
            yield from _not_json(each, f"{path}[{name!r}]")
    else:
        yield f"{path} is {value!r}, of type {type(value).__name__}"


class Replayed:
    """The writes of a repetition: none; and what the first dispatch created, by its keys."""

    __slots__ = ("_keys", "_storage")

    def __init__(self, storage: Storage, keys: Mapping[str, list[Any]]) -> None:
        self._storage, self._keys = storage, keys

    def mutations(self) -> list[Mutation]:
        return []

    def created(self, cls: type[Any]) -> list[Any]:
        record = self._storage.record_of(cls)
        kinds = {each.name for each in self._storage.model.records.values() if each.is_a(record)}
        found = [key for name, keys in self._keys.items() if name in kinds for key in keys]
        # Of several kinds, in the order in which they were made as far as the keys tell it.
        keys = [uuid.UUID(key) for key in found] if record.key.type.kind is Kind.UUID else sorted(found)
        return list(self._storage.loader.ghosts(record, keys))
