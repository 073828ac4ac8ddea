"""Making records: new instances, and before them the new instances that they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from interaqt.core.model import RecordModel, Reference
from interaqt.core.record import ORIGIN, Record

if TYPE_CHECKING:
    from interaqt.runtime.rows import RowStatements
    from interaqt.runtime.run import Created, Run

__all__ = ["Maker"]


class Maker:
    """Stores instances in one run, each once, however many others refer to it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # The instance is kept, for another could get its id.
        self._made: dict[int, tuple[Record, Created]] = {}

    def make(self, record: RecordModel, instances: Sequence[Record]) -> list[Created]:
        """Store the instances by one statement, and what they refer to by one for each record before.

        Of several kinds of the record, by one statement for each.
        """
        if not instances:
            return []
        if len(instances) == 1 and self._run.planner.rows(record).table.family is None:
            (one,) = instances
            if id(one) not in self._made:
                self._store(record, instances)
            return [self._made[id(one)][1]]
        fresh = [each for each in instances if id(each) not in self._made]
        if len(fresh) > 1:
            fresh = list({id(each): each for each in fresh}.values())
        for kind, some in self._by_kind(record, fresh):
            # One kind may have made others on the way, to which it refers.
            self._store(kind, [each for each in some if id(each) not in self._made])
        return [self._made[id(each)][1] for each in instances]

    def _by_kind(self, record: RecordModel, instances: list[Record]) -> Iterable[tuple[RecordModel, list[Record]]]:
        if record.root.family is None:
            return ((record, instances),) if instances else ()
        found: dict[RecordModel, list[Record]] = {}
        for each in instances:
            found.setdefault(self._run.planner.model.records[type(each)], []).append(each)
        return found.items()

    def _store(self, record: RecordModel, fresh: Sequence[Record]) -> None:
        if not fresh:
            return
        rows = self._run.planner.rows(record)
        if len(fresh) > 1:
            self._store_referred(rows, fresh)
        images = [rows.values_of(each, self._key) for each in fresh]
        for each, created in zip(fresh, self._run.create(record, images), strict=True):
            self._made[id(each)] = each, created

    def _store_referred(self, rows: RowStatements, fresh: Sequence[Record]) -> None:
        """Store what several refer to, all by one statement for each reference."""
        for name, cls, reference in rows.linking:
            found = [each.__dict__.get(name) for each in fresh]
            unsaved = [each for each in found if isinstance(each, cls) and ORIGIN not in each.__dict__]
            if unsaved:
                self.make(reference.target, unsaved)

    def created(self, instances: Iterable[Record]) -> Iterator[Created]:
        """What was stored for the instances, those that they refer to first; each once."""
        seen: set[int] = set()
        for each in instances:
            yield from self._created(each, seen)

    def _created(self, instance: Record, seen: set[int]) -> Iterator[Created]:
        made = self._made.get(id(instance))
        if made is None or id(instance) in seen:
            return
        seen.add(id(instance))
        for reference in self._run.planner.rows(made[1].record).references:
            value = instance.__dict__.get(reference.name)
            if value is not None:
                yield from self._created(value, seen)
        yield made[1]

    def _key(self, reference: Reference, value: Record) -> Any:
        if id(value) not in self._made:
            # A record is whole when it is made, so this can't lead back.
            self.make(reference.target, [value])
        return self._made[id(value)][1].key
