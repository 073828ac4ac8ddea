"""An order desk: orders of many lines, stock that they use up, accounts that pay, approvals."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Literal

import attrs

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database


class Priority(enum.Enum):
    LOW = "low"
    HIGH = "high"


@attrs.frozen
class Line:
    sku: str
    quantity: int
    price: Decimal | None = None


@iq.entity
class User:
    id: int = iq.key()
    name: str
    role: str = "customer"
    orders: Many[Order] = iq.many(inverse="customer")

    order_count: int = iq.Count(orders)


@iq.entity
class Document:
    id: uuid.UUID = iq.key()
    title: str


@iq.entity
class Product:
    id: int = iq.key()
    name: str
    lines: Many[OrderLine] = iq.many(inverse="product")

    sold: int = iq.Summation(lines, of=lambda line: line.quantity)


@iq.interaction
class PlaceOrder:
    products: list[Product]
    quantity: int
    note: str | None


@iq.interaction
class Approve:
    order: Order


@iq.interaction
class Reject:
    order: Order
    reason: str


@iq.interaction
class Describe:
    """Everything that a payload can hold."""

    order: Order | None
    documents: list[Document] | None
    text: str = ""
    count: int = 0
    ratio: float = 0.0
    price: Decimal | None
    urgent: bool = False
    priority: Priority = Priority.LOW
    size: Literal["S", "M"] | None
    at: dt.datetime | None
    day: dt.date | None
    took: dt.timedelta | None
    token: uuid.UUID | None
    lines: list[Line] | None
    tags: list[str] | None
    extra: dict[str, Any] | None


@iq.entity
class Order:
    id: int = iq.key()
    customer: User = iq.one()
    note: str | None = None
    lines: Many[OrderLine] = iq.many(inverse="order")

    status: Literal["new", "approved", "rejected"] = iq.StateMachine(
        "new", iq.on(Approve, {"new": "approved"}), iq.on(Reject, {"new": "rejected"})
    )
    reason: str | None = iq.field(default=None, changes=iq.on(Reject, set=lambda e: e.payload.reason))
    units: int = iq.Summation(lines, of=lambda line: line.quantity)


@iq.entity
class OrderLine:
    id: int = iq.key()
    order: Order = iq.one(on_delete="cascade")
    product: Product = iq.one()
    quantity: int

    placed = iq.Transform(PlaceOrder, lambda e: lines_of(e))


def lines_of(e: Event[PlaceOrder]) -> list[OrderLine]:
    order = Order(customer=e.user, note=e.payload.note)
    return [OrderLine(order=order, product=product, quantity=e.payload.quantity) for product in e.payload.products]


MODELS: list[Any] = [User, Document, Product, Order, OrderLine, PlaceOrder, Approve, Reject, Describe]


def dump(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with database.reading() as reading:
        quote = (database.dialect.name == "MySQL" and "`") or '"'
        return {
            table: sorted(map(repr, reading.execute(f"SELECT * FROM {quote}{table}{quote}", ()).fetchall()))
            for table in sorted(database.tables())
        }
