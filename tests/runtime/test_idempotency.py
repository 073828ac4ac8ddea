"""Under an idempotency key a request is done once, and answers the same each time."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database

calls: list[str] = []
pause: Callable[[], None] = lambda: None  # noqa: E731 - replaced by tests


@iq.condition
def is_open(event: Event[Pay]) -> bool:
    return bool(event.payload.account.open)


def answer(event: Event[Pay], storage: iq.Storage) -> Any:
    calls.append("resolve")
    pause()
    return {"account": event.payload.account.name, "amounts": [event.payload.amount]}


@iq.interaction(
    guard=is_open,
    map_event_data=lambda event: {"source": "web"},
    resolve=answer,
    after_dispatch=lambda event, result: calls.append("after_dispatch"),
    post_commit=lambda event, result: calls.append("post_commit"),
)
class Pay:
    account: Account
    amount: int
    note: str | None = None
    split: dict[str, Any] | None = None


@iq.entity
class Account:
    id: int = iq.key()
    name: str
    open: bool = True
    payments: Many[Payment] = iq.many(inverse="account")
    spent: int = iq.Summation(payments, lambda payment: payment.amount)


@iq.entity
class Payment:
    id: uuid.UUID = iq.key()
    account: Account
    amount: int
    made = iq.Transform(Pay, lambda e: Payment(account=e.payload.account, amount=e.payload.amount))


@iq.interaction(resolve=lambda event, storage: {"at": event.at})
class Report: ...


@iq.interaction(idempotency=iq.Idempotency(expires=dt.timedelta(days=1)))
class Ping: ...


@iq.side_effect(Payment)
def observed(change: iq.RecordChange[Payment]) -> None:
    calls.append("side effect")


class Bank:
    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.later = dt.timedelta(0)
        models = [Account, Payment, Pay, Report, Ping, observed]
        self.app = iq.Controller(iq.MonoSystem(database), models, user=Account, clock=self.now, **options)
        self.app.setup(install=True)
        self.storage = self.app.system.storage
        self.ada = self.storage.create(Account(name="ada"))
        self.bob = self.storage.create(Account(name="bob"))
        calls.clear()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.later

    def pay(self, amount: int = 5, key: str | None = "k", user: Any = None, **payload: Any) -> iq.DispatchResult:
        return self.app.dispatch(Pay(account=self.ada, amount=amount, **payload), user=user, idempotency_key=key)

    @property
    def payments(self) -> int:
        return self.storage.query(Payment).count()

    @property
    def events(self) -> int:
        return self.storage.query(iq.InteractionEvent).count()

    def spent(self) -> int:
        assert self.app.verify() == []
        return self.storage.get(Account, self.ada.id).spent


@pytest.fixture
def bank(database: Database) -> Bank:
    return Bank(database)


def test_it_is_done_once_and_answered_each_time(bank: Bank) -> None:
    first = bank.pay()
    again = [bank.pay() for _ in range(3)]

    assert first.outcome == "applied"
    assert [each.outcome for each in again] == ["replayed"] * 3
    for each in again:
        assert each.data == first.data == {"account": "ada", "amounts": [5]}
        assert each.event.id == first.event.id
        assert (each.event.at, each.event.context) == (first.event.at, {"source": "web"})
        assert each.created(Payment) == first.created(Payment)
        assert [payment.amount for payment in each.created(Payment)] == [5]
        assert (each.effects, each.side_effects, each.post_commit) == ([], [], "not_run")
    assert (bank.payments, bank.events, bank.spent()) == (1, 1, 5)
    assert calls == ["resolve", "after_dispatch", "post_commit", "side effect"]


def test_without_a_key_each_is_done_and_the_ledger_is_not_asked(bank: Bank) -> None:
    bank.pay(key=None)
    with bank.database.recording() as recorder:
        result = bank.pay(key=None)

    assert result.outcome is None
    assert bank.payments == 2
    assert not any("idempotent_request" in sql for sql, _ in recorder.statements)


def test_a_key_is_one_users_own_and_of_one_interaction(bank: Bank) -> None:
    outcomes = [
        bank.pay(user=bank.ada).outcome,
        bank.pay(user=bank.bob).outcome,
        bank.pay(user=None).outcome,
        bank.app.dispatch(Ping(), user=bank.ada, idempotency_key="k").outcome,
    ]

    assert outcomes == ["applied"] * 4
    assert bank.pay(user=bank.bob).outcome == "replayed"


def test_the_same_key_with_another_payload_is_refused(bank: Bank) -> None:
    bank.pay(5, split={"b": 1, "a": [1, 2]})

    assert bank.pay(5, split={"a": [1, 2], "b": 1}).outcome == "replayed"
    for payload in ({"amount": 6}, {"amount": 5, "note": "x"}, {"amount": 5, "split": {"b": 1, "a": [2, 1]}}):
        with pytest.raises(iq.IdempotencyError) as caught:
            bank.pay(**payload)
        assert caught.value.code == "idempotency.conflict"
    assert str(caught.value).startswith("[idempotency.conflict]\n  Pay\n  the key 'k' was used at ")
    assert bank.payments == 1


def test_json_and_instances_are_the_same_request(bank: Bank) -> None:
    bank.pay(5)

    again = bank.app.dispatch(Pay, {"account": bank.ada.id, "amount": 5}, idempotency_key="k")

    assert again.outcome == "replayed"


def test_what_fails_leaves_no_claim(bank: Bank) -> None:
    bank.storage.update(bank.ada, open=False)
    with pytest.raises(iq.ConditionRejected):
        bank.pay()
    bank.storage.update(bank.ada, open=True)

    assert bank.pay().outcome == "applied"


def test_who_is_not_admitted_any_more_gets_no_answer(bank: Bank) -> None:
    bank.pay()
    bank.storage.update(bank.ada, open=False)

    with pytest.raises(iq.ConditionRejected):
        bank.pay()


def test_data_that_is_not_json_is_refused_and_nothing_is_written(bank: Bank) -> None:
    with pytest.raises(iq.IdempotencyError) as caught:
        bank.app.dispatch(Report(), idempotency_key="k")

    assert caught.value.code == "idempotency.data"
    assert caught.value.message.startswith("data['at'] is datetime.datetime(")
    assert caught.value.subject == "Report: resolve"
    assert bank.events == 0
    assert bank.app.dispatch(Report()).data.keys() == {"at"}


@pytest.mark.parametrize("key", ["", 7, "x" * 256, "a\0b"])
def test_what_is_no_key(bank: Bank, key: Any) -> None:
    with pytest.raises(iq.InvalidValue, match=r"\[idempotency.key\]"):
        bank.pay(key=key)


def test_a_refusal_is_in_the_result_where_errors_are_not_raised(database: Database) -> None:
    bank = Bank(database, raise_errors=False)
    bank.pay(5)

    result = bank.pay(6)

    assert isinstance(result.error, iq.IdempotencyError)
    assert result.outcome is None


def test_a_key_that_expired_is_a_new_one(database: Database) -> None:
    bank = Bank(database, idempotency=iq.Idempotency(expires=dt.timedelta(hours=1)))
    bank.pay(5)
    bank.later = dt.timedelta(minutes=59)
    assert bank.pay(5).outcome == "replayed"
    bank.later = dt.timedelta(minutes=61)

    assert bank.pay(6).outcome == "applied"
    assert bank.pay(6).outcome == "replayed"
    assert bank.payments == 2


def test_an_interaction_may_say_otherwise(database: Database) -> None:
    bank = Bank(database)
    bank.pay()
    bank.app.dispatch(Ping(), idempotency_key="k")
    bank.later = dt.timedelta(days=400)

    assert bank.pay().outcome == "replayed"
    assert bank.app.dispatch(Ping(), idempotency_key="k").outcome == "applied"


def test_expired_keys_are_swept_a_few_at_a_time(database: Database) -> None:
    bank = Bank(database)
    for number in range(5):
        bank.app.dispatch(Ping(), idempotency_key=f"{number}")
    bank.pay()
    assert bank.app.sweep() == {}
    bank.later = dt.timedelta(days=2)

    assert bank.app.sweep(batch=2, batches=1) == {"IdempotentRequest": 2}
    assert bank.app.sweep(batch=2) == {"IdempotentRequest": 3}
    assert bank.pay().outcome == "replayed"


def test_a_repetition_at_the_same_moment_is_one(database: Database) -> None:
    moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    bank = Bank(database)
    bank.app.system.storage.clock = lambda: moment
    assert bank.pay().outcome == "applied"
    assert bank.pay().outcome == "replayed"


@pytest.mark.parametrize("value", [dt.timedelta(0), 60])
def test_wrong_promises(value: Any) -> None:
    with pytest.raises(iq.InvalidInteraction) as caught:
        iq.Idempotency(expires=value)

    assert str(caught.value).splitlines()[1:] == [
        f"  {caught.value.location}, Idempotency",
        f"  expires= takes a timedelta longer than none, not {value!r}",
        "  write expires=timedelta(days=1)",
    ]
    assert "test_idempotency" in str(caught.value.location)


def test_a_promise_that_is_none() -> None:
    with pytest.raises(iq.InvalidInteraction, match=r"idempotency= takes iq.Idempotency\(...\), not True"):

        @iq.interaction(idempotency=True)  # type: ignore[call-overload]
        class Wrong: ...


# -- at the same time ------------------------------------------------------------------------


def test_many_at_once_are_done_once(database: Database) -> None:
    bank = Bank(database)
    barrier = threading.Barrier(8)

    def request(_: int) -> Any:
        barrier.wait()
        return bank.pay()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(request, range(8)))

    assert sorted(str(each.outcome) for each in results) == ["applied"] + ["replayed"] * 7
    assert len({each.event.id for each in results}) == 1
    assert (bank.payments, bank.events, bank.spent()) == (1, 1, 5)


def test_who_waits_too_long_is_told(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(server, idempotency=iq.Idempotency(wait=dt.timedelta(milliseconds=50)))
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        assert release.wait(10)

    monkeypatch.setitem(globals(), "pause", hold)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(bank.pay)
        assert started.wait(10)
        with pytest.raises(iq.IdempotencyError) as caught:
            bank.pay()
        release.set()
        assert slow.result(10).outcome == "applied"

    assert str(caught.value) == (
        "[idempotency.in_flight]\n  Pay\n  another dispatch with the key 'k' is not over yet\n"
        "  ask again later, with the same key"
    )
    assert bank.pay().outcome == "replayed"


def test_who_waited_for_one_that_failed_takes_its_place(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(server)
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        if not started.is_set():
            started.set()
            assert release.wait(10)
            raise ValueError("not this time")

    monkeypatch.setitem(globals(), "pause", hold)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bank.pay)
        assert started.wait(10)
        second = pool.submit(bank.pay)
        release.set()
        with pytest.raises(ValueError, match="not this time"):
            first.result(10)
        assert second.result(10).outcome == "applied"
    assert (bank.payments, bank.spent()) == (1, 5)
