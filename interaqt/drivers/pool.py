"""A database on a server: a pool of connections, each of which serves one transaction at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Generic, TypeVar

import attrs

from interaqt.core.errors import DatabaseError, StorageError
from interaqt.drivers.arguments import require_pool
from interaqt.drivers.forking import abandon, forget_at_fork
from interaqt.drivers.pipeline import PipelinedSession, PipelinedTransaction
from interaqt.drivers.reader import PooledReader
from interaqt.storage.capability import Capability
from interaqt.storage.database import Database, Executor, Transaction

__all__ = ["CANCELLING", "PooledDatabase"]

#: Seconds after which a connection that nobody needed, or that is old, is closed when another comes back.
IDLE, OLD = 600.0, 3600.0

#: Seconds that telling the server to stop a statement may take whose user is gone.
CANCELLING = 2

S = TypeVar("S", bound=PipelinedSession)


class PooledDatabase(Database, Generic[S]):
    """Connections are opened when one is needed, at most ``pool_size`` of them."""

    #: The level of a transaction, and of one that only reads and sees one state.
    default_isolation, snapshot_isolation = "READ COMMITTED", "REPEATABLE READ"

    def __init__(self, pool_size: int, pipeline: bool, timeout: float) -> None:
        require_pool(pool_size, timeout, type(self).__name__)
        self.pool_size = pool_size
        self.timeout = timeout
        self._pipelined = pipeline
        self._closed = False
        self._forget()
        forget_at_fork(self)

    @cached_property
    def capability(self) -> Capability:  # type: ignore[override]
        return attrs.evolve(self._promises(), pipeline=self._pipelined)

    # -- what each server has of its own

    @abstractmethod
    def _promises(self) -> Capability:
        """What the server does; whether statements are pipelined is asked of this object."""

    @abstractmethod
    def _connect(self) -> S:
        """A new connection, made ready."""

    @abstractmethod
    def _unreachable(self, error: Exception) -> DatabaseError | None:
        """Why there is no connection, of an error of the client library."""

    @abstractmethod
    def _opening(self, isolation: str, read_only: bool) -> Sequence[str]:
        """The statements that begin a transaction."""

    @abstractmethod
    def _reader(self, session: S) -> Executor:
        """What runs statements on a connection outside of transactions, each sent and waited for by itself."""

    # -- transactions

    def begin(self, isolation: str | None = None, *, read_only: bool = False) -> Transaction:
        if isolation is None:
            isolation = self.snapshot_isolation if read_only else self.default_isolation
        else:
            self.capability.require_isolation(isolation, type(self).__name__)
        transaction = PipelinedTransaction(self._take(), self._pipelined, self._give)
        try:
            for statement in self._opening(isolation, read_only):
                transaction.execute(statement, ())
        except BaseException:
            transaction.rollback()
            raise
        return transaction

    def reading(self) -> AbstractContextManager[Executor]:
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[Executor]:
        reader = PooledReader(self)
        try:
            yield reader
        except Exception as error:
            told = None if self.is_retryable(error) else self.told(error)
            if told is None:
                raise
            raise told from error
        finally:
            reader.end()

    # -- connections

    @contextmanager
    def _session(self) -> Iterator[S]:
        """A connection for something else than a transaction."""
        session = self._take()
        try:
            yield session
        finally:
            self._give(session)

    def _forget(self) -> None:
        abandon(*getattr(self, "_sessions", ()))
        self._sessions: set[S] = set()
        self._idle: deque[S] = deque()
        self._free = threading.Semaphore(self.pool_size)

    def _take(self) -> S:
        if self._closed:
            raise StorageError("the database was closed", code="database.closed")
        free = self._free
        if not free.acquire(timeout=self.timeout):
            raise StorageError(
                f"none of the {self.pool_size} connections became free within {self.timeout} seconds",
                code="database.pool_exhausted",
            )
        try:
            while True:
                try:
                    session = self._idle.pop()
                except IndexError:
                    session = self._open()
                    self._sessions.add(session)
                # A server that was restarted while the connection lay idle costs nobody a retry.
                if session.alive():
                    session.start(self._recorders)
                    return session
                self._discard(session)
        except BaseException:
            free.release()
            raise

    def _open(self) -> S:
        try:
            return self._connect()
        except Exception as error:
            told = self._unreachable(error)
            if told is None:
                raise
            raise told from error

    def _give(self, session: S) -> None:
        if session not in self._sessions:
            return  # a parent process's
        try:
            now = time.monotonic()
            if not session.finish() or self._closed or now - session.opened > OLD:
                self._discard(session)
            else:
                session.used = now
                self._idle.append(session)
                self._discard_unused(now)
        finally:
            self._free.release()

    def _discard_unused(self, now: float) -> None:
        # The last one back is the next one out, so those at the other end are needed least.
        with contextlib.suppress(IndexError):  # another thread has taken it
            if now - self._idle[0].used > IDLE:
                self._discard(self._idle.popleft())

    def _discard(self, session: S) -> None:
        self._sessions.discard(session)
        session.close()

    def close(self) -> None:
        """Close what is idle now and what is in use when its transaction ends."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop())
