"""The planner: for each kind of write, the fixed list of reactions that keeps all else right.

Order is what makes deltas right. A reaction must see everything that it reads as it was when
the write happened, so among the reactions to one write those furthest downstream come first;
and what a reaction changes is followed up to its end before the next one runs. By induction,
after each step every derived value equals its definition over what the database then holds.

Whoever watches a view is told first: nothing depends on that.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from interaqt.core.computations import Rule
from interaqt.core.model import Model, Property, RecordModel, Reference
from interaqt.runtime.completion import Completion
from interaqt.runtime.graph import Graph
from interaqt.runtime.identified import Identified
from interaqt.runtime.keeper import Keeper, Part, Reach
from interaqt.runtime.keepers import keeper_of
from interaqt.runtime.listing import Listing
from interaqt.runtime.memory import Memory
from interaqt.runtime.reaction import Reaction
from interaqt.runtime.rows import RowStatements
from interaqt.runtime.watching import Watching
from interaqt.storage.counters import CounterStatements
from interaqt.storage.prepared import PreparedRows, Reader, Stored
from interaqt.storage.queue import QueueStatements
from interaqt.storage.schema import Schema
from interaqt.storage.statements import Statements

__all__ = ["Planner"]

Reactions = tuple[Reaction, ...]


class Planner:
    """Plans for one model in one database; each is made when first needed, and kept."""

    def __init__(
        self,
        model: Model,
        schema: Schema,
        observed: frozenset[RecordModel] = frozenset(),
        queue: QueueStatements | None = None,
        counters: CounterStatements | None = None,
    ) -> None:
        """``observed`` are records and views of whose every change somebody wants to be told.

        ``queue`` is where asynchronous computations are asked for, if there are any; ``counters`` are
        those of sequences.
        """
        self._queue = queue
        self._counters = counters
        self.pipelined = schema.database.capability.pipeline
        self.model = model
        self.schema = schema
        self.graph = Graph(model)
        self.statements = Statements(schema)
        self._observed = frozenset(each.root for each in observed)
        self._watching = Watching(self, [each for each in observed if each.is_view])
        self._created: dict[RecordModel, Reactions] = {}
        self._deleted: dict[RecordModel, Reactions] = {}
        self._updated: dict[tuple[RecordModel, frozenset[str]], Reactions] = {}
        self._rows: dict[RecordModel, RowStatements] = {}
        self._referring: dict[Reference, tuple[PreparedRows, Reader]] = {}
        self._keepers: dict[Rule, Keeper[Any]] = {}
        self._completions: dict[RecordModel, Completion] = {}
        self._identified: dict[RecordModel, Identified] = {}
        self._memories = {
            each: Memory(self, each) for each in model.tables() if any(rule.ended for rule in each.derivations)
        }

    def rows(self, record: RecordModel) -> RowStatements:
        """The statements that write rows of a record."""
        found = self._rows.get(record)
        if found is None:
            found = self._rows[record] = RowStatements(self, record)
        return found

    def completion(self, record: RecordModel) -> Completion:
        """What is written with a record's row because it follows from it."""
        if record not in self._completions:
            self._completions[record] = Completion(self.graph, record)
        return self._completions[record]

    def identified(self, record: RecordModel) -> Identified:
        """What creates records that have an identity."""
        if record not in self._identified:
            self._identified[record] = Identified(self, record)
        return self._identified[record]

    def memory(self, record: RecordModel) -> Memory | None:
        """What remembers that a record was ended; None where it follows from no other."""
        return self._memories.get(record)

    @property
    def queue(self) -> QueueStatements:
        """Where asynchronous computations are asked for."""
        assert self._queue is not None, "only a model without asynchronous computations has none"
        return self._queue

    @property
    def counters(self) -> CounterStatements:
        """How far sequences have come."""
        assert self._counters is not None, "only a model without sequences has none"
        return self._counters

    def referring(self, reference: Reference) -> tuple[PreparedRows, Reader]:
        """Finds the records whose reference leads to one with a given key; reads their keys and the reference."""
        if reference not in self._referring:
            reader = Reader(self.schema, (reference.record.key, reference))
            self._referring[reference] = self.statements.referring(reference), reader
        return self._referring[reference]

    def created(self, record: RecordModel) -> Reactions:
        """What the creation of a record means."""
        if record not in self._created:
            self._created[record] = (
                *self._watching.of_rows(record),
                *self._ordered(list(self._came(record))),
            )
        return self._created[record]

    def deleted(self, record: RecordModel) -> Reactions:
        """What the deletion of a record means, once its row is gone."""
        if record not in self._deleted:
            self._deleted[record] = (
                *self._watching.of_rows(record),
                *self._ordered(list(self._went(record))),
            )
        return self._deleted[record]

    def updated(self, record: RecordModel, names: frozenset[str]) -> Reactions:
        """What a change of the named attributes means."""
        found = self._updated.get((record, names))
        if found is None:
            found = self._updated[record, names] = (
                *self._watching.of_change(record, names),
                *self._ordered(list(self._changed(record, names))),
            )
        return found

    def needed(self, record: RecordModel, names: frozenset[str]) -> tuple[Stored, ...]:
        """What reactions to a change of any of the names must be told of the row: them, and what they read."""
        reads = {*names, *record.telling}
        for some in (names, *(frozenset({name}) for name in names)):
            for reaction in self.updated(record, some):
                reads |= reaction.reads
        return self.attributes(record, reads)

    def attributes(self, record: RecordModel, names: set[str] | frozenset[str]) -> tuple[Stored, ...]:
        """Stored attributes by name, in the order of declaration."""
        return tuple(each for each in record.stored() if each.name in names)

    def is_watched(self, attribute: Property | Reference) -> bool:
        """Whether anything must be told when the attribute changes."""
        record, name = attribute.record, attribute.name
        return record in self._observed or self.graph.is_followed(record, name) or self._watching.is_read(record, name)

    def is_observed(self, record: RecordModel) -> bool:
        return record in self._observed

    # -- for explain

    @property
    def listing(self) -> Listing:
        """What lists the statements that a write may come to."""
        return Listing(self)

    # -- what each rule does

    def keeper(self, rule: Rule) -> Keeper[Any]:
        """What keeps a rule."""
        if rule not in self._keepers:
            self._keepers[rule] = keeper_of(self, rule)
        return self._keepers[rule]

    def _came(self, record: RecordModel) -> Iterator[Part]:
        for rule in self.graph.rules:
            if rule.source is record:
                yield from self.keeper(rule).came()

    def _went(self, record: RecordModel) -> Iterator[Part]:
        for rule in self.graph.rules:
            if rule.source is record:
                yield from self.keeper(rule).went()
            if rule.record is record:
                yield from self.keeper(rule).host_went()

    def _changed(self, record: RecordModel, names: frozenset[str]) -> Iterator[Part]:
        concerned = []
        for rule in self.graph.rules:
            reads = self.graph.reads[rule]
            paths = tuple(sorted({r.path for r in reads if r.path and r.record is record and r.name in names}))
            relinked = rule.source is record and rule.via is not None and rule.via.name in names
            reads_row = rule.source is record and any(not r.path and r.name in names for r in reads)
            near = relinked or (reads_row and not rule.with_row)
            if near or paths:
                concerned.append((rule, near, relinked, paths))
        direct = {rule for rule, *_ in concerned}
        for rule, near, relinked, paths in concerned:
            entangled = bool(direct & self.graph.upstream(rule))
            yield from self.keeper(rule).changed(Reach(record, near, relinked, paths, entangled))

    # -- in which order

    def _ordered(self, parts: list[Part]) -> Reactions:
        groups: dict[Hashable, list[Part]] = {}
        for part in parts:
            groups.setdefault(self._free(part, groups), []).append(part)
        try:
            order = self._downstream_first(groups)
        except CycleError:
            # Together they would wait for one another: each rule for itself never does.
            groups = {(part.group, part.rule): [part] for part in parts}
            order = self._downstream_first(groups)
        return tuple(groups[key][0].make([part.rule for part in groups[key]]) for key in order)

    def _free(self, part: Part, groups: Mapping[Hashable, Sequence[Part]]) -> Hashable:
        """The group of a part, without those that it depends on, or that on it, if they are counted again.

        The hosts of a group are counted by one statement, and not every database shows it all of
        them as they were before it.
        """
        key = part.group
        while part.counts and any(self._depend(part.rule, other.rule) for other in groups.get(key, ())):
            key = (key, "apart")
        return key

    def _depend(self, one: Rule, other: Rule) -> bool:
        return one in self.graph.upstream(other) or other in self.graph.upstream(one)

    def _downstream_first(self, groups: dict[Hashable, list[Part]]) -> list[Hashable]:
        sorter: TopologicalSorter[Hashable] = TopologicalSorter()
        for key, parts in groups.items():
            rules = {part.rule for part in parts}
            later = [
                other
                for other, others in groups.items()
                if other != key and any(rules & self.graph.upstream(part.rule) for part in others)
            ]
            sorter.add(key, *later)
        sorter.prepare()
        order: list[Hashable] = []
        ready: list[Hashable] = []
        while sorter.is_active():
            ready += sorter.get_ready()
            # All who write wait for one another at a dictionary's row, so it is written as late as can be.
            key = next((each for each in ready if not groups[each][0].rule.record.is_dictionary), ready[0])
            ready.remove(key)
            sorter.done(key)
            order.append(key)
        return order
