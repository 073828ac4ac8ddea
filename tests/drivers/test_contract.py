"""What every driver promises, held against real databases."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pymysql
import pytest

from interaqt.core.errors import CommitUnknown, DatabaseError, StorageError, TransactionCapabilityError
from interaqt.drivers.pipeline import ConnectionLost
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.drivers.postgresql_session import PREPARED_LIMIT
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.database import Database, Violation
from tests.databases import ON_EACH_DRIVER, fresh
from tests.drivers.waiting import backend, terminate

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError, pymysql.IntegrityError, pymysql.OperationalError)
LOST = (psycopg.OperationalError, pymysql.OperationalError, ConnectionLost)
FAILED = (sqlite3.Error, psycopg.Error, pymysql.Error)

SCHEMA = [
    'CREATE TABLE "owner" ("id" BIGINT PRIMARY KEY)',
    'CREATE TABLE "t" ("id" BIGINT NOT NULL, "n" BIGINT NOT NULL, "a" BIGINT, "b" BIGINT,'
    ' "owner" BIGINT, CONSTRAINT "t_owner" FOREIGN KEY ("owner") REFERENCES "owner" ("id"),'
    ' CONSTRAINT "t_pk" PRIMARY KEY ("id"), CONSTRAINT "t_ab" UNIQUE ("a", "b"),'
    ' CONSTRAINT "t_positive" CHECK ("n" >= 0))',
]


@pytest.fixture(params=ON_EACH_DRIVER)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with fresh(request.param, request, tmp_path) as found:
        yield found


def marks(sql: str, database: Database) -> str:
    return sql if database.dialect.name == "SQLite" else sql.replace("?", "%s")


def insert(database: Database) -> str:
    return marks('INSERT INTO "t" ("id", "n") VALUES (?, ?)', database)


def raising(database: Database) -> str:
    return marks('UPDATE "t" SET "n" = "n" + ? WHERE "id" = ?', database)


def commit(database: Database, *statements: tuple[str, tuple[Any, ...]]) -> None:
    transaction = database.begin()
    try:
        for sql, values in statements:
            transaction.execute(sql, values)
        transaction.commit()
    except BaseException:
        transaction.rollback()
        raise


def content(database: Database) -> list[tuple[int, int]]:
    with database.reading() as connection:
        return connection.execute('SELECT "id", "n" FROM "t" ORDER BY "id"', ()).fetchall()


@pytest.fixture
def db(database: Database) -> Database:
    database.run_ddl(SCHEMA)
    return database


@pytest.fixture
def server(server: Database) -> Database:
    """A database behind a network, with rows that are locked one by one."""
    server.run_ddl(SCHEMA)
    return server


@pytest.fixture
def pg(postgresql_db: PostgreSQLDB) -> PostgreSQLDB:
    postgresql_db.run_ddl(SCHEMA)
    return postgresql_db


def in_threads(*functions: Callable[[], None]) -> list[BaseException]:
    """Run them at the same time; the exceptions that they raised."""
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return errors


# -- all of it or nothing ----------------------------------------------------------------------


def test_what_is_committed_stays_and_what_is_rolled_back_leaves_no_trace(db: Database) -> None:
    commit(db, (insert(db), (1, 10)))
    transaction = db.begin()
    transaction.execute(insert(db), (2, 20))
    transaction.execute(raising(db), (5, 1))
    transaction.rollback()
    assert content(db) == [(1, 10)]


def test_nobody_sees_what_is_not_committed_yet(db: Database) -> None:
    transaction = db.begin()
    result = transaction.execute(insert(db), (1, 10))
    assert result.rowcount == 1
    assert content(db) == []
    transaction.commit()
    assert content(db) == [(1, 10)]


def test_a_statement_that_fails_undoes_the_transaction_and_the_next_one_is_clean(db: Database) -> None:
    with pytest.raises(REFUSED):
        commit(db, (insert(db), (1, 10)), (insert(db), (1, 11)), (insert(db), (2, 20)))
    assert content(db) == []
    commit(db, (insert(db), (3, 30)))
    assert content(db) == [(3, 30)]


def test_a_commit_after_an_error_that_was_swallowed_commits_nothing_in_silence(server: Database) -> None:
    transaction = server.begin()
    transaction.execute(insert(server), (1, 10))
    with pytest.raises(REFUSED):
        _ = transaction.execute(insert(server), (1, 11)).rowcount
    with pytest.raises(REFUSED):
        transaction.commit()
    transaction.rollback()
    assert content(server) == []


def test_rolling_back_twice_or_after_a_commit_does_nothing(db: Database) -> None:
    transaction = db.begin()
    transaction.execute(insert(db), (1, 10))
    transaction.commit()
    transaction.rollback()
    transaction.rollback()
    with pytest.raises(StorageError, match="ended"):
        transaction.commit()
    assert content(db) == [(1, 10)]


def test_a_savepoint_takes_back_a_part(db: Database) -> None:
    transaction = db.begin()
    transaction.execute(insert(db), (1, 10))
    transaction.execute("SAVEPOINT s", ())
    with pytest.raises(REFUSED):
        _ = transaction.execute(insert(db), (1, 11)).rowcount
    transaction.execute("ROLLBACK TO SAVEPOINT s", ())
    transaction.execute(insert(db), (2, 20))
    transaction.commit()
    assert content(db) == [(1, 10), (2, 20)]


def test_schema_statements_are_all_or_nothing(db: Database) -> None:
    before = db.tables()
    with pytest.raises(FAILED):
        db.run_ddl(["CREATE TABLE u (id BIGINT)", "CREATE TABLE t (id BIGINT)"])
    assert db.tables() == before == {"owner": {"id"}, "t": {"id", "n", "a", "b", "owner"}}


def test_a_read_only_transaction_sees_one_state_and_writes_nothing(db: Database) -> None:
    commit(db, (insert(db), (1, 10)))
    transaction = db.begin(read_only=True)
    read = 'SELECT "n" FROM "t"'
    assert transaction.execute(read, ()).fetchall() == [(10,)]
    assert in_threads(lambda: commit(db, (raising(db), (5, 1)))) == []
    assert transaction.execute(read, ()).fetchall() == [(10,)]
    transaction.commit()
    assert content(db) == [(1, 15)]


def test_an_isolation_level_that_is_not_offered_is_refused(db: Database) -> None:
    with pytest.raises(TransactionCapabilityError, match="no isolation level 'SERIALISABLE'") as caught:
        db.begin("SERIALISABLE")
    assert caught.value.code == "transaction.capability"
    assert caught.value.requested == "SERIALISABLE"
    assert caught.value.capability == db.capability
    default = db.capability.default
    assert caught.value.hint.startswith("Did you mean 'SERIALIZABLE'?  There is: READ COMMITTED, ")
    assert caught.value.hint.endswith(f"Without isolation= it is {default}.")
    for level in db.capability.isolation:
        db.begin(level).rollback()


# -- results -----------------------------------------------------------------------------------


def test_results_tell_rows_and_counts(db: Database) -> None:
    transaction = db.begin()
    assert transaction.execute_many(insert(db), [(n, n) for n in range(1, 2502)]) == 2501
    assert transaction.execute(raising(db), (1, 99_999)).rowcount == 0
    assert transaction.execute('UPDATE "t" SET "n" = "n" + 1', ()).rowcount == 2501
    result = transaction.execute('SELECT "n" FROM "t" WHERE "id" < 4 ORDER BY "id"', ())
    assert result.fetchone() == (2,)
    assert result.fetchall() == [(3,), (4,)]
    assert result.fetchone() is None
    assert result.fetchall() == []
    back = transaction.execute(marks('DELETE FROM "t" WHERE "id" = ? RETURNING "id", "n"', db), (1,))
    assert back.fetchall() == [(1, 2)]
    transaction.commit()


def test_results_can_be_read_after_the_commit(db: Database) -> None:
    transaction = db.begin()
    first = transaction.execute(insert(db), (1, 10))
    second = transaction.execute('SELECT "n" FROM "t"', ())
    if db.dialect.name == "SQLite":
        assert second.fetchone() == (10,)  # a read that is under way may go on
    transaction.commit()
    assert first.rowcount == 1
    assert second.fetchall() == ([] if db.dialect.name == "SQLite" else [(10,)])


@pytest.mark.parametrize("inside", [True, False], ids=["in a transaction", "reading"])
def test_a_stream_gives_all_rows_in_pieces(db: Database, inside: bool) -> None:
    transaction = db.begin()
    transaction.execute_many(insert(db), [(n, 0) for n in range(2500)])
    transaction.commit()
    select = marks('SELECT "id" FROM "t" WHERE "n" = ? ORDER BY "id"', db)
    if inside:
        transaction = db.begin()
        assert [row[0] for row in transaction.stream(select, (0,), 1000)] == list(range(2500))
        first = transaction.stream(select, (0,), 10)
        assert next(first) == (0,)
        first.close()  # type: ignore[attr-defined]
        transaction.execute(raising(db), (1, 1))
        transaction.commit()
    else:
        with db.reading() as connection:
            assert sum(1 for _ in connection.stream(select, (0,), 1000)) == 2500
            first = connection.stream(select, (0,), 10)
            assert next(first) == (0,)
            first.close()  # type: ignore[attr-defined]
            assert connection.execute('SELECT 1 FROM "t" LIMIT 1', ()).fetchall() == [(1,)]


def test_a_percent_sign_in_the_text_is_only_a_percent_sign(server: Database) -> None:
    with server.reading() as connection:
        assert connection.execute("SELECT '100%%', 7 %% 4, CAST(%s AS CHAR(5))", ("%s %%",)).fetchall() == [
            ("100%", 3, "%s %%")
        ]


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "values", "sqlite", "postgresql"),
    [
        (
            'INSERT INTO "t" ("id", "n") VALUES (?, ?)',
            (1, 1),
            Violation("unique", "", "t", ("id",)),
            Violation("unique", "t_pk", "t"),
        ),
        (
            'INSERT INTO "t" ("id", "n", "a", "b") VALUES (?, 1, 7, 7)',
            (2,),
            Violation("unique", "", "t", ("a", "b")),
            Violation("unique", "t_ab", "t"),
        ),
        (
            'INSERT INTO "t" ("id", "n") VALUES (?, NULL)',
            (2,),
            Violation("not_null", "", "t", ("n",)),
            Violation("not_null", "", "t", ("n",)),
        ),
        (
            'INSERT INTO "t" ("id", "n") VALUES (?, -1)',
            (2,),
            Violation("check", "t_positive"),
            Violation("check", "t_positive", "t"),
        ),
        (
            'INSERT INTO "t" ("id", "n", "owner") VALUES (?, 1, 5)',
            (2,),
            Violation("foreign_key"),
            Violation("foreign_key", "t_owner", "t"),
        ),
    ],
    ids=["key", "unique", "not null", "check", "foreign key"],
)
def test_a_refused_row_is_told_by_kind_and_name(
    db: Database, sql: str, values: tuple[Any, ...], sqlite: Violation, postgresql: Violation
) -> None:
    commit(db, ('INSERT INTO "t" ("id", "n", "a", "b") VALUES (1, 1, 7, 7)', ()))
    with pytest.raises(REFUSED) as caught:
        commit(db, (marks(sql, db), values))
    told = {"SQLite": sqlite, "PostgreSQL": postgresql}
    # What a primary key is called is not kept there.
    key = attrs.evolve(postgresql, constraint="PRIMARY") if postgresql.constraint == "t_pk" else postgresql
    assert db.violation(caught.value) == told.get(db.dialect.name, key)
    assert not db.is_retryable(caught.value)


def test_an_error_of_the_statement_itself_is_no_violation_and_not_retried(db: Database) -> None:
    with pytest.raises(FAILED) as caught:
        commit(db, ('SELECT "nothing" FROM "nowhere"', ()))
    assert db.violation(caught.value) is None
    assert not db.is_retryable(caught.value)
    assert not db.is_retryable(ValueError())


def test_a_real_deadlock_is_retryable_and_the_other_transaction_goes_on(server: Database) -> None:
    commit(server, (insert(server), (1, 0)), (insert(server), (2, 0)))
    both_hold_one = threading.Barrier(2)

    def swap(first: int, second: int) -> None:
        transaction = server.begin()
        try:
            _ = transaction.execute(raising(server), (1, first)).rowcount
            both_hold_one.wait(10)
            _ = transaction.execute(raising(server), (1, second)).rowcount
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise

    errors = in_threads(lambda: swap(1, 2), lambda: swap(2, 1))
    assert len(errors) == 1
    assert server.is_retryable(errors[0])
    assert content(server) == [(1, 1), (2, 1)]


def test_a_serialization_failure_is_retryable(pg: PostgreSQLDB) -> None:
    commit(pg, (insert(pg), (1, 0)))
    transaction = pg.begin("SERIALIZABLE")
    assert transaction.execute('SELECT "n" FROM "t"', ()).fetchall() == [(0,)]
    commit(pg, (raising(pg), (1, 1)))
    transaction.execute(raising(pg), (1, 1))
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        transaction.commit()
    transaction.rollback()
    assert pg.is_retryable(caught.value)
    assert content(pg) == [(1, 1)]


def test_a_file_that_another_process_writes_is_busy_and_that_is_retryable(tmp_path: Path) -> None:
    ours, theirs = (SQLiteDB(tmp_path / "shared.db", timeout=0.05) for _ in range(2))
    ours.run_ddl(SCHEMA)
    holding = theirs.begin()
    with pytest.raises(sqlite3.OperationalError) as caught:
        ours.begin()
    assert ours.is_retryable(caught.value)
    holding.commit()
    commit(ours, (insert(ours), (1, 1)))
    assert content(theirs) == [(1, 1)]
    ours.close()
    theirs.close()


# -- connections and threads -----------------------------------------------------------------------


def test_threads_lose_no_update(db: Database) -> None:
    commit(db, (insert(db), (1, 0)))

    def often() -> None:
        for _ in range(25):
            commit(db, (raising(db), (1, 1)))

    assert in_threads(*[often] * 8) == []
    assert content(db) == [(1, 200)]


def test_a_database_in_memory_serves_threads_in_turn() -> None:
    database = SQLiteDB()
    database.run_ddl(SCHEMA)
    commit(database, (insert(database), (1, 0)))

    def often() -> None:
        for _ in range(50):
            transaction = database.begin()
            ((n,),) = transaction.execute('SELECT "n" FROM "t"', ()).fetchall()
            time.sleep(0)
            transaction.execute('UPDATE "t" SET "n" = ?', (n + 1,))
            transaction.commit()
            content(database)

    assert in_threads(often, often) == []
    assert content(database) == [(1, 100)]
    database.close()
    database.close()


def test_a_second_transaction_in_a_thread_is_an_error_where_it_would_wait_for_itself(sqlite_db: SQLiteDB) -> None:
    transaction = sqlite_db.begin()
    with pytest.raises(StorageError, match="already open"):
        sqlite_db.begin()
    transaction.rollback()
    sqlite_db.begin().rollback()


def test_threads_that_end_leave_no_connection_open(sqlite_db: SQLiteDB) -> None:
    sqlite_db.run_ddl(SCHEMA)
    for _ in range(20):
        assert in_threads(lambda: commit(sqlite_db, ("SELECT 1", ()))) == []
    assert len(sqlite_db._connections) <= 2
    sqlite_db.close()
    assert not sqlite_db._connections


def test_closing_twice_is_fine_and_a_closed_database_says_so(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(StorageError, match="was closed"):
        db.begin()


def test_a_connection_that_the_server_ended_while_idle_is_replaced_unseen(server: Database) -> None:
    transaction = server.begin()
    pid = backend(server, transaction)
    transaction.commit()
    terminate(server, pid)
    commit(server, (insert(server), (1, 10)))
    assert content(server) == [(1, 10)]


def test_a_connection_that_the_server_ends_in_a_transaction_is_retryable_and_replaced(server: Database) -> None:
    transaction = server.begin()
    pid = backend(server, transaction)
    terminate(server, pid)
    with pytest.raises(LOST) as caught:
        _ = transaction.execute(insert(server), (1, 10)).rowcount
    transaction.rollback()
    assert server.is_retryable(caught.value)
    commit(server, (insert(server), (2, 20)))
    assert content(server) == [(2, 20)]


def test_a_read_whose_connection_the_server_ends_is_asked_again_and_a_write_is_not(server: Database) -> None:
    commit(server, (insert(server), (1, 10)))
    with server.reading() as reading:
        for _ in range(2):
            terminate(server, backend(server, reading))
            assert reading.execute('SELECT "n" FROM "t"', ()).fetchall() == [(10,)]
        terminate(server, backend(server, reading))
        with pytest.raises(LOST) as caught:
            _ = reading.execute(raising(server), (1, 1)).rowcount
    assert server.is_retryable(caught.value)
    assert content(server) == [(1, 10)]


def test_a_connection_lost_before_the_commit_was_sent_is_retryable(server: Database) -> None:
    transaction = server.begin()
    pid = backend(server, transaction)
    assert transaction.execute(insert(server), (1, 10)).rowcount == 1
    terminate(server, pid)
    with pytest.raises(LOST) as caught:
        transaction.commit()
    transaction.rollback()
    assert server.is_retryable(caught.value)
    assert content(server) == []


def test_a_connection_lost_during_the_commit_is_never_retried(pg: PostgreSQLDB) -> None:
    pg.run_ddl(
        [
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION die()",
        ]
    )
    with pytest.raises(CommitUnknown) as caught:
        commit(pg, (insert(pg), (1, 10)))
    assert not pg.is_retryable(caught.value)


def test_what_a_machine_that_vanished_had_locked_is_soon_free(pg: PostgreSQLDB) -> None:
    with pg.reading() as reading:
        settings = "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"
        shown = [int(reading.execute(f"SELECT current_setting('{name}')", ()).fetchone()[0]) for name in settings]
    assert shown == [60, 10, 3]


def cut_at_the_commit(transaction: Any) -> None:
    """Have nothing more reach the server, just after it was seen to be there."""
    session = transaction.session
    with socket.socket(fileno=os.dup(session.connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_WR)
    session.alive = lambda: True


def test_a_network_that_fails_during_the_commit_leaves_it_unknown(pg: PostgreSQLDB) -> None:
    transaction = pg.begin()
    transaction.execute(insert(pg), (1, 10))
    cut_at_the_commit(transaction)
    with pytest.raises(CommitUnknown):
        transaction.commit()
    transaction.rollback()
    assert content(pg) == []


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    database = PostgreSQLDB("host=127.0.0.1 port=1 connect_timeout=2")
    with pytest.raises(DatabaseError, match="there is no connection to the database") as caught:
        database.begin()
    assert caught.value.code == "database.unreachable"
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    database.close()


def test_more_statements_than_are_kept_prepared_still_run(pg: PostgreSQLDB) -> None:
    with pg.reading() as connection:
        for n in (*range(40), PREPARED_LIMIT):
            assert connection.execute(f"SELECT {n}", ()).fetchall() == [(n,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_uses_connections_of_its_own(db: Database) -> None:
    commit(db, (insert(db), (1, 10)))
    child = os.fork()
    if child == 0:
        try:
            commit(db, (raising(db), (1, 1)))
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    commit(db, (raising(db), (1, 1)))
    assert content(db) == [(1, 12)]


# -- recording ---------------------------------------------------------------------------------


def test_a_recorder_sees_every_statement_while_it_is_on(db: Database) -> None:
    commit(db, (insert(db), (1, 10)))
    with db.recording() as recorder:
        commit(db, (insert(db), (2, 20)), (raising(db), (1, 1)))
        content(db)
    commit(db, (raising(db), (1, 2)))
    texts = [sql for sql, _ in recorder.statements]
    assert texts[0].startswith("BEGIN")
    assert recorder.statements[1:4] == [(insert(db), (2, 20)), (raising(db), (1, 1)), ("COMMIT", ())]
    assert len(texts) == 5


def test_a_transaction_that_reads_nothing_is_one_round_trip(pg: PostgreSQLDB) -> None:
    with pg.recording() as recorder:
        transaction = pg.begin()
        transaction.execute(insert(pg), (1, 10))
        transaction.execute(raising(pg), (1, 1))
        counted = transaction.execute('SELECT "n" FROM "t"', ())
        transaction.commit()
        assert counted.fetchall() == [(11,)]
    assert (len(recorder.statements), recorder.round_trips) == (5, 1)


def test_a_result_that_is_read_costs_one_more(pg: PostgreSQLDB) -> None:
    with pg.recording() as recorder:
        transaction = pg.begin()
        one = transaction.execute(insert(pg), (1, 10))
        two = transaction.execute(raising(pg), (1, 1))
        assert (one.rowcount, two.rowcount) == (1, 1)
        transaction.execute(raising(pg), (1, 2))
        transaction.commit()
    assert recorder.round_trips == 2


def test_without_the_pipeline_each_statement_waits(pg: PostgreSQLDB) -> None:
    plain = PostgreSQLDB(pg.dsn, pipeline=False)
    with plain.recording() as recorder:
        commit(plain, (insert(plain), (1, 10)))
        with pytest.raises(psycopg.IntegrityError):
            commit(plain, (insert(plain), (1, 10)))
    assert recorder.round_trips >= 6
    assert content(plain) == [(1, 10)]
    plain.close()


def test_a_large_pipeline_does_not_block_on_its_own_results(pg: PostgreSQLDB) -> None:
    transaction = pg.begin()
    results = [transaction.execute("SELECT CAST(%s AS TEXT)", ("x" * 20_000,)) for _ in range(500)]
    transaction.commit()
    assert {result.fetchall()[0][0] for result in results} == {"x" * 20_000}


# -- transactions that nobody ends ---------------------------------------------------------------


def test_a_transaction_that_is_forgotten_is_undone_and_frees_its_place(server: Database) -> None:
    commit(server, (insert(server), (1, 10)))
    for _ in range(server.pool_size + 1):  # type: ignore[attr-defined]
        transaction = server.begin()
        assert transaction.execute(raising(server), (1, 1)).rowcount == 1
        del transaction
    commit(server, (raising(server), (5, 1)))
    assert content(server) == [(1, 15)]


def test_a_connection_that_nobody_needed_for_long_is_closed(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = server.begin(), server.begin()
    idle = backend(server, first)
    first.commit()
    monkeypatch.setattr("interaqt.drivers.pool.IDLE", -1.0)
    second.commit()
    assert len(server._sessions) == 1  # type: ignore[attr-defined]
    monkeypatch.undo()
    transaction = server.begin()
    assert backend(server, transaction) != idle
    transaction.rollback()


def test_without_the_pipeline_a_commit_may_be_unknown_too(pg: PostgreSQLDB) -> None:
    plain = PostgreSQLDB(pg.dsn, pipeline=False)
    transaction = plain.begin()
    transaction.execute(insert(plain), (1, 10))
    cut_at_the_commit(transaction)
    with pytest.raises(CommitUnknown):
        transaction.commit()
    transaction.rollback()
    plain.close()
    assert content(pg) == []
