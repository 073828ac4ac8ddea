"""MySQL and MariaDB: a pool of connections, each transaction one pipeline with as few waits as it has reads."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

import attrs
import pymysql
from pymysql.constants import CLIENT

from interaqt.core.errors import DatabaseError, StorageError
from interaqt.drivers.arguments import wrong
from interaqt.drivers.mysql_dialect import MySQLDialect
from interaqt.drivers.mysql_dsn import connection_arguments
from interaqt.drivers.mysql_errors import is_retryable, told, unreachable, violation
from interaqt.drivers.mysql_reader import MySQLReader
from interaqt.drivers.mysql_session import Session
from interaqt.drivers.pipeline import PipelinedTransaction
from interaqt.drivers.pool import CANCELLING, PooledDatabase
from interaqt.storage.capability import Anomaly, Capability
from interaqt.storage.database import Executor, Violation

__all__ = ["MySQLDB"]

_LOCK_WAIT_TIMEOUT, _STATEMENT_TIMEOUT = 1205, 1969
#: Strict, and SQL as the standard has it: ``"`` quotes names, ``||`` joins texts, ``\\`` is a character.
_MODE = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,"
    "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO,NO_UNSIGNED_SUBTRACTION"
)
#: The oldest versions that have all that statements are made of: JSON_TABLE, CHECK, NO PAD collations.
_OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0, 17)}

_ISOLATION: Mapping[str, frozenset[Anomaly]] = {
    "READ COMMITTED": frozenset(get_args(Anomaly)) - {"dirty read"},
    "REPEATABLE READ": frozenset({"lost update", "write skew", "double booking"}),
    "SERIALIZABLE": frozenset(),
}
_CAPABILITY = Capability(
    transactions=True,
    isolation=_ISOLATION,
    default="READ COMMITTED",
    concurrent_writers=True,
    row_locks=frozenset({"update", "share"}),
    savepoints=True,
    transactional_schema=False,
    read_only_snapshot=True,
    retried=frozenset({"deadlock", "lock timeout", "lost connection"}),
    pipeline=True,
    returning=False,
)
#: That of a server which refuses to overwrite what a snapshot did not see.
_CAREFUL = attrs.evolve(
    _CAPABILITY,
    isolation={**_ISOLATION, "REPEATABLE READ": _ISOLATION["REPEATABLE READ"] - {"lost update"}},
    retried=_CAPABILITY.retried | {"serialization failure"},
)


class MySQLDB(PooledDatabase[Session]):
    """``MySQLDB("mysql://user:password@host/name")``, or the keyword arguments of ``pymysql.connect``.

    Connections are opened when the first one is needed. Which of the two databases it is, the
    server says, and whether it refuses lost updates; ``flavor="MariaDB"`` or ``"MySQL"`` says it
    without asking, and the capability is that of the oldest version then. ``lock_timeout`` is
    how many seconds a statement waits for a row that another transaction has locked, the
    server's own setting unless given. ``pipeline=False`` sends one statement at a time, for a
    proxy that cannot pipeline.
    """

    columns_query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = database()"

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
        if flavor not in (None, *_OLDEST):
            raise wrong("MySQLDB", f"flavor= is one of {', '.join(_OLDEST)}, not {flavor!r}", 'write flavor="MariaDB"')
        self.arguments = connection_arguments(dsn, arguments)
        self.lock_timeout = lock_timeout
        self._flavor = flavor
        super().__init__(pool_size, pipeline, timeout)

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
        with self._session() as session:
            return _flavor_of(session.connection)

    def _promises(self) -> Capability:
        if self._flavor is not None:
            return _CAPABILITY
        with self._session() as session:
            return _CAREFUL if session.refuses_lost_updates else _CAPABILITY

    # -- transactions ----------------------------------------------------------------------

    def _opening(self, isolation: str, read_only: bool) -> Sequence[str]:
        level = [] if isolation == "READ COMMITTED" else [f"SET TRANSACTION ISOLATION LEVEL {isolation}"]
        if not read_only:
            return (*level, "BEGIN")
        snapshot = "WITH CONSISTENT SNAPSHOT, " if isolation == "REPEATABLE READ" else ""
        return (*level, f"START TRANSACTION {snapshot}READ ONLY")

    def _reader(self, session: Session) -> Executor:
        return MySQLReader(session)

    def _discard(self, session: Session) -> None:
        if session.interrupted:
            # The server would go on with the statement, and hold what it has locked, until it looks for its client.
            with contextlib.suppress(Exception):
                arguments: Any = {**self.arguments, "connect_timeout": CANCELLING}
                other: Any = pymysql.connect(**arguments)
                with other:
                    other.kill(session.connection.thread_id())
        super()._discard(session)

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
                careful = bool(cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"))
                if careful:
                    # REPEATABLE READ then refuses to overwrite what its snapshot did not see.
                    cursor.execute("SET SESSION innodb_snapshot_isolation = ON")
        except BaseException:
            connection.close()
            raise
        connection._sock.settimeout(self.arguments.get("read_timeout"))
        return Session(connection, refuses_lost_updates=careful)

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        """Each statement is final by itself here; where one fails, the tables that others made are dropped again.

        A table may refer to one that is created after it. One does it at a time, so that nobody
        drops what another has found.
        """
        created: list[str] = []
        with self._session() as session:
            session.execute_now(f"SELECT GET_LOCK({_DDL_LOCK}, 60)")
            try:
                session.execute_now("SET SESSION foreign_key_checks = 0")
                for statement in statements:
                    session.execute_now(statement.replace("%", "%%"))
                    made = _CREATED.match(statement)
                    if made:
                        created.append(made[1])
                session.execute_now("COMMIT")  # what changes rows only is not final by itself
            except BaseException:
                session.error = None
                with contextlib.suppress(pymysql.MySQLError):
                    session.execute_now("ROLLBACK")
                    for table in reversed(created):
                        session.execute_now(f"DROP TABLE {table}".replace("%", "%%"))
                raise
            finally:
                with contextlib.suppress(pymysql.MySQLError):
                    session.execute_now("SET SESSION foreign_key_checks = 1")
                    session.execute_now(f"SELECT RELEASE_LOCK({_DDL_LOCK})")

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        return is_retryable(error)

    def told(self, error: BaseException) -> DatabaseError | None:
        return told(error)

    def _unreachable(self, error: Exception) -> DatabaseError | None:
        return unreachable(error)

    def limit_waiting(self, tx: Executor, limit: dt.timedelta | None) -> None:
        seconds = self.lock_timeout if limit is None else _whole_seconds(limit)
        self._session_of(tx).set(innodb_lock_wait_timeout=(seconds, self.lock_timeout))

    def limit_duration(self, tx: Executor, limit: dt.timedelta) -> None:
        if self.flavor == "MariaDB":
            seconds = _whole_seconds(limit)
            self._session_of(tx).set(idle_transaction_timeout=(seconds, None), max_statement_time=(seconds, None))

    def timed_out(self, error: BaseException) -> bool:
        return isinstance(error, pymysql.MySQLError) and error.args[:1] == (_STATEMENT_TIMEOUT,)

    @staticmethod
    def _session_of(tx: Executor) -> Session:
        assert isinstance(tx, PipelinedTransaction)
        assert isinstance(tx.session, Session)
        return tx.session

    def gave_up_waiting(self, error: BaseException) -> bool:
        return isinstance(error, pymysql.MySQLError) and error.args[:1] == (_LOCK_WAIT_TIMEOUT,)

    def violation(self, error: BaseException) -> Violation | None:
        return violation(error)


_DDL_LOCK = "CONCAT('interaqt ', MD5(DATABASE()))"
_CREATED = re.compile(r"\s*CREATE\s+TABLE\s+([`\"](?:[^`\"]|``|\"\")+[`\"]|\w+)", re.IGNORECASE)


def _whole_seconds(limit: dt.timedelta) -> int:
    return max(1, math.ceil(limit.total_seconds()))


def _flavor_of(connection: Any) -> str:
    # MariaDB calls itself 5.5.5-10.11.6-MariaDB to those that know MySQL alone.
    version = connection.get_server_info()
    flavor = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version.removeprefix("5.5.5-"))[:3])
    if numbers < _OLDEST[flavor]:
        oldest = ".".join(map(str, _OLDEST[flavor]))
        raise StorageError(f"the server is {flavor} {version}; it must be at least {oldest}", code="database.version")
    return flavor
