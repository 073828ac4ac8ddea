"""What a query asks, as data, and the statements that ask it.

Two selections that differ only in the values they compare with have one statement: values are
taken out first, so a query in a loop is written by Peewee once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs
import peewee

from interaqt.core.expressions import Attr, Const, Expr, Op, Param, Root, all_of, replace
from interaqt.core.model import RecordModel
from interaqt.core.moments import NOW
from interaqt.core.parts import belongs
from interaqt.core.types import Kind, ValueType
from interaqt.storage.convert import stored_type
from interaqt.storage.criteria import ROOT
from interaqt.storage.dialect import RowsSource
from interaqt.storage.moment import Clock
from interaqt.storage.records import Shape
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Row, Scope
from interaqt.storage.sql import Statement, bind, binder, compile_statement, converters_of, plain, template

__all__ = ["Among", "Order", "Selection", "Selects"]

Bound = tuple[str, Sequence[Any]]
INT = ValueType(Kind.INT)

#: Operations that take any value on their right; the others may need to know a constant at setup.
_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in"})


@attrs.frozen
class Order:
    """One key of the order."""

    key: Expr
    descending: bool


@attrs.frozen
class Among:
    """That a value is one of many given ones; ``stored`` are those that are not None, as a column has them."""

    of: Expr
    stored: tuple[Any, ...]
    none: bool


@attrs.frozen
class Selection:
    """Which records, in which order, and which part of them."""

    record: RecordModel
    filters: tuple[Expr, ...] = ()
    among: tuple[Among, ...] = ()
    orders: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    at: dt.datetime | None = None
    """Of which moment, as far as something changes with the clock; None for the present one."""

    @property
    def where(self) -> Expr:
        return all_of(belongs(self.record, Root(ROOT, self.record.root)), *self.filters)

    @property
    def is_part(self) -> bool:
        return self.limit is not None or bool(self.offset)


class Selects:
    """Statements of selections over one schema."""

    def __init__(self, schema: Schema, shape: Callable[[RecordModel], Shape], clock: Clock) -> None:
        self._schema = schema
        self._clock = clock
        self._shape = shape
        self._compiled = lru_cache(maxsize=1024)(self._compile)

    def rows(self, selection: Selection) -> Bound:
        """The records' rows, in order."""
        return self._bound("rows", selection)

    def page(self, selection: Selection, after: Any, size: int) -> Bound:
        """``size`` rows in the order of their keys, those after a key, if one is given."""
        record = selection.record
        if after is not None:
            key = Attr(Root(ROOT, record), record.key.name, record.key.type)
            beyond = Op("gt", (key, Const(after, record.key.type)), ValueType(Kind.BOOL))
            selection = attrs.evolve(selection, filters=(*selection.filters, beyond))
        return self._bound("rows", attrs.evolve(selection, limit=size))

    def count(self, selection: Selection) -> Bound:
        return self._bound("count", selection)

    def exists(self, selection: Selection) -> Bound:
        return self._bound("exists", selection)

    def sum(self, selection: Selection, of: Expr) -> Bound:
        """The sum of a value and of how many records it is not None."""
        return self._bound("sum", selection, of)

    def extreme(self, selection: Selection, of: Expr, descending: bool) -> Bound:
        """The least or the greatest value; no row where there is none."""
        return self._bound("greatest" if descending else "least", selection, of)

    def _bound(self, what: str, selection: Selection, of: Expr | None = None) -> Bound:
        values: dict[str, Any] = {"limit": selection.limit, "offset": selection.offset}

        def lifted(expr: Expr) -> Expr:
            return replace(expr, lambda each: _lift(each, values))

        pattern = attrs.evolve(
            selection,
            filters=tuple(map(lifted, selection.filters)),
            among=tuple(Among(lifted(each.of), (), each.none) for each in selection.among),
            orders=tuple(Order(lifted(each.key), each.descending) for each in selection.orders),
            at=None,
            limit=None if selection.limit is None else 0,
            offset=1 if selection.offset else 0,
        )
        sql, bind_values, lists, is_timed = self._compiled(what, pattern, None if of is None else lifted(of))
        for rows, each in zip(lists, selection.among, strict=True):
            values |= rows.values([(value,) for value in each.stored])
        if is_timed:
            values[NOW.name] = selection.at or self._clock()
        return sql, bind_values(values)

    def _compile(
        self, what: str, pattern: Selection, of: Expr | None
    ) -> tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]], list[RowsSource], bool]:
        dialect = self._schema.dialect
        lists = [
            dialect.rows_source(f"list#{place}", [("value", stored_type(each.of.type).optional(False))])
            for place, each in enumerate(pattern.among)
        ]
        statement: Statement = compile_statement(self._query(what, pattern, of, lists), dialect)
        bind_values = binder(statement, converters_of([statement], dialect))
        return statement.sql, bind_values, lists, NOW.name in statement.slots

    # -- queries

    def _query(self, what: str, selection: Selection, of: Expr | None, lists: list[RowsSource]) -> peewee.Select:
        record = selection.record
        table = self._schema.alias(record, record.table)
        scope = Scope(self._schema, {ROOT: Row(table)}, join=True, live=True)

        def chosen(columns: Sequence[peewee.Node], ordered: bool = False) -> peewee.Select:
            return self._selected(selection, table, scope, columns, ordered, lists)

        if what == "rows":
            return chosen(self._shape(record).columns(table), ordered=True)
        if what == "exists":
            inner = chosen([peewee.SQL("1")])
            return inner if selection.is_part else inner.limit(peewee.SQL("1"))
        if of is None:
            count = peewee.fn.COUNT(peewee.SQL("*"))
            if not selection.is_part:
                return chosen([count])
            return peewee.Select([chosen([peewee.SQL("1").alias("value")]).alias("part")], [count])
        value: Any = scope.render(of)
        # Over a part, the part is chosen first.
        return self._aggregate(what, of, chosen([value.alias("value")]).alias("chosen"))

    def _aggregate(self, what: str, of: Expr, values: peewee.Select) -> peewee.Select:
        dialect = self._schema.dialect
        each = peewee.Column(values, "value")
        if what == "sum":
            return peewee.Select([values], [dialect.sum(each, of.type), peewee.fn.COUNT(each)])
        ordering: Any = dialect.ordering(each, of.type)
        direction = peewee.Desc if what == "greatest" else peewee.Asc
        return (
            peewee.Select([values], [each])
            .where(each.is_null(False))
            .order_by(direction(ordering))
            .limit(peewee.SQL("1"))
        )

    def _selected(
        self,
        selection: Selection,
        table: peewee.Table,
        scope: Scope,
        columns: Sequence[peewee.Node],
        ordered: bool,
        lists: list[RowsSource],
    ) -> peewee.Select:
        dialect = self._schema.dialect
        query: peewee.Select = table.select(*columns)
        where = selection.where
        if where != all_of():
            query = query.where(scope.render(plain(where)))
        for rows, among in zip(lists, selection.among, strict=True):
            value = scope.render(among.of)
            found = template("({0} IN {1})", value, peewee.Select([rows.source], [peewee.Column(rows.source, "value")]))
            query = query.where(template("({0} OR {1} IS NULL)", found, value) if among.none else found)
        if ordered or selection.is_part:
            query = query.order_by(*self._ordering(selection, table, scope))
        query = scope.joined(query)
        if selection.limit is not None:
            query = query.limit(bind("limit", INT, dialect))
        if selection.offset:
            query = query.offset(bind("offset", INT, dialect))
        return query

    def _ordering(self, selection: Selection, table: peewee.Table, scope: Scope) -> list[peewee.Node]:
        """A total order: what is equal by the given keys is ordered by the record's own."""
        found: list[peewee.Node] = []
        key = selection.record.key
        for each in selection.orders:
            node: Any = self._schema.dialect.ordering(scope.render(each.key), each.key.type)
            # Databases disagree on where NULL belongs; here it always comes first.
            nulls = "FIRST" if each.key.type.nullable else None
            found.append((peewee.Desc if each.descending else peewee.Asc)(node, nulls=nulls))
            row = Root(ROOT, selection.record.root)
            if each.key in (row, Attr(row, key.name, key.type)):
                return found
        return [*found, peewee.Asc(column(table, key))]


def _lift(expr: Expr, values: dict[str, Any]) -> Expr | None:
    """A comparison with its constants as parameters, whose values are put aside."""
    if not isinstance(expr, Op) or expr.name not in _COMPARISONS:
        return None
    args: list[Expr] = []
    for arg in expr.args:
        if isinstance(arg, Const) and arg.value is not None:
            name = f"value_{len(values)}"
            values[name] = arg.value
            args.append(Param(name, arg.type.optional(False)))
        else:
            args.append(replace(arg, lambda each: _lift(each, values)))
    return Op(expr.name, tuple(args), expr.type)
