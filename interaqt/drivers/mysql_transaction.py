"""What runs statements over a session: a transaction, and a reader outside of any."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pymysql

from interaqt.core.errors import StorageError
from interaqt.drivers.mysql_errors import CommitUnknown
from interaqt.drivers.mysql_session import ConnectionLost, QueuedResult, Session
from interaqt.storage.database import Row

__all__ = ["MySQLReader", "MySQLTransaction"]


class MySQLTransaction:
    """Queued from BEGIN to COMMIT on one connection; waits only where a result is read, and before COMMIT."""

    __slots__ = ("_give", "_session", "execute")

    def __init__(self, session: Session, pipeline: bool, give: Callable[[Session], None]) -> None:
        self._give = give
        self._session: Session | None = session
        self.execute: Callable[[str, Sequence[Any]], QueuedResult] = session.execute
        if not pipeline:
            self.execute = session.execute_now
        elif session.recorders:
            self.execute = session.execute_and_record

    def _open(self) -> Session:
        if self._session is None:
            raise StorageError("the transaction has ended already", code="transaction.ended")
        return self._session

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._open().execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        return self._open().stream(sql, values, size)

    def limit_waiting(self, seconds: int | None, usual: int | None) -> None:
        self._open().limit_waiting(seconds, usual)

    def commit(self) -> None:
        session = self._open()
        session.sync()
        if session.error is not None:
            raise session.error  # the rest would be committed without what failed
        if not session.alive():
            session.broken = True
            raise ConnectionLost("the connection was lost before the commit was sent")
        try:
            session.execute_now("COMMIT")
        except ConnectionLost as error:
            raise CommitUnknown(f"the connection broke during the commit: {error}") from error
        self._end()

    def rollback(self) -> None:
        session = self._session
        if session is None:
            return
        if not session.broken:
            with contextlib.suppress(pymysql.MySQLError):
                session.sync()
            with contextlib.suppress(pymysql.MySQLError):
                session.execute_now("ROLLBACK")
        self._end()

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._give(session)


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
