"""CockroachDB, which speaks PostgreSQL's protocol: every transaction SERIALIZABLE, every schema statement by itself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

import attrs
import psycopg
from psycopg.crdb import CrdbConnection

from interaqt.core.errors import StorageError
from interaqt.drivers.cockroachdb_dialect import CockroachDBDialect
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.capability import Capability
from interaqt.storage.database import Violation

__all__ = ["CockroachDB"]

#: The oldest version whose documentation has all that statements are made of.
_OLDEST = (23, 1)

_CAPABILITY = Capability(
    transactions=True,
    # Whether READ COMMITTED is what it says is a setting of the cluster; where it is off, it is this one.
    isolation={"SERIALIZABLE": frozenset()},
    default="SERIALIZABLE",
    concurrent_writers=True,
    row_locks=frozenset({"update"}),
    savepoints=True,
    # Those of a transaction are done after its commit, and may fail then by themselves.
    transactional_schema=False,
    read_only_snapshot=True,
    retried=frozenset({"deadlock", "serialization failure", "lost connection"}),
    pipeline=True,
    returning=True,
)

#: What the messages tell, where the error's fields do not.
_CONSTRAINT = re.compile(r'constraint "((?:[^"]|"")+)"')
_COLUMN = re.compile(r'null value in column "((?:[^"]|"")+)"')
_CREATED = re.compile(r'\s*CREATE\s+TABLE\s+("(?:[^"]|"")+"|\w+)', re.IGNORECASE)


class CockroachDB(PostgreSQLDB):
    """``CockroachDB("postgresql://user@host:26257/name")``, with any connection string of libpq's.

    **It has not been tested against a server.** Its statements and rules are written after the
    documentation of version 23.1 and later; tests run the statements on PostgreSQL.

    A transaction is SERIALIZABLE. What the server refuses with "restart transaction" is run again,
    as any conflict is; where it can't tell what became of a commit, that is a
    :class:`~interaqt.CommitUnknown`. Install from one process at a time.
    """

    default_isolation = snapshot_isolation = "SERIALIZABLE"
    connection_class = CrdbConnection
    session_settings = (
        "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'; SET bytea_output TO 'hex'; SET extra_float_digits TO 1"
    )
    columns_query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )

    def _dialect(self) -> CockroachDBDialect:
        return CockroachDBDialect()

    def _promises(self) -> Capability:
        return _CAPABILITY

    def _require_server(self, connection: psycopg.Connection[Any]) -> None:
        told = connection.info.parameter_status("crdb_version")
        if told is None:
            raise StorageError(
                "the server is not CockroachDB",
                code="database.server",
                hint="write iq.PostgreSQLDB(...) in place of iq.CockroachDB(...)",
            )
        found = re.search(r"v(\d+)\.(\d+)", told)
        if found is not None and (int(found[1]), int(found[2])) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise StorageError(f"the server is {told}; it must be at least {oldest}", code="database.version")

    # -- schema ----------------------------------------------------------------------------

    def run_ddl(self, statements: Sequence[str]) -> None:
        """Each statement is final by itself here; where one fails, the tables that others made are dropped again."""
        created: list[str] = []
        with self._session() as session:
            session.finish()
            for recorder in self._recorders:
                recorder.statements.extend((statement, ()) for statement in statements)
                recorder.round_trips += len(statements)
            connection = session.connection
            try:
                for statement in statements:
                    connection.execute(statement.encode())
                    made = _CREATED.match(statement)
                    if made:
                        created.append(made[1])
            except BaseException:
                for table in reversed(created):
                    with contextlib.suppress(psycopg.Error):
                        connection.execute(f"DROP TABLE {table} CASCADE".encode())
                raise

    # -- errors ----------------------------------------------------------------------------

    def is_retryable(self, error: BaseException) -> bool:
        # What is not known of a statement is no matter, for its transaction was not committed;
        # where it is not known of a COMMIT, the session raises CommitUnknown.
        unknown = isinstance(error, psycopg.Error) and error.sqlstate == "40003"
        return unknown or super().is_retryable(error)

    def violation(self, error: BaseException) -> Violation | None:
        found = super().violation(error)
        if found is None:
            return None
        message = str(error)
        constraint, column = _CONSTRAINT.search(message), _COLUMN.search(message)
        if not found.constraint and constraint is not None:
            found = attrs.evolve(found, constraint=constraint[1].replace('""', '"'))
        if not found.columns and column is not None:
            found = attrs.evolve(found, columns=(column[1].replace('""', '"'),))
        return found
