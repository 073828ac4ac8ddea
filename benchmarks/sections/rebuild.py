"""Derived values worked out anew over a whole table, and verified: beside the statements that one writes for that.

Each is measured twice: where every value is wrong, as those of a computation are that is new to a table with
records, and where none is. By hand it is one UPDATE of the whole table, which does the same in either case.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import attrs

import interaqt as iq
from benchmarks.case import NUMBERS, Call, Case
from benchmarks.hand import Hand
from benchmarks.places import Place
from benchmarks.report import Line, Options, Section
from benchmarks.timing import MUCH, Ours, installed
from interaqt import Many

__all__ = ["REBUILD"]

ROUNDS = 3


@iq.entity
class Entry:
    id: int = iq.key()
    order: Order
    price: int
    amount: int

    @iq.computed(stored=True)
    def points(self) -> int:
        return self.price + 3 * self.amount

    @iq.computed(stored=True)
    def total(self) -> int:
        return self.price * self.amount


@iq.entity
class Order:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="order")

    total: int = iq.Summation(entries, of=lambda entry: entry.total, where=lambda entry: entry.price > 3)
    dearest: int | None = iq.Maximum(entries, of=lambda entry: entry.price)


Work = Callable[[], object]

#: Entries of one order.
EACH = 100

SUM = 'SELECT coalesce(sum(total), 0) FROM entry WHERE entry.order_id = "order".id AND entry.price > 3'
GREATEST = 'SELECT max(price) FROM entry WHERE entry.order_id = "order".id'


@attrs.frozen
class Value:
    """One value: what works it out by hand, by interaqt, and what makes all of it wrong."""

    what: str
    by_hand: Sequence[str]
    ours: Callable[[iq.Controller], object]
    spoil: str = ""


VALUES = (
    Value(
        "own row",
        ["UPDATE entry SET points = price + 3 * amount"],
        lambda app: app.rebuild(Entry, "points"),
        "UPDATE entry SET points = -1",
    ),
    Value(
        "value that a sum follows",
        ["UPDATE entry SET total = price * amount", f'UPDATE "order" SET total = ({SUM})'],
        lambda app: app.rebuild(Entry, "total"),
        "UPDATE entry SET total = -1",
    ),
    Value(
        "sums",
        [f'UPDATE "order" SET total = ({SUM})'],
        lambda app: app.rebuild(Order, "total"),
        'UPDATE "order" SET total = -1',
    ),
    Value(
        "maxima",
        [f'UPDATE "order" SET dearest = ({GREATEST})'],
        lambda app: app.rebuild(Order, "dearest"),
        'UPDATE "order" SET dearest = -1',
    ),
)
CHECKS = (
    "SELECT count(*) FROM entry WHERE points <> price + 3 * amount",
    "SELECT count(*) FROM entry WHERE total <> price * amount",
    f'SELECT count(*) FROM "order" WHERE total <> ({SUM})',
    f'SELECT count(*) FROM "order" WHERE dearest <> ({GREATEST})',
)


class OrdersCase(Case):
    """Orders of a hundred entries each."""

    name = "orders"
    models = (Order, Entry)
    snapshot: ClassVar[tuple[str, ...]] = ()

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        orders = f'INSERT INTO "order" (id, total) {NUMBERS} i, 0 FROM n'
        entries = (
            "INSERT INTO entry (id, order_id, price, amount, points, total)"
            f" {NUMBERS} i, 1 + (i - 1) / {EACH}, i % 10, i % 7, i % 10 + 3 * (i % 7), (i % 10) * (i % 7) FROM n"
        )
        if app.system.database.dialect.name in ("MariaDB", "MySQL"):
            entries = entries.replace(f"(i - 1) / {EACH}", f"(i - 1) DIV {EACH}")
        hand.transaction(lambda hand: hand.run(orders, (-(-size // EACH),)))
        hand.transaction(lambda hand: hand.run(entries, (size,)))

    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        raise NotImplementedError("it has no steps")

    by_hand = ours  # type: ignore[assignment]


def rebuild(options: Options, folder: Path) -> Iterator[Line]:
    for place in options.places:
        yield from _on(place, options)


def _on(place: Place, options: Options) -> Iterator[Line]:
    case, rows = OrdersCase(), options.rows
    with place.fresh() as where:
        installed(where, case, rows, 0)
        ours, hand = Ours(where, case.models), where.hand()

        def begin(*spoil: str) -> None:
            _run(hand, *spoil)
            # What an UPDATE of a whole table leaves behind is nobody's fault.
            where.kind.settle(hand, ["order", "entry"], much=rows >= MUCH)

        try:
            ours.app.rebuild(Order)
            for work in VALUES:
                if options.only and not any(name in work.what for name in options.only):
                    continue
                for state, spoil in (("all wrong", [work.spoil]), ("all right", [])):
                    taken = _measured(
                        partial(_run, hand, *work.by_hand), partial(work.ours, ours.app), partial(begin, *spoil)
                    )
                    yield Line(f"{work.what} of {rows:,}, {state}", place.name, *taken, 1.1)
            taken = _measured(lambda: [hand.rows(check) for check in CHECKS], ours.app.verify, begin)
            yield Line(f"verify all of {rows:,}", place.name, *taken, 1.1)
            ours.check()
        finally:
            hand.close()
            ours.close()


def _measured(theirs: Work, ours: Work, before: Work) -> tuple[float, float]:
    """The seconds of each side, medians; they take turns."""
    sides = (theirs, ours)
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS):
        for place in range(2):
            number = (place + turn) % 2
            before()
            began = perf_counter()
            sides[number]()
            taken[number].append(perf_counter() - began)
    return statistics.median(taken[0]), statistics.median(taken[1])


def _run(hand: Hand, *statements: str) -> None:
    for sql in statements:
        hand.transaction(lambda hand, sql=sql: hand.run(sql))


REBUILD = Section(
    "rebuild", "Derived values worked out anew", "handwritten", "ours", "seconds, medians", rebuild, digits=3
)
