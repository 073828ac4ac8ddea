"""Mistakes in a model that a type checker finds: each marked line, and no other, is an error in mypy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

import interaqt as iq
from interaqt import Event, Many


@iq.interaction
class Pay:
    order: Order
    amount: Decimal


@iq.interaction
class Rename:
    customer: Customer
    name: str


@iq.condition
def is_rich(event: Event[Pay]) -> bool:
    return event.payload.amout > 3  # E: attr-defined


@iq.condition
def is_named(event: Event[Rename]) -> bool:
    return event.payload.name != ""


@iq.condition  # E: arg-type
def is_counted(event: Event[Pay]) -> int:
    return 3


both = is_rich & is_named  # E: operator


def median_of(totals: list[Decimal]) -> Decimal:
    return sorted(totals)[len(totals) // 2]


def number_of(order: Order) -> str:
    return order.number


def name_of(customer: Customer) -> tuple[str]:
    return (customer.name,)


def doubled(number: int) -> str:
    return str(2 * number)


@iq.entity
class Customer:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.nam))  # E: attr-defined
    nick: str = iq.field(default=3)  # E: assignment
    age: int = iq.field(factory=list)  # E: assignment
    level: int = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))  # E: assignment
    orders: Many[Order] = iq.many(inverse="customer")

    order_count: str = iq.Count(orders)  # E: assignment
    paid: int = iq.Count(orders, where=lambda order: order.stat == "paid")  # E: attr-defined
    large: int = iq.Count(orders, where=lambda order: order.customer.nam == "Ada")  # E: attr-defined
    named: int = iq.Count(orders, where=lambda order: order.number)  # E: arg-type
    number: int = iq.Count([1, 2])  # E: arg-type
    total: Decimal = iq.Summation(orders, lambda order: order.number)  # E: type-var
    mean: float = iq.Average(orders, lambda order: order.total)  # E: assignment
    all_paid: int = iq.Summation(orders, lambda order: order.totl)  # E: attr-defined
    any_paid: str = iq.Any(orders, lambda order: order.status == "paid")  # E: assignment
    most: Decimal = iq.Maximum(orders, lambda order: order.total)  # E: assignment
    least: str | None = iq.Minimum(orders, lambda order: order.totl)  # E: attr-defined
    unordered: str | None = iq.First(orders, lambda order: order.number, by=lambda order: [1])  # E: arg-type
    latest: int = iq.Last(orders, lambda order: order.number, lambda order: order.number, default="")  # E: assignment
    kinds: str = iq.Distinct(orders, lambda order: order.status)  # E: assignment
    median: str = iq.Custom(orders, inputs=lambda order: order.total, compute=median_of)  # E: assignment
    middle: Decimal = iq.Custom(orders, inputs=number_of, compute=median_of)  # E: misc
    widest: Decimal = iq.Custom(orders, inputs=lambda order: order.totl, compute=median_of)  # E: attr-defined
    first: Decimal = iq.Custom(orders, inputs=lambda order: order.total, compute=median_of, initial="")  # E: arg-type
    greeting: str = iq.Custom(reads=name_of, compute=doubled)  # E: misc
    named_twice: int = iq.Custom(reads=name_of, compute=str.upper)  # E: assignment

    @iq.computed
    def shout(self) -> str:
        return self.name.uper()  # E: attr-defined

    @iq.computed(stored=True)
    def kept(self) -> int:
        return self.name  # E: return-value

    @iq.computed(index=True)  # E: call-overload
    def found(self) -> str:
        return self.name


def is_old(order: Order, now: dt.datetime) -> bool:
    return now > order.att  # E: attr-defined


@iq.entity
class Order:
    number: str
    customer: Customer
    total: Decimal
    is_old: str = iq.RealTime(is_old)  # E: assignment
    is_new: bool = iq.RealTime(lambda order, now: now.yeer > 2026)  # E: attr-defined
    is_over: bool = iq.RealTime(lambda order: True)  # E: arg-type
    age: dt.timedelta = iq.RealTime(lambda order, now: now - order.at, every=60)  # E: arg-type
    status: Literal["new", "paid"] = iq.StateMachine(
        "new",
        iq.on(Pay, {"new": "payed"}),  # E: dict-item
        iq.on(Pay, {"nwe": "paid"}),  # E: dict-item
        iq.on(Pay, {"new": "paid"}, record=lambda e: e.payload.ordr),  # E: attr-defined
    )
    step: int = iq.StateMachine(1, iq.on(Pay, {"new": "paid"}))  # E: assignment

    paid = iq.Transform(
        Pay,
        lambda e: Order(number="1", customer=e.payload.customer, total=e.payload.amount),  # E: attr-defined
    )
    made = iq.Transform(Pay, lambda e: Order(number="1", total=e.payload.amount))  # E: call-arg

    @iq.deleted_by(Pay)  # E: arg-type
    def gone(self, e: Event[Rename]) -> bool:
        return True

    @iq.deleted_by(Pay)
    def dropped(self, e: Event[Pay]) -> bool:
        return self == e.payload.oder  # E: attr-defined


@iq.dictionary
class Totals:
    orders: str = iq.Count(Order)  # E: assignment
    paid: int = iq.Count(Order, where=lambda order: order.stat == "paid")  # E: attr-defined
    numbers: int = iq.Summation(Order, of=lambda order: order.number)  # E: type-var
    most: Decimal = iq.Maximum(Order, of=lambda order: order.total)  # E: assignment
    first: str | None = iq.First(Order, of=lambda order: order.numbr, by=lambda order: order.total)  # E: attr-defined
    limit: int = iq.field(default="10")  # E: assignment
    other: int = iq.field(default=0, changes=iq.on(Rename, set=lambda e: e.payload.name))  # E: assignment
    next: int = iq.field(default=0, changes=iq.on(Rename, set=lambda e: Totals.limt))  # E: attr-defined


@iq.condition
def has_orders(event: Event[Pay]) -> bool:
    return Totals.limit  # E: return-value


@iq.side_effect(Order, on="creation")  # E: arg-type
def tell(change: iq.RecordChange[Order]) -> None:
    print(change.record.numbr)  # E: attr-defined


@iq.entity(identity=("name",), identity_conflict="merge")  # E: call-overload
class Shop:
    name: str


@iq.entity(constraints=["name"])  # E: list-item
class Room:
    name: str


@iq.interaction(guard=lambda event: True)  # E: call-overload
class Close:
    order: Order


@iq.interaction(locks=["order"])  # E: call-overload
class Reopen:
    order: Order


@iq.condition(locks="order")  # E: call-overload
def is_open(event: iq.Event[Reopen]) -> bool:
    return True


locked = iq.matching(Order, lambda order: order.stauts == "paid")  # E: attr-defined


@iq.view(Order, where=lambda order: order.stauts == "paid")  # E: attr-defined
class PaidOrder(Order): ...


@iq.view(Order, where=lambda order: order.total)  # E: arg-type
class DearOrder(Order): ...


@iq.entity
class Desk:
    paid: Many[PaidOrder] = iq.many(inverse="desk")
    sum: Decimal = iq.Summation(paid, lambda order: order.amount)  # E: attr-defined
