"""A dispatch that is interrupted in the middle lets go of all that it has: its rows, its locks and its connection."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps

#: Called by callbacks of Withdraw, by their place.
at: dict[str, Callable[[], None]] = {}


def reached(place: str) -> None:
    at.get(place, lambda: None)()


@iq.condition
def is_covered(event: Event[Any]) -> bool:
    covered = event.payload.account.balance >= event.payload.amount
    reached("condition")
    return bool(covered)


def resolved(event: Event[Any], storage: iq.Storage) -> int:
    reached("resolve")
    return storage.get(Account, event.payload.account.id).balance


@iq.interaction(guard=is_covered, locks=lambda e: reached("locks") or e.payload.account, resolve=resolved)  # type: ignore[func-returns-value]
class Withdraw:
    account: Account
    amount: int


def drawn(event: Event[Any]) -> Entry:
    reached("transform")
    return Entry(account=event.payload.account, amount=-event.payload.amount)


@iq.entity
class Account:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="account")
    balance: int = iq.Summation(entries, of=lambda entry: entry.amount)


@iq.entity
class Entry:
    id: int = iq.key()
    account: Account
    amount: int
    withdrawn = iq.Transform(Withdraw, drawn)


class Stopped(BaseException):
    """As a KeyboardInterrupt or a cancellation: no Exception, so nobody handles it by mistake."""


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    yield make_app(Account, Entry, Withdraw)
    at.clear()


@pytest.fixture
def account(app: iq.Controller) -> Account:
    storage = app.system.storage
    account = storage.create(Account())
    storage.create(Entry(account=account, amount=100))
    return account


def require_free(app: iq.Controller, account: Account) -> None:
    """Nothing was written, and somebody else finds all of it free at once."""
    at.clear()
    assert app.system.storage.query(iq.InteractionEvent).count() == 0
    found: list[Any] = []
    other = threading.Thread(target=lambda: found.append(app.dispatch(Withdraw(account=account, amount=100)).data))
    other.start()
    other.join(5)
    assert found == [0]
    assert app.verify() == []


def stop() -> None:
    raise Stopped


PLACES = ["locks", "condition", "transform", "resolve"]


@pytest.mark.parametrize("place", PLACES)
def test_interrupted_in_a_callback(app: iq.Controller, account: Account, place: str) -> None:
    at[place] = stop
    for _ in range(12):  # more often than there are connections in a pool
        with pytest.raises(Stopped):
            app.dispatch(Withdraw(account=account, amount=1))
    require_free(app, account)


@pytest.mark.parametrize("place", PLACES)
def test_interrupted_in_one_of_several(app: iq.Controller, account: Account, place: str) -> None:
    def several(tx: iq.BusinessTransaction) -> None:
        tx.dispatch(Withdraw(account=account, amount=1))
        at[place] = stop
        tx.dispatch(Withdraw(account=account, amount=1))

    for _ in range(12):
        at.clear()
        with pytest.raises(Stopped):
            app.transact(several)
    at[place] = stop
    with pytest.raises(Stopped):
        app.dispatch_many([Withdraw(account=account, amount=1)] * 3)
    require_free(app, account)


@pytest.mark.parametrize("place", PLACES)
def test_a_function_that_goes_on_after_it_commits_nothing(app: iq.Controller, account: Account, place: str) -> None:
    def swallows(tx: iq.BusinessTransaction) -> None:
        tx.dispatch(Withdraw(account=account, amount=1))
        at[place] = stop
        with suppress(Stopped):
            tx.dispatch(Withdraw(account=account, amount=1))

    with pytest.raises(iq.TransactionAbortedError):
        app.transact(swallows)
    require_free(app, account)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Interrupts the main thread, as Ctrl-C does."""

    def ring(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interrupted_by_a_signal_while_it_waits_for_a_lock(server: Database) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are for the main thread")
    app = iq.Controller(iq.MonoSystem(server), [Account, Entry, Withdraw])
    app.setup(install=True)
    storage = app.system.storage
    account = storage.create(Account())
    storage.create(Entry(account=account, amount=100))
    for _ in range(3):
        other = server.begin(None)
        other.execute(f'SELECT "id" FROM "account" WHERE "id" = {account.id} FOR UPDATE', ()).fetchall()
        try:
            with pytest.raises(Stopped), alarm(0.3):
                app.dispatch(Withdraw(account=account, amount=1))
        finally:
            other.rollback()
    require_free(app, account)
    app.system.close()


def test_interrupted_by_a_signal_while_a_statement_runs(server: Database) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are for the main thread")
    app = iq.Controller(iq.MonoSystem(server), [Account, Entry, Withdraw])
    app.setup(install=True)
    storage = app.system.storage
    account = storage.create(Account())
    storage.create(Entry(account=account, amount=100))
    sleep = "SELECT pg_sleep(30)" if server.dialect.name == "PostgreSQL" else "SELECT SLEEP(30)"  # type: ignore[attr-defined]

    def sleeps() -> None:
        transaction = storage.transaction
        assert transaction is not None
        transaction.execute(sleep, ()).fetchall()

    at["resolve"] = sleeps
    with pytest.raises(Stopped), alarm(0.3):
        app.dispatch(Withdraw(account=account, amount=1))
    require_free(app, account)
    app.system.close()
