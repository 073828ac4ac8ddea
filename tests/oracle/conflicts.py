"""Conflicts on demand: a transaction that is told to fail at one of its statements, as if another one had won."""

from __future__ import annotations

from typing import Any

from interaqt.storage.database import Database

__all__ = ["Conflict", "Conflicts"]


class Conflict(Exception):
    """What the database would say; a retry heals it."""


class Conflicts:
    """Makes the next transaction of a database meet a conflict at its ``at``-th statement, once."""

    def __init__(self, database: Database) -> None:
        self.at = 0
        self.met = 0
        begin, is_retryable = database.begin, database.is_retryable
        patched: Any = database
        patched.begin = lambda *args, **options: self._watched(begin(*args, **options))
        patched.is_retryable = lambda error: isinstance(error, Conflict) or is_retryable(error)

    def _watched(self, transaction: Any) -> Any:
        at, self.at = self.at, 0
        return _Watched(self, transaction, at) if at else transaction


class _Watched:
    def __init__(self, conflicts: Conflicts, transaction: Any, at: int) -> None:
        self._conflicts, self._transaction, self._left = conflicts, transaction, at

    def execute(self, sql: str, values: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._conflicts.met += 1
            raise Conflict(f"at {sql}")
        return self._transaction.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)
