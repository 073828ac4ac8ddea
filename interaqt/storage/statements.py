"""Statements that the engine runs: written once, at setup, with a place for each value.

They are built from expressions and records; nothing here knows why a statement is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import peewee

from interaqt.core.expressions import TRUE, Attr, Const, Expr, Param, Root, walk
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.types import Kind, ValueType
from interaqt.storage.prepared import KEY, Given, Image, Prepared, PreparedRows, Reader, RowsOf, Stored
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Binding, Row, Scope, Slots
from interaqt.storage.sql import bind, constant, plain, template

__all__ = ["KEY", "Given", "Image", "Prepared", "PreparedRows", "Reader", "RowsOf", "Statements", "Stored", "rereads"]


@attrs.frozen(eq=False)
class Statements:
    """Builds statements of one schema."""

    schema: Schema

    # -- rows of one record

    def insert(
        self,
        record: RecordModel,
        given: Sequence[Stored],
        fixed: Mapping[str, Const],
        unless: Sequence[Stored] = (),
        worked: Mapping[Property, Expr] = {},
        root: str = "",
    ) -> Prepared:
        """INSERT one row: ``given`` by slots of their names, ``fixed`` as constants; answers its key.

        ``worked`` are expressions over the given ones, ``Root(root)``, and answered after the key.
        Where there is a row with the same values of ``unless`` already, it does nothing and
        answers no row.
        """
        values: dict[Any, Any] = {each.column: self._slot(each.name, each.type) for each in given}
        values |= self._fixed(record, fixed)
        values |= {each.column: self.node(expr, {root: Slots()}, lock=True) for each, expr in worked.items()}
        table = self.schema.table(record)
        query = table.insert({peewee.Column(table, name): node for name, node in values.items()})
        told = [column(table, each) for each in (record.key, *worked)]
        return self.prepared(self._unless(query, unless).returning(*told))

    def insert_rows(
        self,
        record: RecordModel,
        given: Sequence[Stored],
        fixed: Mapping[str, Const],
        unless: Sequence[Stored] = (),
        worked: Mapping[Property, Expr] = {},
        root: str = "",
    ) -> PreparedRows:
        """INSERT a list of rows by one statement; answers their keys in order, and what is ``worked``.

        With ``unless`` it leaves out rows of which there is one with the same values of these, in
        the table or before in the list, and answers those values after each key.
        """
        rows = RowsOf(self.schema, "made", [(each.name, each.type) for each in given])
        values: dict[str, Any] = {each.column: rows.column(each.name) for each in given}
        values |= self._fixed(record, fixed)
        values |= {each.column: self.node(expr, {root: Given(rows)}, lock=True) for each, expr in worked.items()}
        table = self.schema.table(record)
        source = peewee.Select([rows.source], list(values.values()))
        if unless:
            # Without a WHERE, SQLite takes the ON of ON CONFLICT for that of a join.
            source = source.where(peewee.SQL("TRUE"))
        query = self._unless(table.insert(source, [peewee.Column(table, name) for name in values]), unless)
        query = query.returning(*[column(table, each) for each in (record.key, *worked, *unless)])
        return PreparedRows(query, rows, self.schema)

    def _unless(self, query: Any, unless: Sequence[Stored]) -> Any:
        return self.schema.dialect.unless(query, [each.column for each in unless]) if unless else query

    def keep_rows(self, record: RecordModel) -> PreparedRows:
        """SELECT the keys of the rows with the given ones, in their order, locked so that they stay as they are."""
        query, rows = self._named_rows(record, (record.key,))
        return PreparedRows(self.schema.for_keeping(query, record), rows, self.schema)

    def read(self, record: RecordModel, attributes: Sequence[Stored], lock: bool = False) -> Prepared:
        """SELECT attributes of the row with the slot ``key``, locking it against other writers."""
        table = self.schema.table(record)
        query = table.select(*[column(table, each) for each in attributes]).where(self._is_key(record))
        return self.prepared(self.schema.for_change(query) if lock else query)

    def read_rows(self, record: RecordModel, attributes: Sequence[Stored], lock: bool = True) -> PreparedRows:
        """SELECT attributes of the rows with the given keys, in the order of their keys, and locked in it."""
        query, rows = self._named_rows(record, attributes)
        return PreparedRows(self.schema.for_change(query) if lock else query, rows, self.schema)

    def _named_rows(self, record: RecordModel, attributes: Sequence[Stored]) -> tuple[peewee.Select, RowsOf]:
        rows = RowsOf(self.schema, "named", [(KEY, record.key.type)])
        table = self.schema.table(record)
        key = column(table, record.key)
        query = (
            table.select(*[column(table, each) for each in attributes])
            .where(key.in_(peewee.Select([rows.source], [rows.column(KEY)])))
            .order_by(key)
        )
        return query, rows

    def update(self, record: RecordModel, attributes: Sequence[Stored]) -> Prepared:
        """UPDATE the row with the slot ``key``: each attribute by the slot of its name."""
        table = self.schema.table(record)
        values = {column(table, each): self._slot(each.name, each.type) for each in attributes}
        return self.prepared(table.update(values).where(self._is_key(record)))

    def delete(self, record: RecordModel, returning: Sequence[Stored]) -> Prepared:
        """DELETE the row with the slot ``key``; answers what it was."""
        table = self.schema.table(record)
        query = table.delete().where(self._is_key(record))
        return self.prepared(query.returning(*[column(table, each) for each in returning]))

    def delete_where(self, record: RecordModel, root: str, condition: Expr, returning: Sequence[Stored]) -> Prepared:
        """DELETE the rows for which the condition over ``Root(root)`` holds at present; answers what they were."""
        table = self.schema.table(record)
        query = table.delete().where(self._at_present(condition, root, table))
        return self.prepared(query.returning(*[column(table, each) for each in returning]))

    def referring(self, reference: Reference) -> PreparedRows:
        """SELECT the keys of rows whose reference is one of the given keys, and that; locked in the order of keys."""
        table = self.schema.table(reference.record)
        rows = RowsOf(self.schema, "named", [(KEY, reference.target.key.type)])
        key, target = column(table, reference.record.key), column(table, reference)
        query = table.select(key, target).where(target.in_(peewee.Select([rows.source], [rows.column(KEY)])))
        return PreparedRows(self._locked(query.order_by(key)), rows, self.schema)

    def targets(self, reference: Reference) -> PreparedRows:
        """SELECT and lock, in the order of their keys, what the rows with the given keys refer to."""
        rows = RowsOf(self.schema, "named", [(KEY, reference.record.key.type)])
        table = self.schema.alias(reference.record, "made")
        chosen = column(table, reference.record.key).in_(peewee.Select([rows.source], [rows.column(KEY)]))
        return PreparedRows(self._targets(reference, table, chosen), rows, self.schema)

    def targets_where(self, reference: Reference, root: str, condition: Expr) -> Prepared:
        """SELECT and lock what those rows refer to for which the condition over ``Root(root)`` holds at present."""
        table = self.schema.alias(reference.record, "made")
        return self.prepared(self._targets(reference, table, self._at_present(condition, root, table)))

    def _targets(self, reference: Reference, table: Any, chosen: peewee.Node) -> peewee.Node:
        target = self.schema.table(reference.target)
        key = column(target, reference.target.key)
        known = template("{0} IS NOT NULL", column(table, reference))
        inner = peewee.Select([table], [column(table, reference)]).where(chosen, known)
        return self.schema.for_change(target.select(key).where(key.in_(inner)).order_by(key))

    def delete_rows(self, record: RecordModel, returning: Sequence[Stored] = ()) -> PreparedRows:
        """DELETE the rows with the given keys; answers what they were."""
        table = self.schema.table(record)
        rows = RowsOf(self.schema, "named", [(KEY, record.key.type)])
        chosen = column(table, record.key).in_(peewee.Select([rows.source], [rows.column(KEY)]))
        query = table.delete().where(chosen)
        if returning:
            query = query.returning(*[column(table, each) for each in returning])
        return PreparedRows(query, rows, self.schema)

    def some(self, record: RecordModel, root: str, condition: Expr) -> Prepared:
        """SELECT and lock the keys of rows for which the condition holds: at most the slot ``batch`` of them.

        What another transaction has locked is passed over.
        """
        table = self.schema.table(record)
        key = column(table, record.key)
        query = table.select(key).where(self.node(plain(condition), {root: Row(table)})).order_by(key)
        return self.prepared(self._skipping(query.limit(self._slot("batch", ValueType(Kind.INT)))))

    def surplus(self, record: RecordModel, keep: int, by: Property, per: Sequence[Stored]) -> Prepared:
        """SELECT and lock the keys of rows that are not among the ``keep`` newest by an attribute, of each ``per``.

        At most the slot ``batch`` of them; what another transaction has locked is passed over.
        """
        ranked = self.schema.alias(record, "ranked")
        key, age = column(ranked, record.key), self.schema.dialect.ordering(column(ranked, by), by.type)
        groups = [column(ranked, each) for each in per]
        partition = ", ".join(f"{{{index + 2}}}" for index in range(len(groups)))
        text = f"ROW_NUMBER() OVER ({'PARTITION BY ' * bool(groups)}{partition} ORDER BY {{0}} DESC, {{1}} DESC)"
        places = peewee.Select([ranked], [key.alias("k"), template(text, age, key, *groups).alias("place")]).alias("p")
        beyond = peewee.Select([places], [peewee.Column(places, "k")]).where(peewee.Column(places, "place") > keep)
        table = self.schema.table(record)
        query = table.select(column(table, record.key)).where(column(table, record.key).in_(beyond))
        query = query.order_by(column(table, record.key)).limit(self._slot("batch", ValueType(Kind.INT)))
        return self.prepared(self._skipping(query))

    def find(
        self, record: RecordModel, root: str, condition: Expr, values: Sequence[Expr], *, lock: bool = False
    ) -> Prepared:
        """SELECT values of the rows for which the condition over ``Root(root)`` holds at present."""
        table = self.schema.table(record)
        scope = Scope(self.schema, {root: Row(table)})
        query = table.select(*[scope.render(value) for value in values])
        query = query.where(self._at_present(condition, root, table))
        return self.prepared(self._locked(query.order_by(column(table, record.key))) if lock else query)

    def reaching(
        self,
        record: RecordModel,
        path: Sequence[str],
        root: str,
        values: Sequence[Expr],
        *,
        where: Expr = TRUE,
        lock: bool = False,
        limit: int | None = None,
    ) -> Prepared:
        """SELECT distinct values of the rows whose references along ``path`` lead to the slot ``key``.

        An empty path leads to the row itself. Of these, the rows for which ``where`` holds.
        """
        table = self.schema.table(record)
        scope = Scope(self.schema, {root: Row(table)}, lock=lock)
        query = table.select(*[scope.render(value) for value in values]).where(self.leads_to(table, record, path))
        if where != TRUE:
            query = query.where(scope.render(plain(where)))
        if limit is not None:
            query = query.order_by(column(table, record.key)).limit(limit)
        if not lock:
            return self.prepared(query.distinct())
        return self.prepared(self.schema.for_change(query.order_by(column(table, record.key))))

    def by_rows(
        self, record: RecordModel, by: Stored, key: Property, root: str, values: Sequence[Expr]
    ) -> PreparedRows:
        """SELECT values of the rows of which ``by`` is one of the given keys, in the order of their own, locked in it.

        ``key`` is that of which the given ones are: the record's own, or that of what ``by`` refers to.
        """
        rows = RowsOf(self.schema, "named", [(KEY, key.type)])
        table = self.schema.table(record)
        scope = Scope(self.schema, {root: Row(table)}, lock=True)
        query = table.select(*[scope.render(value) for value in values])
        query = query.where(column(table, by).in_(peewee.Select([rows.source], [rows.column(KEY)])))
        return PreparedRows(self.schema.for_change(query.order_by(column(table, record.key))), rows, self.schema)

    def reaching_rows(self, record: RecordModel, path: Sequence[str]) -> PreparedRows:
        """SELECT distinct keys of the rows whose references along ``path`` lead to one of the given keys."""
        target = record
        for name in path:
            reference = target.attribute(name)
            assert isinstance(reference, Reference)
            target = reference.target
        rows = RowsOf(self.schema, "named", [(KEY, target.key.type)])
        given = peewee.Select([rows.source], [rows.column(KEY)])
        table = self.schema.table(record)
        leading = self._leads(table, record, path, lambda found, _: found.in_(given))
        return PreparedRows(table.select(column(table, record.key)).where(leading).distinct(), rows, self.schema)

    # -- derived values

    def adjust(
        self,
        host: RecordModel,
        root: str,
        assignments: Mapping[Any, Expr],
        bindings: Mapping[str, Binding],
        returning: Sequence[Stored],
    ) -> Prepared:
        """UPDATE one row by expressions over itself, ``Root(root)``, and over given values."""
        table = self.schema.table(host)
        bound = {**bindings, root: Row(table)}
        values = {column(table, each): self.node(expr, bound, lock=True) for each, expr in assignments.items()}
        query = table.update(values).where(self._is_key(host))
        return self.prepared(query.returning(*[column(table, each) for each in returning]) if returning else query)

    def adjust_rows(
        self,
        host: RecordModel,
        root: str,
        assignments: Mapping[Property, Expr],
        columns: Sequence[tuple[str, ValueType]],
        returning: Sequence[Stored],
    ) -> PreparedRows:
        """UPDATE a list of host rows: one of the given columns is ``key``, the rest are read as Params."""
        table = self.schema.table(host)
        # No table has such a name: where one was called as the rows are, no database could tell them apart.
        rows = RowsOf(self.schema, "each#", columns)
        names = {name for name, _ in columns}

        def leaf(expr: Expr) -> peewee.Node | None:
            return rows.column(expr.name) if isinstance(expr, Param) and expr.name in names else None

        bound: dict[str, Binding] = {root: Row(table)}
        values = {column(table, each): self.node(expr, bound, leaf, lock=True) for each, expr in assignments.items()}
        query = table.update(values).from_(rows.source).where(column(table, host.key) == rows.column(KEY))
        if returning:
            query = query.returning(*[column(table, each) for each in returning])
        return PreparedRows(query, rows, self.schema, rereads(host, assignments.values()))

    def assign_rows(
        self,
        host: RecordModel,
        root: str,
        assignments: Mapping[Property, Expr],
        returning: Sequence[Stored],
    ) -> PreparedRows:
        """UPDATE the host rows of the given keys by expressions over themselves, ``Root(root)``."""
        table = self.schema.table(host)
        rows = RowsOf(self.schema, "named", [(KEY, host.key.type)])
        bound: dict[str, Binding] = {root: Row(table)}
        values = {column(table, each): self.node(expr, bound, lock=True) for each, expr in assignments.items()}
        chosen = column(table, host.key).in_(peewee.Select([rows.source], [rows.column(KEY)]))
        query = table.update(values).where(chosen)
        if returning:
            query = query.returning(*[column(table, each) for each in returning])
        return PreparedRows(query, rows, self.schema, rereads(host, assignments.values()))

    def sums_by(
        self,
        link: RecordModel,
        root: str,
        group: Stored,
        sums: Sequence[Expr],
        path: Sequence[str],
        bindings: Mapping[str, Binding],
    ) -> Prepared:
        """SELECT ``group`` and sums by it, over the rows whose references along ``path`` lead to the slot ``key``."""
        table = self.schema.alias(link, "link")
        bound: dict[str, Binding] = {**bindings, root: Row(table)}
        key = column(table, group)
        totals = [self.schema.dialect.sum(self.node(each, bound, lock=True), each.type) for each in sums]
        query = peewee.Select([table], [key, *totals]).where(self.leads_to(table, link, path)).group_by(key)
        return self.prepared(query)

    def sum_rows(
        self, columns: Sequence[tuple[str, ValueType]], sums: Sequence[Expr], roots: Sequence[str]
    ) -> PreparedRows:
        """SELECT ``key`` and the sums over a list of given rows, by key.

        The rows' columns are read as Params, and as the attributes of roots, under ``root.attribute``.
        """
        rows = RowsOf(self.schema, "moved", columns)
        names = {name for name, _ in columns}

        def leaf(expr: Expr) -> peewee.Node | None:
            return rows.column(expr.name) if isinstance(expr, Param) and expr.name in names else None

        bindings: dict[str, Binding] = {root: Given(rows, root) for root in roots}
        totals = [self.schema.dialect.sum(self.node(each, bindings, leaf, lock=True), each.type) for each in sums]
        key = rows.column(KEY)
        return PreparedRows(peewee.Select([rows.source], [key, *totals]).group_by(key), rows, self.schema)

    # -- parts

    def node(
        self,
        expr: Expr,
        bindings: Mapping[str, Binding],
        first: Callable[[Expr], peewee.Node | None] | None = None,
        lock: bool = False,
    ) -> peewee.Node:
        """An expression as SQL; ``first`` is asked before the bindings.

        With ``lock``, what lies behind references is kept until the transaction ends: a delta is
        right only as long as all that it was taken of stays as it was.
        """
        return Scope(self.schema, bindings, first=first, lock=lock).render(expr)

    def _at_present(self, condition: Expr, root: str, table: peewee.Table) -> peewee.Node:
        return Scope(self.schema, {root: Row(table)}, live=True).render(plain(condition))

    def _slot(self, name: str, type: ValueType) -> peewee.Node:
        return bind(name, type, self.schema.dialect)

    def _is_key(self, record: RecordModel) -> peewee.Expression:
        return column(self.schema.table(record), record.key) == self._slot(KEY, record.key.type)

    def leads_to(self, table: peewee.Table, record: RecordModel, path: Sequence[str]) -> peewee.Node:
        """That a row's references along ``path`` lead to the slot ``key``."""
        return self._leads(table, record, path, lambda found, type: found == self._slot(KEY, type))

    def _leads(
        self,
        table: peewee.Table,
        record: RecordModel,
        path: Sequence[str],
        arrives: Callable[[Any, ValueType], peewee.Node],
        depth: int = 1,
    ) -> peewee.Node:
        """Each step back is found by the index of its reference: nothing is read but what leads there."""
        if not path:
            return arrives(column(table, record.key), record.key.type)
        reference = record.attribute(path[0])
        assert isinstance(reference, Reference)
        if len(path) == 1:
            return arrives(column(table, reference), reference.target.key.type)
        target = reference.target
        further = self.schema.alias(target, f"step#{depth}")
        inner = further.select(column(further, target.key)).where(
            self._leads(further, target, path[1:], arrives, depth + 1)
        )
        return column(table, reference).in_(inner)

    def _fixed(self, record: RecordModel, fixed: Mapping[str, Const]) -> dict[str, peewee.Node]:
        found = {}
        for name, const in fixed.items():
            attribute = record.attributes[name]
            assert isinstance(attribute, Property | Reference)
            found[attribute.column] = constant(const.value, attribute.type, self.schema.dialect)
        return found

    def prepared(self, query: peewee.Node) -> Prepared:
        return Prepared(query, self.schema)

    def _skipping(self, query: Any) -> Any:
        """The rows that no other transaction has locked, locked."""
        return query.for_update("FOR UPDATE SKIP LOCKED") if self.schema.dialect.for_update else query

    def _locked(self, query: Any) -> Any:
        return query.for_update() if self.schema.dialect.for_update else query


def rereads(record: RecordModel, exprs: Iterable[Expr]) -> bool:
    """Whether expressions over a row of the record read others of its table.

    A statement that writes several rows can't lock one that it has written already: PostgreSQL
    passes over it.
    """
    return any(
        isinstance(node, Attr) and not isinstance(node.of, Root) and node.of.type.record is record
        for expr in exprs
        for node in walk(expr)
    )
