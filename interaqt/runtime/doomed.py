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

    ``order`` has whatever refers to another one before it. Where they refer to one another in a
    circle, a reference that may be None is in ``released``, as are those from records that stay.
    """

    def __init__(self, run: Run, record: RecordModel, keys: Iterable[Any]) -> None:
        self._run = run
        self._referring: dict[Place, dict[Place, list[Reference]]] = {}
        self.released: dict[Place, list[tuple[Place, Reference]]] = {}
        self._gather([(record, key) for key in keys])
        self.order = self._ordered()

    def _gather(self, found: list[Place]) -> None:
        stays: list[tuple[Place, Place, Reference]] = []
        while found:
            target = found.pop()
            if target in self._referring:
                continue
            self._referring[target] = {}
            for reference in self._run.planner.rows(target[0]).dependents:
                for place in self._run.referring(reference, target[1]):
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
        records = {record for record, _ in self._referring}
        for target in self._referring if len(self._referring) > 1 else ():
            for reference in self._run.planner.model.referring_to(target[0]):
                if reference.on_delete == "restrict" and reference.record in records:
                    for place in self._run.referring(reference, target[1]):
                        if place in self._referring:
                            self._refers(place, target, reference)

    def _refers(self, place: Place, target: Place, reference: Reference) -> None:
        # A database lets a row that refers to itself go.
        if place != target:
            self._referring[target].setdefault(place, []).append(reference)

    def _ordered(self) -> list[Place]:
        while True:
            try:
                return list(TopologicalSorter(self._referring).static_order())
            except CycleError as error:
                self._cut(error.args[1])

    def _cut(self, circle: list[Place]) -> None:
        """Release one of a circle from the next: one reference of it may be None, or it could not have been made."""
        for place, target in pairwise(circle):
            references = self._referring[target][place]
            if all(each.type.nullable for each in references):
                del self._referring[target][place]
                self.released.setdefault(target, []).extend((place, each) for each in references)
                return
        raise AssertionError(f"{circle} refer to one another, and none of them can have been the first")
