"""Statements that ask what contributing records are, one by one, where others ask for their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from interaqt.core.expressions import TRUE, Expr, Root
from interaqt.core.model import RecordModel
from interaqt.core.types import Kind, ValueType
from interaqt.storage.prepared import Given, Prepared, PreparedRows, RowsOf, Stored
from interaqt.storage.schema import column
from interaqt.storage.scope import Binding, Row
from interaqt.storage.sql import plain, template
from interaqt.storage.statements import Statements

__all__ = ["PLACE", "absent", "standing", "states_along", "states_of"]

#: The column that says which of the given rows it is.
PLACE = "place"

BOOL, INT = ValueType(Kind.BOOL), ValueType(Kind.INT)


def states_of(
    statements: Statements, root: str, columns: Sequence[tuple[str, ValueType]], exprs: Sequence[Expr]
) -> PreparedRows:
    """SELECT the place and expressions over each of a list of given rows of ``Root(root)``."""
    rows = RowsOf(statements.schema, "moved", [(PLACE, INT), *columns])
    bindings: dict[str, Binding] = {root: Given(rows, root)}
    values = [statements.node(each, bindings, lock=True) for each in exprs]
    return PreparedRows(peewee.Select([rows.source], [rows.column(PLACE), *values]), rows, statements.schema)


def states_along(
    statements: Statements,
    link: RecordModel,
    root: str,
    values: Sequence[Stored],
    exprs: Sequence[Expr],
    path: Sequence[str],
    bindings: Mapping[str, Binding],
) -> Prepared:
    """SELECT columns and expressions of the rows whose references along ``path`` lead to the slot ``key``."""
    table = statements.schema.alias(link, "link")
    bound: dict[str, Binding] = {**bindings, root: Row(table)}
    columns = [column(table, each) for each in values] + [statements.node(each, bound, lock=True) for each in exprs]
    return statements.prepared(peewee.Select([table], columns).where(statements.leads_to(table, link, path)))


def absent(statements: Statements, root: Root, via: Stored, host: ValueType, value: Expr, where: Expr) -> PreparedRows:
    """SELECT the places of the given rows whose value no record of their host has but given ones.

    The rows have a ``host``, the ``key`` of a record of ``root``, and a ``value``.
    """
    schema, link = statements.schema, root.record
    type = value.type.optional(False)
    columns = [(PLACE, INT), ("host", host), ("key", link.key.type), ("value", type)]
    asked, given = (RowsOf(schema, alias, columns) for alias in ("asked", "given"))
    table = schema.alias(link, "other")
    bindings: dict[str, Binding] = {root.name: Row(table)}
    wanted = statements.node(value, bindings)
    others: Any = table.select(peewee.SQL("1")).where(
        template("({0} = {1})", column(table, via), asked.column("host")),
        template("({0} = {1})", wanted, asked.column("value")),
        column(table, link.key).not_in(peewee.Select([given.source], [given.column("key")])),
    )
    if where != TRUE:
        others = others.where(template("{0}", statements.node(plain(where), bindings)))
    query = peewee.Select([asked.source], [asked.column(PLACE)]).where(template("NOT EXISTS {0}", others))
    return PreparedRows(query, [asked, given], schema)


def standing(
    statements: Statements,
    root: Root,
    was: Expr,
    now: Expr,
    paths: Sequence[Sequence[str]],
    bindings: Mapping[str, Binding],
    near: bool,
) -> Prepared:
    """SELECT the keys of rows that lead to the slot ``key`` by any path, and of which ``was`` and ``now`` differ.

    With ``near``, of the row with that key in any case.
    """
    schema, record = statements.schema, root.record
    table = schema.alias(record, "member")
    bound: dict[str, Binding] = {**bindings, root.name: Row(table)}
    before, after = (statements.node(each, bound, lock=True) for each in (was, now))
    leading: list[peewee.Node] = [statements.leads_to(table, record, path) for path in paths]
    any_of = template(" OR ".join(f"{{{place}}}" for place in range(len(leading))), *leading)
    chosen = template("(({0}) AND {1})", any_of, template(schema.dialect.null_safe["ne"], before, after))
    if near:
        chosen = template("({0} OR {1})", statements.leads_to(table, record, ()), chosen)
    key = column(table, record.key)
    return statements.prepared(peewee.Select([table], [key, before, after]).where(chosen).order_by(key))
