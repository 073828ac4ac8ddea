"""Of which kind a record is that was changed: what nothing depends on is written without that being asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.model import RecordModel
from interaqt.runtime.effects import Mutation
from interaqt.storage.row_classes import declared_class

if TYPE_CHECKING:
    from interaqt.storage.storage import Storage

__all__ = ["of_their_kinds"]


def of_their_kinds(storage: Storage, mutations: Sequence[Mutation]) -> list[Mutation]:
    """The mutations, each told by the name of its record's own kind.

    Those of which that is not known are asked for, all of one table by one statement; a record that is
    gone by then keeps the common name.
    """
    unknown: dict[RecordModel, dict[Any, None]] = {}
    known: dict[tuple[RecordModel, Any], type] = {}
    for each in mutations:
        record = storage.record_of(each.record)
        if record.root.family is None or record.is_view:
            continue
        if _says_nothing(each):
            unknown.setdefault(record.root, {})[each.key] = None
        else:
            known[record.root, each.key] = each.record
    if not unknown:
        return list(mutations)
    for table, keys in unknown.items():
        missing = [key for key in keys if (table, key) not in known]
        for key, found in zip(missing, storage.loader.ghosts(table, missing), strict=True):
            known[table, key] = declared_class(type(found))
    return [_by_kind(each, known.get((storage.record_of(each.record).root, each.key))) for each in mutations]


def _says_nothing(mutation: Mutation) -> bool:
    return mutation.kind == "update" and mutation.values is None


def _by_kind(mutation: Mutation, kind: type | None) -> Mutation:
    if kind is None or not _says_nothing(mutation) or not issubclass(kind, mutation.record):
        return mutation
    return attrs.evolve(mutation, record=kind)
