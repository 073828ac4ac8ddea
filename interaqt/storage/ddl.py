"""The schema statements of one record's table, written by Peewee.

Every rule that a declaration states and a database can hold is in the table itself, so it holds
for whoever writes to it: NOT NULL, UNIQUE, FOREIGN KEY, and CHECK where a type is narrower than
its column.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import peewee

from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.types import Kind
from interaqt.storage.convert import stored_type
from interaqt.storage.description import StoredColumn, StoredTable
from interaqt.storage.guard import Guard, add_guard, declared_guards, declared_unique, reserved
from interaqt.storage.names import object_name
from interaqt.storage.sql import inline

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["TableDefinition"]

#: What a sum kept beside a value starts from.
_ZERO: dict[Kind, object] = {
    Kind.INT: 0,
    Kind.FLOAT: 0.0,
    Kind.DECIMAL: Decimal(0),
    Kind.TIMEDELTA: dt.timedelta(0),
}


class _Column(peewee.Field):
    """A column whose type is the dialect's word for it."""

    def __init__(self, words: str, **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def ddl_datatype(self, ctx: peewee.Context) -> peewee.SQL:
        return peewee.SQL(self.words)


class TableDefinition:
    """How one record is stored. ``taken`` are the names of other tables' constraints and indexes."""

    def __init__(self, record: RecordModel, dialect: Dialect, taken: set[str]) -> None:
        self.record = record
        self._dialect = dialect
        self._taken = taken
        self._table = peewee.Table(record.table)
        self.uniques = tuple(self._unique_guard(group) for group in _unique_groups(record))
        self.references = tuple(
            Guard(self._name((each,), "fkey"), "foreign_key", record, (each,)) for each in record.references()
        )
        self._checks = {
            each.name: Guard(self._name((each,), "check"), "check", record, (each,))
            for each in record.properties()
            if self._check_of(each) is not None
        }
        self.declared = tuple(declared_guards(record, dialect, taken))
        # The shorter ones first: a foreign key is kept by the first one that fits, where it needs one.
        indexed = sorted(self._indexed(), key=lambda each: len(each[0]))
        self._indexes = [(self._name(group, "idx"), group, equal) for group, equal in indexed]

    def guards(self) -> Iterator[Guard]:
        yield from self.uniques
        yield from self.references
        yield from self._checks.values()
        yield from self.declared

    def described(self) -> StoredTable:
        """The table, for programs."""
        columns = tuple(
            StoredColumn(each.column, each.name, self._type(each), each.type.nullable, each is self.record.key)
            for each in self.record.stored()
        )
        return StoredTable(self.record.table, self.record.name, columns)

    def _type(self, attribute: Property | Reference) -> str:
        if attribute is self.record.key:
            return self._dialect.indexed_type(attribute.type)  # without what counts it
        return self._column(attribute).words

    def create(self) -> str:
        """``CREATE TABLE``, with all that needs no other table to exist."""
        constraints = [self._unique(guard) for guard in self.uniques]
        constraints += [self._declared(guard) for guard in self.declared if guard.kind != "unique"]
        constraints += [self._check(self.record.attributes[name], guard) for name, guard in self._checks.items()]
        if self._dialect.references_inline:
            constraints += [self._foreign_key(guard) for guard in self.references]
        if self._dialect.indexes_inline:
            constraints += [self._index(name, group) for name, group, _ in self._indexes]
        meta = type(
            "Meta",
            (),
            {
                "table_name": self.record.table,
                "constraints": constraints,
                "table_settings": self._dialect.table_options or None,
                "primary_key": False,
            },
        )
        # Peewee's attribute names are of no use here, and a column may be called like a method.
        fields = {f"column_{place}": self._column(each) for place, each in enumerate(self.record.stored())}
        model = cast("type[peewee.Model]", type(self.record.name, (peewee.Model,), {"Meta": meta, **fields}))
        manager: Any = peewee.SchemaManager(model, self._dialect.peewee)
        return inline(manager._create_table(safe=False), self._dialect)

    def add_references(self) -> list[str]:
        """The foreign keys, where they are added once all tables exist; so references may be circular."""
        if self._dialect.references_inline:
            return []
        return [
            inline(
                peewee.NodeList((peewee.SQL("ALTER TABLE"), self._name_of(self.record), peewee.SQL("ADD"), key)),
                self._dialect,
            )
            for key in map(self._foreign_key, self.references)
        ]

    def create_partial(self) -> list[str]:
        """The indexes that keep values unique among some of the rows."""
        return [add_guard(guard, self._dialect) for guard in self.declared if guard.kind == "unique"]

    def create_indexes(self) -> list[str]:
        if self._dialect.indexes_inline:
            return []
        return [
            inline(peewee.Index(name, self._table, self._index_columns(group, equal)), self._dialect)
            for name, group, equal in self._indexes
        ]

    def _index_columns(self, group: tuple[Property | Reference, ...], equal: int) -> list[peewee.Node]:
        # An order is found in an index that is kept in the very order that is asked for.
        columns: list[peewee.Node] = [peewee.Entity(each.column) for each in group]
        rest = zip(columns[equal:], group[equal:], strict=True)
        return [*columns[:equal], *(self._dialect.ordering(name, each.type) for name, each in rest)]

    def column_hint(self, attribute: Property | Reference) -> str:
        """The statement that would add the column to an existing table, for a person to judge."""
        null = "" if attribute.type.nullable else " NOT NULL"
        return inline(
            peewee.NodeList(
                (
                    peewee.SQL("ALTER TABLE"),
                    self._name_of(self.record),
                    peewee.SQL("ADD COLUMN"),
                    peewee.Entity(attribute.column),
                    peewee.SQL(self._words(attribute) + null),
                )
            ),
            self._dialect,
        )

    # -- columns and constraints

    def _column(self, attribute: Property | Reference) -> _Column:
        type = stored_type(attribute.type)
        options: dict[str, Any] = {"column_name": attribute.column, "null": attribute.type.nullable}
        if isinstance(attribute, Reference):
            return _Column(self._words(attribute), **options)
        constraints: list[peewee.Node] = []
        words = self._words(attribute)
        if attribute.key:
            options["primary_key"] = True
            if type.kind is Kind.INT and not type.members:
                # A key is never given again, even after its record was deleted.
                if self._dialect.identity == "AUTOINCREMENT":
                    constraints.append(peewee.SQL(self._dialect.identity))  # belongs to PRIMARY KEY there
                else:
                    words += f" {self._dialect.identity}"
        elif attribute.hidden and not type.nullable and type.kind in _ZERO:
            convert = self._dialect.to_db(type)
            zero = _ZERO[type.kind]
            constraints.append(peewee.SQL(f"DEFAULT {self._dialect.quoted(convert(zero) if convert else zero)}"))
        return _Column(words, constraints=constraints or None, **options)

    def _words(self, attribute: Property | Reference) -> str:
        asked_for = {each for _, group, equal in self._indexes if equal == len(group) for each in group}
        is_indexed = attribute is self.record.key or attribute in self._covered | asked_for
        choose = self._dialect.indexed_type if is_indexed else self._dialect.column_type
        return choose(stored_type(attribute.type))

    @property
    def _covered(self) -> set[Property | Reference]:
        """What is part of a key that the database keeps unique, and so of an index."""
        partial = (guard for guard in self.declared if guard.kind == "unique")
        return {each for guard in (*self.uniques, *partial) for each in guard.attributes}

    def _check(self, attribute: object, guard: Guard) -> peewee.Node:
        assert isinstance(attribute, Property)
        check = self._check_of(attribute)
        return peewee.NodeList((peewee.SQL("CONSTRAINT"), peewee.Entity(guard.name), peewee.SQL(f"CHECK ({check})")))

    def _index(self, name: str, group: tuple[Property | Reference, ...]) -> peewee.Node:
        columns = [
            peewee.NodeList((peewee.Entity(each.column), peewee.SQL(self._dialect.indexed_part(self._words(each)))))
            for each in group
        ]
        return peewee.NodeList((peewee.SQL("INDEX"), peewee.Entity(name), peewee.EnclosedNodeList(columns)))

    def _check_of(self, attribute: Property) -> str | None:
        return self._dialect.check(attribute.type, attribute.column)

    def _unique_guard(self, group: tuple[Property | Reference, ...]) -> Guard:
        declared = declared_unique(self.record, group)
        if declared is None or declared.name is None:
            name = self._name(group, "key")
        else:
            name = reserved(declared.name, declared, self._taken)
        return Guard(name, "unique", self.record, group, code=declared.code if declared else None)

    @staticmethod
    def _declared(guard: Guard) -> peewee.Node:
        check = peewee.SQL(f"CHECK ({guard.condition})")
        return peewee.NodeList((peewee.SQL("CONSTRAINT"), peewee.Entity(guard.name), check))

    def _unique(self, guard: Guard) -> peewee.Node:
        columns = [peewee.Entity(each.column) for each in guard.attributes]
        return peewee.NodeList(
            (
                peewee.SQL("CONSTRAINT"),
                peewee.Entity(guard.name),
                peewee.SQL("UNIQUE"),
                peewee.EnclosedNodeList(columns),
            )
        )

    def _foreign_key(self, guard: Guard) -> peewee.Node:
        """Refuses a dangling reference, and does no more.

        What a deletion does to the records that refer to the deleted one is done by the engine,
        before: a row that the database deletes or changes by itself is one that no computation
        hears of.
        """
        (reference,) = guard.attributes
        assert isinstance(reference, Reference)
        target = reference.target
        return peewee.NodeList(
            (
                peewee.SQL("CONSTRAINT"),
                peewee.Entity(guard.name),
                peewee.SQL("FOREIGN KEY"),
                peewee.EnclosedNodeList([peewee.Entity(reference.column)]),
                peewee.SQL("REFERENCES"),
                self._name_of(target),
                peewee.EnclosedNodeList([peewee.Entity(target.key.column)]),
                peewee.SQL("ON DELETE NO ACTION"),
            )
        )

    def _indexed(self) -> Iterator[tuple[tuple[Property | Reference, ...], int]]:
        """What needs an index of its own, and how many of it are asked for by their values; the rest by its order.

        A reference is followed backwards for collections and deletions; computations look records up.
        """
        known = [tuple(each.name for each in guard.attributes) for guard in self.uniques]
        # The longer ones first: each of them is an index of what it begins with, too.
        for index in sorted(self.record.indexes, key=lambda each: -len(each.attributes)):
            if not any(names[: len(index.attributes)] == index.attributes for names in known):
                known.append(index.attributes)
                found = [self.record.attributes[name] for name in index.attributes]
                group = tuple(each for each in found if isinstance(each, Property | Reference))
                yield group, index.found_by if index.ordered else len(group)
        if self._dialect.reference_locks:
            # Whoever writes to the index that keeps a foreign key holds what it refers to: not for any other value.
            known = known[: len(self.uniques)]
        covered = {names[0] for names in known} | {self.record.key.name}
        for each in self.record.stored():
            if each.name not in covered and (isinstance(each, Reference) or each.index):
                yield (each,), 1

    def _name(self, attributes: tuple[Property | Reference, ...], suffix: str) -> str:
        columns = [each.column for each in attributes]
        name = object_name(self.record.table, columns, suffix)
        if name in self._taken:
            name = object_name(self.record.table, columns, suffix, distinct=True)
        self._taken.add(name)
        return name

    @staticmethod
    def _name_of(record: RecordModel) -> peewee.Entity:
        return peewee.Entity(record.table)


def _unique_groups(record: RecordModel) -> list[tuple[Property | Reference, ...]]:
    """The groups of attributes that are unique together, each once."""
    alone = [(each.name,) for each in record.stored() if each.unique and not getattr(each, "key", False)]
    found: list[tuple[Property | Reference, ...]] = []
    for names in dict.fromkeys((*alone, *record.unique)):
        group = [record.attributes[name] for name in names]
        found.append(tuple(each for each in group if isinstance(each, Property | Reference)))
    for declared in record.constraints:
        plain = declared.kind == "unique" and declared.condition is None
        if plain and not any(set(declared.attributes) == set(group) for group in found):
            found.append(declared.attributes)
    return found
