"""Several dispatches in one transaction: each sees those before it, and all of them happen or none."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import interaqt as iq
from interaqt import BusinessTransaction, Event, Many
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.runtime import transaction
from interaqt.storage.database import Database
from tests.runtime.test_swallowed import SIGNALS

calls: list[str] = []
in_pay: Callable[[iq.Storage], Any] = lambda storage: None  # noqa: E731 - replaced by tests


@iq.entity
class User:
    id: int = iq.key()
    name: str


@iq.interaction(
    resolve=lambda event, storage: calls.append("resolve order"),
    post_commit=lambda event, result: calls.append(f"order {event.id > 0}"),
)
class PlaceOrder:
    title: str


@iq.interaction
class AddLine:
    order: Order
    price: int


@iq.condition
def is_due(event: Event[Pay]) -> bool:
    return bool(event.payload.order.total == event.payload.amount)


@iq.interaction(
    guard=is_due,
    resolve=lambda event, storage: in_pay(storage),
    post_commit=lambda event, result: calls.append("paid"),
)
class Pay:
    order: Order
    amount: int


@iq.entity
class Order:
    id: int = iq.key()
    title: str = iq.field(changes=iq.on(Pay, set=lambda e: f"{e.payload.order.title}, paid"))
    by: User | None = None
    lines: Many[Line] = iq.many(inverse="order")
    total: int = iq.Summation(lines, of=lambda line: line.price)

    placed = iq.Transform(PlaceOrder, lambda e: Order(title=e.payload.title, by=e.user))


@iq.entity
class Line:
    id: int = iq.key()
    order: Order
    price: int

    added = iq.Transform(AddLine, lambda e: Line(order=e.payload.order, price=e.payload.price))


@iq.side_effect(Order)
def order_changed(change: iq.RecordChange[Order]) -> None:
    calls.append(f"{change.kind} {change.record.title}, {change.record.total}")


class Shop:
    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.app = iq.Controller(
            iq.MonoSystem(database), [User, Order, Line, PlaceOrder, AddLine, Pay, order_changed], **options
        )
        self.app.setup(install=True)
        self.storage = self.app.system.storage
        self.ada = self.storage.create(User(name="ada"))
        calls.clear()
        self.paying(lambda storage: None)

    def paying(self, action: Callable[[iq.Storage], Any]) -> None:
        global in_pay
        in_pay = action

    @property
    def events(self) -> list[str]:
        return [event.interaction for event in self.storage.query(iq.InteractionEvent)]

    def is_untouched(self) -> bool:
        return (self.events, self.storage.query(Order).count(), calls) == ([], 0, [])


def ordered(tx: BusinessTransaction, *prices: int) -> Order:
    order = tx.dispatch(PlaceOrder(title="tea")).created(Order)[0]
    for price in prices:
        tx.dispatch(AddLine(order=order, price=price))
    return order


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "DELAYS", (0.0,) * 4)


# -- all of it or nothing ------------------------------------------------------------------------


def test_each_dispatch_sees_those_before_it_and_all_are_committed_together(shop: Shop) -> None:
    seen: list[int] = []

    def order_and_pay(tx: BusinessTransaction) -> Order:
        order = ordered(tx, 2, 3)
        seen.append(in_another_thread(lambda: shop.storage.query(Order).count()))
        tx.dispatch(Pay, {"order": order.id, "amount": 5})
        return order

    order = shop.app.transact(order_and_pay, user=shop.ada)

    stored = shop.storage.get(Order, order.id)
    assert (stored.title, stored.total, stored.by) == ("tea, paid", 5, shop.ada)
    assert seen == [0]
    assert shop.events == ["PlaceOrder", "AddLine", "AddLine", "Pay"]
    assert {event.actor for event in shop.storage.query(iq.InteractionEvent)} == {str(shop.ada.id)}
    assert shop.app.verify() == []


def in_another_thread(ask: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(ask()))
    thread.start()
    thread.join(10)
    return found[0]


def test_what_comes_after_the_commit_comes_once_for_each_in_order(shop: Shop) -> None:
    results: list[iq.DispatchResult] = []

    def work(tx: BusinessTransaction) -> None:
        order = ordered(tx)
        results.append(tx.dispatch(Pay(order=order, amount=0)))
        assert calls == ["resolve order"]
        assert results[0].post_commit == "not_run"

    shop.app.transact(work)

    assert calls == ["resolve order", "order True", "create tea, paid, 0", "paid", "update tea, paid, 0"]
    assert results[0].post_commit == "complete"
    assert [each.name for each in results[0].side_effects] == ["post_commit", "order_changed"]


def test_it_is_one_transaction(shop: Shop) -> None:
    with shop.database.recording() as recorder:
        shop.app.transact(lambda tx: ordered(tx, 1, 2))
    verbs = [sql.split()[0] for sql, _ in recorder.statements]
    assert (verbs.count("BEGIN"), verbs.count("COMMIT"), "ROLLBACK" in verbs) == (1, 1, False)


def test_a_dispatch_that_is_refused_undoes_the_whole(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> None:
        tx.dispatch(Pay(order=ordered(tx, 2), amount=7))

    with pytest.raises(iq.ConditionRejected):
        shop.app.transact(work)

    assert calls == ["resolve order"]
    calls.clear()
    assert shop.is_untouched()


def test_so_does_an_error_of_the_function(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> None:
        ordered(tx, 2)
        calls.clear()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        shop.app.transact(work)
    assert shop.is_untouched()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_so_does_an_interruption(shop: Shop, interruption: type[BaseException]) -> None:
    def interrupt(storage: iq.Storage) -> None:
        raise interruption

    shop.paying(interrupt)

    def work(tx: BusinessTransaction) -> None:
        order = ordered(tx)
        calls.clear()
        tx.dispatch(Pay(order=order, amount=0))

    with pytest.raises(interruption):
        shop.app.transact(work)
    assert shop.is_untouched()
    shop.app.dispatch(PlaceOrder(title="free again"))


def test_one_that_went_wrong_is_not_committed_whatever_the_function_makes_of_it(shop: Shop) -> None:
    refused: list[iq.InteraqtError] = []

    def heedless(tx: BusinessTransaction) -> str:
        order = ordered(tx, 2)
        for attempt in (
            lambda: tx.dispatch(Pay(order=order, amount=7)),
            lambda: tx.dispatch(AddLine(order=order, price=1)),
            lambda: shop.storage.query(Order).all(),
        ):
            try:
                attempt()
            except iq.InteraqtError as error:
                refused.append(error)
        calls.clear()
        return "done"

    with pytest.raises(iq.TransactionAbortedError) as caught:
        shop.app.transact(heedless)

    assert [error.code for error in refused] == ["condition.rejected", "transaction.aborted", "transaction.ended"]
    assert caught.value.__cause__ is refused[0]
    assert str(caught.value) == (
        "[transaction.aborted]\n"
        "  heedless\n"
        "  the transaction was undone when ConditionRejected was raised: is_due does not hold\n"
        "  let the error through; what may fail and leave the rest standing is dispatched by itself"
    )
    assert shop.is_untouched()


def test_errors_are_raised_in_it_though_the_controller_answers_them(database: Database) -> None:
    shop = Shop(database, raise_errors=False)
    with pytest.raises(iq.PayloadError):
        shop.app.transact(lambda tx: tx.dispatch(PlaceOrder, {"tilte": "tea"}))
    assert shop.is_untouched()


def test_a_reference_to_nothing_is_told_where_it_was_dispatched(shop: Shop) -> None:
    told: list[Any] = []

    def work(tx: BusinessTransaction) -> None:
        ordered(tx)
        try:
            tx.dispatch(AddLine, {"order": 99, "price": 1})
        except iq.PayloadError as error:
            told.append(error.problems[0].message)
            raise

    with pytest.raises(iq.PayloadError):
        shop.app.transact(work)
    assert told == ["there is no Order with id 99"]


# -- what results tell -----------------------------------------------------------------------------


def test_results_tell_what_is_there_when_they_are_asked(shop: Shop) -> None:
    placed: list[iq.DispatchResult] = []
    totals: list[int] = []

    def work(tx: BusinessTransaction) -> None:
        placed.append(tx.dispatch(PlaceOrder(title="tea")))
        (order,) = placed[0].created(Order)
        totals.append(placed[0].created(Order)[0].total)
        tx.dispatch(AddLine(order=order, price=4))
        totals.append(placed[0].created(Order)[0].total)
        tx.dispatch(Pay(order=order, amount=4))

    shop.app.transact(work)

    assert totals == [0, 4]
    (order,) = placed[0].created(Order)
    assert (order.title, order.total) == ("tea, paid", 4)
    shop.app.dispatch(AddLine(order=order, price=6))
    assert placed[0].created(Order)[0].total == 10
    assert [(each.kind, each.record) for each in placed[0].effects] == [
        ("create", iq.InteractionEvent),
        ("create", Order),
    ]


def test_many_are_dispatched_together_inside(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> int:
        order = ordered(tx)
        results = tx.dispatch_many([AddLine(order=order, price=n) for n in range(5)])
        assert [len(each.created(Line)) for each in results] == [1] * 5
        assert tx.dispatch_many([]) == []
        return tx.dispatch(Pay(order=order, amount=10)).event.id

    assert shop.app.transact(work) > 0
    assert shop.events == ["PlaceOrder", *["AddLine"] * 5, "Pay"]
    assert shop.app.verify() == []


def test_the_user_of_the_whole_may_be_another_in_one(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> None:
        tx.dispatch(PlaceOrder(title="hers"))
        tx.dispatch(PlaceOrder(title="nobody's"), user=None)
        tx.dispatch_many([PlaceOrder(title="a"), (PlaceOrder(title="b"), None)])

    shop.app.transact(work, user=shop.ada)
    assert [order.by and order.by.name for order in shop.storage.query(Order)] == ["ada", None, "ada", None]


# -- idempotency keys ------------------------------------------------------------------------------


def test_a_key_inside_is_known_once_all_is_committed(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> tuple[Any, Any]:
        first = tx.dispatch(PlaceOrder(title="tea"), idempotency_key="k")
        again = tx.dispatch(PlaceOrder(title="tea"), idempotency_key="k")
        assert again.created(Order) == first.created(Order)
        return first.outcome, again.outcome

    def fail(tx: BusinessTransaction) -> None:
        work(tx)
        raise KeyError

    with pytest.raises(KeyError):
        shop.app.transact(fail)
    calls.clear()
    assert shop.app.transact(work) == ("applied", "replayed")
    assert calls == ["resolve order", "order True", "create tea, 0"]
    assert shop.app.transact(work) == ("replayed", "replayed")
    assert calls == ["resolve order", "order True", "create tea, 0"]
    assert shop.app.dispatch(PlaceOrder(title="tea"), idempotency_key="k").outcome == "replayed"


# -- conflicts -------------------------------------------------------------------------------------


def conflict(storage: iq.Storage) -> None:
    if storage.database.dialect.name == "SQLite":
        # A writer has the file to itself, so it meets none: another one's error stands for it.
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = 5
        raise error
    with storage.executor() as executor:
        executor.execute(SIGNALS[storage.database.dialect.name], ()).fetchall()


def conflicts(times: int) -> Callable[[iq.Storage], None]:
    met: list[int] = []

    def meet(storage: iq.Storage) -> None:
        met.append(1)
        if len(met) <= times:
            conflict(storage)

    return meet


@pytest.mark.parametrize("swallow", ["no", "and go on", "and raise another"])
def test_a_conflict_runs_the_whole_again(shop: Shop, swallow: str) -> None:
    shop.paying(conflicts(2))
    runs: list[int] = []

    def work(tx: BusinessTransaction) -> int:
        runs.append(1)
        order = ordered(tx, 3)
        failed = False
        try:
            tx.dispatch(Pay(order=order, amount=3))
        except Exception:
            if swallow == "no":
                raise
            failed = True
        if failed and swallow == "and raise another":
            raise ValueError("it did not work out")
        return len(runs)

    assert shop.app.transact(work) == 3
    assert shop.events == ["PlaceOrder", "AddLine", "Pay"]
    assert calls.count("paid") == calls.count("order True") == 1


def test_a_conflict_that_does_not_go_away_is_told(shop: Shop) -> None:
    shop.paying(conflicts(99))

    def pay(tx: BusinessTransaction) -> None:
        tx.dispatch(Pay(order=ordered(tx), amount=0))

    with pytest.raises(iq.TransactionRetryExhaustedError, match="pay met a conflict") as caught:
        shop.app.transact(pay, attempts=2)
    assert caught.value.attempts == 2
    calls.clear()
    assert shop.is_untouched()


def test_decisions_of_the_function_are_safe_at_an_isolation_that_makes_them_so(server: Database) -> None:
    """Each may place an order as long as there is none: of two at once, one finds the other's."""
    shop = Shop(server)
    both_have_looked = threading.Barrier(2)
    runs: list[int] = []

    def only_one(tx: BusinessTransaction) -> None:
        none = shop.storage.query(Order).count() == 0
        runs.append(1)
        if len(runs) <= 2:
            both_have_looked.wait(10)
        if none:
            tx.dispatch(PlaceOrder(title="the one"))

    errors: list[BaseException] = []

    def go() -> None:
        try:
            shop.app.transact(only_one, isolation="SERIALIZABLE")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert shop.storage.query(Order).count() == 1
    assert len(runs) >= 3


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


# -- what is no part of it -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["dispatch", "dispatch_many", "transact", "create", "sweep"])
def test_the_controller_itself_is_refused_inside(shop: Shop, what: str) -> None:
    inside: dict[str, Callable[[], Any]] = {
        "dispatch": lambda: shop.app.dispatch(PlaceOrder(title="outside")),
        "dispatch_many": lambda: shop.app.dispatch_many([PlaceOrder(title="outside")]),
        "transact": lambda: shop.app.transact(ordered),
        "create": lambda: shop.storage.create(User(name="bob")),
        "sweep": lambda: shop.app.sweep(),
    }

    def work(tx: BusinessTransaction) -> None:
        ordered(tx)
        inside[what]()

    with pytest.raises(iq.InteraqtError) as caught:
        shop.app.transact(work)
    calls.clear()
    assert shop.is_untouched()
    if what in ("create", "sweep"):
        assert caught.value.code == "transaction.nested"
        return
    name = {"dispatch": "PlaceOrder", "transact": "ordered"}.get(what, what)
    assert isinstance(caught.value, iq.NestedDispatchError)
    assert caught.value.subject == name
    assert "by what the function was given: tx.dispatch(...)" in str(caught.value)


def test_a_dispatch_inside_a_dispatch_is_refused_there_too(shop: Shop) -> None:
    def work(tx: BusinessTransaction) -> None:
        shop.paying(lambda storage: tx.dispatch(PlaceOrder(title="nested")))
        tx.dispatch(Pay(order=ordered(tx), amount=0))

    with pytest.raises(iq.NestedDispatchError, match="PlaceOrder is dispatched inside the dispatch of Pay"):
        shop.app.transact(work)
    calls.clear()
    assert shop.is_untouched()


def test_a_transaction_inside_a_dispatch_is_refused(shop: Shop) -> None:
    order = shop.app.dispatch(PlaceOrder(title="tea")).created(Order)[0]
    shop.paying(lambda storage: shop.app.transact(ordered))
    with pytest.raises(iq.NestedDispatchError, match="ordered is dispatched inside the dispatch of Pay"):
        shop.app.dispatch(Pay(order=order, amount=0))


def test_after_it_each_may_dispatch(shop: Shop) -> None:
    kept: list[BusinessTransaction] = []
    shop.app.transact(kept.append)
    with pytest.raises(iq.StorageError, match=r"\[transaction.ended\]"):
        kept[0].dispatch(PlaceOrder(title="late"))
    shop.app.dispatch(PlaceOrder(title="tea"))


def test_another_thread_can_not_dispatch_in_it(shop: Shop) -> None:
    refused: list[Any] = []

    def work(tx: BusinessTransaction) -> None:
        def elsewhere() -> None:
            try:
                tx.dispatch(PlaceOrder(title="elsewhere"))
            except iq.InteraqtError as error:
                refused.append(error.code)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(10)
        ordered(tx)

    shop.app.transact(work)
    assert refused == ["transaction.thread"]
    assert shop.events == ["PlaceOrder"]


async def _later(tx: BusinessTransaction) -> None:
    tx.dispatch(PlaceOrder(title="late"))


def _in_steps(tx: BusinessTransaction) -> Any:
    yield tx.dispatch(PlaceOrder(title="late"))


@pytest.mark.parametrize("function", [_later, _in_steps])
def test_a_function_that_goes_on_afterwards_is_refused(shop: Shop, function: Any) -> None:
    with pytest.raises(iq.DispatchError, match=r"\[transact.function\]"):
        shop.app.transact(function)
    assert shop.is_untouched()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": 5}, "timeout= takes a timedelta longer than none, not 5"),
        ({"timeout": timedelta(0)}, r"timeout= takes a timedelta longer than none, not datetime.timedelta\(0\)"),
        ({"attempts": 0}, "attempts= takes an int from 1, not 0"),
        ({"attempts": True}, "attempts= takes an int from 1, not True"),
    ],
)
def test_wrong_limits(shop: Shop, options: Any, text: str) -> None:
    with pytest.raises(iq.InvalidValue, match=text):
        shop.app.transact(ordered, **options)


# -- how long it may be open -----------------------------------------------------------------------


def test_one_that_is_open_for_too_long_is_undone(shop: Shop) -> None:
    def slow(tx: BusinessTransaction) -> None:
        order = ordered(tx, 1)
        calls.clear()
        time.sleep(0.06)
        tx.dispatch(Pay(order=order, amount=1))

    with pytest.raises(iq.TransactionTimeoutError, match=r"slow was open for longer than 0\.05 seconds"):
        shop.app.transact(slow, timeout=timedelta(milliseconds=50))
    assert shop.is_untouched()


def test_also_where_nothing_comes_after_what_took_so_long(shop: Shop) -> None:
    def slow(tx: BusinessTransaction) -> None:
        ordered(tx, 1)
        calls.clear()
        time.sleep(0.06)

    with pytest.raises(iq.TransactionTimeoutError):
        shop.app.transact(slow, timeout=timedelta(milliseconds=50))
    assert shop.is_untouched()


def test_a_server_ends_one_that_is_left_alone(server: Database) -> None:
    """Its locks are free though its thread still sleeps."""
    shop = Shop(server)
    order = shop.app.dispatch(PlaceOrder(title="tea")).created(Order)[0]
    waited: list[float] = []

    def hung(tx: BusinessTransaction) -> None:
        tx.dispatch(AddLine(order=order, price=1))
        started = time.monotonic()
        in_another_thread(lambda: shop.app.dispatch(AddLine(order=order, price=2)))
        waited.append(time.monotonic() - started)
        shop.storage.query(Order).all()

    with pytest.raises((iq.TransactionTimeoutError, iq.TransactionRetryExhaustedError)):
        shop.app.transact(hung, timeout=timedelta(seconds=1), attempts=1)
    assert 0.5 < waited[0] < 5
    assert shop.storage.get(Order, order.id).total == 2
    assert shop.app.verify() == []


def test_a_server_ends_a_statement_that_waits_for_too_long(server: Database) -> None:
    shop = Shop(server)
    order = shop.app.dispatch(PlaceOrder(title="tea")).created(Order)[0]
    calls.clear()
    holder = server.begin()
    update = 'UPDATE "order" SET "title" = %s WHERE "id" = %s'
    assert holder.execute(update, ("held", order.id)).rowcount == 1
    try:
        with pytest.raises(iq.TransactionTimeoutError):
            shop.app.transact(
                lambda tx: tx.dispatch(Pay(order=order, amount=0)), timeout=timedelta(seconds=1), attempts=1
            )
    finally:
        holder.rollback()
    assert shop.events == ["PlaceOrder"]


def test_the_limits_end_with_the_transaction(server: Database) -> None:
    shop = Shop(server)
    shop.app.transact(ordered, timeout=timedelta(seconds=1))
    names = (
        ["statement_timeout", "idle_in_transaction_session_timeout"]
        if isinstance(server, PostgreSQLDB)
        else ["@@max_statement_time", "@@idle_transaction_timeout"]
    )
    transaction = server.begin()
    for name in names:
        ((value,),) = transaction.execute(f"{'SHOW' if name[0] != '@' else 'SELECT'} {name}", ()).fetchall()
        assert float(value) == 0
    transaction.rollback()


def test_what_is_no_function_is_refused(shop: Shop) -> None:
    with pytest.raises(iq.InvalidValue, match="takes a function of the transaction, not 3"):
        shop.app.transact(3)  # type: ignore[arg-type]
