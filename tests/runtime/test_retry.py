"""Conflicts are healed by doing the dispatch once more; what no retry heals is raised as it is."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import interaqt as iq
from interaqt import Event, Many
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.runtime import transaction
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps

#: What happens in a dispatch, by attempt.
on_attempt: Callable[[int, iq.Storage], None] = lambda attempt, storage: None  # noqa: E731
attempts: list[Any] = []


@iq.entity
class Account:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="account")

    balance: int = iq.Summation(entries, of=lambda entry: entry.amount)


@iq.condition
def goes_on(event: Event[Any]) -> bool:
    attempts.append(event.payload.tags)
    if event.payload.tags is not None:
        event.payload.tags.append("seen")
    return True


def act(event: Event[Pay], storage: iq.Storage) -> int:
    on_attempt(len(attempts), storage)
    return len(attempts)


@iq.interaction(guard=goes_on, resolve=act)
class Pay:
    account: Account
    amount: int
    tags: list[str] | None


@iq.entity
class Entry:
    id: int = iq.key()
    account: Account
    amount: int

    paid = iq.Transform(Pay, lambda e: Entry(account=e.payload.account, amount=e.payload.amount))


@iq.side_effect(Entry)
def entry_made(change: iq.RecordChange[Entry]) -> int:
    return change.record.id


MODELS = (Account, Entry, Pay, entry_made)


def busy() -> Exception:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode, error.sqlite_errorname = 5, "SQLITE_BUSY"
    return error


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long the engine waited between attempts; it does not really."""
    global on_attempt
    waited: list[float] = []
    monkeypatch.setattr(transaction.time, "sleep", waited.append)
    attempts.clear()
    yield waited
    on_attempt = lambda attempt, storage: None  # noqa: E731


def failing(times: int, make: Callable[[], Exception]) -> None:
    global on_attempt

    def fail(attempt: int, storage: iq.Storage) -> None:
        if attempt <= times:
            raise make()

    on_attempt = fail


@pytest.fixture
def app(in_memory: Apps) -> iq.Controller:
    return in_memory(*MODELS)


@pytest.fixture
def account(app: iq.Controller) -> Account:
    return app.system.storage.create(Account())


# -- how often ----------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 7])
def test_a_conflict_is_healed_by_doing_it_again(app: iq.Controller, account: Account, times: int) -> None:
    failing(times, busy)
    result = app.dispatch(Pay(account=account, amount=5))
    assert result.data == times + 1
    assert app.system.storage.get(Account, account.id).balance == 5


def test_the_pauses_grow_and_are_never_the_same(app: iq.Controller, account: Account, pauses: list[float]) -> None:
    failing(7, busy)
    app.dispatch(Pay(account=account, amount=5))
    bounds = [(delay, 2 * delay) for delay in transaction.DELAYS]
    assert len(pauses) == len(bounds) == 7
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True))
    assert list(transaction.DELAYS) == sorted(transaction.DELAYS)


def test_a_conflict_that_does_not_go_away_is_told(app: iq.Controller, account: Account) -> None:
    failing(99, busy)
    with pytest.raises(iq.TransactionRetryExhaustedError, match="Pay met a conflict") as exhausted:
        app.dispatch(Pay(account=account, amount=5))
    assert exhausted.value.attempts == transaction.ATTEMPTS == 8
    assert isinstance(exhausted.value.__cause__, sqlite3.OperationalError)
    assert app.system.storage.query(iq.InteractionEvent).count() == 0
    assert app.system.storage.get(Account, account.id).balance == 0


def test_what_no_retry_heals_is_raised_as_it_is(app: iq.Controller, account: Account) -> None:
    error = ValueError("no")
    failing(99, lambda: error)
    with pytest.raises(ValueError, match="no") as raised:
        app.dispatch(Pay(account=account, amount=5))
    assert raised.value is error
    assert len(attempts) == 1


def test_an_error_of_the_database_that_no_retry_heals_is_told(app: iq.Controller, account: Account) -> None:
    error = sqlite3.OperationalError("no such table: x")
    failing(99, lambda: error)
    with pytest.raises(iq.DatabaseError, match="the database does not take the statement: no such table: x") as raised:
        app.dispatch(Pay(account=account, amount=5))
    assert (raised.value.code, raised.value.__cause__) == ("database.statement", error)
    assert len(attempts) == 1


def test_a_conflict_that_a_callback_wrapped_in_an_error_of_its_own_is_one(app: iq.Controller, account: Account) -> None:
    global on_attempt

    def wrap(attempt: int, storage: iq.Storage) -> None:
        if attempt == 1:
            try:
                raise busy()
            except sqlite3.Error:
                raise ValueError("could not read") from None

    on_attempt = wrap
    assert app.dispatch(Pay(account=account, amount=5)).data == 2


def test_a_conflict_that_a_condition_meets_is_no_denial(in_memory: Apps) -> None:
    met: list[int] = []

    @iq.condition
    def meets_conflict(event: Event[Any]) -> bool:
        met.append(1)
        if len(met) == 1:
            raise busy()
        return True

    @iq.interaction(guard=meets_conflict)
    class Knock:
        pass

    app = in_memory(Knock)
    app.dispatch(Knock())
    assert len(met) == 2


def test_writing_by_hand_is_retried_as_well(app: iq.Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, failed = app.system.database.begin, []

    def begin_later(*args: Any, **options: Any) -> Any:
        if not failed:
            failed.append(1)
            raise busy()
        return begin(*args, **options)

    monkeypatch.setattr(app.system.database, "begin", begin_later)
    assert app.system.storage.create(Account()).balance == 0
    assert failed


# -- what an attempt leaves -----------------------------------------------------------------------


def test_failed_attempts_leave_no_effects(app: iq.Controller, account: Account) -> None:
    failing(3, busy)
    result = app.dispatch(Pay(account=account, amount=5))
    assert [each.record for each in result.effects] == [iq.InteractionEvent, Entry, Account]
    entry = result.created(Entry)[0]
    assert [(each.name, each.result) for each in result.side_effects] == [("entry_made", entry.id)]
    assert app.system.storage.query(Entry).all() == [entry]


def test_each_attempt_is_given_the_payload_as_it_was_asked_for(app: iq.Controller, account: Account) -> None:
    failing(2, busy)
    tags = ["a"]
    app.dispatch(Pay(account=account, amount=5, tags=tags))
    assert attempts == [["a", "seen"]] * 3
    assert tags == ["a"]
    assert app.system.storage.query(iq.InteractionEvent).one().payload["tags"] == ["a"]


# -- real conflicts -------------------------------------------------------------------------------


@pytest.fixture
def impatient(postgresql_db: PostgreSQLDB) -> Iterator[PostgreSQLDB]:
    """PostgreSQL that looks for deadlocks soon."""
    options = conninfo_to_dict(postgresql_db.dsn)["options"]
    database = PostgreSQLDB(make_conninfo(postgresql_db.dsn, options=f"{options} -c deadlock_timeout=20ms"))
    yield database
    database.close()


def _controller(database: Database) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(database), MODELS)
    controller.setup(install=True)
    return controller


@pytest.mark.postgresql
def test_of_two_dispatches_that_wait_for_each_other_one_goes_again(impatient: PostgreSQLDB) -> None:
    global on_attempt
    app = _controller(impatient)
    storage = app.system.storage
    first, second = storage.create(Account()), storage.create(Account())
    both_hold = threading.Barrier(2)
    seen: list[str] = []

    def lock_the_other(attempt: int, storage: iq.Storage) -> None:
        name = threading.current_thread().name
        seen.append(name)
        if seen.count(name) == 1:
            both_hold.wait(5)
        other = second if name == "first" else first
        with storage.executor() as executor:
            executor.execute('SELECT 1 FROM "account" WHERE "id" = %s FOR UPDATE', (other.id,)).fetchall()

    on_attempt = lock_the_other
    errors: list[Exception] = []

    def pay(account: Account) -> None:
        try:
            app.dispatch(Pay(account=account, amount=1))
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=pay, args=(account,), name=name)
        for name, account in (("first", first), ("second", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert errors == []
    # On a busy machine the one that goes again may meet the other still waiting, and go once more.
    assert len(seen) >= 3
    assert [account.balance for account in storage.query(Account)] == [1, 1]
    assert storage.query(iq.InteractionEvent).count() == 2


@pytest.mark.postgresql
@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_the_server_calls_a_conflict_is_one(impatient: PostgreSQLDB, code: str) -> None:
    global on_attempt
    app = _controller(impatient)
    account = app.system.storage.create(Account())

    def conflict(attempt: int, storage: iq.Storage) -> None:
        if attempt < 3:
            with storage.executor() as executor:
                sql = f"DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '{code}'; END $$"
                executor.execute(sql, ()).fetchall()

    on_attempt = conflict
    assert app.dispatch(Pay(account=account, amount=2)).data == 3
    assert app.system.storage.get(Account, account.id).balance == 2


@pytest.mark.postgresql
def test_a_connection_that_the_server_ends_in_mid_dispatch_is_healed(impatient: PostgreSQLDB) -> None:
    global on_attempt
    app = _controller(impatient)
    account = app.system.storage.create(Account())

    def die(attempt: int, storage: iq.Storage) -> None:
        if attempt == 1:
            with storage.executor() as executor:
                executor.execute("SELECT pg_terminate_backend(pg_backend_pid())", ()).fetchall()

    on_attempt = die
    assert app.dispatch(Pay(account=account, amount=2)).data == 2
    assert app.system.storage.get(Account, account.id).balance == 2
    assert app.system.storage.query(iq.InteractionEvent).count() == 1


@pytest.mark.postgresql
def test_so_is_one_that_a_callback_did_not_notice(impatient: PostgreSQLDB) -> None:
    global on_attempt
    app = _controller(impatient)
    account = app.system.storage.create(Account())

    def die_unnoticed(attempt: int, storage: iq.Storage) -> None:
        if attempt == 1:
            with storage.executor() as executor:
                pid = executor.execute("SELECT pg_backend_pid()", ()).fetchall()[0][0]
            with impatient.reading() as other:
                other.execute("SELECT pg_terminate_backend(%s::int)", (pid,)).fetchall()
            threading.Event().wait(0.1)

    on_attempt = die_unnoticed
    assert app.dispatch(Pay(account=account, amount=2)).data == 2
    assert app.system.storage.query(iq.InteractionEvent).count() == 1


def _hold(path: str, held: Any, seconds: float) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    held.set()
    time.sleep(seconds)
    connection.execute("COMMIT")
    connection.close()


def test_a_file_that_another_process_writes_is_waited_for_and_tried_again(tmp_path: Any) -> None:
    database = SQLiteDB(tmp_path / "app.db", timeout=0.1)
    app = _controller(database)
    account = app.system.storage.create(Account())
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path / "app.db"), held, 0.25))
    process.start()
    assert held.wait(20)
    with database.recording() as recorder:
        app.dispatch(Pay(account=account, amount=3))
    process.join(20)
    begins = [sql for sql, _ in recorder.statements if sql.startswith("BEGIN")]
    assert len(begins) > 1
    assert app.system.storage.get(Account, account.id).balance == 3
    app.system.close()
