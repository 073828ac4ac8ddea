"""CockroachDB's driver, as far as it can be shown without its server: on a PostgreSQL that stands in for it."""

from __future__ import annotations

import importlib
import re
from typing import Any

import psycopg
import pytest

import interaqt as iq
from interaqt.core.expressions import Param
from interaqt.core.types import Kind, ValueType
from interaqt.drivers.cockroachdb import CockroachDB
from interaqt.drivers.cockroachdb_dialect import CockroachDBDialect
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.database import Violation
from interaqt.testing import CLAIMS, Claim
from tests.drivers.waiting import bench_of
from tests.runtime.test_examples import EXAMPLES
from tests.storage.test_meaning import CASES, answer_of_parameters, create, python, same, signature

#: What PostgreSQL does and CockroachDB does not, or does not always, so that the stand-in can't show it.
NOT_SHOWN = {"transactional_schema", "row_locks"}
#: Its case mapping is letter by letter: no 'SS' for 'ß', no final sigma.
BY_LETTER = {"lower", "upper"}


def error(state: str, message: str = "") -> psycopg.Error:
    """An error as psycopg makes it of what a server says."""
    try:
        return psycopg.errors.lookup(state)(message)
    except KeyError:
        # Of one that PostgreSQL has no name for it makes the nearest kind.
        found = psycopg.DatabaseError(message)
        found.sqlstate = state
        return found


# -- statements --------------------------------------------------------------------------------


def test_every_operation_means_what_it_means_in_python(cockroachdb_db: CockroachDB) -> None:
    wrong = []
    shown = [each for each in CASES if each.operation not in BY_LETTER]
    for number, types in enumerate(dict.fromkeys(map(signature, shown))):
        columns = [(f"c{index}", type) for index, type in enumerate(types)]
        create(cockroachdb_db, f"given{number}", columns)
        for each in shown:
            if signature(each) == types:
                values = {name: value for (name, _), value in zip(columns, each.values, strict=True)}
                expected = python(each.expr(Param), values)
                found = answer_of_parameters(cockroachdb_db, each.expr(Param), values)
                if not same(found, expected):
                    wrong.append(f"{each}: {expected!r} in Python, {found!r} here")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_by_statements_that_have_nothing_of_postgresql_alone(
    name: str, cockroachdb_db: CockroachDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iq, "SQLiteDB", lambda *_: cockroachdb_db)
    with cockroachdb_db.recording() as recorder:
        importlib.import_module(f"examples.{name}").main()
    texts = [sql for sql, _ in recorder.statements]
    assert any(text.startswith("CREATE TABLE") for text in texts)
    assert any(text.startswith("UPDATE") for text in texts)
    missing = re.compile(
        r"COLLATE|FOR NO KEY UPDATE|FOR SHARE|trim_scale|starts_with|make_interval|advisory|DEFERR"
        r"|reg(?:namespace|type|class)|JSONB\[\]|extract\(epoch"
        # The quotient of two integers would be a DECIMAL.
        r"|[^/]/[^/]"
    )
    assert [text for text in texts if missing.search(text)] == []
    assert {text for text in texts if text.startswith("BEGIN")} <= {
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "BEGIN READ ONLY",  # one statement, whose rows come in pieces
    }


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (Kind.BOOL, "BOOLEAN"),
        (Kind.INT, "BIGINT"),
        (Kind.FLOAT, "DOUBLE PRECISION"),
        (Kind.DECIMAL, "NUMERIC"),
        (Kind.STR, "TEXT"),
        (Kind.BYTES, "BYTEA"),
        (Kind.DATE, "DATE"),
        (Kind.DATETIME, "TIMESTAMPTZ"),
        (Kind.TIMEDELTA, "BIGINT"),
        (Kind.UUID, "UUID"),
        (Kind.JSON, "JSONB"),
    ],
)
def test_the_type_of_a_column(kind: Kind, column: str) -> None:
    assert CockroachDBDialect().column_type(ValueType(kind)) == column


# -- what it promises --------------------------------------------------------------------------


@pytest.mark.parametrize("claim", [each for each in CLAIMS if str(each) not in NOT_SHOWN], ids=str)
def test_it_does_what_it_says_as_far_as_postgresql_can_show(cockroachdb_db: CockroachDB, claim: Claim) -> None:
    claim.prove(bench_of(cockroachdb_db))


def test_read_committed_is_not_offered_for_it_is_a_setting_of_the_cluster() -> None:
    database = CockroachDB("host=127.0.0.1 port=1")
    with pytest.raises(iq.TransactionCapabilityError, match="CockroachDB offers no isolation level 'READ COMMITTED'"):
        database.begin("READ COMMITTED")


def test_where_a_schema_statement_fails_the_tables_that_others_made_are_gone(cockroachdb_db: CockroachDB) -> None:
    made = ['CREATE TABLE "a" ("id" BIGINT PRIMARY KEY)', 'CREATE TABLE "b" ("id" BIGINT REFERENCES "a" ("id"))']
    with pytest.raises(psycopg.Error):
        cockroachdb_db.run_ddl([*made, 'CREATE TABLE "a" ("id" BIGINT)'])
    assert cockroachdb_db.tables() == {}
    cockroachdb_db.run_ddl(made)
    assert cockroachdb_db.tables() == {"a": {"id"}, "b": {"id"}}


# -- errors ------------------------------------------------------------------------------------

RESTART = "restart transaction: TransactionRetryWithProtoRefreshError: TransactionRetryError: retry txn"


@pytest.mark.parametrize(
    ("state", "message", "retried"),
    [
        ("40001", f"{RESTART} (RETRY_SERIALIZABLE - failed preemptive refresh)", True),
        ("40001", f"{RESTART} (RETRY_WRITE_TOO_OLD)", True),
        ("40001", "restart transaction: ReadWithinUncertaintyIntervalError: read at time 1 encountered", True),
        ("40P01", "deadlock detected", True),
        # Of a statement: its transaction is not committed, whatever became of it.
        ("40003", "result is ambiguous (error=context deadline exceeded)", True),
        ("57P01", "server is shutting down", True),
        ("08006", "connection failure", True),
        ("0A000", "cached plan must not change result type", True),
        ("XXA00", "transaction committed but schema change aborted with error", False),
        ("25P02", "current transaction is aborted, commands ignored until end of transaction block", False),
        ("55P03", "canceling statement due to lock timeout on row", False),
        ("57014", "query execution canceled due to statement timeout", False),
        ("23505", 'duplicate key value violates unique constraint "t_ab"', False),
        ("42P01", 'relation "t" does not exist', False),
        ("53200", "memory budget exceeded", False),
    ],
)
def test_what_is_run_again(state: str, message: str, retried: bool) -> None:
    database = CockroachDB("host=127.0.0.1 port=1")
    assert database.is_retryable(error(state, message)) is retried
    assert database.timed_out(error(state)) is (state == "57014")
    assert database.gave_up_waiting(error(state)) is (state == "55P03")


@pytest.mark.parametrize(
    ("state", "message", "violation"),
    [
        ("23505", 'duplicate key value violates unique constraint "t_ab"', Violation("unique", "t_ab")),
        ("23503", 'insert on table "t" violates foreign key constraint "t_owner"', Violation("foreign_key", "t_owner")),
        ("23502", 'null value in column "n" violates not-null constraint', Violation("not_null", columns=("n",))),
        ("23514", "failed to satisfy CHECK constraint (n >= 0)", Violation("check")),
        ("40001", RESTART, None),
    ],
)
def test_a_refused_row_is_told_by_the_message_where_the_fields_are_empty(
    state: str, message: str, violation: Violation | None
) -> None:
    assert CockroachDB("host=127.0.0.1 port=1").violation(error(state, message)) == violation


def fails_at_the_commit(database: Any, state: str, times: int) -> None:
    """Have the next commits end with a state, as many as ``times``, whatever their transactions did."""
    database.run_ddl(
        [
            "CREATE SEQUENCE failures",
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
            f" IF nextval(''failures'') <= {times} THEN RAISE EXCEPTION ''as told'' USING ERRCODE = ''{state}'';"
            " END IF; RETURN NULL; END'",
            'CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON "coin" DEFERRABLE INITIALLY DEFERRED'
            " FOR EACH ROW EXECUTE FUNCTION fail()",
        ]
    )


@iq.interaction
class Mint:
    worth: int


@iq.entity
class Coin:
    id: int = iq.key()
    worth: int

    minted = iq.Transform(Mint, lambda e: Coin(worth=e.payload.worth))


@pytest.fixture
def mint(cockroachdb_db: CockroachDB) -> iq.Controller:
    app = iq.Controller(iq.MonoSystem(cockroachdb_db), [Mint, Coin])
    app.setup(install=True)
    return app


def coins(app: iq.Controller) -> int:
    return app.system.storage.query(Coin).count()


def test_a_restart_at_the_commit_is_healed(mint: iq.Controller) -> None:
    fails_at_the_commit(mint.system.database, "40001", 2)
    mint.dispatch(Mint(worth=1))
    assert coins(mint) == 1


@pytest.mark.parametrize("state", ["40003", "08006", "08007"])
def test_a_commit_of_which_the_server_does_not_know_is_never_done_again(mint: iq.Controller, state: str) -> None:
    fails_at_the_commit(mint.system.database, state, 1)
    with pytest.raises(iq.CommitUnknown, match="the server itself does not know what became of the commit") as caught:
        mint.dispatch(Mint(worth=1))
    assert (caught.value.code, coins(mint)) == ("transaction.commit_unknown", 0)
    mint.dispatch(Mint(worth=1))
    assert coins(mint) == 1


def test_under_a_key_it_is_asked_whether_it_happened(mint: iq.Controller) -> None:
    fails_at_the_commit(mint.system.database, "40003", 1)
    mint.dispatch(Mint(worth=1), idempotency_key="once")
    mint.dispatch(Mint(worth=1), idempotency_key="once")
    assert coins(mint) == 1


# -- which server it is ------------------------------------------------------------------------


class Told:
    """A connection to a server that says which version of CockroachDB it is."""

    def __init__(self, version: str | None) -> None:
        self.version = version
        self.info = self

    def parameter_status(self, name: str) -> str | None:
        assert name == "crdb_version"
        return self.version


def test_postgresql_is_not_taken_for_it(postgresql_dsn: str) -> None:
    with pytest.raises(iq.StorageError, match="the server is not CockroachDB") as caught:
        CockroachDB(postgresql_dsn).begin()
    assert caught.value.code == "database.server"
    assert "iq.PostgreSQLDB" in caught.value.hint


def test_it_is_not_taken_for_postgresql(postgresql_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psycopg.crdb.CrdbConnection.is_crdb", lambda connection: True)
    with pytest.raises(iq.StorageError, match="the server is CockroachDB") as caught:
        PostgreSQLDB(postgresql_dsn).begin()
    assert caught.value.code == "database.server"
    assert "iq.CockroachDB" in caught.value.hint


def test_an_old_one_is_refused() -> None:
    database: Any = CockroachDB("host=127.0.0.1 port=1")
    database._require_server(Told("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)"))
    database._require_server(Told("CockroachDB CCL v25.4.0-alpha.1"))
    with pytest.raises(iq.StorageError, match=r"v22\.2\.19 .*; it must be at least 23\.1") as caught:
        database._require_server(Told("CockroachDB CCL v22.2.19 (x86_64-pc-linux-gnu)"))
    assert caught.value.code == "database.version"
