"""What existing tables have, in the database's own words: types of columns, names of constraints."""

from __future__ import annotations

import re
from collections.abc import Collection

from interaqt.storage.database import Database

__all__ = ["column_types", "constraint_names", "own_names"]

_NAMED = re.compile(r'CONSTRAINT "((?:[^"]|"")*)"')

_CONSTRAINTS = {
    "SQLite": (
        "SELECT tbl_name, name, CASE type WHEN 'table' THEN sql END FROM sqlite_schema WHERE type IN ('table', 'index')"
    ),
    "PostgreSQL": (
        "SELECT t.relname, n.conname, NULL FROM pg_constraint n JOIN pg_class t ON t.oid = n.conrelid"
        " WHERE t.relnamespace = CAST(current_schema() AS regnamespace)"
        " UNION SELECT t.relname, i.relname, NULL FROM pg_index x"
        " JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid"
        " WHERE t.relnamespace = CAST(current_schema() AS regnamespace) AND x.indisvalid"
    ),
    "CockroachDB": (
        "SELECT table_name, constraint_name, NULL FROM information_schema.table_constraints"
        " WHERE table_schema = current_schema()"
        " UNION SELECT tablename, indexname, NULL FROM pg_indexes WHERE schemaname = current_schema()"
    ),
    **dict.fromkeys(
        ("MariaDB", "MySQL"),
        "SELECT table_name, constraint_name, NULL FROM information_schema.table_constraints"
        " WHERE table_schema = database()"
        " UNION SELECT table_name, index_name, NULL FROM information_schema.statistics"
        " WHERE table_schema = database()",
    ),
}

Types = dict[tuple[str, str], str]

_COLUMNS = {
    "SQLite": (
        "SELECT t.name, c.name, upper(c.type) FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'"
    ),
    "PostgreSQL": (
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'p')"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    ),
}
# A text with an index has a length; an integer of MariaDB has a width, which means nothing.
_COLUMNS["MariaDB"] = _COLUMNS["MySQL"] = (
    "SELECT table_name, column_name, upper(CASE data_type"
    " WHEN 'varchar' THEN 'longtext' WHEN 'varbinary' THEN 'longblob'"
    " WHEN 'bigint' THEN 'bigint' WHEN 'tinyint' THEN 'tinyint(1)' ELSE column_type END)"
    " FROM information_schema.columns WHERE table_schema = database()"
)


def column_types(database: Database) -> Types:
    """The type of each column, by table and column; nothing of a database that is not known here."""
    sql = _COLUMNS.get(database.dialect.name)
    if sql is None:
        return {}
    with database.reading() as reading:
        return {(table, column): type for table, column, type in reading.execute(sql, ()).fetchall()}


def constraint_names(database: Database) -> dict[str, set[str]] | None:
    """The names of each table's constraints and indexes; None of a database that is not known here."""
    sql = _CONSTRAINTS.get(database.dialect.name)
    if sql is None:
        return None
    found: dict[str, set[str]] = {}
    with database.reading() as reading:
        for table, name, text in reading.execute(sql, ()).fetchall():
            names = found.setdefault(table, set())
            # SQLite keeps the names of constraints only in the statement that made the table.
            names |= {each.replace('""', '"') for each in _NAMED.findall(text)} if text else {name}
    return found


def own_names(database: Database, types: Collection[str]) -> dict[str, str]:
    """What the database itself calls each of the types: ``timestamp with time zone`` for TIMESTAMPTZ."""
    if database.dialect.name != "PostgreSQL":
        return {type: type.upper() for type in types}
    found: dict[str, str] = {}
    with database.reading() as reading:
        for type in types:
            sql = database.dialect.paramstyle(["SELECT format_type(CAST(", " AS regtype), NULL)"])
            (found[type],) = reading.execute(sql, (type,)).fetchone()
    return found
