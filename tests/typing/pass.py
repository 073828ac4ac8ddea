"""A program that uses every public form; clean under ``mypy --strict`` and ``pyright``. It is checked, not run."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, ClassVar, Literal, assert_type

import attrs

import interaqt as iq
from interaqt import Event, Many


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


@attrs.frozen
class Address:
    street: str
    city: str


@iq.interaction
class CreateOrder:
    number: str
    customer: Customer
    note: str | None = None


@iq.interaction
class Pay:
    order: Order
    amount: Decimal = Decimal(0)


@iq.interaction
class Cancel:
    order: Order


@iq.interaction
class Remark:
    order: Order
    remark: str | None = None
    mood: Literal["good", "bad"] = "good"


@iq.condition
def is_customer(event: Event[Pay]) -> bool:
    return bool(event.payload.order.customer == event.user)


@iq.condition
def is_cheap(event: Event[Pay]) -> bool:
    return event.payload.amount < 100


@iq.condition(locks=lambda e: [e.payload.order, e.user])
def is_open(event: Event[Pay]) -> bool:
    return bool(event.payload.order.customer == event.user)


def orders_of(event: Event[Pay]) -> iq.Matching[Order]:
    return iq.matching(Order, lambda order: order.customer == event.payload.order.customer)


@iq.interaction(guard=is_customer & (is_cheap | ~is_cheap) & is_open, locks=orders_of)
class Refund:
    order: Order
    amount: Decimal


def name_and_level(customer: Customer) -> tuple[str, Level]:
    return customer.name, customer.level


def greeting_of(name: str, level: Level) -> str:
    return f"Dear {name}" if level is Level.HIGH else f"Hello {name}"


@iq.entity
class Customer:
    id: int = iq.key()
    name: str
    level: Level = Level.LOW
    address: Address | None = None
    orders: Many[Order] = iq.many(inverse="customer")

    order_count: int = iq.Count(orders)
    open_orders: int = iq.Count(orders, where=lambda order: order.status == "new")
    revenue: Decimal = iq.Summation(orders, lambda order: order.total, where=lambda order: order.status == "paid")
    weight: float = iq.WeightedSummation(orders, lambda order: order.boxes, lambda order: order.weight)
    mean: float | None = iq.Average(orders, lambda order: order.total)
    mean_or_zero: float = iq.Average(orders, lambda order: order.weight, default=0.0)
    all_paid: bool = iq.Every(orders, lambda order: order.status == "paid")
    any_paid: bool = iq.Any(orders, lambda order: order.status == "paid")
    largest: Decimal | None = iq.Maximum(orders, lambda order: order.total)
    largest_paid: Decimal = iq.Maximum(
        orders, lambda order: order.total, where=lambda order: order.status == "paid", default=Decimal(0)
    )
    since: dt.datetime | None = iq.Minimum(orders, of=lambda order: order.at)
    first_number: str | None = iq.First(orders, of=lambda order: order.number, by=lambda order: order.at)
    last_number: str = iq.Last(orders, lambda order: order.number, by=lambda order: order.at, default="")
    numbers: int = iq.Distinct(orders, of=lambda order: order.number)
    median: float = iq.Custom(
        orders,
        inputs=lambda order: (order.weight, order.customer.name),
        where=lambda order: order.status == "paid",
        compute=lambda rows: sorted(weight for weight, _ in rows)[len(rows) // 2],
        initial=0.0,
        touches=10,
    )
    heaviest: float | None = iq.Custom(
        orders,
        inputs=lambda order: order.weight,
        compute=lambda weights: max(weights),
        step=lambda value, old, new: iq.UNKNOWN if value is None or new is None else max(value, new),
        initial=None,
    )
    moving: float = iq.Custom(
        orders,
        inputs=lambda order: order.weight,
        compute=lambda weights: (sum(weights), {"n": len(weights)}),
        step=lambda value, state, old, new: (
            iq.UNKNOWN if state["n"] > 9 else (value + (new or 0), {"n": state["n"] + 1})
        ),
        state={"n": 0},
    )
    mood: Literal["good", "bad"] = iq.Custom(
        orders, inputs=lambda order: order.mood, compute=lambda moods: "bad" if "bad" in moods else "good"
    )
    greeting: str = iq.Custom(reads=name_and_level, compute=greeting_of)
    initials: str = iq.Custom(reads=lambda customer: (customer.name,), compute=lambda name: str(name[:1]))
    summary: list[str] = iq.Custom(
        orders, reads=name_and_level, inputs=lambda order: order.number, compute=lambda own, numbers: [own[0], *numbers]
    )

    @iq.computed
    def shout(self) -> str:
        return self.name.upper()

    @iq.computed(stored=True)
    def is_large(self) -> bool:
        return self.largest is not None and self.largest > 1000

    @iq.computed(stored=True, unique=True, index=True)
    def handle(self) -> str:
        return self.shout.strip()

    large_orders: int = iq.Count(orders, lambda order: order.customer.is_large and order.customer.handle != "")


@iq.entity(unique=[("customer", "number")])
class Order:
    LIMIT: ClassVar[int] = 10

    code: uuid.UUID = iq.key()
    number: str = iq.field(index=True, validator=attrs.validators.min_len(1), converter=str.strip)
    customer: Customer = iq.one(on_delete="cascade")
    at: dt.datetime = iq.field(factory=lambda: dt.datetime.now(dt.UTC))
    tags: list[str] = iq.field(factory=list)
    total: Decimal = iq.field(default=Decimal(0), changes=iq.on(Refund, set=lambda e: e.payload.amount))
    boxes: float = 1.0
    weight: float = iq.field(default=0.0)
    note: str | None = None
    remark: str | None = iq.field(default=None, changes=iq.on(Remark, set=lambda e: e.payload.remark))
    mood: Literal["good", "bad"] = iq.field(default="good", changes=iq.on(Remark, set=lambda e: e.payload.mood))
    is_old: bool = iq.RealTime(lambda order, now: now > order.at + dt.timedelta(days=30))
    age: dt.timedelta = iq.RealTime(lambda order, now: now - order.at, every=dt.timedelta(hours=1))
    helper: Customer | None = iq.one(default=None, changes=iq.on(Remark, set=lambda e: e.payload.order.customer))
    level: Level = iq.StateMachine(Level.LOW, iq.on(Pay, {Level.LOW: Level.HIGH}))
    status: Literal["new", "paid", "cancelled"] = iq.StateMachine(
        "new",
        iq.on(Pay, {"new": "paid"}),
        iq.on(Cancel, {"new": "cancelled", "paid": "cancelled"}, record=lambda e: e.payload.order),
    )

    created = iq.Transform(
        CreateOrder,
        lambda e: Order(number=e.payload.number, customer=e.payload.customer, note=e.payload.note),
    )

    @iq.deleted_by(Refund)
    def refunded(self, e: Event[Refund]) -> bool:
        return self == e.payload.order


def invoice_of(order: Order) -> Invoice | None:
    return Invoice(number=order.number, total=order.total) if order.status == "paid" else None


@iq.entity
class Invoice:
    number: str
    total: Decimal

    made = iq.Transform(Order, invoice_of)


@iq.relation(repeatable=True)
class Visit:
    one: Customer
    other: Customer
    at: dt.datetime | None = None


@iq.interaction(idempotency=iq.Idempotency(expires=dt.timedelta(days=1), wait=dt.timedelta(seconds=5)))
class Ship:
    order: Order


@iq.entity(
    unique=[("name", "city")],
    identity=("name",),
    identity_conflict="update",
    constraints=[
        iq.Unique("phone", where=lambda shop: shop.open and shop.name != "", name="one_phone", code="PHONE_TAKEN"),
        iq.Check(lambda shop: shop.rooms >= 0, name="rooms_not_negative"),
        iq.NonNull("phone", where=lambda shop: shop.open),
    ],
    retention=iq.Retention(keep=1000, per=("city",), by="at"),
)
class Shop:
    name: str
    city: str
    at: dt.datetime
    phone: str | None = None
    rooms: int = 1
    open: bool = True


@iq.relation(identity=("shop", "customer"), retention=iq.Retention(older_than=dt.timedelta(days=9), by="at"))
class Regular:
    shop: Shop
    customer: Customer
    at: dt.datetime


def keep(app: iq.Controller, order: Order) -> None:
    result = app.dispatch(Ship(order=order), idempotency_key="k")
    assert_type(result.outcome, Literal["applied", "replayed"] | None)
    assert_type(app.sweep(batch=10, batches=3), dict[str, int])
    assert_type(app.tick(dt.datetime.now(dt.UTC), batch=10), int)
    assert_type(app.next_due(), dt.datetime | None)
    assert_type(
        app.system.storage.query(Order, at=dt.datetime.now(dt.UTC)).where(lambda order: order.is_old).all(), list[Order]
    )
    schema = app.system.storage.schema
    assert_type([each.violation_code for each in schema.constraints], list[str | None])
    assert_type([each.identity for each in schema.records], list[tuple[str, ...]])
    assert_type([column.nullable for table in schema.tables for column in table.columns], list[bool])
    error = iq.find_constraint_violation_error(result.error)
    assert_type(error, iq.ConstraintViolationError | None)
    assert_type(iq.has_error_code(result.error, "PHONE_TAKEN"), bool)
    assert_type(iq.find_error(result.error, "PHONE_TAKEN"), iq.InteraqtError | None)


@iq.side_effect(Order, on=["create", "delete"])
def tell(change: iq.RecordChange[Order]) -> None:
    assert_type(change.record, Order)
    assert_type(change.old, Order | None)


def run(system: iq.MonoSystem, dsn: str) -> None:
    app = iq.Controller(system, [Customer, Order, Invoice, Visit, CreateOrder, Pay, Cancel, Refund, tell])
    app.setup(install=True)
    iq.MonoSystem(iq.PostgreSQLDB(dsn))
    iq.MonoSystem(iq.CockroachDB(dsn, pool_size=3))
    iq.MonoSystem(iq.EmbeddedPostgreSQLDB())
    iq.MonoSystem(iq.EmbeddedPostgreSQLDB("data/", durable=False, user="postgres"))
    storage = system.storage

    ada = storage.create(Customer(name="Ada"))
    assert_type(ada, Customer)
    assert_type(ada.order_count, int)
    assert_type(ada.revenue, Decimal)
    assert_type(ada.mean, float | None)
    assert_type(ada.largest, Decimal | None)
    assert_type(ada.largest_paid, Decimal)
    assert_type(ada.since, dt.datetime | None)
    assert_type(ada.first_number, str | None)
    assert_type(ada.last_number, str)
    assert_type(ada.numbers, int)
    assert_type(ada.median, float)
    assert_type(ada.heaviest, float | None)
    assert_type(ada.summary, list[str])
    assert_type(ada.shout, str)
    assert_type(ada.orders, Many[Order])
    assert_type(ada.orders[0], Order)
    assert_type([order.customer.name for order in ada.orders], list[str])

    result = app.dispatch(CreateOrder(number="1", customer=ada), user=ada)
    assert_type(result, iq.DispatchResult)
    assert_type(result.created(Order), list[Order])
    app.dispatch(CreateOrder, {"number": "2", "customer": 1}, user=ada)

    def order_twice(tx: iq.BusinessTransaction) -> tuple[Order, int]:
        made = tx.dispatch(CreateOrder(number="1", customer=ada)).created(Order)[0]
        many = tx.dispatch_many([CreateOrder(number="2", customer=ada)], user=ada)
        return made, len(many)

    assert_type(app.transact(order_twice, user=ada, timeout=dt.timedelta(seconds=1)), tuple[Order, int])

    query = storage.query(Order).where(lambda order: order.total > 3 and order.customer.name == "Ada")
    assert_type(query, iq.Query[Order])
    ordered = query.order_by(lambda order: order.at, desc=True).include(lambda order: order.customer).limit(3).offset(1)
    assert_type(ordered.one(), Order)
    assert_type(ordered.first(), Order | None)
    assert_type(ordered.all(), list[Order])
    assert_type(query.count(), int)
    assert_type(query.sum(lambda order: order.total), Decimal)
    assert_type(query.maximum(lambda order: order.at), dt.datetime | None)
    for order in query:
        assert_type(order, Order)
    assert_type(storage.get(Order, uuid.uuid4()), Order)
    assert_type(storage.find(Order, uuid.uuid4()), Order | None)
    assert_type(storage.update(ada, name="Bea"), Customer)
    assert_type(app.verify(), list[iq.Difference])
    plan: Any = app.explain(Pay)
    print(plan)


# -- global values ---------------------------------------------------------------------------


@iq.interaction
class Configure:
    limit: int
    mood: Literal["calm", "wild"]


@iq.condition
def is_calm(event: Event[Ship]) -> bool:
    return Totals.mood == "calm" and Totals.orders < Totals.limit


@iq.dictionary
class Totals:
    orders: int = iq.Count(Order)
    paid: int = iq.Count(Order, where=lambda order: order.status == "paid")
    revenue: Decimal = iq.Summation(Order, of=lambda order: order.total)
    weight: float = iq.WeightedSummation(Order, lambda order: order.boxes, lambda order: order.weight)
    mean: float | None = iq.Average(Order, of=lambda order: order.total)
    mean_or_zero: float = iq.Average(Order, of=lambda order: order.weight, default=0.0)
    all_paid: bool = iq.Every(Order, where=lambda order: order.status == "paid")
    any_paid: bool = iq.Any(Order, where=lambda order: order.status == "paid")
    largest: Decimal | None = iq.Maximum(Order, of=lambda order: order.total)
    least: Decimal = iq.Minimum(Order, of=lambda order: order.total, default=Decimal(0))
    first_number: str | None = iq.First(Order, of=lambda order: order.number, by=lambda order: order.at)
    last_number: str = iq.Last(Order, lambda order: order.number, by=lambda order: order.at, default="")
    numbers: int = iq.Distinct(Order, of=lambda order: order.number)
    visits: int = iq.Count(Visit, where=lambda visit: visit.one.name != visit.other.name)
    limit: int = iq.field(default=10, changes=iq.on(Configure, set=lambda e: e.payload.limit + Totals.limit))
    mood: Literal["calm", "wild"] = iq.field(default="calm", changes=iq.on(Configure, set=lambda e: e.payload.mood))
    level: Level = iq.StateMachine(Level.LOW, iq.on(Pay, {Level.LOW: Level.HIGH}))
    best: Customer | None = iq.one(default=None, on_delete="set_null")
    note: str = "none"

    @iq.computed
    def share(self) -> float:
        return self.paid / self.orders if self.orders else 0.0


@iq.dictionary(constraints=[iq.Check(lambda limits: limits.most > 0)])
class Limits:
    most: int = 3


@iq.entity
class Desk:
    name: str
    tasks: Many[Task] = iq.many(inverse="desk")
    long: int = iq.Count(tasks, where=lambda task: task.size > Totals.limit and Totals.best == task.customer)

    @iq.computed
    def part(self) -> float:
        return self.long / Totals.orders if Totals.orders else Totals.share


@iq.entity
class Task:
    desk: Desk
    size: int
    customer: Customer
    made = iq.Transform(CreateOrder, lambda e: Task(desk=Desk(name=""), size=Totals.limit, customer=e.payload.customer))


@iq.side_effect(Totals, on="update")
def tell_totals(change: iq.RecordChange[Totals]) -> None:
    assert_type(change.record.revenue, Decimal)


def read(storage: iq.Storage, app: iq.Controller) -> None:
    assert_type(Totals.orders, int)
    assert_type(Totals.revenue, Decimal)
    assert_type(Totals.mean, float | None)
    assert_type(Totals.mood, Literal["calm", "wild"])
    assert_type(Totals.level, Level)
    assert_type(Totals.best, Customer | None)
    assert_type(Totals.share, float)
    assert_type(storage.get(Totals), Totals)
    assert_type(storage.get(Totals).last_number, str)
    assert_type(storage.query(Order).where(lambda order: order.boxes > Totals.share).count(), int)
    assert_type(app.explain(Totals, "orders"), iq.Explanation)


# -- the other side of a 1:1 is nobody's to give ---------------------------------------------


@iq.entity
class Holder:
    id: int = iq.key()
    name: str
    passport: Passport | None = iq.one(inverse="holder")


@iq.entity
class Passport:
    id: int = iq.key()
    holder: Holder = iq.one(unique=True)
    former: Holder | None = iq.one(default=None)


passport_of_ada: Passport | None = Holder(name="Ada").passport
passport: Passport = Passport(holder=Holder(name="Ada"))


# -- what is found from both ends ---------------------------------------------------------------


@iq.entity
class Person:
    id: int = iq.key()
    age: int
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))
    friends: Many[Person] = iq.many(through="friendships")
    grown: int = iq.Count(friends, where=lambda friend: friend.age > 17)


@iq.relation(symmetric=True, self_pairs=True)
class Friendship:
    one: Person
    other: Person


# -- views ----------------------------------------------------------------------------------


@iq.view(Person, where=lambda person: person.age >= 18 and person.grown > 0)
class Adult(Person):
    """A view has the attributes of what it is of, and methods of its own."""

    def is_old(self) -> bool:
        return self.age > 80


@iq.view(Adult, where=lambda adult: adult.is_old())
class Elder(Adult): ...


@iq.interaction
class Greet:
    elder: Elder
    others: list[Adult]


@iq.entity
class Town:
    adults: Many[Resident] = iq.many(inverse="town")
    oldest: int | None = iq.Maximum(adults, of=lambda resident: resident.person.age)


@iq.entity
class Home:
    town: Town
    person: Person


@iq.view(Home, where=lambda home: home.person.age >= 18)
class Resident(Home): ...


def award_of(elder: Elder) -> Award:
    return Award(person=elder, age=elder.age)


@iq.entity
class Award:
    person: Person
    age: int
    given = iq.Transform(Elder, award_of)


@iq.side_effect(Elder, on="create")
def congratulate(change: iq.RecordChange[Elder]) -> None:
    assert_type(change.record, Elder)
    print(change.record.is_old(), change.record.age)


def views(storage: iq.Storage) -> None:
    assert_type(storage.query(Adult).where(lambda adult: adult.is_old()).all(), list[Adult])
    assert_type(storage.get(Elder, 1), Elder)


# -- kinds ----------------------------------------------------------------------------------


@iq.interaction
class Submit:
    title: str
    body: str


@iq.interaction
class React:
    content: Content


@iq.entity
class Content:
    id: int = iq.key()
    title: str
    author: Person
    reactions: Many[Reaction] = iq.many(inverse="content")
    reaction_count: int = iq.Count(reactions)


@iq.entity
class Article(Content):
    body: str
    own: int = iq.Count(Content.reactions, where=lambda reaction: reaction.weight > 0)
    submitted = iq.Transform(
        Submit, lambda e: Article(title=e.payload.title, body=e.payload.body, author=Person(age=3))
    )


@iq.entity(abstract=True)
class Picture(Content):
    title: str = "untitled"


@iq.entity
class Photo(Picture):
    url: str
    width: int = 0


@iq.relation
class Reaction:
    person: Person
    content: Content
    weight: int = 1
    made = iq.Transform(React, lambda e: Reaction(person=Person(age=1), content=e.payload.content))


@iq.entity
class Shelf:
    contents: Many[Item] = iq.many(inverse="shelf")
    wide: int = iq.Count(contents, where=lambda item: isinstance(item.content, Photo) and item.content.width > 100)


@iq.relation
class Item:
    shelf: Shelf
    content: Content


@iq.side_effect(Photo)
def resize(change: iq.RecordChange[Photo]) -> None:
    assert_type(change.record.url, str)


def kinds(storage: iq.Storage, person: Person) -> None:
    photo = Photo(url="u", author=person)
    article = Article(title="t", body="b", author=person)
    contents: list[Content] = [photo, article]
    assert_type(storage.query(Article).where(lambda each: each.body != "").all(), list[Article])
    for content in storage.query(Content):
        if isinstance(content, Article):
            assert_type(content.body, str)
    React(content=photo)
    print(contents, storage.query(Content).where(lambda each: isinstance(each, Photo) and each.width > 3).count())


# -- what interactions change ------------------------------------------------------------------


@iq.interaction
class Bid:
    lot: Lot
    amount: Decimal


@iq.interaction
class CloseLots:
    lots: list[Lot]
    reason: Literal["sold", "gone"]


def higher(e: Event[Bid], lot: Lot) -> Decimal:
    return max(lot.highest, e.payload.amount)


def outcome(e: Event[CloseLots], lot: Lot) -> Literal["open", "sold", "gone"]:
    return e.payload.reason if lot.highest > 0 else "gone"


@iq.entity
class Lot:
    status: Literal["open", "sold", "gone"] = iq.StateMachine(
        "open",
        iq.on(Bid, {"open": "open"}, strict=True),
        iq.on(CloseLots, {"open": outcome, "gone": iq.DELETED}, record=lambda e: e.payload.lots),
    )
    level: Level = iq.StateMachine(
        Level.LOW,
        iq.on(Bid, {Level.LOW: lambda e, lot: Level.HIGH if e.payload.amount > 3 else Level.LOW}, strict=True),
    )
    mood: Literal["good", "bad"] = iq.field(default="good", changes=iq.on(Bid, {"good": "bad"}, strict=True))
    highest: Decimal = iq.field(
        default=Decimal(0),
        changes=[
            iq.on(Bid, set=higher),
            iq.on(CloseLots, record=lambda e: e.payload.lots, set=lambda e, lot: lot.highest + 1),
        ],
    )
    bidder: Customer | None = iq.one(default=None, changes=iq.on(Bid, {None: lambda e, lot: e.user}, strict=True))
    closed_at: dt.datetime | None = iq.changed_at(status, leaving="open")
    sold_by: Customer | None = iq.changed_by(status, to="sold")
    sold_by_key: str | None = iq.changed_by(status, to="sold")
    bids: int = iq.change_count(highest)


@iq.entity
class Ticket:
    customer: Customer = iq.one()
    year: int = iq.field()
    number: int = iq.ScopedSequence(customer, year, start=1000, default=None)
    place: int = iq.ScopedSequence()


def number(app: iq.Controller, ada: Customer) -> None:
    assert_type(Ticket(customer=ada, year=2026).number, int)
    assert_type(app.reserve(Ticket.number, ada, 2026, count=10), range)
    Ticket(customer=ada, year=2026, number=1000)

    def twice(tx: iq.BusinessTransaction) -> list[int]:
        return list(tx.reserve(Ticket.place, count=2))

    assert_type(app.transact(twice), list[int])


def watch(lot: Lot, error: Exception) -> None:
    Lot(mood="bad", bidder=None)
    assert_type(lot.closed_at, dt.datetime | None)
    assert_type(lot.bids, int)
    assert_type(lot.sold_by, Customer | None)
    if isinstance(error, iq.ImpossibleMove):
        assert_type(error.moves, dict[Any, Any])
