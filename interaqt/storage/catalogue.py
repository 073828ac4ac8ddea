"""What types the columns of existing tables have, in the database's own words."""

from __future__ import annotations

from collections.abc import Collection

from interaqt.storage.database import Database

__all__ = ["column_types", "own_names"]

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


def column_types(database: Database) -> Types:
    """The type of each column, by table and column; nothing of a database that is not known here."""
    sql = _COLUMNS.get(database.dialect.name)
    if sql is None:
        return {}
    with database.reading() as reading:
        return {(table, column): type for table, column, type in reading.execute(sql, ()).fetchall()}


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
