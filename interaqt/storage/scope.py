"""Where an expression's rows are in a statement: what gives ``sql.render`` its leaves.

An expression names roots; a statement has tables, given rows and derived sources. A scope binds
the ones to the others, and follows references from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import peewee

from interaqt.core.expressions import HOST, TRUE, Aggregate, Attr, Expr, Fold, Root, rooted
from interaqt.core.model import Attribute, Constant, Mirror, Property, RecordModel, Reference
from interaqt.storage.schema import Schema, column
from interaqt.storage.sql import Leaf, bind, plain, render, template

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["Binding", "Image", "Row", "Scope", "Slots", "Source"]

S = TypeVar("S", bound=peewee.Select)


class Binding:
    """How the columns of one root are read."""

    def read(self, attribute: Property | Reference, dialect: Dialect) -> peewee.Node:
        raise NotImplementedError


@attrs.frozen(eq=False)
class Row(Binding):
    """The root is a row of a table in the statement."""

    source: peewee.Source

    def read(self, attribute: Property | Reference, dialect: Dialect) -> peewee.Node:
        return column(self.source, attribute)


@attrs.frozen(eq=False)
class Image(Binding):
    """The root's values are given when the statement is run, as slots named ``prefix.attribute``."""

    prefix: str

    def read(self, attribute: Property | Reference, dialect: Dialect) -> peewee.Node:
        return bind(f"{self.prefix}.{attribute.name}", attribute.type, dialect)


class Slots(Binding):
    """The root's values are given when the statement is run, as slots named as its attributes are."""

    def read(self, attribute: Property | Reference, dialect: Dialect) -> peewee.Node:
        return bind(attribute.name, attribute.type, dialect)


@attrs.frozen(eq=False)
class Source(Binding):
    """The root is a row of a derived source, whose columns are named as the attributes are."""

    source: peewee.Source

    def read(self, attribute: Property | Reference, dialect: Dialect) -> peewee.Node:
        return peewee.Column(self.source, attribute.name)


class Scope:
    """The leaves of expressions over the given roots.

    What lies behind a reference is read by a subselect, or, with ``join``, by a join that the
    statement must then have: see :meth:`joined`. Neither ever multiplies rows. ``first`` is asked
    before the roots, at every depth. With ``lock``, rows read by a subselect stay as they are
    until the transaction ends, where the database locks rows. With ``live``, what changes with time is
    what it is at present, where else it is what is stored.
    """

    def __init__(
        self,
        schema: Schema,
        roots: Mapping[str, Binding],
        join: bool = False,
        first: Leaf | None = None,
        lock: bool = False,
        live: bool = False,
    ) -> None:
        self._live = live
        self._lock = lock
        self._first = first
        self._schema = schema
        self._roots = dict(roots)
        self._join = join
        self._steps: dict[Expr, peewee.Table] = {}
        self._names: list[int] = [0]
        self.joins: list[tuple[peewee.Table, peewee.Node]] = []

    def render(self, expr: Expr) -> peewee.Node:
        """The node of an expression over this scope's roots."""
        return render(expr, self._schema.dialect, self.leaf)

    def joined(self, query: S) -> S:
        """The query with the joins that the expressions rendered so far need."""
        for table, on in self.joins:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on)
        return query

    def leaf(self, expr: Expr) -> peewee.Node | None:
        found = self._first(expr) if self._first is not None else None
        if found is not None:
            return found
        match expr:
            case Root(name=name, record=record):
                return self._roots[name].read(record.key, self._schema.dialect)
            case Attr(of=of, name=name):
                attribute = _record_of(of).attribute(name)
                if self._live and isinstance(attribute, Property) and attribute.live is not None:
                    return self.render(rooted(attribute.live, HOST, of))
                return self._attribute(of, attribute)
            case Aggregate():
                return self._aggregate(expr)
            case Fold():
                return self._fold(expr)
        return None

    # -- references

    def _attribute(self, of: Expr, attribute: Attribute) -> peewee.Node:
        if isinstance(attribute, Property) and attribute.key:
            return self.render(of)
        if isinstance(attribute, Constant):
            return column(self._schema.table(attribute.record), attribute)
        if isinstance(attribute, Mirror):
            # Its own key is all that is asked for.
            found, on = self._lookup(Attr(of, attribute.name, attribute.type))
            return self._read(of, found, on, attribute.target.key)
        assert isinstance(attribute, Property | Reference), f"{attribute} has no column"
        if isinstance(of, Root):
            return self._roots[of.name].read(attribute, self._schema.dialect)
        found, on = self._lookup(of)
        return self._read(of, found, on, attribute)

    def _read(
        self, of: Expr, table: peewee.Table, on: peewee.Node | None, attribute: Property | Reference
    ) -> peewee.Node:
        value = column(table, attribute)
        if on is None:
            return value
        query: Any = table.select(value).where(on)
        return template("{0}", self._schema.for_keeping(query, _record_of(of)) if self._lock else query)

    def _lookup(self, of: Expr) -> tuple[peewee.Table, peewee.Node | None]:
        """The table that has the record ``of``, and which of its rows that is; None once it is joined."""
        if of in self._steps:
            return self._steps[of], None
        record = _record_of(of)
        via: Property | Reference = record.key
        key, name = of, record.table
        if isinstance(of, Attr):
            step = _record_of(of.of).attribute(of.name)
            if not isinstance(step, Constant):
                name = step.name
            if isinstance(step, Mirror):
                via, key = step.via, of.of
        table = self._alias(record, name)
        on = template("({0} = {1})", column(table, via), self.render(key))
        if not self._join:
            return table, on
        self._steps[of] = table
        self.joins.append((table, on))
        return table, None

    def _alias(self, record: RecordModel, name: str) -> peewee.Table:
        # No identifier of a model has this sign, so no name of a statement's own is taken.
        self._names[0] += 1
        return self._schema.alias(record, f"{name}#{self._names[0]}")

    # -- collections

    def _aggregate(self, expr: Aggregate) -> peewee.Node:
        collection = expr.collection
        table = self._alias(collection.link, collection.name)
        inner = Scope(self._schema, {**self._roots, expr.root.name: Row(table)}, first=self._first, live=self._live)
        inner._names = self._names
        conditions = [template("({0} = {1})", column(table, collection.via), self.render(expr.of))]
        if collection.far is not None and collection.far.type.nullable:
            conditions.append(template("({0} IS NOT NULL)", column(table, collection.far)))
        if expr.where is not None:
            conditions.append(template("{0}", inner.render(expr.where)))
        if expr.kind == "exists":
            return template("EXISTS {0}", table.select(peewee.SQL("1")).where(*conditions))
        return template("{0}", table.select(peewee.fn.COUNT(peewee.SQL("*"))).where(*conditions))

    def _fold(self, expr: Fold) -> peewee.Node:
        """A subselect over the rows of the collection, found by the index of its reference."""
        table = self._alias(expr.collection.link, expr.collection.name)
        inner = Scope(self._schema, {**self._roots, expr.root.name: Row(table)}, first=self._first, live=self._live)
        inner._names = self._names
        dialect = self._schema.dialect
        value: Any = inner.render(expr.value)
        if expr.kind == "sum":
            value = dialect.sum(value, expr.value.type)
        elif expr.kind == "distinct":
            value = peewee.fn.COUNT(value.distinct())
        query = table.select(value)
        query = query.where(template("({0} = {1})", column(table, expr.collection.via), self.render(expr.of)))
        if expr.where is not None and expr.where != TRUE:
            query = query.where(template("{0}", inner.render(plain(expr.where))))
        if expr.order:
            direction = peewee.Desc if expr.descending else peewee.Asc
            ordering = [direction(dialect.ordering(inner.render(each), each.type)) for each in expr.order]
            query = query.order_by(*ordering).limit(peewee.SQL("1"))
        return template("{0}", query)


def _record_of(expr: Expr) -> RecordModel:
    record = expr.type.record
    assert record is not None, f"{expr} is no record"
    return record
