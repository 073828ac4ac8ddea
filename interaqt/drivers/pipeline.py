"""A connection to a server as a pipeline: statements are queued, and only who reads a result waits.

What is particular to a server is in its session: how a statement is sent, how its answer is read,
and what stands in the way of a COMMIT. Results and transactions are the same on each.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from interaqt.core.errors import CommitUnknown, StorageError
from interaqt.storage.database import Recorder, Result, Row, ended

__all__ = ["ConnectionLost", "PipelinedSession", "PipelinedTransaction", "QueuedResult", "unknown"]

#: How many rows ``execute_many`` sends before it waits: results must not pile up.
BATCH = 1_000


class ConnectionLost(StorageError):
    """The connection broke, and with it its transaction; a dispatch is tried again on another."""

    default_code = "database.connection_lost"


def unknown(error: BaseException, what: str = "the connection broke while the commit was under way") -> CommitUnknown:
    """What to raise where an error leaves it open whether a commit happened; ``what`` went wrong."""
    why = error.message if isinstance(error, StorageError) else str(error).strip()
    return CommitUnknown(
        f"{what}, so it may have happened or not: {why}",
        hint="dispatch under an idempotency_key=, which tells whether it happened: it is done once all the same",
    )


class QueuedResult:
    """The outcome of a statement that may still be on its way; reading it waits for it."""

    __slots__ = ("_error", "_next", "_rowcount", "_rows", "_session", "sql")

    def __init__(self, session: PipelinedSession, sql: str) -> None:
        self._session: PipelinedSession | None = session
        self._rows: list[Row] = []
        self._rowcount = -1
        self._next = 0
        self._error: BaseException | None = None
        self.sql = sql

    def _wait(self) -> None:
        if self._session is not None:
            self._session.sync()
        if self._error is not None:
            raise self._error

    @property
    def rowcount(self) -> int:
        self._wait()
        return self._rowcount

    def fetchone(self) -> Row | None:
        self._wait()
        if self._next >= len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchall(self) -> list[Row]:
        self._wait()
        rows = self._rows[self._next :] if self._next else self._rows
        self._next = len(self._rows)
        return rows


class PipelinedSession(ABC):
    """The statements of one connection, which is nobody else's meanwhile."""

    def __init__(self) -> None:
        self.recorders: tuple[Recorder, ...] = ()
        self.broken = False
        """Left in the middle of an exchange: only closing it helps."""
        self.error: BaseException | None = None
        """The first error that is in the way of a commit."""
        self.opened = self.used = time.monotonic()

    # -- its life in a pool

    @abstractmethod
    def start(self, recorders: tuple[Recorder, ...]) -> None:
        """Begin to serve a user."""

    @abstractmethod
    def finish(self) -> bool:
        """End to; answers whether the connection is fit for the next one."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether a connection at rest is still one: a server that went away has said so on the socket."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection, whatever state it is in. Raises nothing."""

    # -- statements

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> QueuedResult:
        """Queue a statement."""

    @abstractmethod
    def sync(self) -> None:
        """Send what is queued and wait for all of it: one round trip. Raises the first error."""

    @abstractmethod
    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        """The rows, ``size`` at a time, in bounded memory; inside a transaction."""

    def execute_and_record(self, sql: str, values: Sequence[Any] = ()) -> QueuedResult:
        for recorder in self.recorders:
            recorder.statements.append((sql, tuple(values)))
        return self.execute(sql, values)

    def execute_now(self, sql: str, values: Sequence[Any] = ()) -> QueuedResult:
        result = self.execute_and_record(sql, values)
        self.sync()
        return result

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        execute = self.execute_and_record if self.recorders else self.execute
        touched = 0
        for start in range(0, len(rows), BATCH):
            results = [execute(sql, row) for row in rows[start : start + BATCH]]
            touched += sum(result.rowcount for result in results)
        return touched

    # -- the end of a transaction

    @property
    @abstractmethod
    def failure(self) -> BaseException | None:
        """The error after which the transaction can only be rolled back."""

    @abstractmethod
    def ready_to_commit(self) -> None:
        """Raise what stands in the way of a commit that would otherwise be sent."""

    @abstractmethod
    def commit(self) -> None:
        """Commit; raises what :func:`unknown` answers where nobody can tell whether it happened."""

    @abstractmethod
    def rollback(self) -> None:
        """Roll back on a connection that may have errors on their way. Raises none of them."""


class PipelinedTransaction:
    """Queued from BEGIN to COMMIT on one connection; waits only where a result is read."""

    __slots__ = ("_give", "_session", "execute")

    def __init__(self, session: PipelinedSession, pipeline: bool, give: Callable[[Any], None]) -> None:
        self._give = give
        self._session: PipelinedSession | None = session
        self.execute: Callable[[str, Sequence[Any]], Result] = session.execute
        if not pipeline:
            self.execute = session.execute_now
        elif session.recorders:
            self.execute = session.execute_and_record

    @property
    def session(self) -> PipelinedSession:
        """What it speaks over; raises where it has ended."""
        if self._session is None:
            raise StorageError("the transaction has ended already", code="transaction.ended")
        return self._session

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self.session.execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        return self.session.stream(sql, values, size)

    @property
    def failure(self) -> BaseException | None:
        return None if self._session is None else self._session.failure

    def flush(self) -> None:
        self.session.sync()

    def commit(self) -> None:
        session = self.session
        session.ready_to_commit()
        if not session.alive():
            session.broken = True
            raise ConnectionLost("the connection was lost before the commit was sent")
        session.commit()
        self._end(session)

    def rollback(self) -> None:
        session = self._session
        if session is None:
            return
        undone = False
        try:
            if not session.broken:
                session.rollback()
            undone = True
        finally:
            # Interrupted on the way, only closing the connection is sure to undo it.
            session.broken = session.broken or not undone
            self._end(session)

    def _end(self, session: PipelinedSession) -> None:
        self._session = None
        self.execute = ended
        self._give(session)

    def __del__(self) -> None:
        # One that was interrupted before anybody could end it holds locks, and a place in the pool.
        session = self._session
        if session is not None:
            session.broken = True
            self._end(session)
