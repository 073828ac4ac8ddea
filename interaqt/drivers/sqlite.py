"""SQLite: a file that any number of processes write in turn, or a database in memory."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs

from interaqt.core.errors import DatabaseError, StorageError
from interaqt.drivers.arguments import require_path, require_seconds, wrong
from interaqt.drivers.forking import abandon, forget_at_fork
from interaqt.drivers.sqlite_dialect import SQLiteDialect
from interaqt.drivers.sqlite_errors import told, unreachable
from interaqt.drivers.sqlite_functions import register
from interaqt.storage.capability import Capability
from interaqt.storage.database import Database, Executor, Recorder, Row, Transaction, Violation, ended

__all__ = ["SQLiteDB"]

_BUSY, _LOCKED = 5, 6
_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


class SQLiteDB(Database):
    """``SQLiteDB("app.db")``, or ``SQLiteDB()`` for one in memory that lives as long as this object.

    A file is in WAL mode: readers never wait, and the writers of a process queue up in order
    before they meet those of others. ``timeout`` is how many seconds a writer waits for its turn.
    ``synchronous="FULL"`` makes each commit survive a loss of power; ``NORMAL`` may lose the last
    ones then, though never one half of a transaction, and survives any crash of the process.
    """

    capability = Capability(
        transactions=True,
        isolation={"READ COMMITTED": frozenset(), "SERIALIZABLE": frozenset()},
        default="SERIALIZABLE",
        concurrent_writers=False,
        row_locks=frozenset(),
        savepoints=True,
        transactional_schema=True,
        read_only_snapshot=True,
        retried=frozenset({"lock timeout"}),
        pipeline=False,
        returning=True,
    )
    columns_query = (
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c"
        " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )

    def __init__(
        self, path: str | os.PathLike[str] = ":memory:", timeout: float = 5.0, synchronous: str = "NORMAL"
    ) -> None:
        if synchronous not in _SYNCHRONOUS:
            raise wrong("SQLiteDB", f"synchronous= is one of {', '.join(_SYNCHRONOUS)}, not {synchronous!r}")
        require_seconds(timeout, "SQLiteDB")
        self.path = require_path(path, "SQLiteDB")
        self.timeout = timeout
        self.synchronous = synchronous
        self.dialect = SQLiteDialect()
        self.peewee = self.dialect.peewee
        self._in_memory = self.path == ":memory:"
        if self._in_memory:
            # There is one connection, so writers wait for readers, too.
            self.capability = attrs.evolve(self.capability, read_only_snapshot=False)
        self._closed = False
        self._forget()
        forget_at_fork(self)

    def _forget(self) -> None:
        """Start without connections. After a fork the parent's must not even be closed by the child."""
        abandon(*getattr(self, "_connections", ()))
        self._connections: set[sqlite3.Connection] = set()
        self._idle: deque[sqlite3.Connection] = deque()
        self._turn = threading.Lock()
        self._owner: int | None = None

    # -- transactions ----------------------------------------------------------------------

    def begin(self, isolation: str | None = None, *, read_only: bool = False) -> Transaction:
        if isolation is not None:
            self.capability.require_isolation(isolation, "SQLiteDB")
        writes = not read_only or self._in_memory
        if writes:
            self._take_turn()
        try:
            connection = self._connection()
            execute: Callable[..., sqlite3.Cursor] = connection.execute
            if self._recorders:
                execute = _recorded(execute, self._recorders)
            try:
                execute("BEGIN" if read_only else "BEGIN IMMEDIATE")
            except BaseException:
                self._release(connection)
                raise
        except BaseException:
            if writes:
                self._give_turn()
            raise
        return _Transaction(self, connection, execute, writes)

    @contextmanager
    def _reading(self) -> Iterator[Executor]:
        # In memory there is one connection: wait for the transaction on it, unless it is our own.
        waits = self._in_memory and self._owner != threading.get_ident()
        if waits:
            self._take_turn()
        try:
            connection = self._connection()
            execute: Callable[..., sqlite3.Cursor] = connection.execute
            try:
                yield _Executor(connection, _recorded(execute, self._recorders) if self._recorders else execute)
            except sqlite3.Error as error:
                found = None if self.is_retryable(error) else told(error)
                if found is None:
                    raise
                raise found from error
            finally:
                self._release(connection)
        finally:
            if waits:
                self._give_turn()

    def reading(self) -> AbstractContextManager[Executor]:
        return self._reading()

    def _take_turn(self) -> None:
        thread = threading.get_ident()
        if self._owner == thread:
            raise StorageError("a transaction is already open in this thread", code="transaction.nested")
        if not self._turn.acquire(timeout=self.timeout):
            busy = sqlite3.OperationalError("database is locked: another thread's transaction did not end in time")
            busy.sqlite_errorcode, busy.sqlite_errorname = _BUSY, "SQLITE_BUSY"
            raise busy
        self._owner = thread

    def _give_turn(self) -> None:
        self._owner = None
        self._turn.release()

    # -- connections -----------------------------------------------------------------------

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise StorageError(f"the database {self.path} was closed", code="database.closed")
        try:
            return self._idle[-1] if self._in_memory else self._idle.pop()
        except IndexError:
            connection = self._open()
            self._connections.add(connection)
            if self._in_memory:
                self._idle.append(connection)
            return connection

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error as error:
            if self.is_retryable(error):
                raise
            raise unreachable(error, self.path) from error

    def _connect(self) -> sqlite3.Connection:
        # Connections go from thread to thread, never two at a time: a thread that ends leaves none.
        connection = sqlite3.connect(
            self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False, cached_statements=1024
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if not self._in_memory:
                self._write_ahead(connection)
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            register(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Have a new file written ahead; SQLite itself doesn't wait for others who do the same just now."""
        until = time.monotonic() + self.timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not self.is_retryable(error) or time.monotonic() > until:
                    raise
                time.sleep(0.005)
            else:
                return

    def _release(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            self._discard(connection)
        elif not self._in_memory:
            self._idle.append(connection)

    def _take_back(self, connection: sqlite3.Connection | None, writes: bool) -> None:
        """After a transaction; None is for a connection that was discarded."""
        if connection is None:
            if self._in_memory:
                self._idle.clear()
        elif self._closed:
            self._discard(connection)
        elif not self._in_memory:
            self._idle.append(connection)
        if writes:
            self._owner = None
            self._turn.release()

    def _discard(self, connection: sqlite3.Connection) -> None:
        self._connections.discard(connection)
        with contextlib.suppress(sqlite3.Error):
            connection.close()

    def close(self) -> None:
        """Close what is idle now and what is in use when its transaction ends."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop())

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        transaction = self.begin()
        try:
            for statement in statements:
                transaction.execute(statement, ())
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        code = getattr(error, "sqlite_errorcode", None)
        return isinstance(error, sqlite3.OperationalError) and code is not None and code & 0xFF in (_BUSY, _LOCKED)

    def told(self, error: BaseException) -> DatabaseError | None:
        return told(error)

    def violation(self, error: BaseException) -> Violation | None:
        if not isinstance(error, sqlite3.IntegrityError):
            return None
        message = str(error)
        kind, found, what = message.partition(" constraint failed: ")
        if found and kind in ("UNIQUE", "NOT NULL"):
            index = re.fullmatch(r"index '(.*)'", what)
            if index:
                return Violation("unique", constraint=index[1])
            places = [place.rsplit(".", 1) for place in what.split(", ")]
            return Violation(
                kind.lower().replace(" ", "_"), table=places[0][0], columns=tuple(place[-1] for place in places)
            )
        if found and kind == "CHECK":
            return Violation("check", constraint=what)
        if message == "FOREIGN KEY constraint failed":
            return Violation("foreign_key")
        # A STRICT table refuses what its column cannot hold, such as an integer of 65 bits.
        typed = re.fullmatch(r"cannot store \w+ value in \w+ column (.*)\.(.*)", message)
        return Violation("check", table=typed[1], columns=(typed[2],)) if typed else None


class _Executor:
    """Statements on one connection; ``execute`` is the connection's own, with nothing between."""

    __slots__ = ("_connection", "execute")

    def __init__(self, connection: sqlite3.Connection, execute: Callable[..., sqlite3.Cursor]) -> None:
        self._connection = connection
        self.execute = execute

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        if self.execute != self._connection.execute:
            return sum(self.execute(sql, row).rowcount for row in rows)
        return self._connection.executemany(sql, rows).rowcount

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        cursor = self.execute(sql, values)
        try:
            while rows := cursor.fetchmany(size):
                yield from rows
        finally:
            cursor.close()


class _Transaction(_Executor):
    __slots__ = ("_database", "_ended", "_writes")

    def __init__(
        self,
        database: SQLiteDB,
        connection: sqlite3.Connection,
        execute: Callable[..., sqlite3.Cursor],
        writes: bool,
    ) -> None:
        self._database = database
        self._connection = connection
        self.execute = execute
        self._writes = writes
        self._ended = False

    @property
    def failure(self) -> BaseException | None:
        if self._ended or self._connection.in_transaction:
            return None
        return _rolled_back()

    def flush(self) -> None:
        pass

    def commit(self) -> None:
        if self._ended:
            raise StorageError("the transaction has ended already", code="transaction.ended")
        if not self._connection.in_transaction:
            raise _rolled_back()
        self.execute("COMMIT")
        self._end(self._connection)

    def rollback(self) -> None:
        if self._ended:
            return
        connection: sqlite3.Connection | None = self._connection
        try:
            # SQLite itself has rolled back after some errors, such as a full disk.
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
        except sqlite3.Error:
            self._database._discard(self._connection)
            connection = None
        self._end(connection)

    def _end(self, connection: sqlite3.Connection | None) -> None:
        self._ended = True
        self.execute = ended
        self._database._take_back(connection, self._writes)


def _rolled_back() -> StorageError:
    return StorageError(
        "SQLite has rolled the transaction back by itself, as it does where the disk is full",
        code="transaction.rolled_back",
    )


def _recorded(execute: Callable[..., sqlite3.Cursor], recorders: tuple[Recorder, ...]) -> Callable[..., sqlite3.Cursor]:
    def recording(sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        for recorder in recorders:
            recorder.statements.append((sql, tuple(values)))
        return execute(sql, values)

    return recording
