"""Stored computed properties: what follows from a record and what it refers to, kept in a column."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import scans, shape


@iq.entity
class Region:
    id: int = iq.key()
    name: str
    surcharge: Decimal = Decimal(0)


@iq.entity
class Customer:
    id: int = iq.key()
    name: str
    tax_rate: Decimal
    region: Region
    orders: Many[Order] = iq.many(inverse="customer")

    spent: Decimal = iq.Summation(orders, of=lambda order: order.total)
    big_orders: int = iq.Count(orders, where=lambda order: order.total > 100)
    largest: Decimal | None = iq.Maximum(orders, of=lambda order: order.total)

    @iq.computed(stored=True)
    def rate(self) -> Decimal:
        return 1 + self.tax_rate + self.region.surcharge


@iq.interaction
class Rename:
    order: Order
    label: str


@iq.interaction
class Reassign:
    order: Order
    customer: Customer


@iq.interaction
class PlaceOrder:
    customer: Customer
    label: str
    prices: list[str]


@iq.entity
class Order:
    id: int = iq.key()
    customer: Customer = iq.one(changes=iq.on(Reassign, set=lambda e: e.payload.customer))
    label: str = iq.field(default="", changes=iq.on(Rename, set=lambda e: e.payload.label))
    coupon: Coupon | None = None
    items: Many[Item] = iq.many(inverse="order")

    subtotal: Decimal = iq.Summation(items, of=lambda item: item.amount)
    pieces: int = iq.Count(items)

    @iq.computed(stored=True, index=True)
    def total(self) -> Decimal:
        rebate = self.coupon.rebate if self.coupon is not None else Decimal(0)
        return self.subtotal * self.customer.rate - rebate

    @iq.computed(stored=True)
    def shouted(self) -> str:
        return self.label.upper()

    @iq.computed(stored=True)
    def heading(self) -> str:
        return self.shouted + " for " + self.customer.name

    @iq.computed(stored=True)
    def is_big(self) -> bool:
        return self.total > 100 or self.pieces > 3


@iq.entity
class Coupon:
    id: int = iq.key()
    rebate: Decimal
    orders: Many[Order] = iq.many(inverse="coupon")

    used_for: Decimal = iq.Summation(orders, of=lambda order: order.total)


@iq.entity
class Item:
    id: int = iq.key()
    order: Order = iq.one(on_delete="cascade")
    price: Decimal
    count: int = 1

    placed = iq.Transform(PlaceOrder, lambda e: items_of(e))

    @iq.computed(stored=True)
    def amount(self) -> Decimal:
        return self.price * self.count


def items_of(e: iq.Event[PlaceOrder]) -> list[Item]:
    order = Order(customer=e.payload.customer, label=e.payload.label)
    return [Item(order=order, price=Decimal(price)) for price in e.payload.prices]


MODELS = (Region, Customer, Order, Coupon, Item, Rename, Reassign, PlaceOrder)


class Desk:
    def __init__(self, app: iq.Controller) -> None:
        self.app = app
        self.storage = app.system.storage
        self.region = self.storage.create(Region(name="North"))
        self.ada = self.storage.create(Customer(name="Ada", tax_rate=Decimal("0.20"), region=self.region))
        self.bob = self.storage.create(Customer(name="Bob", tax_rate=Decimal("0.50"), region=self.region))

    def order(self, customer: Customer, *prices: str, **values: Any) -> Order:
        order = self.storage.create(Order(customer=customer, **values))
        for price in prices:
            self.storage.create(Item(order=order, price=Decimal(price)))
        return self.again(order)

    def again(self, record: Any) -> Any:
        return self.storage.get(type(record), record.id)

    def right(self) -> None:
        assert self.app.verify() == []


@pytest.fixture
def desk(make_app: Apps) -> Desk:
    return Desk(make_app(*MODELS))


def test_it_is_there_when_a_record_is_made(desk: Desk) -> None:
    order = desk.order(desk.ada, label="tea")
    assert (order.total, order.shouted, order.heading, order.is_big) == (Decimal(0), "TEA", "TEA for Ada", False)
    assert desk.again(desk.ada).rate == Decimal("1.20")
    desk.right()


def test_it_follows_the_sums_of_its_record(desk: Desk) -> None:
    order = desk.order(desk.ada, "10", "20")
    assert (order.subtotal, order.total) == (Decimal(30), Decimal("36.00"))
    assert desk.again(desk.ada).spent == Decimal("36.00")
    desk.right()
    item = desk.storage.query(Item).where(lambda item: item.price == 10).one()
    desk.storage.update(item, count=20)
    assert desk.again(order).total == Decimal("264.00")
    assert desk.again(order).is_big
    assert desk.again(desk.ada).big_orders == 1
    assert desk.again(desk.ada).largest == Decimal("264.00")
    desk.right()
    desk.storage.delete(item)
    assert (desk.again(order).total, desk.again(order).is_big) == (Decimal("24.00"), False)
    assert desk.again(desk.ada).spent == Decimal("24.00")
    desk.right()


def test_it_follows_what_is_far_away(desk: Desk) -> None:
    orders = [desk.order(desk.ada, "50"), desk.order(desk.ada, "100"), desk.order(desk.bob, "10")]
    desk.storage.update(desk.region, surcharge=Decimal("0.30"))
    assert [desk.again(each).total for each in orders] == [Decimal("75.00"), Decimal("150.00"), Decimal("18.00")]
    assert desk.again(desk.ada).spent == Decimal("225.00")
    assert desk.again(desk.ada).big_orders == 1
    desk.right()
    desk.storage.update(desk.ada, name="Countess")
    assert desk.again(orders[0]).heading == " for Countess"
    desk.right()


def test_it_follows_where_its_record_is_linked(desk: Desk) -> None:
    order = desk.order(desk.ada, "100", label="tea")
    desk.app.dispatch(Reassign(order=order, customer=desk.bob))
    assert (desk.again(order).total, desk.again(order).heading) == (Decimal("150.00"), "TEA for Bob")
    assert (desk.again(desk.ada).spent, desk.again(desk.bob).spent) == (Decimal(0), Decimal("150.00"))
    assert (desk.again(desk.ada).largest, desk.again(desk.bob).largest) == (None, Decimal("150.00"))
    desk.right()
    coupon = desk.storage.create(Coupon(rebate=Decimal(60)))
    desk.storage.update(order, coupon=coupon)
    assert (desk.again(order).total, desk.again(coupon).used_for) == (Decimal("90.00"), Decimal("90.00"))
    assert desk.again(desk.bob).spent == Decimal("90.00")
    desk.right()
    desk.storage.update(order, coupon=None)
    assert (desk.again(order).total, desk.again(coupon).used_for) == (Decimal("150.00"), Decimal(0))
    desk.right()


def test_what_interactions_change_is_followed(desk: Desk) -> None:
    order = desk.order(desk.ada, label="tea")
    desk.app.dispatch(Rename(order=order, label="cake"))
    assert (desk.again(order).shouted, desk.again(order).heading) == ("CAKE", "CAKE for Ada")
    desk.app.dispatch_many([Rename(order=order, label=text) for text in ("a", "b")])
    assert desk.again(order).heading == "B for Ada"
    desk.right()


def test_records_that_an_interaction_makes_together(desk: Desk) -> None:
    result = desk.app.dispatch(PlaceOrder(customer=desk.ada, label="x", prices=["10", "20", "30"]))
    (order,) = result.created(Order)
    assert (order.total, order.heading, order.is_big) == (Decimal("72.00"), "X for Ada", False)
    assert [item.amount for item in result.created(Item)] == [Decimal(10), Decimal(20), Decimal(30)]
    made = next(each for each in result.effects if each.kind == "create" and each.record is Order)
    assert made.values["heading"] == "X for Ada"
    desk.app.dispatch_many([PlaceOrder(customer=desk.bob, label=str(n), prices=["1", "2"]) for n in range(3)])
    assert desk.again(desk.bob).spent == Decimal("13.50")
    desk.right()


def test_it_is_queried_and_sorted_by_as_any_column(desk: Desk) -> None:
    for price in ("10", "300", "20"):
        desk.order(desk.ada, price, label=price)
    big = desk.storage.query(Order).where(lambda order: order.is_big).all()
    assert [order.label for order in big] == ["300"]
    ordered = desk.storage.query(Order).order_by(lambda order: order.total).all()
    assert [order.label for order in ordered] == ["10", "20", "300"]


def test_what_was_changed_by_hand_is_reported_and_rebuilt(desk: Desk) -> None:
    order = desk.order(desk.ada, "10", label="tea")
    database = desk.storage.database
    tx = database.begin()
    quote = database.dialect.quote
    tx.execute(f"UPDATE {quote('order')} SET {quote('shouted')} = 'QUIET'", ())
    tx.commit()
    found = [(each.attribute, each.key, each.stored, each.expected) for each in desk.app.verify()]
    assert ("Order.shouted", order.id, "QUIET", "TEA") in found
    desk.app.rebuild(Order, "shouted")
    desk.right()
    assert desk.again(order).heading == "TEA for Ada"


def test_it_is_explained(desk: Desk) -> None:
    order = desk.order(desk.ada, "10")
    found = desk.app.explain(order, "total")
    assert found.value == Decimal("12.00")
    assert found.rule.startswith("computed(stored=True), declared at ")
    assert found.depends_on == (
        "Coupon.rebate", "Customer.rate", "Order.coupon", "Order.customer", "Order.subtotal",
    )  # fmt: skip


def test_it_can_be_read_of_a_record_that_is_not_stored_yet() -> None:
    item = Item(order=Order.__new__(Order), price=Decimal(3), count=2)
    assert item.amount == Decimal(6)


def test_it_can_neither_be_given_nor_set(desk: Desk) -> None:
    order = desk.order(desk.ada)
    with pytest.raises(iq.InvalidValue, match="kept by computed"):
        desk.storage.update(order, total=Decimal(1))
    with pytest.raises(iq.InvalidValue, match="it follows from its computed"):
        Item(order=order, price=Decimal(1), amount=Decimal(2))  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


# -- what it costs ----------------------------------------------------------------------------------


@iq.interaction
class Limit:
    rack: Rack
    to: int


@iq.entity
class Rack:
    id: int = iq.key()
    limit: int = iq.field(default=10, changes=iq.on(Limit, set=lambda e: e.payload.to))
    boxes: Many[Box] = iq.many(inverse="rack")

    weight: int = iq.Summation(boxes, of=lambda box: box.weight)
    full_boxes: int = iq.Count(boxes, where=lambda box: box.is_full)

    @iq.computed(stored=True, index=True)
    def room(self) -> int:
        return self.limit - self.weight


@iq.entity
class Box:
    id: int = iq.key()
    rack: Rack
    parts: Many[Part] = iq.many(inverse="box")

    units: int = iq.Summation(parts, of=lambda part: part.units)

    @iq.computed(stored=True)
    def is_full(self) -> bool:
        return self.units > 5

    @iq.computed(stored=True)
    def weight(self) -> int:
        return self.units * 2

    @iq.computed(stored=True)
    def fits(self) -> bool:
        return self.units <= self.rack.limit


@iq.entity
class Part:
    id: int = iq.key()
    box: Box
    units: int
    note: str = ""

    @iq.computed(stored=True)
    def label(self) -> str:
        return self.note.strip().upper()


RACKS = (Rack, Box, Part, Limit)


class Racks:
    def __init__(self, app: iq.Controller, database: Database) -> None:
        self.app, self.storage, self.database = app, app.system.storage, database
        self.rack = self.storage.create(Rack())
        self.box = self.storage.create(Box(rack=self.rack))
        self.part = self.storage.create(Part(box=self.box, units=1))

    def sent(self, action: Callable[[], Any]) -> list[str]:
        """The statements that write, without those that read the record again for the answer."""
        with self.database.recording() as recorder:
            action()
        shapes = [shape(sql) for sql, _ in recorder.statements]
        return shapes[shapes.index("BEGIN") + 1 : shapes.index("COMMIT")]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def racks(request: pytest.FixtureRequest) -> Racks:
    database: Database = request.getfixturevalue(f"{request.param}_db")
    app = iq.Controller(iq.MonoSystem(database), RACKS)
    app.setup(install=True)
    return Racks(app, database)


def test_a_new_record_has_it_in_its_insert(racks: Racks) -> None:
    assert racks.sent(lambda: racks.storage.create(Rack())) == ["INSERT rack"]
    # What lies behind a reference, too; and that a box of nothing weighs nothing moves no rack.
    assert racks.sent(lambda: racks.storage.create(Box(rack=racks.rack))) == ["INSERT box"]


def test_a_change_sets_it_in_its_update(racks: Racks) -> None:
    assert racks.sent(lambda: racks.storage.update(racks.part, note=" x ")) == ["UPDATE part"]
    assert racks.storage.get(Part, racks.part.id).label == "X"


def test_a_sum_sets_it_in_the_update_of_its_host(racks: Racks) -> None:
    sent = racks.sent(lambda: racks.storage.create(Part(box=racks.box, units=7)))
    # What the box was follows from what it is and the difference, so it is not read before.
    assert sent == ["INSERT part", "UPDATE box", "UPDATE rack"]
    box, rack = racks.storage.get(Box, racks.box.id), racks.storage.get(Rack, racks.rack.id)
    assert (box.weight, box.is_full, box.fits) == (16, True, True)
    assert (rack.weight, rack.full_boxes, rack.room) == (16, 1, -6)
    assert racks.app.verify() == []


def test_a_far_change_is_one_update_where_nothing_depends_on_it(racks: Racks) -> None:
    sent = racks.sent(lambda: racks.storage.update(racks.rack, limit=11))
    assert sent == ["SELECT rack", "UPDATE rack", "UPDATE box"]
    racks.storage.update(racks.rack, limit=0)
    assert not racks.storage.get(Box, racks.box.id).fits
    assert racks.app.verify() == []


def test_nothing_is_written_where_it_stays(racks: Racks) -> None:
    racks.storage.create(Box(rack=racks.rack))
    result = racks.app.dispatch(Limit(rack=racks.rack, to=12))
    assert [(each.record, each.kind) for each in result.effects[1:]] == [(Rack, "update")]
    result = racks.app.dispatch(Limit(rack=racks.rack, to=0))
    assert [(each.record, each.key) for each in result.effects[1:]] == [(Rack, racks.rack.id), (Box, racks.box.id)]
    assert racks.app.verify() == []


def test_no_statement_scans_a_table(racks: Racks) -> None:
    with racks.database.recording() as recorder:
        racks.storage.create(Part(box=racks.box, units=7))
        racks.storage.update(racks.part, note="x", units=2)
        racks.storage.update(racks.rack, limit=1)
        racks.storage.query(Rack).where(lambda rack: rack.room == 1).all()
    assert [sql for sql, values in recorder.statements if scans(racks.database, sql, values)] == []


# -- records that refer to their own kind, to each other, and that come of others ---------------------


@iq.entity
class Folder:
    id: uuid.UUID = iq.key()
    name: str
    parent: Folder | None = None
    children: Many[Folder] = iq.many(inverse="parent")

    child_count: int = iq.Count(children)
    long_children: int = iq.Count(children, where=lambda child: len(child.path) > 5)

    @iq.computed(stored=True)
    def path(self) -> str:
        return self.name if self.parent is None else self.parent.name + "/" + self.name

    @iq.computed(stored=True)
    def is_root(self) -> bool:
        return self.parent is None or self.parent == self

    @iq.computed(stored=True)
    def depth(self) -> int:
        if self.parent is None:
            return 0
        return 1 if self.parent.is_root else 2


def test_a_record_may_read_others_of_its_kind_and_itself(make_app: Apps) -> None:
    app = make_app(Folder)
    storage = app.system.storage
    root = storage.create(Folder(name="a"))
    inner = storage.create(Folder(name="b", parent=root))
    deep = storage.create(Folder(name="c", parent=inner))

    def seen() -> list[tuple[str, bool, int]]:
        found = (storage.get(Folder, each.id) for each in (root, inner, deep))
        return [(each.path, each.is_root, each.depth) for each in found]

    assert seen() == [("a", True, 0), ("a/b", False, 1), ("b/c", False, 2)]
    storage.update(inner, name="bbbb")
    assert seen() == [("a", True, 0), ("a/bbbb", False, 1), ("bbbb/c", False, 2)]
    assert storage.get(Folder, inner.id).long_children == 1
    assert app.verify() == []
    storage.update(inner, parent=inner)
    assert seen() == [("a", True, 0), ("bbbb/bbbb", True, 1), ("bbbb/c", False, 1)]
    assert app.verify() == []
    storage.update(inner, name="x", parent=inner)
    assert seen()[1] == ("x/x", True, 1)
    assert storage.get(Folder, inner.id).long_children == 0
    assert app.verify() == []
    storage.update(inner, parent=None)
    assert seen() == [("a", True, 0), ("x", True, 0), ("x/c", False, 1)]
    assert app.verify() == []


@iq.entity
class Topic:
    """Nothing depends on what it keeps, and so nothing is answered of what is written."""

    name: str
    parent: Topic | None = None

    @iq.computed(stored=True)
    def path(self) -> str:
        return self.name if self.parent is None else self.parent.name + "/" + self.name


def test_several_that_read_one_of_their_kind_are_written_together(make_app: Apps) -> None:
    app = make_app(Topic)
    storage = app.system.storage
    root = storage.create(Topic(name="a"))
    storage.update(root, parent=root)
    for name in ("b", "c"):
        storage.create(Topic(name=name, parent=root))
    storage.update(root, name="x")
    assert [each.path for each in storage.query(Topic).order_by(lambda topic: topic.id)] == ["x/x", "x/b", "x/c"]
    assert app.verify() == []


@iq.entity
class Member:
    id: uuid.UUID = iq.key()
    email: str
    born: dt.date | None = None
    joined: dt.datetime

    @iq.computed(stored=True, unique=True)
    def address(self) -> str:
        return self.email.strip().lower()

    @iq.computed(stored=True, index=True)
    def birthday(self) -> int | None:
        return None if self.born is None else self.born.month * 100 + self.born.day

    @iq.computed(stored=True)
    def year(self) -> int:
        return self.joined.year

    badges: Many[Badge] = iq.many(inverse="member")
    valid_badges: int = iq.Count(badges, where=lambda badge: badge.valid)


@iq.entity
class Badge:
    id: int = iq.key()
    member: Member
    text: str

    made = iq.Transform(Member, lambda member: Badge(member=member, text=member.address))

    @iq.computed(stored=True)
    def valid(self) -> bool:
        return self.text == self.member.address and self.member.year > 2000


NEW_YEAR = dt.datetime(2026, 1, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def test_a_unique_one_refuses_a_second(make_app: Apps) -> None:
    app = make_app(Member, Badge)
    storage = app.system.storage
    ada = storage.create(Member(email=" Ada@example.org", joined=NEW_YEAR))
    with pytest.raises(iq.ConstraintViolationError) as caught:
        storage.create(Member(email="ada@EXAMPLE.org", joined=NEW_YEAR))
    assert caught.value.properties == ("address",)
    storage.create(Member(email="bob@example.org", joined=NEW_YEAR))
    storage.update(ada, email="bo@example.org", born=dt.date(2000, 2, 29))
    assert storage.get(Member, ada.id).birthday == 229
    with pytest.raises(iq.ConstraintViolationError):
        storage.update(ada, email="BOB@example.org")
    assert app.verify() == []


def test_a_moment_counts_in_utc_wherever_it_was_given(make_app: Apps) -> None:
    app = make_app(Member, Badge)
    storage = app.system.storage
    ada = storage.create(Member(email="ada", joined=NEW_YEAR))
    assert ada.year == 2025
    assert app.verify() == []
    storage.update(ada, joined=NEW_YEAR + dt.timedelta(days=300))
    storage.update(ada, joined=NEW_YEAR)
    assert storage.get(Member, ada.id).year == 2025
    assert app.verify() == []


def test_records_that_follow_from_it_follow_it(make_app: Apps) -> None:
    app = make_app(Member, Badge)
    storage = app.system.storage
    ada = storage.create(Member(email="Ada", joined=NEW_YEAR))
    badge = storage.query(Badge).one()
    assert (badge.text, badge.valid, ada.valid_badges) == ("ada", True, 1)
    storage.update(ada, email="Countess")
    badge = storage.query(Badge).one()
    assert (badge.text, badge.valid) == ("countess", True)
    storage.update(ada, joined=NEW_YEAR - dt.timedelta(days=20000))
    assert not storage.query(Badge).one().valid
    assert storage.get(Member, ada.id).valid_badges == 0
    assert app.verify() == []


def test_who_observes_a_record_is_told_of_it(make_app: Apps) -> None:
    seen: list[Any] = []

    @iq.side_effect(Order, on="update")
    def tell(change: iq.RecordChange[Order]) -> None:
        assert change.old is not None
        seen.append((sorted(change.names), change.old.total, change.record.total))

    desk = Desk(make_app(*MODELS, tell))
    order = desk.order(desk.ada, "10")
    result = desk.app.dispatch(Reassign(order=order, customer=desk.bob))
    assert [each.error for each in result.side_effects] == [None]
    assert seen == [(["customer", "heading", "is_big", "total"], Decimal("12.00"), Decimal("15.00"))]
    desk.right()
