"""Listing: every statement that a write may come to, with all that follows from it, for ``explain``.

It goes the way of :class:`~interaqt.runtime.run.Run`, and issues nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from interaqt.core.model import RecordModel
from interaqt.runtime.reaction import Reaction, Step

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Listing"]


class Listing:
    """Steps of one planner's writes; those that follow from a write are one deeper than it."""

    def __init__(self, planner: Planner, deleting: frozenset[RecordModel] = frozenset()) -> None:
        self._planner = planner
        self._deleting = deleting
        """What is being deleted where the listing stands: records may go with one another in a circle."""

    def creation(self, record: RecordModel, why: str, depth: int = 0) -> Iterator[Step]:
        """A record is made."""
        for step in self._planner.rows(record).creating(why):
            yield attrs.evolve(step, depth=depth)
        yield from self.following(self._planner.created(record.root), depth + 1)

    def change(self, record: RecordModel, names: frozenset[str], why: str, depth: int = 0) -> Iterator[Step]:
        """Attributes of a record that was read are set."""
        rows = self._planner.rows(record)
        yield Step(rows.update(names).sql, why, depth)
        yield from self.changed(record, rows.watched(names), depth + 1)

    def changed(self, record: RecordModel, watched: frozenset[str], depth: int = 1) -> Iterator[Step]:
        """What follows a change of attributes on which something depends."""
        if watched:
            yield from self.following(self._planner.updated(record, watched), depth)

    def deletion(self, record: RecordModel, why: str, depth: int = 0, *, sql: str = "") -> Iterator[Step]:
        """A record is deleted, and before it what goes with it; ``sql`` is how, if not by its key."""
        record = record.root
        if record in self._deleting:
            return
        within = Listing(self._planner, self._deleting | {record})
        memory = self._planner.memory(record)
        if memory is not None:
            for step in memory.steps():
                yield attrs.evolve(step, depth=depth)
        rows = self._planner.rows(record)
        for reference in rows.dependents:
            found = self._planner.referring(reference)[0]
            yield Step(found.sql, f"{reference}: which refer to a {record} that goes", depth)
            if reference.on_delete == "cascade":
                yield from within.deletion(reference.record, f"{reference}: they go with it", depth + 1)
            else:
                yield from within.release(reference.record, reference.name, depth + 1)
        yield Step(sql or rows.delete.sql, why, depth)
        yield from within.following(self._planner.deleted(record), depth + 1)

    def release(self, record: RecordModel, name: str, depth: int) -> Iterator[Step]:
        """A reference lets go of what is deleted."""
        names = frozenset({name})
        why = f"{record}.{name}"
        yield Step(self._planner.rows(record).read(names)[0].sql, f"{why}: as it is, locked", depth)
        yield from self.change(record, names, f"{why}: lets go of it", depth)

    def following(self, reactions: Iterator[Reaction] | tuple[Reaction, ...], depth: int) -> Iterator[Step]:
        """What reactions may do."""
        for reaction in reactions:
            for step in reaction.steps():
                yield attrs.evolve(step, depth=depth)
            for host, watched in reaction.produces():
                yield from self.changed(host, watched, depth + 1)
            for rule in reaction.derives():
                names = frozenset(name for variant in rule.variants for name in variant.values)
                yield from self.deletion(rule.record, f"{rule}: what is not wanted any more", depth)
                yield from self.change(rule.record, names, f"{rule}: what should be another", depth)
                for kind in dict.fromkeys(variant.record for variant in rule.variants):
                    yield from self.creation(kind, f"{rule}: make what is missing", depth)
