"""Statements about the rows that lead to a changed one, where an expression over them has another value now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from interaqt.core.expressions import Expr
from interaqt.core.model import Property, RecordModel
from interaqt.storage.prepared import Prepared, Stored
from interaqt.storage.schema import column
from interaqt.storage.scope import Binding, Row
from interaqt.storage.sql import template
from interaqt.storage.statements import Statements

__all__ = ["assign_along", "differing_along"]


def differing_along(
    statements: Statements,
    record: RecordModel,
    root: str,
    expected: Mapping[Property, Expr],
    path: Sequence[str],
    values: Sequence[Stored],
) -> Prepared:
    """SELECT and lock the rows that lead to the slot ``key`` along ``path`` where any value is not the expected one."""
    table = statements.schema.table(record)
    query: Any = table.select(*[column(table, each) for each in values])
    query = query.where(*_conditions(statements, table, record, root, expected, path))
    return statements.prepared(statements.schema.for_change(query.order_by(column(table, record.key))))


def assign_along(
    statements: Statements,
    record: RecordModel,
    root: str,
    assignments: Mapping[Property, Expr],
    telling: Mapping[Property, Expr],
    path: Sequence[str],
    returning: Sequence[Stored],
) -> Prepared:
    """UPDATE the rows that lead to the slot ``key`` along ``path`` where any of the ``telling`` values is another."""
    table = statements.schema.table(record)
    bound: dict[str, Binding] = {root: Row(table)}
    values = {column(table, each): statements.node(expr, bound, lock=True) for each, expr in assignments.items()}
    query = table.update(values).where(*_conditions(statements, table, record, root, telling, path))
    return statements.prepared(query.returning(*[column(table, each) for each in returning]))


def _conditions(
    statements: Statements,
    table: peewee.Table,
    record: RecordModel,
    root: str,
    expected: Mapping[Property, Expr],
    path: Sequence[str],
) -> list[peewee.Node]:
    bound: dict[str, Binding] = {root: Row(table)}
    differ = statements.schema.dialect.null_safe["ne"]
    different = [
        template(differ, column(table, each), statements.node(expr, bound, lock=True))
        for each, expr in expected.items()
    ]
    any_of = template(" OR ".join(f"{{{index}}}" for index in range(len(different))), *different)
    return [statements.leads_to(table, record, path), template("({0})", any_of)]
