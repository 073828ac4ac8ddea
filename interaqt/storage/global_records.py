"""Global records: the one record of each dictionary, loaded when a value of it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.model import ONLY, RecordModel

if TYPE_CHECKING:
    from interaqt.core.record import Record
    from interaqt.storage.loading import Loader, Lock

__all__ = ["GlobalRecords"]


class GlobalRecords:
    """Answers global values; each dictionary is read once.

    ``lock`` says how its row is to be kept from others until the transaction ends.
    """

    __slots__ = ("_loader", "_lock", "_read")

    def __init__(self, loader: Loader, lock: Callable[[RecordModel], Lock] | None = None) -> None:
        self._loader = loader
        self._lock = lock
        self._read: dict[type, Record] = {}

    def __call__(self, dictionary: type, name: str) -> Any:
        found = self._read.get(dictionary)
        if found is None:
            found = self._read[dictionary] = self._load(dictionary)
        return getattr(found, name)

    def _load(self, dictionary: type) -> Record:
        record = self._loader.schema.model.record(dictionary)
        if record is None:
            known = [each.name for each in self._loader.schema.model.dictionaries]
            raise InvalidQuery(
                f"{dictionary.__name__} is not among the controller's models. "
                f"{did_you_mean(dictionary.__name__, known)}",
                code="dictionary.unknown",
                hint=f"give {dictionary.__name__} to the controller with the other models",
            )
        lock = None if self._lock is None else self._lock(record)
        rows = self._loader.rows_by(record.key, (ONLY,), record, lock)
        if not rows:
            raise self._loader.not_found(record, ONLY)
        (found,) = self._loader.records(record, rows)
        return found
