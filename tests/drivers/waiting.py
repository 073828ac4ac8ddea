"""What the databases of the tests say about who waits for whom, and how one of their connections is ended."""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg
import pymysql

from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.database import Database, Executor, Transaction
from interaqt.testing.play import Bench, Part

__all__ = ["backend", "bench_of", "terminate", "waits"]


def bench_of(database: Database) -> Bench:
    """The database under test, with no clock that decides anything."""
    is_server = isinstance(database, PostgreSQLDB | MySQLDB)

    def sever(transaction: Transaction) -> None:
        terminate(database, backend(database, transaction))

    return Bench(database, waits=_part_waits, sever=sever if is_server else None)


def _part_waits(part: Part) -> bool:
    database, transaction = part.play.bench.database, part.transaction
    if not isinstance(database, PostgreSQLDB | MySQLDB):
        # There is one writer at a time, and in memory one transaction: who begins waits for who has begun.
        reads = part.play.read_only and database.capability.read_only_snapshot
        other = part.other
        alone = reads or other.transaction is None or other.over
        return part.busy and transaction is None and not alone
    if transaction is None or part.over:
        return False
    return waits(database, transaction.session)  # type: ignore[attr-defined]


def waits(database: Database, session: Any) -> bool:
    """Whether what runs on a connection waits for another transaction, as the server says."""
    with database.reading() as reading:
        if isinstance(database, PostgreSQLDB):
            asked = f"SELECT cardinality(pg_blocking_pids({session.connection.info.backend_pid})) > 0"
            return bool(reading.execute(asked, ()).fetchall()[0][0])
        # The table of transactions is not brought up to date while somebody keeps asking for it.
        ((_, _, status),) = reading.execute("SHOW ENGINE INNODB STATUS", ()).fetchall()
    mine = re.compile(rf"\bthread id {session.connection.thread_id()},")
    # What comes before is the last deadlock, of which the same connection may have been a part.
    _, *running = str(status).split("---TRANSACTION")
    return any("LOCK WAIT" in each for each in running if mine.search(each))


def backend(server: Database, executor: Executor) -> int:
    """The server's number of a connection."""
    function = "pg_backend_pid" if isinstance(server, PostgreSQLDB) else "connection_id"
    ((number,),) = executor.execute(f"SELECT {function}()", ()).fetchall()
    return int(number)


def terminate(database: Database, backend: int) -> None:
    """End a connection from outside."""
    if isinstance(database, PostgreSQLDB):
        with psycopg.connect(database.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
        return
    assert isinstance(database, MySQLDB)
    with pymysql.connect(**database.arguments) as other, other.cursor() as cursor:
        cursor.execute(f"KILL {backend}")
        while cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (backend,)):
            time.sleep(0.01)
        time.sleep(0.05)
