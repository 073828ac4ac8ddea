"""Queries as MySQL and MariaDB can do them: without RETURNING after UPDATE, and without ON CONFLICT.

What is missing is done by a SELECT beside the statement, in the same round trip where it needs
nothing of the other's answer. MySQL, unlike MariaDB, has no RETURNING at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import peewee

from interaqt.drivers.mysql_errors import unless_mark
from interaqt.drivers.mysql_update import ByKey, MySQLDelete, MySQLUpdate
from interaqt.storage.names import object_name
from interaqt.storage.programs import Plan
from interaqt.storage.sql import template

if TYPE_CHECKING:
    from interaqt.drivers.mysql_dialect import MySQLDialect

__all__ = ["plan"]


def plan(query: peewee.Node, dialect: MySQLDialect) -> Plan:
    found = _PLANS.get(type(query))
    return Plan((query,)) if found is None else found(query, dialect)


# -- UPDATE --------------------------------------------------------------------------------------


def _update(query: Any, dialect: MySQLDialect) -> Plan:
    table, where = query.table, query._where
    source = query._from[0] if query._from else None
    if source is None:
        # An IN of an UPDATE or a DELETE looks at every row of the table.
        source, where = _joined(where)
    values = sorted(query._update.items(), key=lambda item: item[0].name)
    key = peewee.Column(table, table.record.key.column)
    is_simultaneous = dialect.name == "MariaDB"
    update = MySQLUpdate(table, key, values, where, source, dialect.peewee, is_simultaneous)
    if not query._returning:
        return Plan((update,))
    told = peewee.Select([table], query._returning)
    told = told.where(where) if source is None else told.from_(ByKey(source, table, where))
    return Plan((update, told), answer=1)


def _joined(where: Any) -> tuple[Any, Any]:
    """``column IN (SELECT ...)`` as a source and what joins it."""
    if not _is_in_select(where):
        return None, where
    (chosen,) = where.rhs._returning
    source = where.rhs.distinct().alias("chosen")
    return source, where.lhs == peewee.Column(source, chosen.name)


def _is_in_select(where: Any) -> bool:
    return isinstance(where, peewee.Expression) and where.op == "IN" and isinstance(where.rhs, peewee.Select)


# -- DELETE --------------------------------------------------------------------------------------


def _delete(query: Any, dialect: MySQLDialect) -> Plan:
    table, record = query.table, query.table.record
    own = [each for each in record.references() if each.target.root is record and each.type.nullable]
    if not query._returning and _is_in_select(query._where):
        source, where = _joined(query._where)
        return Plan((MySQLDelete(source, table, where),))
    if not query._returning or ("DELETE" in dialect.answering and not own and not _is_in_select(query._where)):
        return Plan((query,))
    key = peewee.Column(table, record.key.column)
    source, where = _joined(query._where)
    found = peewee.Select([table], [key, *query._returning])
    found = found.where(where) if source is None else found.from_(ByKey(source, table, where))
    target, column = (dialect.quote(name).replace("%", "%%") for name in (table.__name__, key.name))

    def by_keys(count: int) -> list[str]:
        these = f"{column} IN ({', '.join(['%s'] * count)})"
        # A row that refers to itself is not let go.
        references = [dialect.quote(each.column).replace("%", "%%") for each in own]
        freed = [f"UPDATE {target} SET {each} = NULL WHERE {each} = {column} AND {these}" for each in references]
        return [*freed, f"DELETE FROM {target} WHERE {these}"]

    return Plan((found.for_update(),), then=by_keys)


# -- SELECT --------------------------------------------------------------------------------------


def _select(query: Any, dialect: MySQLDialect) -> Plan:
    """One that locks rows locks those that it looks at."""
    if query._for_update is None or not _is_in_select(query._where) or len(query._from_list) != 1:
        return Plan((query,))
    source, where = _joined(query._where)
    (table,) = query._from_list
    by_key = query._where.lhs.name == table.record.key.column
    joined = query.from_(ByKey(source, table, where, "PRIMARY" if by_key else None))
    joined._where = None
    return Plan((joined,))


# -- INSERT --------------------------------------------------------------------------------------


def _insert(query: Any, dialect: MySQLDialect) -> Plan:
    renews = query._on_conflict is not None and query._on_conflict._update
    if renews and (not query._returning or "INSERT" in dialect.answering):
        return Plan((query,))
    key = peewee.Column(query.table, query.table.record.key.column)
    if isinstance(query._insert, Mapping) and not query._insert:
        query = peewee.Insert(query.table, {key: peewee.SQL("DEFAULT")}, returning=query._returning)
    is_list = isinstance(query._insert, peewee.Select)
    values = _values(query, is_list)
    has_condition = query._on_conflict is not None and not renews
    inserted = _unless(query, values, is_list) if has_condition else query
    if not query._returning or "INSERT" in dialect.answering:
        return Plan((inserted,), singly=is_list and has_condition)
    given = values.get(key.name)
    if given is None or isinstance(given, peewee.SQL):
        is_new: Any = key == peewee.fn.LAST_INSERT_ID()
    elif is_list:
        is_new = key.in_(peewee.Select(query._insert._from_list, [given]))
    else:
        is_new = key == given
    told = peewee.Select([query.table], query._returning).where(is_new)
    if has_condition:
        told = told.where(template("row_count() = 1"))
    return Plan((inserted.returning(), told), answer=1, singly=is_list)


def _values(query: Any, is_list: bool) -> dict[str, Any]:
    if is_list:
        return {column.name: node for column, node in zip(query._columns, query._insert._returning, strict=True)}
    return {column.name: node for column, node in query._insert.items()}


def _unless(query: Any, values: Mapping[str, Any], is_list: bool) -> Any:
    """Inserts what is not there yet; where another does so at the same time, the constraint stops it.

    It is tried again then, see ``mysql_errors.is_retryable``, and finds what the other has made.
    """
    target: Sequence[str] = query._on_conflict._conflict_target
    there = peewee.Table(query.table.__name__).alias("there")
    same = peewee.Select([there], [peewee.SQL("1")])
    for name in target:
        same = same.where(template("({0} = {1})", peewee.Column(there, name), values[name]))
    is_key = list(target) == [query.table.record.key.column]
    name = "PRIMARY" if is_key else object_name(query.table.__name__, target, "key")
    mark = f" {unless_mark(name)}" if re.fullmatch(r"\w+", name) else ""
    source = query._insert if is_list else peewee.Select([peewee.SQL("DUAL")], list(values.values()))
    columns = query._columns if is_list else [peewee.Column(query.table, each) for each in values]
    chosen = source.where(template(f"NOT EXISTS {{0}}{mark}", same))
    return peewee.Insert(query.table, chosen, columns, returning=query._returning)


_PLANS: dict[type, Callable[[Any, MySQLDialect], Plan]] = {
    peewee.Select: _select,
    peewee.Update: _update,
    peewee.Delete: _delete,
    peewee.Insert: _insert,
}
