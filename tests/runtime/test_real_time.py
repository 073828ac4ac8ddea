"""RealTime: values that change with the clock, as they are read, and what is derived from them, as of a tick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import scans, shape

HOUR, MINUTE, DAY = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(days=1)
NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: dt.datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, by: dt.timedelta) -> None:
        self.now += by


@iq.interaction
class Extend:
    auction: Auction
    by: int


@iq.interaction
class Bid:
    auction: Auction
    amount: int


@iq.interaction
class Close:
    pass


@iq.condition
def is_open(event: iq.Event[Bid]) -> bool:
    return not event.payload.auction.closed


@iq.entity
class User:
    id: int = iq.key()
    name: str
    grace: dt.timedelta = dt.timedelta(0)
    auctions: Many[Auction] = iq.many(inverse="seller")

    closed_auctions: int = iq.Count(auctions, where=lambda auction: auction.closed)
    minutes_to_go: int = iq.Summation(auctions, of=lambda auction: auction.minutes_left)
    last_call: int | None = iq.Minimum(auctions, of=lambda auction: auction.minutes_left)


@iq.entity
class Auction:
    id: int = iq.key()
    seller: User
    ends_at: dt.datetime = iq.field(
        changes=iq.on(Extend, set=lambda e: e.payload.auction.ends_at + e.payload.by * MINUTE)
    )
    title: str = ""
    bids: Many[BidMade] = iq.many(inverse="auction")

    highest: int = iq.Maximum(bids, of=lambda bid: bid.amount, default=0)

    closed: bool = iq.RealTime(lambda auction, now: now >= auction.ends_at + auction.seller.grace)
    minutes_left: int = iq.RealTime(lambda auction, now: max(0, (auction.ends_at - now) // dt.timedelta(minutes=1)))
    is_hot: bool = iq.RealTime(
        lambda auction, now: auction.highest > 100 and auction.ends_at - now < dt.timedelta(hours=1)
    )
    day: dt.date = iq.RealTime(lambda auction, now: now.date())

    @iq.computed(stored=True)
    def label(self) -> str:
        return self.title + (" (closed)" if self.closed else "")

    @iq.computed
    def state(self) -> str:
        return "closed" if self.closed else "open"


@iq.entity
class BidMade:
    id: int = iq.key()
    auction: Auction
    amount: int
    at: dt.datetime

    made = iq.Transform(Bid, lambda e: BidMade(auction=e.payload.auction, amount=e.payload.amount, at=e.at))
    age: dt.timedelta = iq.RealTime(lambda bid, now: now - bid.at, every=dt.timedelta(minutes=10))


@iq.interaction(guard=is_open)
class GuardedBid:
    auction: Auction
    amount: int


@iq.entity
class Notice:
    text: str

    made = iq.Transform(Auction, lambda auction: Notice(text=auction.title + " is over") if auction.closed else None)


@iq.view(Auction, where=lambda auction: not auction.closed)
class OpenAuction(Auction):
    pass


MODELS = (User, Auction, BidMade, Notice, OpenAuction, Extend, Bid, Close, GuardedBid)


class House:
    def __init__(self, make: Apps, *more: Any) -> None:
        self.clock = Clock()
        self.app = make(*MODELS, *more, clock=self.clock)
        self.storage = self.app.system.storage
        self.ada = self.storage.create(User(name="Ada"))

    def auction(self, lasts: dt.timedelta = HOUR, seller: User | None = None, title: str = "tea") -> Auction:
        return self.storage.create(Auction(seller=seller or self.ada, ends_at=self.clock.now + lasts, title=title))

    def again(self, record: Any) -> Any:
        return self.storage.get(type(record), record.id)

    def right(self) -> None:
        assert self.app.verify() == []

    def tick(self) -> int:
        found = self.app.tick()
        self.right()
        return found


@pytest.fixture
def house(make_app: Apps) -> House:
    return House(make_app)


# -- reading ----------------------------------------------------------------------------------------


def test_it_is_what_it_is_at_each_moment(house: House) -> None:
    auction = house.auction()
    assert (auction.closed, auction.minutes_left, auction.day) == (False, 60, NOON.date())
    house.clock.move(59 * MINUTE)
    assert (house.again(auction).closed, house.again(auction).minutes_left) == (False, 1)
    house.clock.move(MINUTE)
    assert (house.again(auction).closed, house.again(auction).minutes_left) == (True, 0)
    assert house.again(auction).state == "closed"
    house.right()


def test_queries_ask_for_what_it_is_at_present(house: House) -> None:
    first, second = house.auction(HOUR, title="first"), house.auction(2 * HOUR, title="second")
    query = house.storage.query(Auction)
    assert query.where(lambda auction: auction.closed).all() == []
    house.clock.move(90 * MINUTE)
    assert query.where(lambda auction: auction.closed).all() == [first]
    assert query.where(lambda auction: auction.state == "open").all() == [second]
    assert query.order_by(lambda auction: auction.minutes_left, desc=True).all() == [second, first]
    assert query.sum(lambda auction: auction.minutes_left) == 30
    assert query.where(lambda auction: auction.minutes_left > 0).count() == 1
    assert house.storage.query(OpenAuction).count() == 1
    assert house.storage.find(OpenAuction, first.id) is None
    assert query.where_in(lambda auction: auction.day, [NOON.date()]).count() == 2


def test_a_query_may_ask_of_another_moment(house: House) -> None:
    auction = house.auction()
    for at, closed, left in ((NOON, False, 60), (NOON + HOUR, True, 0), (NOON + 30 * MINUTE, False, 30)):
        (found,) = house.storage.query(Auction, at=at).all()
        assert (found.closed, found.minutes_left) == (closed, left)
        assert house.storage.query(Auction, at=at).where(lambda auction: auction.closed).count() == int(closed)
        (seller,) = house.storage.query(User, at=at).all()
        assert [each.closed for each in seller.auctions] == [closed]
    assert not house.again(auction).closed


def test_a_condition_sees_it_as_it_is_when_the_request_comes(house: House) -> None:
    auction = house.auction()
    house.app.dispatch(GuardedBid(auction=auction, amount=1))
    house.clock.move(HOUR)
    with pytest.raises(iq.ConditionRejected):
        house.app.dispatch(GuardedBid(auction=auction, amount=2))


# -- ticks ------------------------------------------------------------------------------------------


def test_a_tick_brings_right_what_follows(house: House) -> None:
    auction, later = house.auction(), house.auction(2 * HOUR, title="later")
    assert house.again(house.ada).closed_auctions == 0
    house.clock.move(HOUR)
    assert house.again(house.ada).closed_auctions == 0
    assert house.again(auction).label == "tea"
    assert house.tick() > 0
    ada = house.again(house.ada)
    assert (ada.closed_auctions, ada.minutes_to_go, ada.last_call) == (1, 60, 0)
    assert house.again(auction).label == "tea (closed)"
    assert [each.text for each in house.storage.query(Notice)] == ["tea is over"]
    assert house.tick() == 0
    house.clock.move(HOUR)
    house.tick()
    assert house.again(house.ada).closed_auctions == 2
    assert house.again(later).label == "later (closed)"


def test_what_it_reads_is_followed_at_once(house: House) -> None:
    auction = house.auction()
    house.clock.move(2 * HOUR)
    house.tick()
    assert house.again(house.ada).closed_auctions == 1
    house.app.dispatch(Extend(auction=auction, by=180))
    ada = house.again(house.ada)
    assert (ada.closed_auctions, ada.minutes_to_go) == (0, 120)
    assert house.storage.query(Notice).count() == 0
    house.right()
    house.storage.update(house.ada, grace=-3 * HOUR)
    assert house.again(house.ada).closed_auctions == 1
    assert house.again(auction).closed
    house.right()
    bob = house.storage.create(User(name="Bob"))
    house.storage.update(auction, seller=bob)
    assert (house.again(house.ada).closed_auctions, house.again(bob).closed_auctions) == (0, 0)
    assert not house.again(auction).closed
    house.right()


def test_it_follows_derived_values_of_its_record(house: House) -> None:
    auction = house.auction()
    house.app.dispatch(Bid(auction=auction, amount=200))
    assert not house.again(auction).is_hot
    house.clock.move(MINUTE)
    assert house.again(auction).is_hot
    house.right()
    house.tick()
    (bid,) = house.storage.query(BidMade).all()
    assert bid.age == MINUTE
    house.storage.delete(bid)
    assert not house.again(auction).is_hot
    house.right()


def test_records_that_are_made_together(house: House) -> None:
    auctions = [house.auction(number * HOUR, title=str(number)) for number in range(3)]
    house.app.dispatch_many([Bid(auction=each, amount=150) for each in auctions for _ in range(2)])
    house.right()
    assert [house.again(each).is_hot for each in auctions] == [True, False, False]
    assert house.again(house.ada).closed_auctions == 1


def test_what_changes_all_the_time_is_looked_at_now_and_then(house: House) -> None:
    auction = house.auction(3 * HOUR)
    house.app.dispatch(Bid(auction=auction, amount=1))
    house.clock.move(7 * MINUTE)
    assert house.storage.query(BidMade).one().age == 7 * MINUTE
    assert house.app.next_due() == NOON + dt.timedelta(microseconds=1)
    house.tick()
    house.right()
    house.clock.move(30 * MINUTE)
    house.tick()
    assert house.storage.query(BidMade).one().age == 37 * MINUTE


def test_the_next_moment_is_known(house: House) -> None:
    assert house.app.next_due() is None
    auction = house.auction()
    # What is left of it in whole minutes is another as soon as it is less than 60.
    assert house.app.next_due() == NOON + dt.timedelta(microseconds=1)
    house.clock.move(HOUR)
    house.tick()
    assert house.app.next_due() == NOON.replace(hour=0) + DAY
    house.storage.delete(auction)
    assert house.app.next_due() is None


def test_a_tick_of_an_earlier_moment_undoes_nothing(house: House) -> None:
    auction = house.auction()
    house.clock.move(2 * HOUR)
    house.tick()
    assert house.app.tick(NOON + 30 * MINUTE) == 0
    assert house.app.tick(NOON - DAY) == 0
    assert house.again(house.ada).closed_auctions == 1
    assert house.again(auction).label == "tea (closed)"
    house.right()


def test_a_tick_goes_in_batches(house: House) -> None:
    for number in range(7):
        house.auction(title=str(number))
    house.clock.move(2 * HOUR)
    with house.storage.database.recording() as recorder:
        # 7 that closed, 7 whose minutes went by.
        assert house.app.tick(batch=3) == 14
    # Three transactions for each, and a look for each of the three others.
    assert [shape(sql) for sql, _ in recorder.statements].count("COMMIT") == 9
    assert house.again(house.ada).closed_auctions == 7
    house.right()


def test_side_effects_are_told(make_app: Apps) -> None:
    told: list[Any] = []

    @iq.side_effect(Auction, on="update")
    def tell(change: iq.RecordChange[Auction]) -> None:
        assert change.old is not None
        told.append((change.old.closed, change.record.closed, change.record.label))

    house = House(make_app, tell)
    house.auction(DAY * 2)
    house.auction(30 * dt.timedelta(seconds=1))
    house.clock.move(MINUTE)
    house.app.tick()
    assert (False, True, "tea (closed)") in told
    told.clear()
    assert house.app.tick() == 0
    assert told == []


def test_a_side_effect_that_fails_keeps_nothing_from_being_right(make_app: Apps) -> None:
    @iq.side_effect(User, on="update")
    def fail(change: iq.RecordChange[User]) -> None:
        raise ValueError("no")

    house = House(make_app, fail)
    house.auction()
    house.clock.move(HOUR)
    with pytest.raises(
        iq.SideEffectError, match="3 of 3 side effects failed after 2 values were brought right: fail failed"
    ):
        house.app.tick()
    assert house.again(house.ada).closed_auctions == 1
    house.right()


# -- rebuilding, explaining ---------------------------------------------------------------------------


def test_what_was_changed_by_hand_is_reported_and_rebuilt(house: House) -> None:
    house.auction()
    database = house.storage.database
    tx = database.begin()
    quote = database.dialect.quote
    tx.execute(f"UPDATE {quote('auction')} SET {quote('minutes_left')} = 77", ())
    tx.commit()
    found = {each.attribute: (each.stored, each.expected) for each in house.app.verify()}
    assert found["Auction.minutes_left"] == (77, 60)
    house.clock.move(30 * MINUTE)
    house.app.rebuild(Auction, "minutes_left")
    # What is derived from it moves by the difference from a value that it never heard of.
    assert {each.attribute for each in house.app.verify()} == {"User.minutes_to_go"}
    house.app.rebuild(User)
    house.right()
    assert house.again(house.ada).minutes_to_go == 30


def test_it_is_explained_with_the_moment_of_its_next_change(house: House) -> None:
    auction = house.auction()
    house.clock.move(5 * MINUTE)
    found = house.app.explain(auction, "closed")
    assert found.value is False
    assert found.depends_on == ("Auction.ends_at", "Auction.seller", "User.grace")
    assert found.until == NOON + HOUR
    assert found.expression is not None
    assert "ends_at" in found.expression
    assert "  until 2026-05-01 13:00:00+00:00" in str(found)
    house.clock.move(HOUR)
    house.tick()
    assert house.app.explain(auction, "closed").until is None


# -- what it costs ----------------------------------------------------------------------------------


@iq.interaction
class Move:
    task: Task
    due: dt.datetime


@iq.entity
class Plan:
    id: int = iq.key()
    slack: dt.timedelta = dt.timedelta(0)
    tasks: Many[Task] = iq.many(inverse="plan")

    late: int = iq.Count(tasks, where=lambda task: task.is_late)


@iq.entity
class Task:
    id: int = iq.key()
    plan: Plan
    due: dt.datetime = iq.field(changes=iq.on(Move, set=lambda e: e.payload.due))
    note: str = ""

    is_late: bool = iq.RealTime(lambda task, now: now > task.due)
    is_very_late: bool = iq.RealTime(lambda task, now: now > task.due + task.plan.slack)


class Office:
    def __init__(self, database: Database) -> None:
        self.clock, self.database = Clock(), database
        self.app = iq.Controller(iq.MonoSystem(database), [Plan, Task, Move], clock=self.clock)
        self.app.setup(install=True)
        self.storage = self.app.system.storage
        self.plan = self.storage.create(Plan())
        self.task = self.storage.create(Task(plan=self.plan, due=NOON + HOUR))

    def sent(self, action: Callable[[], Any]) -> list[str]:
        """The statements of the transactions, without those that read a record again for an answer."""
        with self.database.recording() as recorder:
            action()
        shapes = [shape(sql) for sql, _ in recorder.statements]
        return shapes[shapes.index("BEGIN") + 1 : len(shapes) - shapes[::-1].index("COMMIT") - 1]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def office(request: pytest.FixtureRequest) -> Office:
    return Office(request.getfixturevalue(f"{request.param}_db"))


def test_a_new_record_has_value_and_next_moment_in_its_insert(office: Office) -> None:
    assert office.sent(lambda: office.storage.create(Task(plan=office.plan, due=NOON + DAY))) == ["INSERT task"]
    assert office.sent(lambda: office.storage.create(Task(plan=office.plan, due=NOON - DAY))) == [
        "INSERT task",
        "UPDATE plan",
    ]


def test_a_change_of_what_it_reads_sets_both_in_its_update(office: Office) -> None:
    sent = office.sent(lambda: office.app.dispatch(Move(task=office.task, due=NOON + DAY)))
    assert sent == ["INSERT interaction_event", "SELECT task", "UPDATE task"]
    assert office.app.next_due() == NOON + DAY + dt.timedelta(microseconds=1)
    assert office.sent(lambda: office.storage.update(office.task, note="x")) == ["UPDATE task"]


def test_a_far_change_is_one_update(office: Office) -> None:
    sent = office.sent(lambda: office.storage.update(office.plan, slack=HOUR))
    assert sent == ["SELECT plan", "UPDATE plan", "UPDATE task"]


def test_a_tick_reads_what_is_due_and_writes_it_and_what_follows(office: Office) -> None:
    for number in range(20):
        office.storage.create(Task(plan=office.plan, due=NOON + number * DAY))
    office.clock.move(2 * HOUR)
    one, other = ["SELECT task", "UPDATE task", "UPDATE plan"], ["SELECT task", "UPDATE task"]
    assert office.sent(office.app.tick) == [*one, "COMMIT", "BEGIN", *other]
    assert office.sent(office.app.tick) == ["SELECT task", "COMMIT", "BEGIN", "SELECT task"]
    assert office.storage.get(Plan, office.plan.id).late == 2
    assert office.app.verify() == []


def test_no_statement_of_a_tick_scans_a_table(office: Office) -> None:
    office.clock.move(2 * HOUR)
    with office.database.recording() as recorder:
        office.app.next_due()
        office.app.tick()
        office.app.dispatch(Move(task=office.task, due=NOON + DAY))
        office.storage.update(office.plan, slack=HOUR)
    assert len(recorder.statements) > 10
    assert [sql for sql, values in recorder.statements if scans(office.database, sql, values)] == []


# -- beside others ------------------------------------------------------------------------------------


def test_several_that_tick_at_once_do_each_once(postgresql_or_mysql: Database) -> None:
    office = Office(postgresql_or_mysql)
    for number in range(60):
        office.storage.create(Task(plan=office.plan, due=NOON + number * MINUTE))
    office.clock.move(DAY)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: office.app.tick(batch=7), range(4)))
    office.app.tick()
    assert sum(done) <= 2 * 61
    assert office.storage.get(Plan, office.plan.id).late == 61
    assert office.app.next_due() is None
    assert office.app.verify() == []


def test_what_changes_while_others_tick_is_right(postgresql_or_mysql: Database) -> None:
    office = Office(postgresql_or_mysql)
    tasks = [office.storage.create(Task(plan=office.plan, due=NOON + number * MINUTE)) for number in range(30)]
    office.clock.move(DAY)

    def work(number: int) -> None:
        if number % 2:
            office.app.tick(batch=3)
        else:
            for task in tasks[number::4]:
                office.app.dispatch(Move(task=task, due=NOON + 2 * DAY))
            office.storage.update(office.plan, slack=number * HOUR)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    office.app.tick()
    assert office.app.verify() == []
    late = office.storage.query(Task).where(lambda task: task.is_late).count()
    assert office.storage.get(Plan, office.plan.id).late == late == 31 - len(tasks[0::4]) - len(tasks[2::4])


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def postgresql_or_mysql(request: pytest.FixtureRequest) -> Database:
    """Where several write at once."""
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


# -- global values ------------------------------------------------------------------------------------


@iq.dictionary
class Shop:
    opens: int = 9
    is_open: bool = iq.RealTime(lambda shop, now: shop.opens <= now.hour < 17)
    weekday: int = iq.RealTime(lambda shop, now: now.isoweekday())

    @iq.computed(stored=True)
    def sign(self) -> str:
        return "open" if self.is_open else "closed"


def test_a_global_value_may_change_with_the_clock(make_app: Apps) -> None:
    clock = Clock()
    app = make_app(Shop, clock=clock)
    storage = app.system.storage
    assert (storage.get(Shop).is_open, storage.get(Shop).sign) == (True, "open")
    assert app.next_due() == NOON.replace(hour=13)
    clock.move(5 * HOUR)
    assert (storage.get(Shop).is_open, storage.get(Shop).sign) == (False, "open")
    assert app.tick() == 1
    assert (storage.get(Shop).sign, storage.get(Shop).weekday) == ("closed", 5)
    assert app.verify() == []


# -- what is refused at the call ------------------------------------------------------------------------


def test_moments_are_aware(in_memory: Apps) -> None:
    app = in_memory(*MODELS)
    naive = dt.datetime(2026, 5, 1)  # noqa: DTZ001
    with pytest.raises(iq.InvalidValue, match="now= is an aware datetime, not"):
        app.tick(naive)
    with pytest.raises(iq.InvalidValue, match="at= is an aware datetime, not"):
        app.system.storage.query(Auction, at=naive)
    with pytest.raises(iq.InvalidValue, match="batch= takes a number from 1 on, not 0"):
        app.tick(batch=0)
    with pytest.raises(iq.InvalidValue, match="clock= is an aware datetime, not"):
        in_memory(*MODELS, clock=lambda: naive).dispatch(Close())
