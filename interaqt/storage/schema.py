"""The tables of a model: their names in statements, their installation, their constraints in the model's words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, cast

import attrs
import peewee

from interaqt.core.errors import ConstraintViolationError, InvalidEntity, NotInstalled, SetupError
from interaqt.core.model import ONLY, Constant, Model, Property, RecordModel, Reference
from interaqt.storage.catalogue import column_types, own_names
from interaqt.storage.database import Database, Violation
from interaqt.storage.ddl import TableDefinition
from interaqt.storage.description import RecordKind, StoredConstraint, StoredRecord, StoredTable
from interaqt.storage.guard import Guard
from interaqt.storage.missing import added, missing, require_none

__all__ = ["RecordTable", "Schema", "column"]


def column(source: peewee.Source, attribute: Property | Reference) -> peewee.Column:
    """The column of an attribute, of a table or of one of its aliases; what is the same for all rows, as it is."""
    if isinstance(attribute, Constant):
        return cast("peewee.Column", peewee.SQL(str(ONLY)))
    return peewee.Column(source, attribute.column)


class RecordTable(peewee.Table):
    """The table of a record, which it knows."""

    def __init__(self, record: RecordModel) -> None:
        super().__init__(record.table)
        self.record = record


class Schema:
    """One model in one database.

    ``internal`` are records that the framework stores for itself, such as events; they have
    tables like all others but no class that a user could ask for.
    """

    def __init__(self, model: Model, database: Database, internal: Iterable[RecordModel] = ()) -> None:
        self.model = model
        self.database = database
        self.dialect = database.dialect
        self._records: tuple[RecordModel, ...] = (*model.tables(), *internal)
        _require_tables_apart(self._records)
        taken: set[str] = set()
        self._definitions = {record.table: TableDefinition(record, self.dialect, taken) for record in self._records}
        self._tables = {record.table: RecordTable(record) for record in self._records}
        guards = [guard for each in self._definitions.values() for guard in each.guards()]
        self._by_name = {guard.name: guard for guard in guards}
        self._by_columns = {
            (guard.kind, guard.record.table, tuple(each.column for each in guard.attributes)): guard
            for guard in guards
            if not guard.condition
        }
        # What an existing table may have been made without.
        self._addable = [guard for guard in guards if guard.kind == "unique" or guard.condition]

    # -- to be read

    @cached_property
    def records(self) -> tuple[StoredRecord, ...]:
        """The entities and relations of the model in the order in which they were given, then its views."""
        return tuple(_stored_record(each) for each in self.model.records.values() if each.sides is None)

    @cached_property
    def tables(self) -> tuple[StoredTable, ...]:
        """The tables, those that the framework keeps for itself among them."""
        return tuple(self._definitions[record.table].described() for record in self._records)

    @cached_property
    def constraints(self) -> tuple[StoredConstraint, ...]:
        """The named constraints of all tables."""
        return tuple(each.described() for record in self._records for each in self._definitions[record.table].guards())

    # -- in statements

    def table(self, record: RecordModel) -> peewee.Table:
        """The table under its own name: what INSERT, UPDATE and DELETE are about."""
        return self._tables[record.table]

    def alias(self, record: RecordModel, name: str) -> peewee.Table:
        """The table under another name, for reading."""
        return self._tables[record.table].alias(name)

    def for_change(self, query: peewee.Select) -> peewee.Select:
        """The select, locking its rows against others that change them."""
        form: Any = self.dialect.for_change
        return query.for_update(form) if self.dialect.for_update else query

    def for_this_alone(self, query: peewee.Select) -> peewee.Select:
        """The select, locking its rows against others that change them, delete them or come to refer to them."""
        return query.for_update("FOR UPDATE") if self.dialect.for_update else query  # type: ignore[arg-type]

    def for_keeping(self, query: peewee.Select, record: RecordModel) -> peewee.Select:
        """The select, locking its rows of a record so that they stay as they are."""
        form: Any = self.dialect.lock_of(record)
        return query.for_update(form) if form else query

    # -- in the database

    def install(self) -> None:
        """Create the tables that are missing.

        Doing it again does nothing, and several may do it at once. An existing table is never
        changed: one that lacks a column is an error that lists what is missing, and then nothing
        is created.
        """
        statements = self._lacking()
        while statements:
            try:
                self.database.run_ddl(statements)
                statements = []
            except Exception:
                lacking = self._lacking()
                if lacking == statements:
                    raise
                statements = lacking  # somebody else has made some of it meanwhile

    def _lacking(self) -> list[str]:
        """The statements that create what is missing."""
        existing = self.database.tables()
        self._require_columns(existing)
        definitions = [self._definitions[record.table] for record in self._ordered() if record.table not in existing]
        statements = [each.create() for each in definitions]
        for each in definitions:
            statements += each.add_references() + each.create_indexes() + each.create_partial()
        return statements + added(self.database, missing(self.database, self._addable, existing))

    def check(self) -> None:
        """Refuse to work on a database that is not installed, or that is for another model."""
        existing = self.database.tables()
        absent = [record.table for record in self._records if record.table not in existing]
        if absent:
            raise NotInstalled(
                f"the database has no table {', '.join(map(repr, absent))}",
                hint="create what is missing with controller.setup(install=True)",
            )
        self._require_columns(existing)
        require_none(missing(self.database, self._addable, existing))

    def ddl(self) -> list[str]:
        """The statements that create all of it, for a person to read."""
        definitions = [self._definitions[record.table] for record in self._ordered()]
        statements = [each.create() for each in definitions]
        for each in definitions:
            statements += each.add_references() + each.create_indexes() + each.create_partial()
        return statements

    def _require_columns(self, existing: dict[str, set[str]]) -> None:
        missing = [
            each
            for record in self._records
            if record.table in existing
            for each in record.stored()
            if each.column not in existing[record.table]
        ]
        if missing:
            hints = [self._definitions[each.record.table].column_hint(each) for each in missing]
            raise SetupError(
                "\n".join(
                    f"the table {each.record.table!r} has no column {each.column!r}, for {each}" for each in missing
                ),
                code="setup.missing_column",
                hint="\n".join(
                    ("an existing table is not changed by itself; add what is missing and fill it:", *hints)
                ),
            )

        self._require_types(existing)

    def _require_types(self, existing: dict[str, set[str]]) -> None:
        stored = [each for record in self._records if record.table in existing for each in record.stored()]
        if not stored:
            return
        found = column_types(self.database)
        wanted = {each: self.dialect.sql_type(each.type) for each in stored}
        names = own_names(self.database, set(wanted.values()))
        different = [
            f"{each} is {each.type}, stored as {names[type]}, but the column {each.column!r} of the table "
            f"{each.record.table!r} is {found[each.record.table, each.column]}"
            for each, type in wanted.items()
            if found.get((each.record.table, each.column), names[type]) != names[type]
        ]
        if different:
            raise SetupError(
                "\n".join(different),
                code="setup.column_type",
                hint="an existing column is not changed by itself; change its type, or what is declared",
            )

    def _ordered(self) -> list[RecordModel]:
        """Targets before what refers to them, as far as there is such an order."""
        ordered: dict[str, RecordModel] = {}
        visiting: set[str] = set()

        def visit(record: RecordModel) -> None:
            if record.table in ordered or record.table in visiting:
                return
            visiting.add(record.table)
            for reference in record.references():
                visit(reference.target.root)
            ordered[record.table] = record

        for record in self._records:
            visit(record)
        return list(ordered.values())

    # -- refused rows

    def violation(self, violation: Violation) -> ConstraintViolationError:
        """What a refused row means to who declared the model."""
        guard = self._by_name.get(violation.constraint) or self._by_columns.get(
            (violation.kind, violation.table, violation.columns)
        )
        if guard is None:
            guard = self._guard_of_columns(violation)
        if guard is None:
            return ConstraintViolationError(
                _UNKNOWN[violation.kind], kind=violation.kind, constraint=violation.constraint, record=violation.table
            )
        sides = guard.record.sides
        if sides is not None:
            guard = attrs.evolve(guard, record=sides.relation, attributes=sides.either)
        return ConstraintViolationError(
            _described(guard),
            kind=guard.kind,
            constraint=guard.name,
            record=guard.record.name,
            properties=tuple(each.name for each in guard.attributes),
            code=guard.code,
        )

    def _guard_of_columns(self, violation: Violation) -> Guard | None:
        """A constraint that has no name, or of which the database does not tell it."""
        record = next((record for record in self._records if record.table == violation.table), None)
        if record is None or not violation.columns:
            return None
        known = {each.column: each for each in record.stored()}
        attributes = tuple(known[name] for name in violation.columns if name in known)
        return Guard(violation.constraint, violation.kind, record, attributes) if attributes else None


def _require_tables_apart(records: Iterable[RecordModel]) -> None:
    """Refuse a record that would be stored in a table of the framework's own, which come last."""
    known: dict[str, RecordModel] = {}
    for each in records:
        other = known.setdefault(each.table, each)
        if other is not each:
            raise InvalidEntity(
                f"{other} would be stored in the table {each.table!r}, which the framework keeps for itself",
                code="entity.table_clash",
                subject=other.name,
                location=other.location,
                hint="give the class another name",
            )


def _stored_record(record: RecordModel) -> StoredRecord:
    return StoredRecord(
        name=record.name,
        kind=cast("RecordKind", record.kind),
        table=record.table,
        key=record.key.name,
        attributes=tuple(each.name for each in record.stored() if not each.hidden),
        ends=tuple(each.name for each in record.ends),
        identity=() if record.identity is None else tuple(each.name for each in record.identity.attributes),
        part_of=None if record.part_of is None or record.part_of.cls is record.cls else record.part_of.name,
    )


#: What can be said where the database does not tell which constraint it was.
_UNKNOWN = {
    "unique": "a value that must be unique exists already",
    "not_null": "a value that is not optional is None",
    "foreign_key": "a reference names a record that does not exist, or one to be deleted is still referred to",
    "check": "a value is not of its declared type",
}


def _described(guard: Guard) -> str:
    record, names = guard.record, " and ".join(each.name for each in guard.attributes)
    first = guard.attributes[0]
    match guard.kind:
        case "unique" if guard.condition:
            return f"there is a {record} with the same {names} already, among those of {guard.name!r}"
        case "unique":
            return f"there is a {record} with the same {names} already"
        case "not_null" if guard.condition:
            return f"{first} is None where {guard.name!r} says that it may not be"
        case "check" if guard.condition:
            return f"the {record} does not satisfy {guard.name!r}, which is about its {names}"
        case "not_null":
            return f"{first} is None, but it is not optional"
        case "foreign_key" if isinstance(first, Reference):
            return (
                f"{first} names a {first.target} that does not exist, or a {first.target} that is to be "
                f"deleted is still named by {first}"
            )
        case _:
            return f"{first} has a value that is not {first.type}"
