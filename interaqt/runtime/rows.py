"""Rows: the statements that create, read, change and delete rows of one record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from interaqt.core.computations import ValueRule, Written
from interaqt.core.computations.aggregation import HOST
from interaqt.core.errors import InvalidValue
from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Const, Expr, Param
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import ORIGIN, Record, key_of
from interaqt.core.types import Kind
from interaqt.runtime.asking import Asking
from interaqt.runtime.host_locks import HostLocks
from interaqt.runtime.numbering import Numbering
from interaqt.runtime.reaction import NEW, Step
from interaqt.storage.database import Executor, Result
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.reaction import Reaction

__all__ = ["KeyOf", "RowChange", "RowCreation", "RowStatements", "key_in"]

S = TypeVar("S")

KeyOf = Callable[[Reference, Record], Any]


@attrs.frozen(eq=False)
class RowCreation:
    """What making rows comes to, side by side: a dispatch reads all of it, and looks nothing up."""

    key: str
    insert: Prepared
    initial: Image
    is_known: bool
    """Whether nothing is to be found out of rows before they are made."""
    host_locks: HostLocks | None
    told_reader: Reader
    targets: tuple[tuple[str, RecordModel], ...]
    """The name of each reference, with the record in whose table its targets are."""
    reactions: tuple[Reaction, ...]
    must_tell: bool
    """Whether something that follows must know what only the database can tell."""


@attrs.frozen(eq=False)
class RowChange:
    """What setting some attributes of a row comes to."""

    statement: Prepared
    watched: frozenset[str]
    """On which of what is set, and of what follows from it in the row, something depends."""
    names: frozenset[str]
    """What is set, and what follows from it in the row."""
    is_all: bool
    """Whether nothing follows from a row in itself, so that what is set is all that is new in it."""
    host_locks: HostLocks | None
    targets: tuple[tuple[str, RecordModel], ...]
    """Each reference that is set, with the record in whose table its targets are."""


class RowStatements:
    """One record's; each statement is made when first needed."""

    def __init__(self, planner: Planner, record: RecordModel) -> None:
        self.planner = planner
        self.record = record
        self.table = record.root
        self.key = record.key
        self.completion = planner.completion(self.table)
        self._updates: dict[frozenset[str], Prepared] = {}
        self._changes: dict[frozenset[str], RowChange] = {}
        self._updates_of_rows: dict[frozenset[str], PreparedRows] = {}
        self._moved: dict[frozenset[str], Reader] = {}
        self._watched: dict[frozenset[str], frozenset[str]] = {}
        self._reads: dict[frozenset[str], tuple[Prepared, Reader]] = {}

    # -- creating

    @cached_property
    def key_is_given(self) -> bool:
        """A UUID is made with the record, and a dictionary has one; any other int is counted by the database."""
        return self.key.type.kind is Kind.UUID or self.record.is_dictionary

    @cached_property
    def initial(self) -> dict[str, Const]:
        """What values over other records, and states, are when a record is created, before anything contributes."""
        found: dict[str, Const] = {}
        for rule in self.table.rules:
            if self.record.is_a(rule.property.owner) or not _follows_row(rule):
                found |= _initial_values(rule)
        for each in self.table.stored():
            if isinstance(each.computation, Written):
                found[each.name] = Const(each.computation.initial, each.type)
        if self.table.family is not None:
            kind, own = self.table.family.kind, self._own_values
            found[kind.name] = Const(self.record.name, kind.type)
            others = [each for each in self.table.stored() if not self.record.is_a(each.owner)]
            absent = {each.name: Const(None, each.type.optional()) for each in others if each.name not in own}
            found = {**absent, **found}
        return found

    @cached_property
    def _own_values(self) -> frozenset[str]:
        return frozenset(each.name for each in self.completion.properties)

    @cached_property
    def _stored(self) -> tuple[Stored, ...]:
        """What its rows have: of a table in which there are several kinds, what this one has."""
        if self.table is self.record:
            return tuple(self.record.stored())
        hidden = (each for each in self.table.stored() if each.hidden and self.record.is_a(each.owner))
        return (*self.record.stored(), *hidden)

    @cached_property
    def given(self) -> tuple[Stored, ...]:
        """What a maker gives."""
        worked = self.initial.keys() | self._own_values
        found = (each for each in self._stored if not (isinstance(each, Property) and each.late))
        return tuple(each for each in found if each.name not in worked and (each is not self.key or self.key_is_given))

    @cached_property
    def _worked(self) -> dict[Property, Expr]:
        """What the database works out as a row is made."""
        return self.completion.remote(self.initial)

    @cached_property
    def told(self) -> tuple[Property, ...]:
        """What an INSERT answers: the key, and what the database has worked out."""
        return (self.key, *self._worked)

    @cached_property
    def told_reader(self) -> Reader:
        return Reader(self.planner.schema, self.told)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return tuple(self.record.references())

    @cached_property
    def targets(self) -> tuple[tuple[str, RecordModel], ...]:
        """The name of each reference, with the record in whose table its targets are."""
        return tuple((each.name, each.target.root) for each in self.references)

    @cached_property
    def creation(self) -> RowCreation:
        """What making rows comes to."""
        reactions = self.planner.created(self.table)
        told = {each.name for each in self.told}
        return RowCreation(
            self.key.name,
            self.insert,
            self.initial_image,
            self.is_known,
            self.host_locks,
            self.told_reader,
            self.targets,
            reactions,
            must_tell=any(told & reaction.reads for reaction in reactions),
        )

    def values_of(self, instance: Record, key_of_new: KeyOf) -> Image:
        """What a record that is not stored yet has been given, references by their keys.

        ``key_of_new`` gives the key of one that was not stored either.
        """
        place = instance.__dict__
        values = {}
        for name in self._given_names:
            if name in place:
                values[name] = place[name]
        for reference in self.references:
            if reference.name in values:
                values[reference.name] = key_in(reference, values[reference.name], key_of_new)
        return values

    @cached_property
    def refers_to_itself(self) -> bool:
        """Whether one of its rows may refer to another one, or to itself."""
        return any(each.target.root is self.table for each in self.references)

    @cached_property
    def linking(self) -> tuple[tuple[str, Any, Reference], ...]:
        """Each reference with its name and the class of its targets."""
        return tuple((each.name, each.target.cls, each) for each in self.references)

    @cached_property
    def visible_names(self) -> tuple[str, ...]:
        """What a record that is not stored yet has."""
        return tuple(each.name for each in self.given if not each.hidden)

    @cached_property
    def _given_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.given)

    @cached_property
    def initial_image(self) -> dict[str, Any]:
        absent = {each.name: None for each in self.given if each.hidden}
        return {**absent, **{name: const.value for name, const in self.initial.items()}}

    def whole(self, executor: Executor, rows: Sequence[Image]) -> list[Image]:
        """What a maker gave, with what is known of the rest before the rows are made."""
        initial = self.initial_image
        images = [{**initial, **row} for row in rows]
        if not self.is_known:
            self.complete(executor, images)
        return images

    @cached_property
    def is_known(self) -> bool:
        """Whether :meth:`complete` has nothing to do."""
        return self._numbering is None and not self._asking and not self.completion.local

    def complete(self, executor: Executor, images: Sequence[Image]) -> None:
        """Put into rows what is known of them before they are made, beside what they start from."""
        if self._numbering is not None:
            self._numbering.give(executor, images)
        for asking in self._asking:
            asking(executor, images)
        if self.completion.local:
            for image in images:
                self.completion.complete(image)

    @cached_property
    def _numbering(self) -> Numbering | None:
        rules = [rule for rule in self.table.sequences if self.record.is_a(rule.property.owner)]
        return Numbering(self.planner, rules) if rules else None

    @cached_property
    def _asking(self) -> list[Asking]:
        return [Asking(self.planner, rule, self.completion.expanded) for rule in self.completion.asked]

    @cached_property
    def insert(self) -> Prepared:
        return self._insert(self.planner.statements.insert)

    @cached_property
    def insert_rows(self) -> PreparedRows:
        return self._insert(self.planner.statements.insert_rows)

    def _insert(self, make: Callable[..., S], unless: bool = True) -> S:
        local = (each.property for each in self.completion.rules if each.property in self.completion.local)
        given = (*self.given, *(rule.property for rule in self.completion.asked), *local)
        return make(self.table, given, self.initial, self._unless if unless else (), self._worked, HOST)

    @cached_property
    def insert_always(self) -> Prepared:
        """The INSERT of a record with an identity that lets the database refuse it."""
        return self._insert(self.planner.statements.insert, unless=False)

    @property
    def _unless(self) -> tuple[Stored, ...]:
        """What a record is known by: with the same values of these it is not made again."""
        return () if self.record.identity is None else self.record.identity.attributes

    @cached_property
    def host_locks(self) -> HostLocks | None:
        """What locks whom a row contributes to before it is written, where that must be."""
        dialect = self.planner.schema.dialect
        # Who changes a host and then numbers a record of it has both in this order.
        must = dialect.reference_locks or (dialect.for_update and self._numbering is not None)
        return HostLocks(self.planner, self.record) if must else None

    def creating(self, why: str) -> Iterator[Step]:
        """Every statement that making a record may issue, in order."""
        if self.host_locks is not None:
            yield from self.host_locks.steps()
        if self._numbering is not None:
            yield Step(self.planner.counters.take.sql, f"the next number of a {self.record}")
        for asking in self._asking:
            yield from asking.steps()
        yield Step(self.insert.sql, why)
        if self.record.identity is not None:
            yield from self.planner.identified(self.record).steps()

    # -- reading

    def read(self, names: frozenset[str]) -> tuple[Prepared, Reader]:
        """Reads and locks one row: its key, the named attributes, and what a change of them needs."""
        found = self._reads.get(names)
        if found is None:
            attributes = self.planner.attributes(self.record, self.read_before(names))
            statement = self.planner.statements.read(self.record, attributes, lock=True)
            found = self._reads[names] = statement, Reader(self.planner.schema, attributes)
        return found

    def read_before(self, names: frozenset[str]) -> frozenset[str]:
        """What must be known of a row before any of the named attributes changes, those among it."""
        watched = self.watched(names)
        needed = {each.name for each in self.planner.needed(self.record, watched)} if watched else set()
        needed |= self.completion.inputs(self._following(names))
        return frozenset({*names, *needed, *self.record.telling})

    def watched(self, names: frozenset[str]) -> frozenset[str]:
        """Those of the named attributes, and of what follows from them in the row, on which something depends."""
        found = self._watched.get(names)
        if found is None:
            attributes = (*self.planner.attributes(self.record, names), *self.completion.following(names))
            found = frozenset(each.name for each in attributes if self.planner.is_watched(each))
            self._watched[names] = found
        return found

    # -- changing and deleting

    def update(self, names: frozenset[str]) -> Prepared:
        """Sets the named attributes, and what follows from them in the row; answers what :meth:`after` asks for."""
        if names not in self._updates:
            attributes = self.planner.attributes(self.record, names)
            if self.completion.following(names):
                given = {each: Param(each.name, each.type) for each in attributes}
                completed = self.completion.completed(given)
                moved = self._asked_back(names)
                made = self.planner.statements.adjust(self.record, HOST, completed, {}, moved)
                if moved:
                    self._moved[names] = Reader(self.planner.schema, moved)
            else:
                made = self.planner.statements.update(self.record, attributes)
            self._updates[names] = made
        return self._updates[names]

    def change(self, names: frozenset[str]) -> RowChange:
        """What setting the named attributes comes to."""
        found = self._changes.get(names)
        if found is None:
            found = self._changes[names] = RowChange(
                self.update(names),
                self.watched(names),
                self.changed(names),
                not self.completion.rules,
                self.host_locks,
                tuple((name, root) for name, root in self.targets if name in names),
            )
        return found

    def update_rows(self, names: frozenset[str]) -> PreparedRows:
        """Does the same to several rows, which are given as :meth:`row_of_change` has them."""
        if names not in self._updates_of_rows:
            attributes = self.planner.attributes(self.record, names)
            given = {each: Param(f"{NEW}.{each.name}", each.type) for each in attributes}
            columns = [(KEY, self.key.type), *((param.name, param.type) for param in given.values())]
            told = (self.key, *self._asked_back(names))
            made = self.planner.statements.adjust_rows(
                self.record, HOST, self.completion.completed(given), columns, told if len(told) > 1 else ()
            )
            self._updates_of_rows[names] = made
        return self._updates_of_rows[names]

    def row_of_change(self, key: Any, changes: Image) -> Image:
        return {KEY: key, **{f"{NEW}.{name}": value for name, value in changes.items()}}

    def _asked_back(self, names: frozenset[str]) -> list[Property]:
        """What an update answers: what follows in the row, and only the database can tell."""
        return [each for each in self._following(names) if each not in self.completion.local]

    def changed(self, names: frozenset[str]) -> frozenset[str]:
        """The names, and what follows from them in the row."""
        following = self.completion.following(names)
        return names.union(each.name for each in following) if following else names

    def _following(self, names: frozenset[str]) -> Sequence[Property]:
        """What follows from the names in the row, and on which something depends."""
        watched = self.watched(names)
        return [each for each in self.completion.following(names) if each.name in watched]

    def after(self, old: Image, changes: Image, written: Result) -> Image:
        """What a row is after an update of it, as far as something depends on that."""
        new = {**old, **changes}
        if not self.completion.rules:
            return new
        names = frozenset(changes)
        self.completion.complete(new, self._following(names))
        reader = self._moved.get(names)
        return new if reader is None else {**new, **reader.image(written.fetchall()[0])}

    def after_rows(self, pairs: Sequence[tuple[Image, Image]], written: Result) -> list[tuple[Image, Image]]:
        """Rows as they were, and as they are after an update of the same attributes of all."""
        names = frozenset(pairs[0][1])
        following, back = self._following(names), self._asked_back(names)
        told: dict[Any, Image] = {}
        if back:
            reader = Reader(self.planner.schema, (self.key, *back))
            told = {image[self.key.name]: image for image in map(reader.image, written.fetchall())}
        found = []
        for old, changes in pairs:
            new = {**old, **changes}
            self.completion.complete(new, following)
            found.append((old, {**new, **told.get(old[self.key.name], {})}))
        return found

    @cached_property
    def told_when_deleted(self) -> tuple[Stored, ...]:
        """What reactions to a deletion, and whoever observes it, must know of the row."""
        if self.planner.is_observed(self.record):
            return tuple(self.record.stored())
        reads = {*self.record.telling}
        for reaction in self.planner.deleted(self.record):
            reads |= reaction.reads
        # A deleted reference proves that its target exists, see the guard.
        reads |= {each.name for each in self.record.references()}
        memory = self.planner.memory(self.record)
        return self.planner.attributes(self.record, reads if memory is None else reads | memory.names)

    @cached_property
    def delete(self) -> Prepared:
        return self.planner.statements.delete(self.record, self.told_when_deleted)

    @cached_property
    def delete_rows(self) -> PreparedRows:
        return self.planner.statements.delete_rows(self.record, self.told_when_deleted)

    @cached_property
    def deleted_reader(self) -> Reader:
        return Reader(self.planner.schema, self.told_when_deleted)

    @cached_property
    def dependents(self) -> tuple[Reference, ...]:
        """References to this record that say what its deletion does to those that have them."""
        return tuple(
            each for each in self.planner.model.referring_to(self.record) if each.on_delete in ("cascade", "set_null")
        )


def _follows_row(rule: ValueRule) -> bool:
    """Whether only rows of the kind that declares it have the value."""
    computation = rule.property.computation
    return computation is not None and computation.follows_row


def key_in(reference: Reference, value: Any, key_of_new: KeyOf) -> Any:
    """The key of the record that a new one was given for a reference."""
    if value is None:
        if reference.type.nullable:
            return None
        raise InvalidValue(
            f"{reference} is None, but {reference.type} is not optional",
            code="value.type",
            subject=str(reference),
            location=reference.location,
            hint="an event has a user where dispatch(..., user=) was given one",
        )
    if not isinstance(value, reference.target.cls):
        raise InvalidValue(
            f"{reference} is {value!r}, not a {reference.target}",
            code="value.reference",
            subject=str(reference),
            location=reference.location,
        )
    # A UUID is made with the record, so having a key is not being stored.
    return key_of(value) if ORIGIN in value.__dict__ else key_of_new(reference, value)


def _initial_values(rule: ValueRule) -> Mapping[str, Const]:
    constants = ((each, rule.initial(each)) for each in rule.kept)
    found = {each.name: const for each, const in constants if const is not None}
    if rule.value is not None:
        values = {name: const.value for name, const in found.items()}

        def source(expr: Expr) -> str | None:
            return f"host[{expr.name!r}]" if isinstance(expr, Attr) else None

        value = compile_function(rule.value, [HOST], source)(values)
        found[rule.property.name] = Const(value, rule.property.type)
    return found
