"""Statements on a session outside a transaction: each ends what it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from interaqt.drivers.mysql_session import Session
from interaqt.drivers.pipeline import QueuedResult
from interaqt.storage.database import Row

__all__ = ["MySQLReader"]


class MySQLReader:
    """Statements outside a transaction, each sent and waited for by itself."""

    __slots__ = ("_session", "execute")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.execute: Callable[[str, Sequence[Any]], QueuedResult] = session.execute_alone

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        touched = self._session.execute_many(sql, rows)
        self._session.execute("COMMIT")
        self._session.sync()
        return touched

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        session = self._session
        try:
            yield from session.stream(sql, values, size)
        finally:
            if not session.broken:
                session.execute("COMMIT")
                session.sync()
