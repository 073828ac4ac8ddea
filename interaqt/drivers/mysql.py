"""MySQL and MariaDB: a pool of connections, each transaction one pipeline with as few waits as it has reads."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import re
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from interaqt.core.errors import StorageError
from interaqt.drivers.mysql_dialect import MySQLDialect
from interaqt.drivers.mysql_dsn import connection_arguments
from interaqt.drivers.mysql_errors import CommitUnknown, is_retryable, violation
from interaqt.drivers.mysql_session import Session
from interaqt.drivers.mysql_transaction import MySQLReader, MySQLTransaction
from interaqt.storage.database import Capability, Database, Executor, Transaction, Violation

__all__ = ["CommitUnknown", "MySQLDB"]

_LOCK_WAIT_TIMEOUT = 1205
_LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
#: Strict, and SQL as the standard has it: ``"`` quotes names, ``||`` joins texts, ``\\`` is a character.
_MODE = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,"
    "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO,NO_UNSIGNED_SUBTRACTION"
)
#: The oldest versions that have all that statements are made of: JSON_TABLE, CHECK, NO PAD collations.
_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0, 17)}


class MySQLDB(Database):
    """``MySQLDB("mysql://user:password@host/name")``, or the keyword arguments of ``pymysql.connect``.

    Connections are opened when the first one is needed. Which of the two databases it is, the
    server says; ``flavor="MariaDB"`` or ``"MySQL"`` says it without asking. ``lock_timeout`` is
    how many seconds a statement waits for a row that another transaction has locked, the
    server's own setting unless given. ``pipeline=False`` sends one statement at a time, for a
    proxy that cannot pipeline.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool_size: int = 10,
        pipeline: bool = True,
        timeout: float = 30.0,
        lock_timeout: int | None = None,
        flavor: str | None = None,
        **arguments: Any,
    ) -> None:
        if pool_size < 1:
            raise ValueError(f"pool_size is at least 1, not {pool_size}")
        if flavor not in (None, *_OLDEST):
            raise ValueError(f"flavor is one of {', '.join(_OLDEST)}, not {flavor!r}")
        self.arguments = connection_arguments(dsn, arguments)
        self.pool_size = pool_size
        self.timeout = timeout
        self.lock_timeout = lock_timeout
        self._flavor = flavor
        self.capability = Capability(
            transactions=True,
            isolation=_LEVELS,
            concurrent_writers=True,
            row_locks=True,
            savepoints=True,
            pipeline=pipeline,
            returning=False,
        )
        self._closed = False
        self._forget()
        _at_fork(self)

    @cached_property
    def dialect(self) -> MySQLDialect:  # type: ignore[override]
        return MySQLDialect(self.flavor)

    @cached_property
    def peewee(self) -> Any:  # type: ignore[override]
        return self.dialect.peewee

    @cached_property
    def flavor(self) -> str:
        """``MariaDB`` or ``MySQL``."""
        if self._flavor is not None:
            return self._flavor
        session = self._take()
        try:
            return _flavor_of(session.connection)
        finally:
            self._give(session)

    # -- transactions ----------------------------------------------------------------------

    def begin(self, isolation: str | None = None, *, read_only: bool = False) -> Transaction:
        if isolation is None:
            isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        elif isolation not in _LEVELS:
            raise StorageError(
                f"{isolation!r} is no isolation level; there are {', '.join(_LEVELS)}", code="transaction.isolation"
            )
        transaction = MySQLTransaction(self._take(), self.capability.pipeline, self._give)
        try:
            if isolation != "READ COMMITTED":
                transaction.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}", ())
            if read_only:
                snapshot = "WITH CONSISTENT SNAPSHOT, " if isolation == "REPEATABLE READ" else ""
                transaction.execute(f"START TRANSACTION {snapshot}READ ONLY", ())
            else:
                transaction.execute("BEGIN", ())
        except BaseException:
            transaction.rollback()
            raise
        return transaction

    def reading(self) -> AbstractContextManager[Executor]:
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[Executor]:
        session = self._take()
        try:
            yield MySQLReader(session)
        finally:
            self._give(session)

    # -- connections -----------------------------------------------------------------------

    def _forget(self) -> None:
        """Start without connections. After a fork the parent's sockets must not be used by the child."""
        _ABANDONED.extend(getattr(self, "_sessions", ()))
        self._sessions: set[Session] = set()
        self._idle: deque[Session] = deque()
        self._free = threading.Semaphore(self.pool_size)

    def _take(self) -> Session:
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
                    session = self._connect()
                    self._sessions.add(session)
                # A server that was restarted while the connection lay idle costs nobody a retry.
                if session.alive():
                    session.start(self._recorders)
                    return session
                self._discard(session)
        except BaseException:
            free.release()
            raise

    def _give(self, session: Session) -> None:
        if self._closed or not session.fit():
            self._discard(session)
        else:
            self._idle.append(session)
        self._free.release()

    def _connect(self) -> Session:
        connection: Any = pymysql.connect(
            **{
                "charset": "utf8mb4",
                # UPDATE answers how many rows it found, not how many it made different.
                "client_flag": CLIENT.FOUND_ROWS,
                "connect_timeout": 10,
                **self.arguments,
                "autocommit": False,
            }
        )
        try:
            flavor = _flavor_of(connection)
            collation = MySQLDialect(flavor).collation
            mode = f"{_MODE},SIMULTANEOUS_ASSIGNMENT" if flavor == "MariaDB" else _MODE
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SET NAMES utf8mb4 COLLATE {collation}, SESSION sql_mode = '{mode}', SESSION time_zone = '+00:00'"
                )
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                if self.lock_timeout is not None:
                    cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {int(self.lock_timeout)}")
                if cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
                    # REPEATABLE READ then refuses to overwrite what its snapshot did not see.
                    cursor.execute("SET SESSION innodb_snapshot_isolation = ON")
        except BaseException:
            connection.close()
            raise
        connection._sock.settimeout(self.arguments.get("read_timeout"))
        return Session(connection)

    def _discard(self, session: Session) -> None:
        self._sessions.discard(session)
        with contextlib.suppress(Exception):
            if session.broken:
                session.connection._force_close()
            else:
                session.connection.close()

    def close(self) -> None:
        """Close what is idle now and what is in use when its transaction ends."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop())

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        """Each statement is final by itself here; where one fails, the tables that others made are dropped again.

        A table may refer to one that is created after it.
        """
        session = self._take()
        created: list[str] = []
        try:
            session.execute_now("SET SESSION foreign_key_checks = 0")
            for statement in statements:
                session.execute_now(statement.replace("%", "%%"))
                made = _CREATED.match(statement)
                if made:
                    created.append(made[1])
        except BaseException:
            session.error = None
            with contextlib.suppress(pymysql.MySQLError):
                for table in reversed(created):
                    session.execute_now(f"DROP TABLE {table}".replace("%", "%%"))
            raise
        finally:
            with contextlib.suppress(pymysql.MySQLError):
                session.execute_now("SET SESSION foreign_key_checks = 1")
            self._give(session)

    def tables(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = database()", ()
            )
            for table, column in rows.fetchall():
                found.setdefault(table, set()).add(column)
        return found

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        return is_retryable(error)

    def limit_waiting(self, tx: Executor, limit: dt.timedelta | None) -> None:
        assert isinstance(tx, MySQLTransaction)
        seconds = None if limit is None else max(1, math.ceil(limit.total_seconds()))
        tx.limit_waiting(seconds, self.lock_timeout)

    def gave_up_waiting(self, error: BaseException) -> bool:
        return isinstance(error, pymysql.MySQLError) and error.args[:1] == (_LOCK_WAIT_TIMEOUT,)

    def violation(self, error: BaseException) -> Violation | None:
        return violation(error)


_CREATED = re.compile(r"\s*CREATE\s+TABLE\s+([`\"](?:[^`\"]|``|\"\")+[`\"]|\w+)", re.IGNORECASE)


def _flavor_of(connection: Any) -> str:
    # MariaDB calls itself 5.5.5-10.11.6-MariaDB to those that know MySQL alone.
    version = connection.get_server_info()
    flavor = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version.removeprefix("5.5.5-"))[:3])
    if numbers < _OLDEST[flavor]:
        oldest = ".".join(map(str, _OLDEST[flavor]))
        raise StorageError(f"the server is {flavor} {version}; it must be at least {oldest}", code="database.version")
    return flavor


#: Connections of a parent process: a child neither uses nor closes them.
_ABANDONED: list[Session] = []


def _at_fork(database: MySQLDB) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(database)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
