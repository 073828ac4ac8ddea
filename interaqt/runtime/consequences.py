"""Consequences: all that one interaction's events may write, followed through the graph to its end.

What a dispatch writes it may rely on, so what its callbacks read of that is locked. What comes of a
write is known before there is any: the graph says which values and records follow from which.
"""

from __future__ import annotations

from collections.abc import Iterable

from interaqt.core.computations import Change, Creation, CustomRule, Derivation, Ending, OwnCustomRule, Rule, ValueRule
from interaqt.core.model import Collection, Mirror, Model, RecordModel
from interaqt.core.record import Record, origin_of
from interaqt.runtime.graph import Graph
from interaqt.storage.loading import Lock

__all__ = ["Consequences"]


class Consequences:
    """Which records are made, ended and changed, by what is known so far.

    Which records a Transform makes inside those that it answers is known once it has made one; see
    :meth:`learn`.
    """

    def __init__(self, model: Model, graph: Graph) -> None:
        self._model = model
        self._graph = graph
        self._made: set[RecordModel] = set()
        self._gone: set[RecordModel] = set()
        self._moved: set[tuple[RecordModel, str]] = set()
        self._changed: set[RecordModel] = set()

    # -- what is asked

    def lock_of(self, record: RecordModel) -> Lock:
        """How to lock a record that is read, so that what is found of it may be relied on; None for what is let be."""
        table = record.root
        if table in self._gone:
            return "alone"
        if table in self._changed:
            return "change"
        return "keep" if table in self._made else None

    def concerns(self, collection: Collection | Mirror) -> bool:
        """Whether records may come to a collection, or leave it."""
        via = collection.via
        return via.record in self._made or via.record in self._gone or (via.record, via.name) in self._moved

    # -- what is known

    def of_event(self, record: RecordModel) -> None:
        """Note what follows from the event's row; the row itself never changes."""
        self._come(record)
        self._made.discard(record)

    def of_facts(
        self, changes: Iterable[Change], creations: Iterable[Creation], endings: Iterable[Ending]
    ) -> Consequences:
        """Note what the declarations of an interaction say."""
        for change in changes:
            self._move(change.attribute.record, change.attribute.name)
            if change.deletes:
                self._go(change.attribute.record)
        for creation in creations:
            self._make(creation.record)
        for ending in endings:
            self._go(ending.record)
        return self

    def learn(self, instances: Iterable[Record]) -> None:
        """Note new records that others which are to be made refer to."""
        for each in instances:
            for value in each.__dict__.values():
                if isinstance(value, Record) and origin_of(value) is None:
                    self._make(self._model.records[type(value)])
                    self.learn([value])

    # -- following

    def _make(self, record: RecordModel) -> None:
        """A record is made; where it has an identity it may be there already, and be changed."""
        self._come(record.root)
        if record.identity is not None and record.identity.conflict == "update":
            known = {each.name for each in record.identity.attributes}
            for each in record.stored():
                if each.name not in known and each.computation is None:
                    self._move(record.root, each.name)

    def _come(self, table: RecordModel) -> None:
        if table not in self._made:
            self._made.add(table)
            for rule in self._graph.from_rows(table):
                self._follow(rule, fresh=True)

    def _go(self, table: RecordModel) -> None:
        if table in self._gone:
            return
        self._gone.add(table)
        for rule in self._graph.from_rows(table):
            self._follow(rule)
        for reference in self._model.referring_to(table):
            if reference.on_delete == "cascade":
                self._go(reference.record)
            elif reference.on_delete == "set_null":
                self._move(reference.record, reference.name)

    def _move(self, table: RecordModel, name: str) -> None:
        if (table, name) in self._moved:
            return
        self._moved.add((table, name))
        self._changed.add(table)
        for stamp in table.stamps:
            if stamp.attribute.name == name:
                self._move(table, stamp.property.name)
        for rule in self._graph.from_value(table, name):
            self._follow(rule)

    def _follow(self, rule: Rule, *, fresh: bool = False) -> None:
        """What a rule keeps is another; of a ``fresh`` row nothing was derived before."""
        if isinstance(rule, Derivation):
            self._come(rule.record)
            if not fresh:
                self._go(rule.record)
                for variant in rule.variants:
                    for name in variant.values:
                        self._move(rule.record, name)
        elif isinstance(rule, ValueRule) and not (fresh and rule.record is rule.source) and not _is_put_off(rule):
            for each in (rule.property, *rule.kept):
                self._move(rule.record, each.name)


def _is_put_off(rule: ValueRule) -> bool:
    """Whether a worker computes the value, in a transaction of its own."""
    return isinstance(rule, CustomRule | OwnCustomRule) and rule.functions.asynchronous is not None
