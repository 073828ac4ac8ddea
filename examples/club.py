"""A club: friends, meetups with seats, and what everybody wants to know of them, kept by nobody."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

import interaqt as iq
from interaqt import Event, Many


@iq.interaction
class Join:
    name: str


@iq.interaction
class Befriend:
    other: Member


@iq.interaction
class PlanMeetup:
    title: str
    seats: int
    fee: Decimal


@iq.condition
def is_host(event: Event[OpenMeetup]) -> bool:
    return bool(event.payload.meetup.host == event.user)


@iq.interaction(guard=is_host)
class OpenMeetup:
    meetup: Meetup


@iq.condition
def has_a_seat(event: Event[SignUp]) -> bool:
    return event.payload.meetup.free_seats > 0


@iq.interaction(guard=has_a_seat)
class SignUp:
    meetup: PublicMeetup


@iq.interaction
class Withdraw:
    meetup: Meetup


@iq.interaction
class SetDiscount:
    percent: int


@iq.dictionary
class Terms:
    """What holds for everybody."""

    discount: int = iq.field(default=0, changes=iq.on(SetDiscount, set=lambda e: e.payload.percent))


@iq.entity
class Member:
    id: int = iq.key()
    name: str
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))
    friends: Many[Member] = iq.many(through="friendships")
    seats: Many[Seat] = iq.many(inverse="member")
    meetups: Many[Meetup] = iq.many(inverse="host")
    public_meetups: Many[PublicMeetup] = iq.many(inverse="host")

    friend_count: int = iq.Count(friendships)
    sociable: bool = iq.Any(friends, where=lambda friend: friend.friend_count > 1)
    hosting: int = iq.Count(public_meetups)
    fees: Decimal = iq.Summation(seats, of=lambda seat: seat.meetup.fee)

    @iq.computed
    def cents_to_pay(self) -> Decimal:
        return self.fees * (100 - Terms.discount)

    joined = iq.Transform(Join, lambda e: Member(name=e.payload.name))


@iq.relation(symmetric=True)
class Friendship:
    one: Member
    other: Member
    since: dt.datetime

    made = iq.Transform(Befriend, lambda e: Friendship(one=e.user, other=e.payload.other, since=e.at))


@iq.entity
class Meetup:
    id: int = iq.key()
    title: str
    capacity: int
    fee: Decimal
    host: Member
    seats: Many[Seat] = iq.many(inverse="meetup")

    status: Literal["planned", "open"] = iq.StateMachine("planned", iq.on(OpenMeetup, {"planned": "open"}, strict=True))
    opened_at: dt.datetime | None = iq.changed_at(status, to="open")
    taken: int = iq.Count(seats)

    @iq.computed(stored=True, index=True)
    def free_seats(self) -> int:
        return self.capacity - self.taken

    planned = iq.Transform(
        PlanMeetup,
        lambda e: Meetup(title=e.payload.title, capacity=e.payload.seats, fee=e.payload.fee, host=e.user),
    )


@iq.view(Meetup, where=lambda meetup: meetup.status == "open")
class PublicMeetup(Meetup):
    """What members can sign up for."""


@iq.view(PublicMeetup, where=lambda meetup: meetup.free_seats <= 0)
class FullMeetup(PublicMeetup):
    """What they would have liked to."""


@iq.relation
class Seat:
    member: Member
    meetup: Meetup

    taken = iq.Transform(SignUp, lambda e: Seat(member=e.user, meetup=e.payload.meetup))

    @iq.deleted_by(Withdraw)
    def given_back(self, e: Event[Withdraw]) -> bool:
        return self.member == e.user and self.meetup == e.payload.meetup


def notice_of(meetup: FullMeetup) -> Notice:
    return Notice(meetup=meetup, text=meetup.title + " is full")


@iq.entity
class Notice:
    """Hangs at the door as long as there is a reason."""

    id: int = iq.key()
    meetup: Meetup
    text: str

    full = iq.Transform(FullMeetup, notice_of)


@iq.dictionary
class Club:
    """What the board is asked at every meeting."""

    members: int = iq.Count(Member)
    open_meetups: int = iq.Count(PublicMeetup)
    best_attended: int | None = iq.Maximum(Meetup, of=lambda meetup: meetup.taken)
    income: Decimal = iq.Summation(Seat, of=lambda seat: seat.meetup.fee)


@iq.side_effect(FullMeetup, on="create")
def announce(change: iq.RecordChange[FullMeetup]) -> None:
    print(f"mail to {change.record.host.name}: {change.record.title} is full")


MODELS: list[type | iq.SideEffect] = [
    Member, Friendship, Meetup, PublicMeetup, FullMeetup, Seat, Notice, Terms, Club, announce,
    Join, Befriend, PlanMeetup, OpenMeetup, SignUp, Withdraw, SetDiscount,
]  # fmt: skip


def main() -> None:
    system = iq.MonoSystem(iq.SQLiteDB())
    app = iq.Controller(system, MODELS, user=Member)
    app.setup(install=True)
    storage = system.storage

    ada, bea, cy = (app.dispatch(Join(name=name)).created(Member)[0] for name in ("Ada", "Bea", "Cy"))
    app.dispatch(Befriend(other=bea), user=ada)
    app.dispatch(Befriend(other=bea), user=cy)
    print("friends of Bea ", [friend.name for friend in storage.get(Member, bea.id).friends])
    print("sociable       ", [each.name for each in storage.query(Member).where(lambda member: member.sociable)])

    hike = app.dispatch(PlanMeetup(title="Hike", seats=2, fee=Decimal("7.50")), user=ada).created(Meetup)[0]
    try:
        app.dispatch(SignUp(meetup=storage.get(PublicMeetup, hike.id)), user=bea)
    except iq.InteraqtError as error:
        print("not yet        ", error.message)
    app.dispatch(OpenMeetup(meetup=hike), user=ada)
    open_hike = storage.get(PublicMeetup, hike.id)
    app.dispatch(SignUp(meetup=open_hike), user=bea)
    app.dispatch(SignUp(meetup=open_hike), user=cy)
    print("at the door    ", [notice.text for notice in storage.query(Notice)])
    try:
        app.dispatch(SignUp(meetup=open_hike), user=ada)
    except iq.ConditionRejected as error:
        print("refused        ", error.message)

    app.dispatch(Withdraw(meetup=hike), user=cy)
    app.dispatch(SetDiscount(percent=10))
    club = storage.get(Club)
    print("at the door    ", [notice.text for notice in storage.query(Notice)])
    print("Bea has to pay ", storage.get(Member, bea.id).cents_to_pay, "cents")
    print("the club       ", club.members, "members,", club.open_meetups, "open,", club.income, "to come in")
    print("differences    ", app.verify())


if __name__ == "__main__":
    main()
