"""Both befriend each other at the same moment: one friendship, and each has one friend more."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class Befriend:
    who: User


@iq.interaction
class Part:
    who: User


@iq.entity
class User:
    id: int = iq.key()
    name: str
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))
    friends: Many[User] = iq.many(through="friendships")

    friend_count: int = iq.Count(friends)
    popular: bool = iq.Any(friends, where=lambda friend: friend.friend_count > 1)
    latest: int | None = iq.Maximum(friendships, of=lambda friendship: friendship.id)


@iq.relation(symmetric=True)
class Friendship:
    id: int = iq.key()
    one: User
    other: User

    made = iq.Transform(Befriend, lambda e: Friendship(one=e.user, other=e.payload.who))

    @iq.deleted_by(Part)
    def parted(self, e: Event[Part]) -> bool:
        return (self.one == e.user and self.other == e.payload.who) or (
            self.other == e.user and self.one == e.payload.who
        )


def friends_and_strangers(me: Me) -> None:
    """Pairs come together and part again, and who begins is one or the other."""
    people = me.all(User)
    for each in range(12):
        pair = [people[each % 4], people[(each + 1) % 4]]
        one, other = pair if me.number % 2 else reversed(pair)
        me.dispatch(Befriend(who=other), user=one)
        if me.chance.random() < 0.3:
            me.dispatch(Part(who=one), user=other)


def test_of_two_that_befriend_each_other_one_friendship_comes(at_once: AtOnce) -> None:
    storage = at_once.app(User, Friendship, Befriend, Part).system.storage
    for name in ("Ada", "Bea", "Cy", "Dan"):
        storage.create(User(name=name))

    report = at_once(friends_and_strangers)

    assert set(report.outcomes) <= {"done", "constraint.unique"}
    assert report.outcomes["done"] + report.outcomes["constraint.unique"] >= PROCESSES * 12
    pairs = [frozenset((each.one.id, each.other.id)) for each in storage.query(Friendship)]
    assert len(pairs) == len(set(pairs))
    assert sum(user.friend_count for user in storage.query(User)) == 2 * len(pairs)
