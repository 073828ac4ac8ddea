"""Every driver is held to its capability, word by word; and the contract finds out who lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import interaqt as iq
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.database import Database
from interaqt.testing import CLAIMS, Bench, BrokenPromise, Claim
from interaqt.testing.schedules import SCHEDULES
from tests.databases import ON_EACH_DRIVER, fresh
from tests.drivers.waiting import bench_of


@pytest.fixture(params=["sqlite in memory", *ON_EACH_DRIVER])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each database in turn; SQLite waits for its turn for a second."""
    if request.param == "sqlite in memory":
        database = SQLiteDB(timeout=1.0)
        yield database
        database.close()
        return
    with fresh(request.param, request, tmp_path) as found:
        if isinstance(found, SQLiteDB):
            found.timeout = 1.0
        yield found


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_a_driver_does_what_it_says_and_nothing_else(driver: Database, claim: Claim) -> None:
    claim.prove(bench_of(driver))


# -- a contract that can't be broken proves nothing ----------------------------------------------


class _Wrapped:
    """A transaction in which something else is done than was asked for."""

    def __init__(self, transaction: Any, **instead: Callable[..., Any]) -> None:
        self._transaction = transaction
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead.get(name) or getattr(self._transaction, name)


Lie = Callable[[Any], None]


def says(**words: Any) -> Lie:
    """A driver that says something else than what is so."""

    def lie(database: Any) -> None:
        database.capability = attrs.evolve(database.capability, **words)

    return lie


def rolls_nothing_back(database: Any) -> None:
    begin = database.begin

    def begun(*arguments: Any, **options: Any) -> Any:
        transaction = begin(*arguments, **options)
        return _Wrapped(transaction, rollback=lambda: transaction.failure or transaction.commit())

    database.begin = begun


def forgets_savepoints(database: Any) -> None:
    begin = database.begin

    def begun(*arguments: Any, **options: Any) -> Any:
        transaction = begin(*arguments, **options)
        execute = transaction.execute
        transaction.execute = lambda sql, values: execute("SELECT 1" if "SAVEPOINT" in sql else sql, values)
        return transaction

    database.begin = begun


def locks_nothing(database: Any) -> None:
    database.dialect.for_change = ""


def shares_nothing(database: Any) -> None:
    database.dialect.share_lock = "FOR UPDATE"


def begins(statement: str) -> Lie:
    """A driver that begins each transaction alike, whatever it is asked for."""

    def lie(database: Any) -> None:
        database._opening = lambda isolation, read_only: (*statement.split("; "),)

    return lie


def takes_any_level(database: Any) -> None:
    begin = database.begin
    database.begin = lambda isolation=None, **options: begin(**options)


def never_tries_again(database: Any) -> None:
    database.is_retryable = lambda error: False


def always_tries_again(database: Any) -> None:
    database.is_retryable = lambda error: True


NONE: frozenset[Any] = frozenset()
DIRTY = begins("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; BEGIN")
#: By the claim that must be found broken: on which database, and what is wrong with it.
LIES: list[tuple[str, str, Lie]] = [
    ("transactions", "sqlite", rolls_nothing_back),
    ("transactions", "postgresql", rolls_nothing_back),
    ("transactions", "sqlite", says(transactions=False)),
    ("concurrent_writers", "sqlite", says(concurrent_writers=True)),
    ("concurrent_writers", "postgresql", says(concurrent_writers=False)),
    ("row_locks", "sqlite", says(row_locks=frozenset({"update"}))),
    ("row_locks", "postgresql", says(row_locks=NONE)),
    ("row_locks", "postgresql", locks_nothing),
    ("row_locks", "postgresql", shares_nothing),
    ("savepoints", "postgresql", forgets_savepoints),
    ("savepoints", "sqlite", says(savepoints=False)),
    ("transactional_schema", "mysql", says(transactional_schema=True)),
    ("transactional_schema", "sqlite", says(transactional_schema=False)),
    ("read_only_snapshot", "postgresql", begins("BEGIN")),
    ("read_only_snapshot", "sqlite in memory", says(read_only_snapshot=True)),
    ("read_only_snapshot", "mysql", says(read_only_snapshot=False)),
    ("retried", "postgresql", never_tries_again),
    ("retried", "postgresql", always_tries_again),
    ("retried", "sqlite", says(retried=frozenset({"deadlock", "lock timeout"}))),
    ("pipeline", "sqlite", says(pipeline=True)),
    ("pipeline", "postgresql", says(pipeline=False)),
    ("returning", "mysql", says(returning=True)),
    ("returning", "sqlite", says(returning=False)),
    ("isolation", "postgresql", takes_any_level),
    ("default", "postgresql", says(default="SERIALIZABLE")),
    ("default", "postgresql", begins("BEGIN ISOLATION LEVEL SERIALIZABLE")),
    ("conflicts that are healed", "postgresql", never_tries_again),
    *((f"levels that let a {anomaly} happen", "mysql", DIRTY) for anomaly in SCHEDULES),
    *(
        (f"levels that let a {anomaly} happen", "postgresql", begins("BEGIN ISOLATION LEVEL SERIALIZABLE"))
        for anomaly in SCHEDULES
        if anomaly != "dirty read"
    ),
]


@pytest.mark.parametrize(("broken", "driver", "lie"), LIES, indirect=["driver"])
def test_who_lies_is_found_out(broken: str, driver: Database, lie: Lie) -> None:
    bench = bench_of(driver)
    lie(driver)
    (claim,) = (claim for claim in CLAIMS if str(claim) == broken)
    with pytest.raises(BrokenPromise, match=f"{type(driver).__name__} says {broken}: .* What is seen: "):
        claim.prove(bench)


def test_every_claim_can_be_broken() -> None:
    assert {broken for broken, _, _ in LIES} == set(map(str, CLAIMS))


def test_every_word_of_a_capability_is_a_claim() -> None:
    said = {field.name for field in attrs.fields(type(SQLiteDB.capability))}
    assert said <= set(map(str, CLAIMS))


def test_a_broken_promise_says_what_was_said_and_what_is_seen(sqlite_db: SQLiteDB) -> None:
    says(row_locks=frozenset({"update", "share"}))(sqlite_db)
    (claim,) = (claim for claim in CLAIMS if str(claim) == "row_locks")
    with pytest.raises(BrokenPromise) as caught:
        claim.prove(bench_of(sqlite_db))
    assert str(caught.value) == "SQLiteDB says row_locks: share, update. What is seen: none"


@pytest.mark.parametrize("name", ["concurrent_writers", "read_only_snapshot", "levels that let a lost update happen"])
def test_without_a_word_from_the_database_a_clock_says_who_waits(sqlite_db: SQLiteDB, name: str) -> None:
    (claim,) = (claim for claim in CLAIMS if str(claim) == name)
    claim.prove(Bench(sqlite_db, patience=0.5))


def test_a_driver_without_transactions_is_refused_by_the_controller() -> None:
    database = SQLiteDB()
    says(transactions=False)(database)
    with pytest.raises(iq.TransactionCapabilityError, match="SQLiteDB has no transactions") as caught:
        iq.Controller(iq.MonoSystem(database), [])
    assert (caught.value.code, caught.value.requested) == ("transaction.capability", "transactions")
    assert caught.value.capability == database.capability


def test_a_level_that_is_not_offered_is_refused_before_anything_is_done(driver: Database) -> None:
    app = iq.Controller(iq.MonoSystem(driver), [])
    app.setup(install=True)
    called: list[iq.BusinessTransaction] = []
    with pytest.raises(iq.TransactionCapabilityError) as caught:
        app.transact(called.append, isolation="READ UNCOMMITTED")
    assert (called, caught.value.requested) == ([], "READ UNCOMMITTED")
    assert caught.value.capability == driver.capability
