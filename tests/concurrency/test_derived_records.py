"""Records that exist because of others come, change and go with them, whoever changes those."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import AtOnce, Me


@iq.interaction
class TakeSeat:
    room: Room
    rank: int


@iq.interaction
class LeaveSeat:
    room: Room
    rank: int


@iq.interaction
class Rename:
    room: Room
    name: str


@iq.entity
class House:
    id: int = iq.key()
    badges: Many[Badge] = iq.many(inverse="house")

    badge_count: int = iq.Count(badges)


@iq.entity
class Room:
    id: int = iq.key()
    house: House
    name: str = iq.field(default="", changes=iq.on(Rename, set=lambda e: e.payload.name))
    seats: Many[Seat] = iq.many(inverse="room")

    taken: int = iq.Count(seats)
    top: int = iq.Maximum(seats, of=lambda seat: seat.rank, default=0)


@iq.entity
class Seat:
    id: int = iq.key()
    room: Room
    rank: int

    made = iq.Transform(TakeSeat, lambda e: Seat(room=e.payload.room, rank=e.payload.rank))

    @iq.deleted_by(LeaveSeat)
    def left(self, e: Event[LeaveSeat]) -> bool:
        return self.room == e.payload.room and self.rank == e.payload.rank


@iq.entity
class Badge:
    id: int = iq.key()
    house: House
    text: str

    high = iq.Transform(Room, lambda room: Badge(house=room.house, text=room.name) if room.top > 5 else None)
    full = iq.Transform(
        Room, lambda room: Badge(house=room.house, text="full") if room.taken > 3 and room.name != "free" else None
    )


def coming_and_going(me: Me) -> None:
    """Seats are taken and left, and rooms renamed, so that badges appear, are changed and vanish."""
    rooms = me.all(Room)
    for _ in range(20):
        room, rank = me.chance.choice(rooms), me.chance.randint(1, 8)
        what = me.chance.choice([TakeSeat, TakeSeat, LeaveSeat, Rename])
        if what is Rename:
            me.dispatch(Rename(room=room, name=me.chance.choice(["free", "taken"])))
        else:
            me.dispatch(what(room=room, rank=rank))


def test_badges_are_those_that_the_rooms_earn(at_once: AtOnce) -> None:
    storage = at_once.app(House, Room, Seat, Badge, TakeSeat, LeaveSeat, Rename).system.storage
    house = storage.create(House())
    for _ in range(3):
        storage.create(Room(house=house))

    assert set(at_once(coming_and_going).outcomes) == {"done"}

    rooms = storage.query(Room).all()
    earned = [room.name for room in rooms if room.top > 5]
    earned += ["full" for room in rooms if room.taken > 3 and room.name != "free"]
    assert sorted(badge.text for badge in storage.query(Badge)) == sorted(earned)
    assert storage.query(House).one().badge_count == len(earned)
