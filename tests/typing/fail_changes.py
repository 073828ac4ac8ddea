"""Mistakes in what interactions change that a type checker finds: each marked line is an error in mypy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

import interaqt as iq
from interaqt import Event


@iq.interaction
class Pay:
    order: Order
    amount: Decimal


def total_of(e: Event[Pay], order: Order) -> Decimal:
    return order.totl  # E: attr-defined


def state_of(e: Event[Pay], order: Order) -> Literal["new", "paid"]:
    return "payd"  # E: return-value


def key_of(e: Event[Pay], order: Order) -> int:
    return order.id


@iq.entity
class Order:
    id: int = iq.key()
    total: Decimal = iq.field(changes=iq.on(Pay, set=total_of))
    count: Decimal = iq.field(changes=iq.on(Pay, set=lambda e, order: e.payload.amunt))  # E: misc
    number: Decimal = iq.field(changes=iq.on(Pay, set=key_of))  # E: assignment
    strict: Decimal = iq.field(changes=iq.on(Pay, set=total_of, strict=True))  # E: call-overload
    status: Literal["new", "paid"] = iq.StateMachine(
        "new",
        iq.on(Pay, {"new": state_of}, strict=True),
        iq.on(Pay, {"new": lambda e, order: "payd"}),  # E: return-value
        iq.on(Pay, {"new": lambda e, order: e.payload.status}),  # E: attr-defined
        iq.on(Pay, {iq.DELETED: "new"}),  # E: dict-item
        iq.on(Pay, {"new": total_of}),  # E: dict-item
        iq.on(Pay, {"new": "paid"}, strict="yes"),  # E: call-overload
    )
    paid_at: dt.datetime = iq.changed_at(status, to="paid")  # E: assignment
    paid: str = iq.change_count(status)  # E: assignment
    paid_on: dt.datetime | None = iq.changed_at()  # E: call-arg


def use(order: Order) -> None:
    Order(total=Decimal(1), count=Decimal(1), number=Decimal(1), strict=Decimal(1))
    Order(total=Decimal(1), count=Decimal(1), number=Decimal(1), strict=Decimal(1), paid="x")  # E: call-arg
    print(order.paid_at.year2)  # E: attr-defined
