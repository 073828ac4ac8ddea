"""One run of one transaction: every write of records, and what follows from each.

A write is a statement and then its reactions, each followed to its end; see ``planner`` for why
that order keeps all derived values right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Protocol

from interaqt.core.computations import Derivation, Ending
from interaqt.core.errors import InvalidValue, RecordNotFound
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import Record
from interaqt.core.values import check_of
from interaqt.runtime.created import Created, CreatedRows, Told
from interaqt.runtime.doomed import Doomed, Place
from interaqt.runtime.effects import Effect, Mutation, Touched
from interaqt.runtime.planner import Planner
from interaqt.runtime.reaction import Came, Pair
from interaqt.runtime.refused_reference import require_named, require_unnamed
from interaqt.storage.database import Result, Transaction
from interaqt.storage.prepared import KEY, Image, Prepared
from interaqt.storage.programs import Counted

if TYPE_CHECKING:
    from interaqt.core.computations import Rule
    from interaqt.runtime.rows import RowCreation, RowStatements

__all__ = ["Created", "Later", "Run", "missing"]


class Later(Protocol):
    """Something that looks after what its rule keeps, once a group of writes is done."""

    @property
    def rule(self) -> Rule: ...
    @property
    def over(self) -> RecordModel:
        """The record whose keys are remembered; one that is deleted is forgotten."""

    def bring(self, run: Run, due: Mapping[Any, Any]) -> None:
        """Bring about what was remembered, by key."""


class Run:
    """The writes of one attempt, in ``tx``; ``mutations`` and ``created`` tell what they were."""

    def __init__(self, planner: Planner, tx: Transaction, ghost: Callable[[type[Any], Any], Record]) -> None:
        self.planner = planner
        self.tx = tx
        self._ghost = ghost
        self.created: list[Created] = []
        self.mutations: list[Effect | Created] = []
        self.proven: set[tuple[RecordModel, Any]] = set()
        """Records that are known to exist: a foreign key, a lock or an update says so."""
        self.proven_keys: defaultdict[RecordModel, set[Any]] = defaultdict(set)
        """The same, of rows that were created by their columns."""
        self.ending: Set[Place] = frozenset()
        """What a deletion that is going on will reach."""
        self.due: dict[Rule, tuple[Later, dict[Any, Any]]] = {}
        """What waits for :meth:`settle`."""
        self._let_go: Set[Place] = frozenset()
        """What goes since its source does not want it: nobody has ended it."""

    def forget_proofs(self) -> None:
        """Before what a next event names is looked at: what was there for one may be gone for another."""
        self.proven.clear()
        self.proven_keys.clear()

    # -- creating

    def create(self, record: RecordModel, rows: Sequence[Image]) -> list[Created]:
        """Create records from what their makers gave, by one statement."""
        if not rows:
            return []
        if record.identity is not None:
            return self.planner.identified(record).create(self, rows)
        statements = self.planner.rows(record)
        creation = statements.creation
        images, result = self.insert(statements, rows)
        if result.__class__ is Counted:
            images[0][creation.key] = result.key
            return self._follow(creation, [Created(record, images[0])])
        told = Told(result, images, creation.told_reader)
        if not self.planner.pipelined:
            # Where nothing is gained by waiting, an unread result would only keep its statement open.
            told.fetch()
        return self._follow(creation, [Created(record, image, told) for image in images])

    def create_rows(self, record: RecordModel, columns: Mapping[str, Sequence[Any]], length: int) -> CreatedRows:
        """As :meth:`create`, for many rows, by their columns, of a record without an identity: whoever calls tells."""
        statements = self.planner.rows(record)
        creation = statements.creation
        fixed = {name: [value] * length for name, value in creation.initial.items()}
        rows = CreatedRows(record, {**fixed, **columns}, length)
        try:
            if creation.host_locks is not None:
                creation.host_locks.lock(self.tx, lambda name: rows.columns.get(name, ()))
            if not creation.is_known:
                statements.complete(self.tx, rows.images)
                rows.columns = {name: [image[name] for image in rows.images] for name in rows.images[0]}
            result = statements.insert_rows.run_columns(self.tx, rows.columns)
        except Exception as error:
            self._say(error, record, rows.images)
            raise
        rows.answered(result, creation.told_reader)
        if not self.planner.pipelined:
            rows.fetch()
        for name, root in creation.targets:
            self.proven_keys[root].update(rows.columns[name])
        if creation.reactions:
            if creation.must_tell:
                rows.fetch()
            pairs = Came(rows.images)
            for reaction in creation.reactions:
                reaction.run(self, pairs)
        return rows

    def insert(self, statements: RowStatements, rows: Sequence[Image]) -> tuple[list[Image], Result]:
        """Insert rows and no more; answers them with what they start from, and what the statement answers."""
        creation = statements.creation
        images = rows
        try:
            if creation.host_locks is not None:
                creation.host_locks.lock(self.tx, lambda name: [row.get(name) for row in rows])
            if len(rows) == 1 and creation.is_known:
                image = {**creation.initial, **rows[0]}
                return [image], creation.insert.run(self.tx, image)
            images = statements.whole(self.tx, rows)
            if len(rows) == 1:
                return images, creation.insert.run(self.tx, images[0])
            return images, statements.insert_rows.run(self.tx, images)
        except Exception as error:
            self._say(error, statements.record, images)
            raise

    def _say(self, error: Exception, record: RecordModel, images: Sequence[Image]) -> None:
        """Raise what a refusal to write rows means, by the attribute that it is about."""
        if isinstance(error, InvalidValue):
            raise _named(error, record, images) from None
        require_named(error, self, record, images)

    def insist(self, record: RecordModel, row: Image) -> None:
        """Insert a row of which the database shall say why it will not have it."""
        statements = self.planner.rows(record)
        statements.insert_always.run(self.tx, statements.whole(self.tx, [row])[0])

    def came(self, record: RecordModel, images: Sequence[Image]) -> list[Created]:
        """Note rows that were inserted, whose keys are known, and follow what depends on them."""
        if not images:
            return []
        return self._follow(self.planner.rows(record).creation, [self.known(record, image) for image in images])

    @staticmethod
    def known(record: RecordModel, image: Image) -> Created:
        """A row whose key is known."""
        return Created(record, image)

    def _follow(self, creation: RowCreation, made: list[Created]) -> list[Created]:
        self.created += made
        self.mutations += made
        for name, root in creation.targets:
            for each in made:
                self.proven.add((root, each.image[name]))
        if creation.reactions:
            if creation.must_tell:
                for each in made:
                    each.complete()
            pairs: list[Pair] = [(None, made[0].image)] if len(made) == 1 else [(None, each.image) for each in made]
            for reaction in creation.reactions:
                reaction.run(self, pairs)
        return made

    def values_of(self, record: RecordModel, values: Mapping[str, Any]) -> Image:
        """What making a record of traced values gives: through attrs, so defaults and validators count.

        The values are of the types that the record declares; which kind another one is need not be asked.
        """
        arguments = {}
        for name, value in values.items():
            attribute = record.attributes[name]
            is_reference = isinstance(attribute, Reference) and value is not None
            arguments[name] = self._ghost(attribute.target.cls, value) if is_reference else value  # type: ignore[attr-defined]
        return self.planner.rows(record).values_of(record.cls(**arguments), _never_new)

    # -- changing

    def update(self, record: RecordModel, key: Any, changes: Image) -> None:
        """Set attributes of one record; raises :class:`~interaqt.RecordNotFound` where there is none."""
        names = frozenset(changes)
        statements = self.planner.rows(record)
        if not statements.watched(names):
            self.write(record, key, names, statements.update(names), changes)
            return
        old = self.read(record, key, names)
        if old is None:
            raise missing(record, key)
        self.change(record, old, changes)

    def write(
        self, record: RecordModel, key: Any, names: frozenset[str], statement: Prepared, given: Mapping[str, Any]
    ) -> None:
        """Set attributes of one record on which nothing depends, whatever they were, by the statement."""
        if self._write(statement, record, {**given, KEY: key}).rowcount == 0:
            raise missing(record, key)
        self.proven.add((record, key))
        self.touched(record, key, self.planner.rows(record).changed(names))

    def read(self, record: RecordModel, key: Any, names: frozenset[str]) -> Image | None:
        """Lock a row and read what a change of the named attributes needs of it; None if it is not there."""
        statement, reader = self.planner.rows(record).read(names)
        row = statement.run(self.tx, {KEY: key}).fetchone()
        if row is None:
            return None
        self.proven.add((record, key))
        return reader.image(row)

    def change(self, record: RecordModel, old: Image, changes: Image) -> None:
        """Set attributes of a record that :meth:`read` has locked; what is as it was is no change."""
        for name, value in changes.items():
            if old[name] == value:
                changes = {name: value for name, value in changes.items() if old[name] != value}
                break
        if changes:
            names = frozenset(changes)
            statements = self.planner.rows(record)
            change = statements.change(names)
            if change.host_locks is not None:
                change.host_locks.lock(self.tx, lambda name: (changes.get(name),))
            written = self._write(change.statement, record, {**changes, KEY: old[record.key.name]})
            for name, root in change.targets:
                self.proven.add((root, changes[name]))
            new = {**old, **changes} if change.is_all else statements.after(old, changes, written)
            self.updated(record, [(old, new)], change.watched, change.names)

    def change_rows(self, record: RecordModel, found: Iterable[tuple[Image, Image]]) -> None:
        """Set attributes of records that are locked and known as they were: one statement for the same attributes."""
        groups: dict[frozenset[str], list[tuple[Image, Image]]] = {}
        for old, values in found:
            changes = {name: value for name, value in values.items() if old[name] != value}
            if changes:
                groups.setdefault(frozenset(changes), []).append((old, changes))
        for names, pairs in groups.items():
            if len(pairs) == 1:
                self.change(record, *pairs[0])
            else:
                self._change_rows(record, names, pairs)

    def _change_rows(self, record: RecordModel, names: frozenset[str], pairs: Sequence[tuple[Image, Image]]) -> None:
        statements, key = self.planner.rows(record), record.key.name
        pairs = sorted(pairs, key=lambda pair: pair[0][key])
        given = [changes for _, changes in pairs]
        if statements.host_locks is not None:
            statements.host_locks.lock(self.tx, lambda name: [changes.get(name) for changes in given])
        rows = [statements.row_of_change(old[key], changes) for old, changes in pairs]
        try:
            written = statements.update_rows(names).run(self.tx, rows)
        except InvalidValue as error:
            raise _named(error, record, given) from None
        for each in statements.references:
            if each.name in names:
                self.proven |= {(each.target.root, changes[each.name]) for changes in given}
        self.updated(
            record, statements.after_rows(pairs, written), statements.watched(names), statements.changed(names)
        )

    def _write(self, statement: Prepared, record: RecordModel, given: Image) -> Result:
        try:
            return statement.run(self.tx, given)
        except InvalidValue as error:
            raise _named(error, record, [given]) from None
        except Exception as error:
            require_named(error, self, record, [given])
            raise

    def touched(self, record: RecordModel, key: Any, names: frozenset[str]) -> None:
        """Note a change on which nothing depends."""
        self.mutations.append(Mutation("update", record.cls, key, names))

    def all_touched(self, record: RecordModel, keys: Sequence[Any], names: frozenset[str]) -> None:
        """As :meth:`touched`, of several records."""
        self.mutations.append(Touched(record.cls, keys, names))

    def updated(
        self, record: RecordModel, pairs: Sequence[tuple[Image, Image]], watched: frozenset[str], names: frozenset[str]
    ) -> None:
        """Note a change, and follow what depends on the watched ones of its attributes."""
        key = record.key.name
        changed: set[str] = set()
        moved: list[Pair] = []
        for pair in pairs:
            old, new = pair
            cls = record.cls if record.family is None else record.class_of(new)
            self.mutations.append(Mutation("update", cls, old[key], names, new, old))
            has_moved = False
            for name in watched:
                if name in old and old[name] != new[name]:
                    changed.add(name)
                    has_moved = True
            if has_moved:
                moved.append(pair)
        if moved:
            for reaction in self.planner.updated(record, frozenset(changed)):
                reaction.run(self, moved)

    # -- what can wait until a group of writes is done

    def later(self, reaction: Later) -> dict[Any, Any]:
        """What is remembered for :meth:`settle` to bring about: something for each key, the reaction's to fill."""
        return self.due.setdefault(reaction.rule, (reaction, {}))[1]

    def settle(self, *, records: bool = False) -> None:
        """Bring about what was remembered, that first from which other things follow.

        It is called between writes, when all that they mean to other values is written. With
        ``records`` it stops once no derived record is waiting any more.
        """
        while self.due:
            if records and not any(isinstance(rule, Derivation) for rule in self.due):
                return
            rule = min(self.due, key=self.planner.graph.level)
            reaction, due = self.due.pop(rule)
            reaction.bring(self, due)

    # -- deleting

    def delete(self, record: RecordModel, keys: Sequence[Any]) -> int:
        """Delete records, and before them what goes with them; answers how many there were."""
        memory = self.planner.memory(record)
        if memory is not None and keys:
            memory.hold(self, keys)
        return self._delete(record, keys)

    def let_go(self, record: RecordModel, keys: Sequence[Any]) -> None:
        """Delete records that their sources, which are locked, do not want any more."""
        before = self._let_go
        self._let_go = before | {(record, key) for key in keys}
        self._delete(record, keys)
        self._let_go = before

    def _delete(self, record: RecordModel, keys: Sequence[Any]) -> int:
        if not self.planner.rows(record).dependents:
            return len(self._remove(record, keys))
        doomed = Doomed(self, record, keys)
        before = self.ending
        self.ending = before | doomed.places()
        deleted = 0
        for kind, these in doomed.groups:
            for key in these:
                for (other, other_key), reference in doomed.released.get((kind, key), ()):
                    old = self.read(other, other_key, frozenset({reference.name}))
                    if old is not None:
                        self.change(other, old, {reference.name: None})
            # What is derived may have to let go of it, too.
            self.settle(records=True)
            gone = self._remove(kind, these)
            deleted += sum(key in keys for key in gone) if kind is record else 0
        self.ending = before
        return deleted

    def is_ending(self, record: RecordModel, key: Any) -> bool:
        """Whether a deletion that is going on will reach the record: then nothing is derived from it any more."""
        return (record, key) in self.ending

    def _remove(self, record: RecordModel, keys: Sequence[Any]) -> list[Any]:
        """Delete rows by one statement; answers the keys of those that there were."""
        if not keys:
            return []
        statements = self.planner.rows(record)
        try:
            if len(keys) == 1:
                result = statements.delete.run(self.tx, {KEY: keys[0]})
            else:
                result = statements.delete_rows.run(self.tx, [{KEY: key} for key in sorted(keys)])
        except Exception as error:
            require_unnamed(error, self, record, lambda: keys)
            raise
        images = [statements.deleted_reader.image(row) for row in result.fetchall()]
        self._gone(record, images)
        return [image[record.key.name] for image in images]

    def end(self, rule: Ending, deletion: Prepared, search: Prepared, given: Mapping[str, Any]) -> None:
        """Delete the records that a ``deleted_by`` finds, by one statement where nothing refers to them."""
        statements = self.planner.rows(rule.record)
        if not statements.dependents:
            try:
                rows = deletion.run(self.tx, given).fetchall()
            except Exception as error:
                require_unnamed(error, self, rule.record, lambda: self._found(rule.record, search, given))
                raise
            self._gone(rule.record, [statements.deleted_reader.image(row) for row in rows])
            return
        self._delete(rule.record, self._found(rule.record, search, given))

    def _found(self, record: RecordModel, search: Prepared, given: Mapping[str, Any]) -> list[Any]:
        """The keys that a statement finds."""
        convert = self.planner.schema.dialect.from_db(record.key.type)
        rows = search.run(self.tx, given).fetchall()
        return [stored if convert is None else convert(stored) for (stored,) in rows]

    def referring(self, reference: Reference, keys: Iterable[Any]) -> Iterator[tuple[Place, Place]]:
        """The records whose reference leads to one with a key among these, locked, each with that one."""
        statement, reader = self.planner.referring(reference)
        for row in statement.run(self.tx, [{KEY: key} for key in keys]).fetchall():
            image = reader.image(row)
            yield (reference.record, image[reference.record.key.name]), (reference.target.root, image[reference.name])

    def _gone(self, record: RecordModel, images: Sequence[Image]) -> None:
        if not images:
            return
        memory = self.planner.memory(record)
        if memory is not None:
            key = record.key.name
            memory.remember(self, [image for image in images if (record, image[key]) not in self._let_go])
        for later, due in self.due.values():
            if later.over is record:
                for image in images:
                    due.pop(image[record.key.name], None)
        for image in images:
            self.mutations.append(Mutation("delete", record.class_of(image), image[record.key.name], old=image))
            # What is deleted was there.
            self.proven.add((record, image[record.key.name]))
            for reference in self.planner.rows(record).references:
                self.proven.add((reference.target.root, image[reference.name]))
        before = self.ending
        if self.planner.rows(record).refers_to_itself:
            # What one of them counted for may be gone with it, and be itself.
            self.ending = before | {(record, image[record.key.name]) for image in images}
        for reaction in self.planner.deleted(record):
            reaction.run(self, [(image, None) for image in images])
        self.ending = before


def _named(error: InvalidValue, record: RecordModel, images: Sequence[Image]) -> InvalidValue:
    """The error with the attribute that it is about: the conversion knows only the value."""
    for image in images:
        for each in record.stored():
            if each.name in image and isinstance(each, Property):
                wrong = check_of(each.type)(image[each.name])
                if wrong is not None:
                    return InvalidValue(f"{each} {wrong}", code=error.code, subject=str(each), location=each.location)
    error.at(record.name, record.location)
    return error


def missing(record: RecordModel, key: Any) -> RecordNotFound:
    return RecordNotFound(f"there is no {record} with the {record.key.name} {key!r}", subject=record.name)


def _never_new(reference: Reference, value: Record) -> Any:
    raise AssertionError(f"{reference} of a derived record is read from the database, so it has a key")
