"""Constraints that a model has and an existing table has not: told, or added where no row is against them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interaqt.core.errors import SetupError
from interaqt.storage.catalogue import constraint_names
from interaqt.storage.database import Database
from interaqt.storage.guard import Guard, add_guard

__all__ = ["added", "missing", "require_none"]

#: How many offending values are shown.
_SHOWN = 5


def missing(database: Database, guards: Iterable[Guard], existing: Iterable[str]) -> list[Guard]:
    """Those of the guards that the existing tables lack."""
    tables = set(existing)
    wanted = [guard for guard in guards if guard.record.table in tables]
    if not wanted:
        return []
    known = constraint_names(database)
    return [] if known is None else [each for each in wanted if each.name not in known.get(each.record.table, ())]


def require_none(guards: list[Guard]) -> None:
    """Refuse to work without a constraint that the model promises."""
    if guards:
        raise SetupError(
            "\n".join(f"the table {each.record.table!r} lacks the constraint {_shown(each)}" for each in guards),
            code="setup.missing_constraint",
            hint="add what is missing with controller.setup(install=True)",
        )


def added(database: Database, guards: list[Guard]) -> list[str]:
    """The statements that add the constraints; refuses where a row is against one, and shows some."""
    for guard in guards:
        found = _offending(database, guard)
        if found:
            raise SetupError(
                f"the table {guard.record.table!r} can't have the constraint {_shown(guard)}: {found}",
                code="setup.violated_constraint",
                hint="correct these records, then set up again",
            )
        if guard.kind != "unique" and database.dialect.name == "SQLite":
            raise SetupError(
                f"SQLite can't add the constraint {_shown(guard)} to the table {guard.record.table!r}, "
                "which exists already",
                code="setup.missing_constraint",
                hint="create the table anew and copy its rows; all of them satisfy the constraint",
            )
    return [add_guard(guard, database.dialect) for guard in guards]


def _offending(database: Database, guard: Guard) -> str:
    dialect = database.dialect
    table = dialect.quote(guard.record.table)
    columns = [dialect.quote(each.column) for each in guard.attributes]
    if guard.kind == "unique":
        names = ", ".join(columns)
        conditions = [f"{column} IS NOT NULL" for column in columns]
        conditions += [f"({guard.condition})"] if guard.condition else []
        sql = (
            f"SELECT {names}, COUNT(*) FROM {table} WHERE {' AND '.join(conditions)}"
            f" GROUP BY {names} HAVING COUNT(*) > 1 ORDER BY {names} LIMIT {_SHOWN + 1}"
        )
        what = " and ".join(each.name for each in guard.attributes)
        rows = _rows(database, sql)
        return _listed([f"{what} {_values(row[:-1])} is there {row[-1]} times" for row in rows])
    key = guard.record.key
    names = ", ".join((dialect.quote(key.column), *columns))
    sql = f"SELECT {names} FROM {table} WHERE NOT ({guard.condition}) ORDER BY 1 LIMIT {_SHOWN + 1}"
    what = ", ".join(each.name for each in guard.attributes)
    return _listed(
        [f"the {guard.record} with {key.name} {row[0]!r} has {what} {_values(row[1:])}" for row in _rows(database, sql)]
    )


def _rows(database: Database, sql: str) -> list[Any]:
    with database.reading() as reading:
        return reading.execute(database.dialect.paramstyle([sql]), ()).fetchall()


def _values(row: Any) -> str:
    return ", ".join(repr(value) if isinstance(value, int | float | str | None) else str(value) for value in row)


def _listed(found: list[str]) -> str:
    return "; ".join(found[:_SHOWN]) + ("; ..." if len(found) > _SHOWN else "")


def _shown(guard: Guard) -> str:
    return f"{guard.name!r} ({guard.kind} of {', '.join(each.name for each in guard.attributes)})"
