"""Conditions and derived values read global values while others change them: what was relied on stays so."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me

pytestmark = pytest.mark.filterwarnings("ignore::interaqt.GlobalDependenceWarning")

SEATS = 30


@iq.condition
def is_open(e: Event[Any]) -> bool:
    return Hall.mode == "open"


@iq.condition
def has_seats(e: Event[TakeSeat]) -> bool:
    return Sales.seats < Hall.seats


@iq.interaction(guard=is_open)
class PlaceBid:
    lot: Lot
    amount: int


@iq.interaction(guard=is_open)
class Close:
    pass


@iq.interaction
class SetLimit:
    limit: int


@iq.interaction(guard=has_seats)
class TakeSeat:
    pass


@iq.entity
class Lot:
    id: int = iq.key()
    bids: Many[Bid] = iq.many(inverse="lot")

    bid_count: int = iq.Count(bids)
    strong: int = iq.Count(bids, where=lambda bid: bid.amount > Hall.limit)
    strongest: int | None = iq.Maximum(bids, of=lambda bid: bid.amount - Hall.limit)

    @iq.computed(stored=True)
    def is_full(self) -> bool:
        return self.bid_count > Hall.limit


@iq.entity
class Bid:
    id: int = iq.key()
    lot: Lot
    amount: int

    placed = iq.Transform(PlaceBid, lambda e: Bid(lot=e.payload.lot, amount=e.payload.amount))


@iq.entity
class Seat:
    id: int = iq.key()
    number: int = iq.field(unique=True)

    taken = iq.Transform(TakeSeat, lambda e: Seat(number=Sales.seats + 1))


@iq.dictionary
class Hall:
    mode: Literal["open", "closed"] = iq.StateMachine("open", iq.on(Close, {"open": "closed"}))
    at_close: int | None = iq.field(default=None, changes=iq.on(Close, set=lambda e: Sales.bids))
    limit: int = iq.field(default=10, changes=iq.on(SetLimit, set=lambda e: e.payload.limit))
    seats: int = SEATS


@iq.dictionary
class Sales:
    bids: int = iq.Count(Bid)
    strong: int = iq.Summation(Lot, of=lambda lot: lot.strong)
    full: int = iq.Count(Lot, where=lambda lot: lot.is_full)
    seats: int = iq.Count(Seat)


MODELS = (Lot, Bid, Seat, Hall, Sales, PlaceBid, Close, SetLimit, TakeSeat)


def bidding(me: Me) -> None:
    """All bid; one closes the hall in the middle of it."""
    lots = me.all(Lot)
    for turn in range(20):
        if me.number == 0 and turn == 8:
            me.dispatch(Close())
        me.dispatch(PlaceBid(lot=me.chance.choice(lots), amount=1))


def limiting(me: Me) -> None:
    """Half bid, half change what the bids of all lots are measured by."""
    lots = me.all(Lot)
    for _ in range(10):
        if me.number % 2:
            me.dispatch(SetLimit(limit=me.chance.randint(1, 20)))
        else:
            me.dispatch(PlaceBid(lot=me.chance.choice(lots), amount=me.chance.randint(1, 20)))


def sitting(me: Me) -> None:
    """All take seats, of which there are not enough."""
    for _ in range(6):
        me.dispatch(TakeSeat())


@pytest.fixture
def app(at_once: AtOnce) -> iq.Controller:
    app = at_once.app(*MODELS)
    for _ in range(3):
        app.system.storage.create(Lot())
    return app


def test_no_bid_is_placed_once_the_hall_is_closed(app: iq.Controller, at_once: AtOnce) -> None:
    storage = app.system.storage

    report = at_once(bidding)

    assert set(report.outcomes) == {"done", "condition.rejected"}
    assert storage.get(Hall).mode == "closed"
    # What was counted by who closed it is what there is at the end.
    assert storage.get(Hall).at_close == storage.get(Sales).bids == storage.query(Bid).count()


def test_what_all_lots_depend_on_changes_while_bids_are_placed(app: iq.Controller, at_once: AtOnce) -> None:
    storage = app.system.storage

    report = at_once(limiting)

    assert report.outcomes == {"done": PROCESSES * 10}
    limit = storage.get(Hall).limit
    strong = storage.query(Bid).where(lambda bid: bid.amount > limit).count()
    assert storage.get(Sales).strong == sum(lot.strong for lot in storage.query(Lot)) == strong


def test_no_seat_is_taken_twice_and_none_too_many(app: iq.Controller, at_once: AtOnce) -> None:
    report = at_once(sitting)

    assert report.outcomes == {"done": SEATS, "condition.rejected": PROCESSES * 6 - SEATS}
    seats = app.system.storage.query(Seat)
    assert sorted(seat.number for seat in seats) == list(range(1, SEATS + 1))
