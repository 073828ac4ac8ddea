"""Watching: which writes may bring records into the views that somebody observes, or take them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from interaqt.core.expressions import Root
from interaqt.core.model import RecordModel
from interaqt.core.parts import MEMBER, belongs
from interaqt.runtime.graph import Read, reads_of
from interaqt.runtime.members import Members, MembersBeyond
from interaqt.runtime.reaction import Reaction

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Watching"]


class Watching:
    """The observed views of one model; where there are none, nothing is planned."""

    def __init__(self, planner: Planner, views: Sequence[RecordModel]) -> None:
        self._planner = planner
        self._reads: dict[RecordModel, frozenset[Read]] = {
            view: frozenset(reads_of(belongs(view, Root(MEMBER, view.root)), MEMBER))
            for view in sorted(views, key=lambda each: each.name)
        }
        self._beyond = {(read.record, read.name) for reads in self._reads.values() for read in reads if read.path}

    def is_read(self, record: RecordModel, name: str) -> bool:
        """Whether a change of the attribute may move records that refer to the changed one."""
        return (record, name) in self._beyond

    def of_rows(self, record: RecordModel) -> Iterator[Reaction]:
        """What rows that come or go mean."""
        return (Members(self._planner, view) for view in self._reads if view.root is record)

    def of_change(self, record: RecordModel, names: frozenset[str]) -> Iterator[Reaction]:
        """What a change of the named attributes means."""
        for view, reads in self._reads.items():
            paths = sorted({read.path for read in reads if read.path and read.record is record and read.name in names})
            near = view.root is record
            if paths:
                yield MembersBeyond(self._planner, view, record, paths, near)
            elif near:
                yield Members(self._planner, view)
