"""PostgreSQL: a pool of connections, each transaction one pipeline with as few waits as it has reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import psycopg
from psycopg.crdb import CrdbConnection

from interaqt.core.errors import DatabaseError, StorageError
from interaqt.drivers.pipeline import ConnectionLost, QueuedResult
from interaqt.drivers.pool import PooledDatabase
from interaqt.drivers.postgresql_dialect import PostgreSQLDialect
from interaqt.drivers.postgresql_errors import readable, told, unreachable
from interaqt.drivers.postgresql_session import Session
from interaqt.storage.capability import Anomaly, Capability
from interaqt.storage.database import Executor, Row, Violation

__all__ = ["PostgreSQLDB"]

_SESSION = (
    "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'; SET IntervalStyle TO 'postgres';"
    " SET bytea_output TO 'hex'; SET extra_float_digits TO 1;"
    # What a machine that vanished had locked is free again after a minute and a half, not after hours.
    " SET tcp_keepalives_idle TO 60; SET tcp_keepalives_interval TO 10; SET tcp_keepalives_count TO 3;"
    # Nested subqueries look dear to the planner, so over tables of three rows it would spend
    # seconds to compile them. Where a server has no such compiler nothing is set.
    " SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'"
)
#: serialization_failure, deadlock_detected, and the server's ways of ending a connection.
_RETRYABLE = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
#: query_canceled, idle_in_transaction_session_timeout.
_TIMED_OUT = frozenset({"57014", "25P03"})
_LOCK_NOT_AVAILABLE = "55P03"
_VIOLATIONS = {"23505": "unique", "23502": "not_null", "23503": "foreign_key", "23514": "check", "23P01": "unique"}

_CAPABILITY = Capability(
    transactions=True,
    isolation={
        "READ COMMITTED": frozenset(get_args(Anomaly)) - {"dirty read"},
        "REPEATABLE READ": frozenset({"write skew", "double booking"}),
        "SERIALIZABLE": frozenset(),
    },
    default="READ COMMITTED",
    concurrent_writers=True,
    row_locks=frozenset({"update", "share"}),
    savepoints=True,
    transactional_schema=True,
    read_only_snapshot=True,
    # Who says how long a statement waits for a lock wants to be told when that is over.
    retried=frozenset({"deadlock", "serialization failure", "lost connection"}),
    pipeline=True,
    returning=True,
)


class PostgreSQLDB(PooledDatabase[Session]):
    """``PostgreSQLDB("postgresql://user@host/name")``, with any connection string of libpq's.

    Connections are opened when the first one is needed. ``pipeline=False`` sends one statement
    at a time, for a proxy that cannot pipeline.
    """

    columns_query = (
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'p')"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )

    def __init__(self, dsn: str, *, pool_size: int = 10, pipeline: bool = True, timeout: float = 30.0) -> None:
        self.dsn = readable(dsn, type(self).__name__)
        self.dialect = self._dialect()
        self.peewee = self.dialect.peewee
        super().__init__(pool_size, pipeline, timeout)

    def _dialect(self) -> PostgreSQLDialect:
        return PostgreSQLDialect()

    def _promises(self) -> Capability:
        return _CAPABILITY

    #: The kind of connection, and the statements that make a new one ready.
    connection_class: type[psycopg.Connection[Any]] = psycopg.Connection
    session_settings = _SESSION

    def _connect(self) -> Session:
        connection = self.connection_class.connect(self.dsn, autocommit=True, prepare_threshold=None)
        # It is in a pool of ours: ending with the process is normal, and no reason to warn.
        connection._pool = None
        try:
            self._require_server(connection)
            connection.execute(self.session_settings.encode())
            return Session(connection)
        except BaseException:
            connection.close()
            raise

    def _require_server(self, connection: psycopg.Connection[Any]) -> None:
        """Raise where the server is of another kind, whose statements mean something else."""
        if CrdbConnection.is_crdb(connection):
            raise StorageError(
                "the server is CockroachDB, where some statements for PostgreSQL mean something else",
                code="database.server",
                hint="write iq.CockroachDB(...) in place of iq.PostgreSQLDB(...)",
            )

    def _opening(self, isolation: str, read_only: bool) -> Sequence[str]:
        return (f"BEGIN ISOLATION LEVEL {isolation}{' READ ONLY' if read_only else ''}",)

    def _reader(self, session: Session) -> Executor:
        return _Reader(session)

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        with self._session() as session:
            session.finish()
            for recorder in self._recorders:
                recorder.statements.extend((statement, ()) for statement in statements)
                recorder.round_trips += len(statements) + 2
            connection = session.connection
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement.encode())

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        if isinstance(error, ConnectionLost):
            return True
        if not isinstance(error, psycopg.Error) or error.sqlstate is None:
            return False
        # A plan made before a migration: the connection was dropped, another has none.
        stale_plan = error.sqlstate == "0A000" and "cached plan" in str(error)
        return error.sqlstate in _RETRYABLE or error.sqlstate.startswith("08") or stale_plan

    def told(self, error: BaseException) -> DatabaseError | None:
        return told(error)

    def _unreachable(self, error: Exception) -> DatabaseError | None:
        return unreachable(error)

    def limit_waiting(self, tx: Executor, limit: dt.timedelta | None) -> None:
        value = "DEFAULT" if limit is None else f"{max(1, int(limit.total_seconds() * 1000))}"
        tx.execute(f"SET LOCAL lock_timeout TO {value}", ())

    def limit_duration(self, tx: Executor, limit: dt.timedelta) -> None:
        milliseconds = max(1, int(limit.total_seconds() * 1000))
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
            tx.execute(f"SET LOCAL {setting} TO {milliseconds}", ())

    def timed_out(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.Error) and error.sqlstate in _TIMED_OUT

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


class _Reader:
    """Statements outside a transaction, each sent and waited for by itself."""

    __slots__ = ("_session", "execute")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.execute: Callable[[str, Sequence[Any]], QueuedResult] = session.execute_now

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
