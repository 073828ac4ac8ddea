"""Stored computed properties: what follows from a record and what it refers to, kept in a column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps


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
