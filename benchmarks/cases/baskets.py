"""One computation over the items of a basket: an item comes, gets another price, and goes.

Each has its declaration and, beside it, what one writes by hand to keep the value: a function of the basket's
key and the item as it was and as it is, of which one may be None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import xor
from typing import TYPE_CHECKING, cast

import attrs

import interaqt as iq
from benchmarks.case import NUMBERS, Call, Case, calls, loaded
from benchmarks.hand import Hand
from interaqt import Event, Many

if TYPE_CHECKING:

    class Basket:
        """Each case declares one of its own, with the one value that it is about."""


__all__ = ["BASKETS"]


@iq.interaction
class AddItem:
    basket: Basket
    price: int
    place: int


@iq.interaction
class Reprice:
    item: Item
    price: int


@iq.interaction
class DropItem:
    item: Item


@iq.entity
class Item:
    id: int = iq.key()
    basket: Basket
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    place: int

    added = iq.Transform(AddItem, lambda e: Item(basket=e.payload.basket, price=e.payload.price, place=e.payload.place))

    @iq.deleted_by(DropItem)
    def dropped(self, e: Event[DropItem]) -> bool:
        return self == e.payload.item


@attrs.frozen
class Row:
    """What is compared and counted of an item."""

    key: int | None
    price: int
    place: int


Keep = Callable[[Hand, int, Row | None, Row | None], None]


# -- sums --------------------------------------------------------------------------------------------


def count() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.Count(items, where=lambda item: item.price % 2 == 0)

    return Basket


def even(row: Row | None) -> int:
    return int(row is not None and row.price % 2 == 0)


ADD = "UPDATE basket SET value = value + ? WHERE id = ?"


def keep_count(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    delta = even(new) - even(old)
    if delta:
        hand.run(ADD, (delta, basket))


def summation() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.Summation(items, of=lambda item: item.price)

    return Basket


def price(row: Row | None) -> int:
    return 0 if row is None else row.price


def keep_sum(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    hand.run(ADD, (price(new) - price(old), basket))


def weighted() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.WeightedSummation(items, weight=lambda item: item.place, of=lambda item: item.price)

    return Basket


def weight(row: Row | None) -> int:
    return 0 if row is None else row.price * row.place


def keep_weighted(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    hand.run(ADD, (weight(new) - weight(old), basket))


def average() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: float | None = iq.Average(items, of=lambda item: item.price)

    return Basket


MEAN = (
    "UPDATE basket SET value = CASE WHEN value__count + ? = 0 THEN NULL"
    " ELSE (value__sum + ?) * 1.0 / (value__count + ?) END,"
    " value__sum = value__sum + ?, value__count = value__count + ? WHERE id = ?"
)


def keep_average(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    total, number = price(new) - price(old), (new is not None) - (old is not None)
    hand.run(MEAN, (number, total, number, total, number, basket))


def every() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: bool = iq.Every(items, where=lambda item: item.price % 2 == 1)

    return Basket


FAILING = "UPDATE basket SET value = (value__failing + ? = 0), value__failing = value__failing + ? WHERE id = ?"


def keep_every(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    delta = even(new) - even(old)
    if delta:
        hand.run(FAILING, (delta, delta, basket))


def any_of() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: bool = iq.Any(items, where=lambda item: item.price % 2 == 0)

    return Basket


MATCHING = "UPDATE basket SET value = (value__matching + ? > 0), value__matching = value__matching + ? WHERE id = ?"


def keep_any(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    delta = even(new) - even(old)
    if delta:
        hand.run(MATCHING, (delta, delta, basket))


# -- look-ups ----------------------------------------------------------------------------------------


def maximum() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int | None = iq.Maximum(items, of=lambda item: item.price)

    return Basket


GREATER = "UPDATE basket SET value = ? WHERE id = ? AND (value IS NULL OR value < ?)"
LESS = "UPDATE basket SET value = ? WHERE id = ? AND (value IS NULL OR value > ?)"
HELD = "SELECT value FROM basket WHERE id = ? FOR UPDATE"
GREATEST = "UPDATE basket SET value = (SELECT max(price) FROM item WHERE basket_id = ?) WHERE id = ?"
LEAST = "UPDATE basket SET value = (SELECT min(price) FROM item WHERE basket_id = ?) WHERE id = ?"


def keep_maximum(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    if old is None or (new is not None and new.price >= old.price):
        hand.run(GREATER, (price(new), basket, price(new)))
    elif hand.one(HELD, (basket,))[0] == old.price:
        hand.run(GREATEST, (basket, basket))


def minimum() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int | None = iq.Minimum(items, of=lambda item: item.price)

    return Basket


def keep_minimum(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    if old is None or (new is not None and new.price <= old.price):
        hand.run(LESS, (price(new), basket, price(new)))
    elif hand.one(HELD, (basket,))[0] == old.price:
        hand.run(LEAST, (basket, basket))


def first() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int | None = iq.First(items, of=lambda item: item.price, by=lambda item: item.place)

    return Basket


def last() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int | None = iq.Last(items, of=lambda item: item.price, by=lambda item: item.place)

    return Basket


def keeps_end(ahead: str, order: str) -> Keep:
    """First and Last by hand, with the same hidden columns: whose value it is, and where that stands."""
    came = (
        f"UPDATE basket SET value = ?, value__by = ?, value__key = ? WHERE id = ? AND"
        f" (value__by IS NULL OR ? {ahead} value__by OR (? = value__by AND ? {ahead} value__key))"
    )
    changed = "UPDATE basket SET value = ? WHERE id = ? AND value__key = ?"
    held = "SELECT value__key FROM basket WHERE id = ? FOR UPDATE"
    following = f"SELECT price, place, id FROM item WHERE basket_id = ? ORDER BY place {order}, id {order} LIMIT 1"
    taken = "UPDATE basket SET value = ?, value__by = ?, value__key = ? WHERE id = ?"

    def keep(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
        if new is None:
            assert old is not None
            if hand.one(held, (basket,))[0] == old.key:
                hand.run(taken, (*(hand.one(following, (basket,)) or (None, None, None)), basket))
        elif old is None:
            hand.run(came, (new.price, new.place, new.key, basket, new.place, new.place, new.key))
        else:
            hand.run(changed, (new.price, basket, new.key))

    return keep


def distinct() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.Distinct(items, of=lambda item: item.price)

    return Basket


LOCK = "SELECT id FROM basket WHERE id = ? FOR UPDATE"
ANOTHER = "SELECT id FROM item WHERE basket_id = ? AND price = ? AND id <> ? LIMIT 1"


def keep_distinct(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    hand.run(LOCK, (basket,))
    came = new is not None and hand.one(ANOTHER, (basket, new.price, new.key)) is None
    went = old is not None and hand.one(ANOTHER, (basket, old.price, old.key)) is None
    if came != went:
        hand.run(ADD, (came - went, basket))


# -- functions in Python ------------------------------------------------------------------------------


def mixed(prices: list[tuple[int]]) -> int:
    return reduce(xor, (price for (price,) in prices), 0)


def mixed_on(value: int, old: tuple[int] | None, new: tuple[int] | None) -> int:
    return value ^ (old[0] if old is not None else 0) ^ (new[0] if new is not None else 0)


def custom() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.Custom(items, inputs=lambda item: (item.price,), compute=mixed)

    return Basket


def custom_step() -> type:
    @iq.entity
    class Basket:
        id: int = iq.key()
        items: Many[Item] = iq.many(inverse="basket")
        value: int = iq.Custom(items, inputs=lambda item: (item.price,), compute=mixed, step=mixed_on)

    return Basket


PRICES = "SELECT price FROM item WHERE basket_id = ?"
PUT = "UPDATE basket SET value = ? WHERE id = ?"


def keep_custom(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    (held,) = hand.one(HELD, (basket,))
    value = mixed(cast("list[tuple[int]]", hand.all(PRICES, (basket,))))
    if value != held:
        hand.run(PUT, (value, basket))


def keep_custom_step(hand: Hand, basket: int, old: Row | None, new: Row | None) -> None:
    (held,) = hand.one(HELD, (basket,))
    value = held ^ price(old) ^ price(new)
    if value != held:
        hand.run(PUT, (value, basket))


# -- the case ----------------------------------------------------------------------------------------

INSERT = "INSERT INTO item (basket_id, price, place) VALUES (?, ?, ?)"
READ = "SELECT basket_id, price, place FROM item WHERE id = ? FOR UPDATE"
SET = "UPDATE item SET price = ? WHERE id = ?"
DELETE = "DELETE FROM item WHERE id = ? RETURNING basket_id, price, place"

#: More than any item that is there before, so what comes is the greatest and the last.
HIGH = 1_000_000


class BasketCase(Case):
    """Items of basket 1 come and go, dearer and later than all that it has; or cheaper and earlier."""

    snapshot = (
        "SELECT id, value FROM basket ORDER BY id",
        "SELECT id, basket_id, price, place FROM item ORDER BY id",
        "SELECT interaction, count(*) FROM interaction_event GROUP BY interaction ORDER BY interaction",
    )

    def __init__(
        self,
        name: str,
        declare: Callable[[], type],
        keep: Keep,
        *,
        falling: bool = False,
        with_key: bool = False,
        asks_all: bool = False,
    ) -> None:
        self.name = name
        self.basket = declare()
        self.models = (self.basket, Item, AddItem, Reprice, DropItem)
        self.derived = (self.basket,)
        self._keep = keep
        self._sign = -1 if falling else 1
        self._with_key = with_key
        self.asks_all = asks_all

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        app.system.storage.create(self.basket())
        items = f"INSERT INTO item (id, basket_id, price, place) {NUMBERS} i, 1, i % 1000, i FROM n"
        hand.transaction(lambda hand: hand.run(items, (size,)))

    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        dispatch = app.dispatch
        if step == "add":
            basket = loaded(app, self.basket, 1)
            return calls(
                lambda price, place: dispatch(AddItem(basket=basket, price=price, place=place)),
                map(self._new, numbers),
            )
        items = [loaded(app, Item, size + 1 + number) for number in numbers]
        if step == "change":
            prices = [self._new(number)[0] + self._sign for number in numbers]
            return calls(lambda item, price: dispatch(Reprice(item=item, price=price)), zip(items, prices, strict=True))
        # The dearest first: what a value was taken from goes each time.
        return calls(lambda item: dispatch(DropItem(item=item)), ((item,) for item in reversed(items)))

    def by_hand(self, hand: Hand, step: str, size: int, numbers: range) -> list[Call]:
        do = hand.transaction
        if step == "add":
            return calls(partial(do, self.add, 1), map(self._new, numbers))
        keys = [size + 1 + number for number in numbers]
        if step == "change":
            prices = [self._new(number)[0] + self._sign for number in numbers]
            return calls(partial(do, self.change), zip(keys, prices, strict=True))
        return calls(partial(do, self.drop), ((key,) for key in reversed(keys)))

    def _new(self, number: int) -> tuple[int, int]:
        """Price and place of a new item. Prices are two apart, so that none has what another gets."""
        return self._sign * (HIGH + 2 * number), self._sign * (HIGH + number)

    def add(self, hand: Hand, basket: int, price: int, place: int) -> None:
        hand.event("AddItem", {"basket": basket, "price": price, "place": place})
        insert = hand.key if self._with_key else hand.insert
        key = insert(INSERT, (basket, price, place))
        self._keep(hand, basket, None, Row(key if isinstance(key, int) else None, price, place))

    def change(self, hand: Hand, key: int, price: int) -> None:
        hand.event("Reprice", {"item": key, "price": price})
        basket, before, place = hand.one(READ, (key,))
        hand.run(SET, (price, key))
        self._keep(hand, basket, Row(key, before, place), Row(key, price, place))

    def drop(self, hand: Hand, key: int) -> None:
        hand.event("DropItem", {"item": key})
        basket, price, place = hand.one(DELETE, (key,))
        self._keep(hand, basket, Row(key, price, place), None)


BASKETS: Sequence[Case] = (
    BasketCase("Count", count, keep_count),
    BasketCase("Summation", summation, keep_sum),
    BasketCase("WeightedSummation", weighted, keep_weighted),
    BasketCase("Average", average, keep_average),
    BasketCase("Every", every, keep_every),
    BasketCase("Any", any_of, keep_any),
    BasketCase("Maximum", maximum, keep_maximum),
    BasketCase("Minimum", minimum, keep_minimum, falling=True),
    BasketCase("First", first, keeps_end("<", "ASC"), falling=True, with_key=True),
    BasketCase("Last", last, keeps_end(">", "DESC"), with_key=True),
    BasketCase("Distinct", distinct, keep_distinct, with_key=True),
    BasketCase("Custom", custom, keep_custom, asks_all=True),
    BasketCase("Custom by steps", custom_step, keep_custom_step),
)
