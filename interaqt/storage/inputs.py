"""Statements that read what Python computes from, for several hosts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from interaqt.core.expressions import TRUE, Expr, Root
from interaqt.core.model import Reference
from interaqt.storage.prepared import KEY, PreparedRows, RowsOf
from interaqt.storage.schema import column
from interaqt.storage.scope import Row, Scope
from interaqt.storage.sql import plain
from interaqt.storage.statements import Statements

__all__ = ["inputs_of", "own_of"]


def inputs_of(
    statements: Statements, root: Root, via: Reference, exprs: Sequence[Expr], where: Expr, limit: int | None = None
) -> PreparedRows:
    """SELECT the host and expressions of the rows of ``root`` that refer by ``via`` to one of the given hosts.

    They are in the order of the rows' own keys.
    """
    schema, link = statements.schema, root.record
    rows = RowsOf(schema, "hosts", [(KEY, via.target.key.type)])
    table = schema.alias(link, "link")
    host, key = column(table, via), column(table, link.key)
    scope = Scope(schema, {root.name: Row(table)}, join=True)
    query: Any = peewee.Select([table], [host, *map(scope.render, exprs)])
    conditions: list[Any] = [host.in_(peewee.Select([rows.source], [rows.column(KEY)]))]
    if where != TRUE:
        conditions.append(scope.render(plain(where)))
    query = scope.joined(query).where(*conditions)
    query = query.order_by(schema.dialect.ordering(key, link.key.type))
    return PreparedRows(query if limit is None else query.limit(limit), rows, schema)


def own_of(statements: Statements, root: Root, exprs: Sequence[Expr], *, lock: bool = False) -> PreparedRows:
    """SELECT the key and expressions of the given rows of ``root``.

    With ``lock``, what lies behind their references stays as it is.
    """
    schema, record = statements.schema, root.record
    rows = RowsOf(schema, "hosts", [(KEY, record.key.type)])
    table = schema.alias(record, "host")
    key = column(table, record.key)
    values = [statements.node(each, {root.name: Row(table)}, lock=lock) for each in exprs]
    query: Any = peewee.Select([table], [key, *values])
    return PreparedRows(query.where(key.in_(peewee.Select([rows.source], [rows.column(KEY)]))), rows, schema)
