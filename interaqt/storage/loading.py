"""Loading records by keys: the statements, each written once, for one key and for any number of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, Literal

import peewee

from interaqt.core.errors import RecordNotFound
from interaqt.core.expressions import LINK, TRUE, Expr, Root
from interaqt.core.model import Collection as CollectionModel
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.moments import NOW
from interaqt.core.parts import MEMBER, belongs
from interaqt.core.record import Record, key_of
from interaqt.core.types import ValueType
from interaqt.storage.cohort import Cohort
from interaqt.storage.convert import stored_type
from interaqt.storage.database import Executor
from interaqt.storage.moment import Clock
from interaqt.storage.records import Shape
from interaqt.storage.row_classes import RowClasses
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Row, Scope
from interaqt.storage.sql import bind, binder, compile_statement, converters_of, plain

__all__ = ["Loader", "Lock"]

Rows = list[Sequence[Any]]

#: Against whom a row that is read stays locked: others that change it, to ``change`` it, or to ``keep`` it as it is;
#: or all that come to refer to it, too, to have it ``alone``.
Lock = Literal["alone", "change", "keep"] | None


class Loader:
    """Reads records of one schema. ``executor`` gives what runs a statement now; ``clock`` says when that is."""

    def __init__(self, schema: Schema, executor: Callable[[], AbstractContextManager[Executor]], clock: Clock) -> None:
        self.schema = schema
        self.executor = executor
        self.clock = clock
        self.classes = RowClasses(schema.model)
        self._shapes: dict[RecordModel, Shape] = {}
        self._selects: dict[tuple[Property | Reference | CollectionModel, RecordModel, bool, Lock], _Select] = {}

    def at(self, moment: dt.datetime) -> Loader:
        """Loads records as they are at another moment, as far as that is a matter of the clock."""
        loader = copy(self)
        loader.clock = lambda: moment
        return loader

    def shape(self, record: RecordModel) -> Shape:
        found = self._shapes.get(record)
        if found is None:
            found = self._shapes[record] = Shape(record, self.schema, self.classes)
        return found

    # -- records

    def records(self, record: RecordModel, rows: Iterable[Sequence[Any]], cohort: Cohort | None = None) -> list[Record]:
        """Rows of the record's shape as records of one cohort."""
        cohort = cohort or Cohort(self, record)
        made = self.shape(record).make(rows, cohort)
        cohort.admit(made)
        return made

    def by(
        self,
        attribute: Property | Reference,
        keys: Collection[Any],
        record: RecordModel,
        cohort: Cohort | None = None,
    ) -> list[Record]:
        """The records of which the attribute has one of the keys, in the order of their own, locked as the cohort's."""
        lock = None if cohort is None else cohort.lock
        return self.records(record, self.rows_by(attribute, keys, record, lock), cohort)

    def rows_by(
        self,
        attribute: Property | Reference,
        keys: Collection[Any],
        record: RecordModel,
        lock: Lock = None,
        *,
        anyway: bool = False,
    ) -> Rows:
        """Rows in the record's shape of which the attribute has one of the keys.

        ``anyway`` takes those, too, that are not in the view, if the record is one.
        """
        select = self._selects.get((attribute, record, anyway, lock))
        if select is None:
            table = self.schema.alias(record, record.table)
            query = table.select(*self.shape(record).columns(table)).order_by(column(table, record.key))
            within = record.made_as if anyway else record
            query = self._where(query, belongs(within, Root(MEMBER, record.root)), MEMBER, table)
            match lock:
                case "alone":
                    query = self.schema.for_this_alone(query)
                case "change":
                    query = self.schema.for_change(query)
                case "keep":
                    query = self.schema.for_keeping(query, record)
            select = _Select(self.schema, query, column(table, attribute), attribute.type)
            self._selects[attribute, record, anyway, lock] = select
        return self._run(select, keys)

    def _where(self, query: peewee.Select, condition: Expr, root: str, table: peewee.Table) -> peewee.Select:
        if condition == TRUE:
            return query
        return query.where(Scope(self.schema, {root: Row(table)}, live=True).render(plain(condition)))

    def beyond(
        self, collection: CollectionModel, keys: Collection[Any], cohort: Cohort | None = None
    ) -> list[tuple[Any, Record]]:
        """What is past the links of the records with the keys: each with the key it belongs to.

        Of a cohort that is locked only the keys are known: they are read again, in their order, when
        something of one is asked for.
        """
        far, record = collection.far, collection.target
        assert far is not None
        select = self._selects.get((collection, record, False, None))
        if select is None:
            link = self.schema.alias(collection.link, "link")
            target = self.schema.alias(far.target, "far")
            query = (
                link.select(column(link, collection.via), *self.shape(record).columns(target))
                .join(target, peewee.JOIN.INNER, column(link, far) == column(target, far.target.key))
                .order_by(column(link, collection.link.key))
            )
            query = self._where(query, collection.where or TRUE, LINK, link)
            select = _Select(self.schema, query, column(link, collection.via), collection.via.type)
            self._selects[collection, record, False, None] = select
        rows = self._run(select, keys)
        convert = self.schema.dialect.from_db(collection.via.type)
        shape = self.shape(record)
        place = shape.attributes.index(record.key) + 1
        # A record that several have is one instance.
        one_each = {row[place]: row[1:] for row in rows}
        records = self.records(record, one_each.values(), cohort)
        if cohort is not None and cohort.lock is not None:
            for each in records:
                cohort.renew(each)
        known = dict(zip(one_each, records, strict=True))
        return [(row[0] if convert is None else convert(row[0]), known[row[place]]) for row in rows]

    # -- one record

    def find(self, record: RecordModel, key: Any) -> Record | None:
        found = self.by(record.key, (key,), record)
        return found[0] if found else None

    def current(self, record: RecordModel, key: Any) -> Record:
        """A record that is there, whether it is still in the view that it was found in, or not."""
        rows = self.rows_by(record.key, (key,), record, anyway=True)
        if not rows:
            raise self.not_found(record, key)
        return self.records(record, rows)[0]

    def get(self, record: RecordModel, key: Any) -> Record:
        found = self.find(record, key)
        if found is None:
            raise self.not_found(record, key)
        return found

    @staticmethod
    def not_found(record: RecordModel, key: Any) -> RecordNotFound:
        return RecordNotFound(f"there is no {record} with {record.key.name} {key!r}", subject=record.name)

    def existing(self, record: RecordModel, keys: Collection[Any], lock: Lock = None) -> set[Any]:
        """Those of the keys that some record has, locked by ``lock``."""
        found = self.records(record, self.rows_by(record.key, keys, record, lock))
        return {each.__dict__[record.key.name] for each in found}

    # -- records of which not all is known

    def ghost(self, record: RecordModel, key: Any) -> Record:
        """A record by its key alone; the rest is loaded when first asked for."""
        return self.ghosts(record, (key,))[0]

    def ghosts(self, record: RecordModel, keys: Iterable[Any], cohort: Cohort | None = None) -> list[Record]:
        """Several by their keys, all loaded by one query when something of one is asked for.

        Where they may be of several kinds they are loaded now: the class of each says which it is of.
        """
        cohort = cohort or Cohort(self, record)
        cls = self.classes.only[record]
        if cls is not None:
            return self.ghosts_of(cls, keys, cohort)
        wanted = list(keys)
        rows = self.rows_by(record.key, dict.fromkeys(wanted), record, cohort.lock, anyway=True)
        made = self.shape(record).make(rows, cohort)
        cohort.admit(made)
        found = {each.__dict__[record.key.name]: each for each in made}
        missing = [key for key in wanted if key not in found]
        # Of what is not there nobody can tell: whoever asks is told so.
        found |= dict(zip(missing, self.ghosts_of(record.cls, missing, cohort), strict=True))
        return [found[key] for key in wanted]

    def named(self, record: RecordModel, keys: Iterable[Any]) -> list[Record]:
        """Records whose keys somebody gives as those of the record: where there are several kinds, as what they are."""
        if record.root.family is None:
            return self.ghosts(record, keys)
        wanted = list(keys)
        cohort = Cohort(self, record)
        found = {key_of(each): each for each in self.by(record.key, dict.fromkeys(wanted), record.root)}
        return [self._named(record, key, found.get(key), cohort) for key in wanted]

    def _named(self, record: RecordModel, key: Any, found: Record | None, cohort: Cohort) -> Record:
        if found is None:
            # That there is no such one is found where it matters.
            return self.ghosts_of(record.cls, (key,), cohort)[0]
        return self.like(record, found, cohort) if isinstance(found, record.made_as.cls) else found

    def bare(self, cls: Any, key: Any) -> Record:
        """An instance of a class by its key, that stands for a record of which it is not asked what kind it is of."""
        return self.ghosts_of(cls, (key,), Cohort(self, self.schema.model.records[cls]))[0]

    @staticmethod
    def ghosts_of(cls: Any, keys: Iterable[Any], cohort: Cohort) -> list[Record]:
        """Instances of a class by their keys."""
        name = cls.__iq_record__.key_name
        return [cohort.ghost(cls, name, key) for key in keys]

    def like(self, record: RecordModel, given: Record, cohort: Cohort) -> Record:
        """Another for the given one, found as ``record``, of which nothing but the key is known."""
        cls = self.classes.only[record]
        if cls is not None:
            name = record.key.name
            return cohort.ghost(cls, name, given.__dict__.get(name))
        # What a record is made as it stays.
        kind = self.classes.model(type(given))
        if kind is None or kind.made_as not in record.kinds:
            return self.ghosts(record, (key_of(given),), cohort)[0]
        return cohort.ghost(self.classes.of(record, kind.made_as), record.key.name, key_of(given))

    def known(self, record: RecordModel, rows: Iterable[Mapping[str, Any]]) -> list[Record]:
        """Records by some of their values, the key among them; references by key."""
        cohort = Cohort(self, record)
        shape = self.shape(record)
        made = [shape.known(values, cohort) for values in rows]
        cohort.admit(made)
        return made

    def _run(self, select: _Select, keys: Collection[Any]) -> Rows:
        if not keys:
            return []
        sql, values = select.bound(keys, self.clock)
        with self.executor() as executor:
            return executor.execute(sql, values).fetchall()


class _Select:
    """A select restricted to given keys: by ``=`` for one, by a list of rows for more."""

    def __init__(self, schema: Schema, query: peewee.Select, key: peewee.Column, type: ValueType) -> None:
        self._schema, self._query, self._key = schema, query, key
        self._type = stored_type(type).optional(False)
        dialect = schema.dialect
        self._convert = dialect.to_db(self._type)
        self._one = compile_statement(query.where(key == bind("key", self._type, dialect)), dialect)
        self._bind_one = binder(self._one, {**converters_of([self._one], dialect), "key": self._convert})
        self._is_timed = NOW.name in self._one.slots
        self._many: Callable[[Collection[Any], Mapping[str, Any]], tuple[str, Sequence[Any]]] | None = None

    def bound(self, keys: Collection[Any], clock: Clock) -> tuple[str, Sequence[Any]]:
        given = {NOW.name: clock()} if self._is_timed else {}
        if len(keys) == 1:
            return self._one.sql, self._bind_one({"key": next(iter(keys)), **given})
        if self._many is None:
            self._many = self._for_many()
        return self._many(keys, given)

    def _for_many(self) -> Callable[[Collection[Any], Mapping[str, Any]], tuple[str, Sequence[Any]]]:
        dialect, convert = self._schema.dialect, self._convert
        rows = dialect.rows_source("wanted", [("key", self._type)])
        wanted = peewee.Select([rows.source], [peewee.Column(rows.source, "key")])
        statement = compile_statement(self._query.where(self._key.in_(wanted)), dialect)
        bind_rows = binder(statement, converters_of([statement], dialect))

        def bound(keys: Collection[Any], given: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
            stored = [(key,) for key in keys] if convert is None else [(convert(key),) for key in keys]
            return statement.sql, bind_rows({**rows.values(stored), **given})

        return bound
