"""A connection that breaks while COMMIT is under way: what is known of it, and how often the dispatch is done."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.drivers import mysql_session, postgresql_session
from interaqt.storage.database import Database
from tests.wire import Fault, Wire, behind_a_wire

told: list[str] = []


@iq.condition
def is_open(event: Event[Deposit]) -> bool:
    return bool(event.payload.account.open)


@iq.interaction(
    guard=is_open,
    resolve=lambda event, storage: event.payload.amount,
    post_commit=lambda event, result: told.append("post_commit"),
)
class Deposit:
    account: Account
    amount: int


@iq.entity
class Account:
    id: int = iq.key()
    open: bool = True
    entries: Many[Entry] = iq.many(inverse="account")

    balance: int = iq.Summation(entries, of=lambda entry: entry.amount)


@iq.entity
class Entry:
    id: int = iq.key()
    account: Account
    amount: int

    made = iq.Transform(Deposit, lambda e: Entry(account=e.payload.account, amount=e.payload.amount))


class Bank:
    """A bank whose line to its database can be cut, and whose books can be looked at all the same."""

    def __init__(self, behind: Database, wire: Wire, direct: Database, **options: Any) -> None:
        self.app = iq.Controller(iq.MonoSystem(behind), [Account, Entry, Deposit], **options)
        self.app.setup(install=True)
        self.wire = wire
        self.books = iq.Controller(iq.MonoSystem(direct), [Account, Entry, Deposit])
        self.books.setup()
        self.account = self.app.system.storage.create(Account())
        self.deposit()
        told.clear()

    def deposit(self, key: str | None = None) -> iq.DispatchResult:
        return self.app.dispatch(Deposit(account=self.account, amount=5), idempotency_key=key)

    def done(self) -> int:
        """How often a deposit was made since the first one, by every account of it."""
        assert self.books.verify() == []
        storage = self.books.system.storage
        entries, events = storage.query(Entry).count(), storage.query(iq.InteractionEvent).count()
        assert storage.get(Account, self.account.id).balance == 5 * entries
        assert entries == events
        return entries - 1


Cut = Callable[[Fault], None]
CutOf = Callable[[Bank], Cut]


@pytest.fixture
def bank(server: Database) -> Iterator[Bank]:
    with behind_a_wire(server) as (behind, wire):
        yield Bank(behind, wire, server)


@pytest.fixture
def cut_of(monkeypatch: pytest.MonkeyPatch) -> CutOf:
    """Has the line of a bank break when the next COMMIT is sent."""

    def cut_of(bank: Bank) -> Cut:
        waiting: list[Fault] = []
        for session in (postgresql_session.Session, mysql_session.Session):

            def commit(self: Any, original: Callable[[Any], None] = session.commit) -> None:
                if waiting:
                    bank.wire.fault = waiting.pop()
                original(self)

            monkeypatch.setattr(session, "commit", commit)
        return waiting.append

    return cut_of


@pytest.fixture
def cut(bank: Bank, cut_of: CutOf) -> Cut:
    return cut_of(bank)


#: What breaks, and how often the deposit was made by it.
FAULTS = [pytest.param("answer lost", 1, id="answer lost"), pytest.param("request lost", 0, id="request lost")]


@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_without_a_key_it_is_told_and_never_done_twice(bank: Bank, cut: Cut, fault: Fault, times: int) -> None:
    cut(fault)
    with pytest.raises(iq.CommitUnknown) as caught:
        bank.deposit()

    assert caught.value.code == "transaction.commit_unknown"
    assert "idempotency_key" in str(caught.value)
    assert bank.done() == times
    assert told == []
    bank.deposit()
    assert bank.done() == times + 1


@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_many_at_once_are_told_of_too(bank: Bank, cut: Cut, fault: Fault, times: int) -> None:
    cut(fault)
    with pytest.raises(iq.CommitUnknown):
        bank.app.dispatch_many([Deposit(account=bank.account, amount=5) for _ in range(3)])

    assert bank.done() == 3 * times


@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_writing_by_hand_is_told_of_too(bank: Bank, cut: Cut, fault: Fault, times: int) -> None:
    cut(fault)
    with pytest.raises(iq.CommitUnknown):
        bank.app.system.storage.create(Account())

    assert bank.books.system.storage.query(Account).count() == 1 + times


@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_under_a_key_it_is_done_once_and_nobody_is_troubled(bank: Bank, cut: Cut, fault: Fault, times: int) -> None:
    cut(fault)
    result = bank.deposit("k")

    assert (result.outcome, result.data, [each.amount for each in result.created(Entry)]) == ("applied", 5, [5])
    assert bank.done() == 1
    # It is found done where it had been, and then nobody has been called back: the result says so.
    assert (result.post_commit, told) == (("not_run", []) if times else ("complete", ["post_commit"]))
    again = bank.deposit("k")
    assert (again.outcome, again.event.id, again.data) == ("replayed", result.event.id, 5)
    assert bank.done() == 1


def test_what_it_did_itself_does_not_make_it_refused(bank: Bank, cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard is asked once for one dispatch that was done, though two transactions look at it."""
    asked: list[bool] = []

    def check(event: Event[Any]) -> None:
        asked.append(True)
        if len(asked) > 1:
            raise iq.ConditionRejected("once is enough")

    monkeypatch.setattr(bank.app._dispatches[Deposit].interaction, "guard", _Guard(check))
    cut("answer lost")
    assert bank.deposit("k").outcome == "applied"
    with pytest.raises(iq.ConditionRejected, match="once is enough"):
        bank.deposit("k")


class _Guard:
    def __init__(self, check: Callable[[Event[Any]], None]) -> None:
        self.check = check


@pytest.mark.parametrize("fault", ["answer lost", "request lost"])
def test_if_the_server_is_gone_it_stays_unknown_even_under_a_key(bank: Bank, cut: Cut, fault: Fault) -> None:
    bank.wire.last = True
    cut(fault)
    with pytest.raises(iq.CommitUnknown):
        bank.deposit("k")


def test_a_request_that_the_server_waits_for_is_not_done_beside_it(server: Database, cut_of: CutOf) -> None:
    """The first transaction is open still, and has claimed the key: nobody can say yet that it will not commit."""
    with behind_a_wire(server) as (behind, wire):
        bank = Bank(behind, wire, server, idempotency=iq.Idempotency(wait=dt.timedelta(seconds=1)))
        cut_of(bank)("server left waiting")
        with pytest.raises(iq.IdempotencyError) as caught:
            bank.deposit("k")
        assert caught.value.code == "idempotency.in_flight"

        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(bank.deposit, "k")
            threading.Event().wait(0.1)
            wire.release()
            assert later.result(20).outcome == "applied"
        assert bank.done() == 1
