"""A shop's stock: what is left is what there was less what is ordered, whatever happens to the orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import attrs

import interaqt as iq
from interaqt import Event, Many


@iq.entity
class Customer:
    id: int = iq.key()
    name: str
    orders: Many[Order] = iq.many(inverse="customer")

    spent: Decimal = iq.Summation(orders, of=lambda order: order.total, where=lambda order: order.status != "cancelled")


@iq.entity
class Product:
    id: int = iq.key()
    name: str = iq.field(unique=True)
    price: Decimal
    initial_stock: int
    lines: Many[OrderLine] = iq.many(inverse="product")

    ordered: int = iq.Summation(
        lines, of=lambda line: line.quantity, where=lambda line: line.order.status != "cancelled"
    )

    @iq.computed
    def current_stock(self) -> int:
        return self.initial_stock - self.ordered


@attrs.frozen
class Item:
    """One line of a request."""

    product: Product
    quantity: int


@iq.condition
def in_stock(event: Event[PlaceOrder]) -> bool:
    return all(0 < item.quantity <= item.product.current_stock for item in event.payload.items)


@iq.interaction(guard=in_stock)
class PlaceOrder:
    items: list[Item]


@iq.condition
def is_own_order(event: Event[CancelOrder]) -> bool:
    return bool(event.payload.order.customer == event.user)


@iq.interaction(guard=is_own_order)
class CancelOrder:
    order: Order


@iq.entity
class Order:
    id: int = iq.key()
    number: int = iq.ScopedSequence(start=1001)
    customer: Customer
    lines: Many[OrderLine] = iq.many(inverse="order")

    status: Literal["placed", "cancelled"] = iq.StateMachine("placed", iq.on(CancelOrder, {"placed": "cancelled"}))
    total: Decimal = iq.WeightedSummation(lines, weight=lambda line: line.quantity, of=lambda line: line.price)


def lines_of(event: Event[PlaceOrder]) -> list[OrderLine]:
    order = Order(customer=event.user)
    return [
        OrderLine(order=order, product=item.product, quantity=item.quantity, price=item.product.price)
        for item in event.payload.items
    ]


@iq.entity
class OrderLine:
    id: int = iq.key()
    order: Order
    product: Product
    quantity: int
    price: Decimal

    placed = iq.Transform(PlaceOrder, lines_of)


MODELS = [Customer, Product, Order, OrderLine, PlaceOrder, CancelOrder]


def main() -> None:
    system = iq.MonoSystem(iq.SQLiteDB())
    app = iq.Controller(system, MODELS, user=Customer)
    app.setup(install=True)
    storage = system.storage

    def stock() -> str:
        return ", ".join(f"{each.name}: {each.current_stock}" for each in storage.query(Product))

    ada = storage.create(Customer(name="Ada"))
    tea = storage.create(Product(name="tea", price=Decimal("4.20"), initial_stock=10))
    cup = storage.create(Product(name="cup", price=Decimal("12.50"), initial_stock=3))
    print("at first      ", stock())

    items = [Item(product=tea, quantity=4), Item(product=cup, quantity=2)]
    order = app.dispatch(PlaceOrder(items=items), user=ada).created(Order)[0]
    print("after an order", stock(), "- number", order.number, "- total", storage.get(Order, order.id).total)

    try:
        app.dispatch(PlaceOrder(items=[Item(product=cup, quantity=2)]), user=ada)
    except iq.ConditionRejected as error:
        print("refused       ", error.message)

    app.dispatch(CancelOrder(order=order), user=ada)
    print("after cancel  ", stock(), "- spent", storage.get(Customer, ada.id).spent)
    print("differences   ", app.verify())


if __name__ == "__main__":
    main()
