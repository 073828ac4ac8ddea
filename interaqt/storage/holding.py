"""Holding: of what one dispatch reads, that is locked as it is read which the dispatch itself writes.

What a condition has found then stays so until the commit, and two that decide by the same records
decide one after the other. A row is locked by the statement that loads it, in the order of the keys.
A collection is more than its rows: so that none comes to it, whose it is is locked first, against all
that would refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interaqt.core.model import Collection, Mirror, RecordModel
from interaqt.core.record import Record
from interaqt.storage.cohort import Cohort

if TYPE_CHECKING:
    from interaqt.storage.loading import Loader, Lock

__all__ = ["Holding"]


class Holding:
    """The records that one event reaches. ``lock_of`` says how to lock those of a kind.

    ``concerns`` says of a collection whether the dispatch may have records come to it or leave it.
    """

    __slots__ = ("_alone", "_concerns", "_loader", "_lock_of", "_locks", "_named", "_taken", "free", "open")

    def __init__(
        self,
        loader: Loader,
        lock_of: Callable[[RecordModel], Lock],
        concerns: Callable[[Collection | Mirror], bool],
    ) -> None:
        self._loader = loader
        self._locks = loader.schema.dialect.for_update
        self._lock_of = lock_of
        self._concerns = concerns
        self._named: dict[RecordModel, Cohort] = {}
        self._alone: dict[RecordModel, set[Any]] = {}
        self._taken: dict[RecordModel, dict[Any, Mapping[str, Any]]] = {}
        self.free: set[RecordModel] = set()
        """The kinds of which something was read that nothing locks."""
        self.open: set[Collection | Mirror] = set()
        """The collections that were read and to which others may come."""

    def like(self, record: RecordModel, given: Record) -> Record:
        """Another for one that the request names, found as ``record``: all of one table load together."""
        table = record.root
        cohort = self._named.get(table)
        if cohort is None:
            cohort = self._named[table] = Cohort(self._loader, table, holding=self)
        return self._loader.like(record, given, cohort)

    def lock_of(self, record: RecordModel) -> Lock:
        """How to lock records that are about to be read."""
        if not self._locks:
            return None
        lock = self._lock_of(record)
        if lock is None:
            self.free.add(record.root)
        return lock

    def missed_by(self, learn: Callable[[], None]) -> bool:
        """Whether something was read and not locked that would be by what is known once ``learn`` was called."""
        if not self.free and not self.open:
            return False
        learn()
        return any(self._lock_of(each) for each in self.free) or any(map(self._concerns, self.open))

    @property
    def has_read(self) -> bool:
        """Whether something was read, and not locked."""
        return bool(self.free or self.open)

    # -- what is locked before it is read

    def take(self, record: RecordModel, keys: Sequence[Any]) -> None:
        """Lock the rows of one table with these keys, against all that would come to refer to them, too."""
        table = record.root
        rows = self._loader.rows_by(table.key, keys, table, "alone")
        self.locked(table, keys, "alone")
        taken = self._taken.setdefault(table, {})
        for each in self._loader.records(table, rows):
            values = each.__dict__
            taken[values[table.key.name]] = values

    def taken(self, record: RecordModel, keys: Iterable[Any]) -> dict[Any, Mapping[str, Any]]:
        """What those rows among the keys' hold that were locked before they were read."""
        taken = self._taken.get(record.root)
        return {} if taken is None else {key: taken[key] for key in keys if key in taken}

    # -- collections

    def to_close(self, of: RecordModel, side: Collection | Mirror, keys: Iterable[Any]) -> list[Any]:
        """The keys of those that must be locked before it is read what they have at that side."""
        if not self._locks:
            return []
        if not self._concerns(side):
            self.open.add(side)
            return []
        locked = self._alone.get(of.root, ())
        return [key for key in keys if key not in locked]

    def locked(self, record: RecordModel, keys: Iterable[Any], lock: Lock) -> None:
        """Note which are locked against all that would come to refer to them."""
        is_alone = lock == "alone" or (lock == "change" and self._loader.schema.dialect.reference_locks)
        if is_alone:
            self._alone.setdefault(record.root, set()).update(keys)
