"""What conditions find of derived values holds until the commit: nobody overdraws, and no bed is booked twice."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import AtOnce, Me

# -- money, where a balance is the sum of entries -----------------------------------------------------


@iq.condition
def is_covered(event: Event[Any]) -> bool:
    return bool(event.payload.source.balance >= event.payload.amount)


@iq.condition
def is_covered_by_entries(event: Event[Any]) -> bool:
    return sum(entry.amount for entry in event.payload.source.entries) >= event.payload.amount


@iq.interaction(guard=is_covered)
class Transfer:
    source: Account
    target: Account
    amount: int


@iq.interaction(guard=is_covered_by_entries)
class Spend:
    source: Account
    amount: int


@iq.entity
class Account:
    id: int = iq.key()
    entries: Many[Entry] = iq.many(inverse="account")

    balance: int = iq.Summation(entries, of=lambda entry: entry.amount)
    spent: int = iq.Count(entries, where=lambda entry: entry.kind == "spent")


@iq.entity
class Entry:
    id: int = iq.key()
    account: Account
    amount: int
    kind: Literal["given", "moved", "spent"] = "given"

    moved = iq.Transform(
        Transfer,
        lambda e: [
            Entry(account=e.payload.source, amount=-e.payload.amount, kind="moved"),
            Entry(account=e.payload.target, amount=e.payload.amount, kind="moved"),
        ],
    )
    spent = iq.Transform(Spend, lambda e: Entry(account=e.payload.source, amount=-e.payload.amount, kind="spent"))


def transfers(me: Me) -> None:
    """Between few accounts, in every direction; and some of the money is spent."""
    accounts = me.all(Account)
    for _ in range(20):
        source, target = me.chance.sample(accounts, 2)
        me.dispatch(Transfer(source=source, target=target, amount=me.chance.randint(1, 60)))
        if me.chance.random() < 0.2:
            me.dispatch(Spend(source=target, amount=me.chance.randint(1, 30)))


def test_nobody_spends_more_than_the_sum_of_his_entries(at_once: AtOnce) -> None:
    storage = at_once.app(Account, Entry, Transfer, Spend).system.storage
    for _ in range(4):
        storage.create(Entry(account=storage.create(Account()), amount=100))

    report = at_once(transfers)

    assert set(report.outcomes) == {"done", "condition.rejected"}
    balances: Counter[int] = Counter()
    for entry in storage.query(Entry).order_by(lambda entry: entry.id):
        balances[entry.account.id] += entry.amount
    assert min(balances.values()) >= 0
    assert {each.id: each.balance for each in storage.query(Account)} == balances
    spent = sum(event.payload["amount"] for event in storage.query(iq.InteractionEvent) if event.interaction == "Spend")
    assert sum(balances.values()) == 400 - spent


# -- beds: the last one is booked once ----------------------------------------------------------------


@iq.condition
def has_a_bed(event: Event[Any]) -> bool:
    return bool(event.payload.room.taken < event.payload.room.beds)


@iq.condition
def is_not_full(event: Event[Any]) -> bool:
    hotel = event.payload.room.hotel
    return bool(hotel.guests < hotel.most)


@iq.interaction(guard=has_a_bed & is_not_full)
class Book:
    room: Room


@iq.interaction
class Cancel:
    booking: Booking


@iq.entity
class Hotel:
    id: int = iq.key()
    most: int
    rooms: Many[Room] = iq.many(inverse="hotel")

    guests: int = iq.Summation(rooms, of=lambda room: room.taken)


@iq.entity
class Room:
    id: int = iq.key()
    hotel: Hotel
    beds: int
    bookings: Many[Booking] = iq.many(inverse="room")

    taken: int = iq.Count(bookings)


@iq.entity
class Booking:
    id: int = iq.key()
    room: Room

    booked = iq.Transform(Book, lambda e: Booking(room=e.payload.room))

    @iq.deleted_by(Cancel)
    def cancelled(self, e: Event[Cancel]) -> bool:
        return self == e.payload.booking


def bookings(me: Me) -> None:
    """Everybody wants a bed, and now and then somebody does not want his any more."""
    rooms = me.all(Room)
    mine = []
    for _ in range(15):
        room = me.chance.choice(rooms)
        result = me.dispatch(Book(room=room))
        if result is not None:
            mine += result.created(Booking)
            me.note((room.id, 1))
        if mine and me.chance.random() < 0.3:
            booking = mine.pop()
            me.note((booking.room.id, -1))
            me.dispatch(Cancel(booking=booking))


def test_no_bed_is_booked_twice(at_once: AtOnce) -> None:
    storage = at_once.app(Hotel, Room, Booking, Book, Cancel).system.storage
    hotel = storage.create(Hotel(most=9))
    rooms = [storage.create(Room(hotel=hotel, beds=beds)) for beds in (1, 2, 3, 4)]

    report = at_once(bookings)

    assert set(report.outcomes) == {"done", "condition.rejected"}
    booked: Counter[int] = Counter({room.id: 0 for room in rooms})
    for room_id, change in report.notes:
        booked[room_id] += change
    found = storage.query(Room).order_by(lambda room: room.id).all()
    assert {room.id: room.taken for room in found} == booked
    assert all(room.taken <= room.beds for room in found)
    assert storage.get(Hotel, hotel.id).guests == sum(booked.values()) <= 9


# -- decisions that are taken by votes ----------------------------------------------------------------


@iq.condition
def is_undecided(event: Event[Any]) -> bool:
    motion = event.payload.motion
    return bool(motion.yes < 3 and motion.no < 3)


@iq.interaction(guard=is_undecided)
class Approve:
    motion: Motion


@iq.interaction(guard=is_undecided)
class Reject:
    motion: Motion


@iq.entity
class Motion:
    id: int = iq.key()
    votes: Many[Vote] = iq.many(inverse="motion")

    yes: int = iq.Count(votes, where=lambda vote: vote.yes)
    no: int = iq.Count(votes, where=lambda vote: not vote.yes)


@iq.entity
class Vote:
    id: int = iq.key()
    motion: Motion
    yes: bool

    approval = iq.Transform(Approve, lambda e: Vote(motion=e.payload.motion, yes=True))
    rejection = iq.Transform(Reject, lambda e: Vote(motion=e.payload.motion, yes=False))


def votes(me: Me) -> None:
    """Half are for and half against, each motion in turn."""
    interaction = Approve if me.number % 2 else Reject
    for motion in me.all(Motion):
        me.dispatch(interaction(motion=motion))


def test_a_motion_is_decided_by_the_third_vote_of_one_kind(at_once: AtOnce) -> None:
    storage = at_once.app(Motion, Vote, Approve, Reject).system.storage
    for _ in range(15):
        storage.create(Motion())

    report = at_once(votes)

    assert set(report.outcomes) == {"done", "condition.rejected"}
    for motion in storage.query(Motion):
        assert sorted((motion.yes, motion.no)) in ([0, 3], [1, 3], [2, 3])
