"""Derived values worked out anew over a whole table, and verified: beside the statements that one writes for that."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import ClassVar

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
    def total(self) -> int:
        return self.price * self.amount


@iq.entity
class Order:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="order")

    total: int = iq.Summation(entries, of=lambda entry: entry.total, where=lambda entry: entry.price > 3)
    dearest: int | None = iq.Maximum(entries, of=lambda entry: entry.price)


#: Entries of one order.
EACH = 100

TOTALS = "UPDATE entry SET total = price * amount"
SUMS = (
    'UPDATE "order" SET total ='
    ' (SELECT coalesce(sum(total), 0) FROM entry WHERE entry.order_id = "order".id AND entry.price > 3)'
)
DEAREST = 'UPDATE "order" SET dearest = (SELECT max(price) FROM entry WHERE entry.order_id = "order".id)'
CHECKS = (
    "SELECT count(*) FROM entry WHERE total <> price * amount",
    'SELECT count(*) FROM "order" WHERE total <>'
    ' (SELECT coalesce(sum(total), 0) FROM entry WHERE entry.order_id = "order".id AND entry.price > 3)',
    'SELECT count(*) FROM "order" WHERE dearest <> (SELECT max(price) FROM entry WHERE entry.order_id = "order".id)',
)


class OrdersCase(Case):
    """Orders of a hundred entries each."""

    name = "orders"
    models = (Order, Entry)
    snapshot: ClassVar[tuple[str, ...]] = ()

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        orders = f'INSERT INTO "order" (id, total) {NUMBERS} i, 0 FROM n'
        entries = (
            "INSERT INTO entry (id, order_id, price, amount, total)"
            f" {NUMBERS} i, 1 + (i - 1) / {EACH}, i % 10, i % 7, 0 FROM n"
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
        yield from _on(place, options.rows)


def _on(place: Place, rows: int) -> Iterator[Line]:
    case = OrdersCase()
    with place.fresh() as where:
        installed(where, case, rows, 0)
        ours, hand = Ours(where, case.models), where.hand()
        rebuild = ours.app.rebuild
        works: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
            (f"{rows:,} rows", lambda: _run(hand, TOTALS), lambda: rebuild(Entry)),
            (f"sums over {rows:,} rows", lambda: _run(hand, SUMS), lambda: rebuild(Order, "total")),
            (f"maxima of {rows:,} rows", lambda: _run(hand, DEAREST), lambda: rebuild(Order, "dearest")),
            ("verify all of it", lambda: [hand.rows(check) for check in CHECKS], ours.app.verify),
        ]
        try:
            for what, theirs, mine in works:
                taken: list[tuple[float, float]] = []
                for _ in range(ROUNDS):
                    pair = []
                    for work in (theirs, mine):
                        # What an UPDATE of a whole table leaves behind is nobody's fault.
                        where.kind.settle(hand, ["order", "entry"], much=rows >= MUCH)
                        began = perf_counter()
                        work()
                        pair.append(perf_counter() - began)
                    taken.append((pair[0], pair[1]))
                baseline, found = (statistics.median(each[side] for each in taken) for side in (0, 1))
                yield Line(what, place.name, baseline, found, 1.1)
            ours.check()
        finally:
            hand.close()
            ours.close()


def _run(hand: Hand, sql: str) -> None:
    hand.transaction(lambda hand: hand.run(sql))


REBUILD = Section(
    "rebuild", "Derived values worked out anew", "handwritten", "ours", "seconds, medians", rebuild, digits=2
)
