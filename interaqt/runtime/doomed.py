"""Deleting: which records go with one that is deleted, in an order in which no reference is left over."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from interaqt.core.model import RecordModel, Reference

if TYPE_CHECKING:
    from interaqt.runtime.run import Run

__all__ = ["Doomed", "Place"]

#: A record by its key.
Place = tuple[RecordModel, Any]


class Doomed:
    """All that is deleted with some records: what refers to them by cascade, and so on.

    ``groups`` are of one record each, to be deleted together: none of a group refers to another one
    of it, and whatever refers to one of it is in a group before. Where they refer to one another in
    a circle, a reference that may be None is in ``released``, as are those from records that stay.
    """

    def __init__(self, run: Run, record: RecordModel, keys: Iterable[Any]) -> None:
        self._run = run
        self._referring: dict[Place, dict[Place, list[Reference]]] = {}
        self.released: dict[Place, list[tuple[Place, Reference]]] = {}
        self._gather([(record, key) for key in keys])
        self.groups = self._ordered()

    def places(self) -> set[Place]:
        return set(self._referring)

    def _gather(self, found: list[Place]) -> None:
        stays: list[tuple[Place, Place, Reference]] = []
        while found:
            targets = _by_record(place for place in found if place not in self._referring)
            found = []
            for record, keys in targets.items():
                self._referring |= {(record, key): {} for key in keys}
            for record, keys in targets.items():
                for reference in self._run.planner.rows(record).dependents:
                    for place, target in self._run.referring(reference, keys):
                        if reference.on_delete == "cascade":
                            self._refers(place, target, reference)
                            found.append(place)
                        else:
                            stays.append((place, target, reference))
        for place, target, reference in stays:
            if place in self._referring:
                self._refers(place, target, reference)
            else:
                self.released.setdefault(target, []).append((place, reference))
        self._restricted()

    def _restricted(self) -> None:
        """A reference that forbids a deletion forbids none where its own record goes, too, and first."""
        targets = _by_record(self._referring) if len(self._referring) > 1 else {}
        for record, keys in targets.items():
            for reference in self._run.planner.model.referring_to(record):
                if reference.on_delete == "restrict" and reference.record in targets:
                    for place, target in self._run.referring(reference, keys):
                        if place in self._referring:
                            self._refers(place, target, reference)

    def _refers(self, place: Place, target: Place, reference: Reference) -> None:
        # A database lets a row that refers to itself go.
        if place != target:
            self._referring[target].setdefault(place, []).append(reference)

    def _ordered(self) -> list[tuple[RecordModel, list[Any]]]:
        sorter = self._sorter()
        groups: list[tuple[RecordModel, list[Any]]] = []
        while sorter.is_active():
            ready = sorter.get_ready()
            groups += _by_record(ready).items()
            sorter.done(*ready)
        return groups

    def _sorter(self) -> TopologicalSorter[Place]:
        while True:
            sorter = TopologicalSorter(self._referring)
            try:
                sorter.prepare()
            except CycleError as error:
                self._cut(error.args[1])
            else:
                return sorter

    def _cut(self, circle: list[Place]) -> None:
        """Release one of a circle from the next: one reference of it may be None, or it could not have been made."""
        for place, target in pairwise(circle):
            references = self._referring[target][place]
            if all(each.type.nullable for each in references):
                del self._referring[target][place]
                self.released.setdefault(target, []).extend((place, each) for each in references)
                return
        raise AssertionError(f"{circle} refer to one another, and none of them can have been the first")


def _by_record(places: Iterable[Place]) -> dict[RecordModel, list[Any]]:
    """The keys of records of each kind, each once, in order."""
    found: dict[RecordModel, dict[Any, None]] = {}
    for record, key in places:
        found.setdefault(record, {})[key] = None
    return {record: sorted(keys) for record, keys in found.items()}
