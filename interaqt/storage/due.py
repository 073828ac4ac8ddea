"""Statements about what is due: the rows whose next moment has come, found by its index, the longest due first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from interaqt.core.model import Property, RecordModel
from interaqt.core.types import Kind, ValueType
from interaqt.storage.prepared import Prepared, Stored
from interaqt.storage.schema import column
from interaqt.storage.sql import bind
from interaqt.storage.statements import Statements

__all__ = ["due_first", "due_rows"]

_NUMBER = ValueType(Kind.INT)


def due_rows(statements: Statements, record: RecordModel, until: Property, values: Sequence[Stored]) -> Prepared:
    """SELECT and lock rows whose ``until`` is no later than the slot ``now``: at most the slot ``batch`` of them.

    What another transaction has locked is passed over.
    """
    dialect = statements.schema.dialect
    table = statements.schema.table(record)
    moment: Any = column(table, until)
    query: Any = table.select(*[column(table, each) for each in values])
    query = query.where(moment <= bind("now", _NUMBER, dialect)).order_by(moment)
    query = query.limit(bind("batch", _NUMBER, dialect))
    return statements.prepared(query.for_update("FOR UPDATE SKIP LOCKED") if dialect.for_update else query)


def due_first(statements: Statements, record: RecordModel, until: Property) -> Prepared:
    """SELECT the earliest ``until`` there is; no row where there is none."""
    moment: Any = column(statements.schema.table(record), until)
    query = statements.schema.table(record).select(moment).where(moment.is_null(False))
    return statements.prepared(query.order_by(moment).limit(peewee.SQL("1")))
