"""Everybody moves the same global values: the counts of a whole class, and a field that interactions set."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class Place:
    amount: int


@iq.interaction
class Cancel:
    order: Order


@iq.interaction
class Ring:
    pass


@iq.entity
class Order:
    id: int = iq.key()
    amount: int

    placed = iq.Transform(Place, lambda e: Order(amount=e.payload.amount))

    @iq.deleted_by(Cancel)
    def cancelled(self, e: Event[Cancel]) -> bool:
        return self == e.payload.order


@iq.dictionary
class Shop:
    orders: int = iq.Count(Order)
    turnover: int = iq.Summation(Order, of=lambda order: order.amount)
    largest: int | None = iq.Maximum(Order, of=lambda order: order.amount)
    amounts: int = iq.Distinct(Order, of=lambda order: order.amount)
    rings: int = iq.field(default=0, changes=iq.on(Ring, set=lambda e: Shop.rings + 1))


def shopping(me: Me) -> None:
    """Orders are placed and cancelled, the largest first; and everybody rings the one bell."""
    for _ in range(15):
        me.dispatch(Place(amount=me.chance.randint(1, 20)))
        me.dispatch(Ring())
        if me.chance.random() < 0.6:
            for order in me.storage.query(Order).order_by(lambda order: -order.amount).limit(1):
                me.dispatch(Cancel(order=order))


def test_global_values_are_those_of_all_records(at_once: AtOnce) -> None:
    storage = at_once.app(Order, Shop, Place, Cancel, Ring).system.storage

    report = at_once(shopping)

    assert set(report.outcomes) <= {"done", "payload.not_found"}
    amounts = [order.amount for order in storage.query(Order)]
    shop = storage.get(Shop)
    assert (shop.orders, shop.turnover, shop.largest) == (len(amounts), sum(amounts), max(amounts, default=None))
    assert shop.amounts == len(set(amounts))
    assert shop.rings == PROCESSES * 15
