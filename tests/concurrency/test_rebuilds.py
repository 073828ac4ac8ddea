"""Values are spoilt by hand and rebuilt, again and again, while all others write what they are worked out from."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class AddOrder:
    shop: Shop
    price: int


@iq.interaction
class Reprice:
    order: Order
    price: int


@iq.interaction
class DropOrder:
    order: Order


@iq.entity
class Town:
    id: int = iq.key()
    shops: Many[Shop] = iq.many(inverse="town")

    turnover: int = iq.Summation(shops, of=lambda shop: shop.turnover)


@iq.entity
class Shop:
    id: int = iq.key()
    town: Town
    orders: Many[Order] = iq.many(inverse="shop")

    turnover: int = iq.Summation(orders, of=lambda order: order.total)
    order_count: int = iq.Count(orders)
    mean: float | None = iq.Average(orders, of=lambda order: order.price)
    dearest: int | None = iq.Maximum(orders, of=lambda order: order.price)
    prices: int = iq.Distinct(orders, of=lambda order: order.price)


@iq.entity
class Order:
    id: int = iq.key()
    shop: Shop
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))

    added = iq.Transform(AddOrder, lambda e: Order(shop=e.payload.shop, price=e.payload.price))

    @iq.computed(stored=True)
    def total(self) -> int:
        return self.price * 12

    @iq.computed(stored=True)
    def is_dear(self) -> bool:
        return self.price > 5

    @iq.deleted_by(DropOrder)
    def dropped(self, e: Event[DropOrder]) -> bool:
        return self == e.payload.order


SHOPS = 5

#: Whatever others do meanwhile, a rebuild mends each of these. A maximum is forgotten: what is greater than any
#: record would have others pass over it who are not done when it is mended.
SPOILT = (
    'UPDATE "shop" SET "order_count" = "order_count" + 1000, "prices" = 77 WHERE "id" = {}',
    'UPDATE "shop" SET "turnover" = 5, "mean__sum" = 0, "mean" = 0, "dearest" = NULL WHERE "id" = {}',
    'UPDATE "order" SET "total" = 1, "is_dear" = ("price" < 3) WHERE "id" = {}',
)


def spoil(me: Me, sql: str) -> None:
    database = me.storage.database
    while True:
        tx = database.begin()
        try:
            tx.execute(sql, ())
            tx.commit()
        except Exception as error:
            tx.rollback()
            if not database.is_retryable(error):
                raise
        else:
            return


def orders_and_rebuilds(me: Me) -> None:
    """One spoils and rebuilds by small batches, all others order."""
    if me.number == 0:
        for turn in range(6):
            for sql in SPOILT:
                for key in range(1, SHOPS + 1):
                    spoil(me, sql.format(key + turn))
            for cls in (Order, Shop, Town):
                me.attempt(lambda cls=cls: me.app.rebuild(cls, batch=2))  # type: ignore[misc]
        return
    shops = me.all(Shop)
    for _ in range(25):
        orders = [order for order in me.all(Order) if order.id % (PROCESSES - 1) == me.number - 1]
        chance, price = me.chance.random(), me.chance.randrange(10)
        if chance < 0.4 or not orders:
            me.dispatch(AddOrder(shop=me.chance.choice(shops), price=price))
        elif chance < 0.8:
            me.dispatch(Reprice(order=me.chance.choice(orders), price=price))
        else:
            me.dispatch(DropOrder(order=me.chance.choice(orders)))


def test_a_rebuild_while_others_write_leaves_nothing_wrong(at_once: AtOnce) -> None:
    app = at_once.app(Town, Shop, Order, AddOrder, Reprice, DropOrder)
    town = app.system.storage.create(Town())
    shops = [app.system.storage.create(Shop(town=town)) for _ in range(SHOPS)]
    app.dispatch_many([AddOrder(shop=shop, price=price) for shop in shops for price in range(8)])

    assert set(at_once(orders_and_rebuilds).outcomes) == {"done"}

    assert app.verify() == []
