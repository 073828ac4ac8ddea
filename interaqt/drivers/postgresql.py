"""PostgreSQL: a pool of connections, each transaction one pipeline with as few waits as it has reads."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from interaqt.core.errors import StorageError
from interaqt.drivers.postgresql_dialect import PostgreSQLDialect
from interaqt.drivers.postgresql_session import ConnectionLost, PipelineResult, Session
from interaqt.storage.database import Capability, Database, Executor, Row, Transaction, Violation

__all__ = ["CommitUnknown", "PostgreSQLDB"]

_LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
_SESSION = (
    "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'; SET IntervalStyle TO 'postgres';"
    " SET bytea_output TO 'hex'; SET extra_float_digits TO 1;"
    # Nested subqueries look dear to the planner, so over tables of three rows it would spend
    # seconds to compile them. Where a server has no such compiler nothing is set.
    " SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'"
)
#: serialization_failure, deadlock_detected, and the server's ways of ending a connection.
_RETRYABLE = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
_LOCK_NOT_AVAILABLE = "55P03"
_VIOLATIONS = {"23505": "unique", "23502": "not_null", "23503": "foreign_key", "23514": "check", "23P01": "unique"}


class CommitUnknown(StorageError):
    """The connection broke while a commit was under way: it may have happened or not.

    Never retried by itself, for that could do the same thing twice; a dispatch with an
    idempotency key can be sent again.
    """

    default_code = "transaction.commit_unknown"


class _Connection(psycopg.Connection[Row]):
    """A pooled connection with the session that speaks over it."""

    session: Session


class PostgreSQLDB(Database):
    """``PostgreSQLDB("postgresql://user@host/name")``, with any connection string of libpq's.

    Connections are opened when the first one is needed. ``pipeline=False`` sends one statement
    at a time, for a proxy that cannot pipeline.
    """

    def __init__(self, dsn: str, *, pool_size: int = 10, pipeline: bool = True, timeout: float = 30.0) -> None:
        if pool_size < 1:
            raise ValueError(f"pool_size is at least 1, not {pool_size}")
        self.dsn = dsn
        self.pool_size = pool_size
        self.timeout = timeout
        self.dialect = PostgreSQLDialect()
        self.peewee = self.dialect.peewee
        self.capability = Capability(
            transactions=True,
            isolation=_LEVELS,
            concurrent_writers=True,
            row_locks=True,
            savepoints=True,
            pipeline=pipeline,
            returning=True,
        )
        self._closed = False
        self._forget()
        _at_fork(self)

    # -- transactions ----------------------------------------------------------------------

    def begin(self, isolation: str | None = None, *, read_only: bool = False) -> Transaction:
        if isolation is None:
            isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        elif isolation not in _LEVELS:
            raise StorageError(
                f"{isolation!r} is no isolation level; there are {', '.join(_LEVELS)}", code="transaction.isolation"
            )
        connection = self._take()
        transaction = _Transaction(self, connection)
        try:
            transaction.execute(f"BEGIN ISOLATION LEVEL {isolation}{' READ ONLY' if read_only else ''}", ())
        except BaseException:
            transaction.rollback()
            raise
        return transaction

    def reading(self) -> AbstractContextManager[Executor]:
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[Executor]:
        connection = self._take()
        try:
            yield _Reader(connection.session)
        finally:
            self._give(connection)

    # -- connections -----------------------------------------------------------------------

    def _forget(self) -> None:
        """Start without connections. After a fork the parent's sockets must not be used by the child."""
        _ABANDONED.append(getattr(self, "_pool", None))
        self._pool: ConnectionPool[_Connection] | None = None
        self._opening = threading.Lock()

    def _take(self) -> _Connection:
        pool = self._pool or self._open()
        for _ in range(self.pool_size + 1):
            connection = pool.getconn()
            # A server that was restarted while the connection lay idle costs nobody a retry.
            if connection.session.alive():
                connection.session.start(self._recorders)
                return connection
            connection.close()
            pool.putconn(connection)
        raise ConnectionLost("every connection of the pool was closed by the server")

    def _give(self, connection: _Connection) -> None:
        if not connection.session.finish():
            connection.close()
        pool = self._pool
        if pool is None:
            connection.close()
        else:
            pool.putconn(connection)

    def _open(self) -> ConnectionPool[_Connection]:
        if self._closed:
            raise StorageError("the database was closed", code="database.closed")
        with self._opening:
            if self._pool is None:
                # The pool would try for as long as its timeout; a wrong password should say so at once.
                psycopg.connect(self.dsn).close()
                self._pool = ConnectionPool(
                    self.dsn,
                    connection_class=_Connection,
                    min_size=1,
                    max_size=self.pool_size,
                    timeout=self.timeout,
                    open=False,
                    configure=_configure,
                    kwargs={"autocommit": True, "prepare_threshold": None},
                    num_workers=1,
                )
                self._pool.open()
            return self._pool

    def close(self) -> None:
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        connection = self._take()
        try:
            connection.session.finish()
            for recorder in self._recorders:
                recorder.statements.extend((statement, ()) for statement in statements)
                recorder.round_trips += len(statements) + 2
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement.encode())
        finally:
            connection.session.start(())
            self._give(connection)

    def tables(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                " WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'p')"
                " AND a.attnum > 0 AND NOT a.attisdropped",
                (),
            )
            for table, column in rows.fetchall():
                found.setdefault(table, set()).add(column)
        return found

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        if isinstance(error, ConnectionLost):
            return True
        if not isinstance(error, psycopg.Error) or error.sqlstate is None:
            return False
        # A plan made before a migration: the connection was dropped, another has none.
        stale_plan = error.sqlstate == "0A000" and "cached plan" in str(error)
        return error.sqlstate in _RETRYABLE or error.sqlstate.startswith("08") or stale_plan

    def limit_waiting(self, tx: Executor, limit: dt.timedelta | None) -> None:
        value = "DEFAULT" if limit is None else f"{max(1, int(limit.total_seconds() * 1000))}"
        tx.execute(f"SET LOCAL lock_timeout TO {value}", ())

    def gave_up_waiting(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.Error) and error.sqlstate == _LOCK_NOT_AVAILABLE

    def violation(self, error: BaseException) -> Violation | None:
        if not isinstance(error, psycopg.Error) or error.sqlstate not in _VIOLATIONS:
            return None
        diag = error.diag
        return Violation(
            _VIOLATIONS[error.sqlstate],
            constraint=diag.constraint_name or "",
            table=diag.table_name or "",
            columns=(diag.column_name,) if diag.column_name else (),
        )


def _configure(connection: _Connection) -> None:
    connection.execute(_SESSION)
    connection.session = Session(connection)


class _Transaction:
    """Queued from BEGIN to COMMIT on one connection; waits only where a result is read."""

    __slots__ = ("_connection", "_database", "_session", "execute")

    def __init__(self, database: PostgreSQLDB, connection: _Connection) -> None:
        self._database = database
        self._connection: _Connection | None = connection
        self._session = session = connection.session
        self.execute: Callable[[str, Sequence[Any]], PipelineResult] = session.execute
        if not database.capability.pipeline:
            self.execute = session.execute_now
        elif session.recorders:
            self.execute = session.execute_and_record

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._session.execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        return self._session.stream(sql, values, size)

    def commit(self) -> None:
        connection, session = self._connection, self._session
        if connection is None:
            raise StorageError("the transaction has ended already", code="transaction.ended")
        if connection.pgconn.transaction_status == TransactionStatus.INERROR and session.error is not None:
            raise session.error  # the server would answer COMMIT with a rollback, and no error
        if not session.alive():
            session.broken = True
            raise ConnectionLost("the connection was lost before the commit was sent")
        result = self.execute("COMMIT", ())
        try:
            session.sync()
        except psycopg.OperationalError as error:
            if session.broken and (isinstance(error, ConnectionLost) or session.failed_at is result):
                raise CommitUnknown(f"the connection broke during the commit: {error}") from error
            raise
        self._end()

    def rollback(self) -> None:
        if self._connection is None:
            return
        with contextlib.suppress(psycopg.Error):
            # Where an error is still on its way, the first ROLLBACK is skipped together with the rest.
            for _ in range(2):
                if self._session.broken or self._at_rest():
                    break
                with contextlib.suppress(psycopg.Error):
                    self._session.execute_and_record("ROLLBACK")
                    self._session.sync()
        self._end()

    def _at_rest(self) -> bool:
        assert self._connection is not None
        return self._connection.pgconn.transaction_status == TransactionStatus.IDLE

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._database._give(connection)


class _Reader:
    """Statements outside a transaction, each sent and waited for by itself."""

    __slots__ = ("_session", "execute")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.execute: Callable[[str, Sequence[Any]], PipelineResult] = session.execute_now

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._session.execute_many(sql, rows)

    def stream(self, sql: str, values: Sequence[Any], size: int = 1000) -> Iterator[Row]:
        session = self._session
        session.execute_and_record("BEGIN READ ONLY")
        try:
            yield from session.stream(sql, values, size)
        finally:
            if not session.broken:
                session.execute_and_record("ROLLBACK")
                session.sync()


#: Pools of a parent process: their threads and sockets are not a child's to close.
_ABANDONED: list[ConnectionPool[_Connection] | None] = []


def _at_fork(database: PostgreSQLDB) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(database)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
