"""What is found from both ends: symmetric relations, and collections over either of two references."""

from __future__ import annotations

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import scans


@iq.interaction
class Befriend:
    who: User
    weight: int = 1


@iq.interaction
class Part:
    who: User


@iq.interaction
class Grow:
    user: User
    age: int


@iq.interaction
class Weigh:
    friendship: Friendship
    weight: int


@iq.entity
class User:
    id: int = iq.key()
    name: str
    age: int = iq.field(default=0, changes=iq.on(Grow, set=lambda e: e.payload.age))
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))
    friends: Many[User] = iq.many(through="friendships")

    count: int = iq.Count(friendships)
    grown: int = iq.Count(friends, where=lambda friend: friend.age >= 18)
    weight: int = iq.Summation(friendships, of=lambda friendship: friendship.weight)
    heaviest: int | None = iq.Maximum(friendships, of=lambda friendship: friendship.weight)
    popular: bool = iq.Any(friends, where=lambda friend: friend.count > 1)


@iq.relation(symmetric=True)
class Friendship:
    id: int = iq.key()
    one: User
    other: User
    weight: int = iq.field(default=1, changes=iq.on(Weigh, set=lambda e: e.payload.weight))

    made = iq.Transform(Befriend, lambda e: Friendship(one=e.user, other=e.payload.who, weight=e.payload.weight))

    @iq.deleted_by(Part)
    def parted(self, e: Event[Part]) -> bool:
        return (self.one == e.user and self.other == e.payload.who) or (
            self.other == e.user and self.one == e.payload.who
        )


@pytest.fixture
def app(make_app: Apps) -> iq.Controller:
    return make_app(User, Friendship, Befriend, Part, Grow, Weigh)


@pytest.fixture
def people(app: iq.Controller) -> list[User]:
    return [app.system.storage.create(User(name=name, age=age)) for name, age in (("Ada", 36), ("Bea", 12), ("Cy", 40))]


def values(app: iq.Controller) -> dict[str, tuple[int, int, int, int | None, bool, list[str]]]:
    assert app.verify() == []
    return {
        user.name: (
            user.count,
            user.grown,
            user.weight,
            user.heaviest,
            user.popular,
            sorted(friend.name for friend in user.friends),
        )
        for user in app.system.storage.query(User)
    }


def test_a_friendship_counts_once_for_each_friend(app: iq.Controller, people: list[User]) -> None:
    ada, bea, cy = people
    app.dispatch(Befriend(who=bea, weight=4), user=ada)
    app.dispatch(Befriend(who=ada, weight=7), user=cy)
    assert values(app) == {
        "Ada": (2, 1, 11, 7, False, ["Bea", "Cy"]),
        "Bea": (1, 1, 4, 4, True, ["Ada"]),
        "Cy": (1, 1, 7, 7, True, ["Ada"]),
    }


def test_what_changes_at_either_end_arrives_at_the_other(app: iq.Controller, people: list[User]) -> None:
    ada, bea, cy = people
    first = app.dispatch(Befriend(who=bea, weight=4), user=ada).created(Friendship)[0]
    app.dispatch(Befriend(who=bea, weight=2), user=cy)
    app.dispatch(Grow(user=bea, age=18))
    app.dispatch(Weigh(friendship=first, weight=1))
    assert values(app) == {
        "Ada": (1, 1, 1, 1, True, ["Bea"]),
        "Bea": (2, 2, 3, 2, False, ["Ada", "Cy"]),
        "Cy": (1, 1, 2, 2, True, ["Bea"]),
    }
    app.system.storage.update(first, other=cy)
    assert values(app) == {
        "Ada": (1, 1, 1, 1, True, ["Cy"]),
        "Bea": (1, 1, 2, 2, True, ["Cy"]),
        "Cy": (2, 1 + 1, 3, 2, False, ["Ada", "Bea"]),
    }


def test_either_friend_ends_it_and_so_does_the_deletion_of_one(app: iq.Controller, people: list[User]) -> None:
    ada, bea, cy = people
    app.dispatch(Befriend(who=bea), user=ada)
    app.dispatch(Befriend(who=cy), user=ada)
    app.dispatch(Part(who=ada), user=bea)
    assert values(app)["Ada"] == (1, 1, 1, 1, False, ["Cy"])
    app.system.storage.delete(cy)
    assert values(app) == {"Ada": (0, 0, 0, None, False, []), "Bea": (0, 0, 0, None, False, [])}


def test_a_pair_is_linked_once_whoever_asks(app: iq.Controller, people: list[User]) -> None:
    ada, bea, _ = people
    app.dispatch(Befriend(who=bea), user=ada)
    for user, who in ((ada, bea), (bea, ada)):
        with pytest.raises(iq.ConstraintViolationError, match="there is a Friendship with the same one and other"):
            app.dispatch(Befriend(who=who), user=user)
    assert values(app)["Ada"] == (1, 0, 1, 1, False, ["Bea"])


def test_nobody_is_a_friend_of_his_own(app: iq.Controller, people: list[User]) -> None:
    with pytest.raises(iq.ConstraintViolationError) as caught:
        app.dispatch(Befriend(who=people[0]), user=people[0])
    assert iq.has_error_code(caught.value, "relation.self_pair")
    assert values(app)["Ada"][0] == 0


def test_the_sides_are_the_frameworks_own(app: iq.Controller, people: list[User]) -> None:
    ada, bea, _ = people
    effects = app.dispatch(Befriend(who=bea), user=ada).effects
    assert {each.record.__name__ for each in effects} == {"InteractionEvent", "Friendship", "User"}
    assert [each.name for each in app.system.storage.schema.records] == ["InteractionEvent", "User", "Friendship"]


def test_a_friendship_is_a_row_its_two_sides_and_one_update_of_each_value(
    app: iq.Controller, people: list[User], database: Database
) -> None:
    ada, bea, _ = people
    with database.recording() as recorder:
        app.dispatch(Befriend(who=bea), user=ada)
    written = [sql.split()[0] + " " + sql.split()[2].strip('"`') for sql, _ in recorder.statements if "INSERT" in sql]
    assert written == ["INSERT interaction_event", "INSERT friendship", "INSERT friendship__one_or_other"]


def test_a_friendship_is_found_by_its_pair_whichever_end_is_named_first(
    app: iq.Controller, people: list[User], database: Database
) -> None:
    ada, bea, _ = people
    app.dispatch(Befriend(who=bea), user=ada)
    if database.dialect.name != "MariaDB":  # EXPLAIN there says nothing of what a larger table would do
        with database.recording() as recorder:
            app.dispatch(Part(who=ada), user=bea)
        assert [sql for sql, given in recorder.statements if scans(database, sql, given)] == []


def test_queries_ask_for_friends(app: iq.Controller, people: list[User]) -> None:
    ada, bea, _ = people
    app.dispatch(Befriend(who=bea), user=ada)
    query = app.system.storage.query(User)
    assert [user.name for user in query.where(lambda user: ada in user.friends)] == ["Bea"]
    assert [user.name for user in query.where(lambda user: not user.friends)] == ["Cy"]


# -- either of two references, which do not mean the same ------------------------------------


@iq.entity
class Account:
    id: int = iq.key()
    transfers: Many[Transfer] = iq.many(inverse=("source", "target"))
    incoming: Many[Transfer] = iq.many(inverse="target")
    moved: int = iq.Summation(transfers, of=lambda transfer: transfer.amount)
    received: int = iq.Summation(incoming, of=lambda transfer: transfer.amount)


@iq.entity
class Transfer:
    id: int = iq.key()
    source: Account | None
    target: Account | None
    amount: int


def test_a_record_is_there_once_for_each_account_that_it_names(make_app: Apps) -> None:
    app = make_app(Account, Transfer)
    storage = app.system.storage
    one, other = storage.create(Account()), storage.create(Account())
    storage.create(Transfer(source=one, target=other, amount=1))
    inner = storage.create(Transfer(source=one, target=one, amount=10))
    storage.create(Transfer(source=None, target=one, amount=100))
    storage.create(Transfer(source=None, target=None, amount=1000))

    def moved() -> list[tuple[int, int]]:
        assert app.verify() == []
        return [(each.moved, each.received) for each in storage.query(Account)]

    assert moved() == [(111, 110), (1, 1)]
    storage.update(inner, source=other)
    assert moved() == [(111, 110), (11, 1)]
    storage.update(inner, target=None)
    assert moved() == [(101, 100), (11, 1)]
    assert [each.amount for each in storage.get(Account, other.id).transfers] == [1, 10]
