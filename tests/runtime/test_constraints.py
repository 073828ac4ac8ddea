"""What the database refuses to store, as arguments of the declaration, and what the refusal says."""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database


class Level(enum.Enum):
    LOW = "low"
    HIGH = 'it\'s 100% "high" {0} \\'


@iq.interaction
class Register:
    email: str
    name: str


@iq.entity(
    constraints=[
        iq.Unique("email", where=lambda user: user.active, code="EMAIL_TAKEN"),
        iq.Unique("nickname", code="NICKNAME_TAKEN"),
        iq.Check(lambda user: user.age is None or 0 <= user.age < 150, name="age_is_possible", code="AGE"),
        iq.Check(lambda user: user.level == Level.HIGH or user.name.strip() != "", code="NAME_EMPTY"),
        iq.NonNull("retired_at", where=lambda user: not user.active, code="RETIRED_WHEN"),
    ]
)
class User:
    id: int = iq.key()
    email: str
    name: str = "someone"
    nickname: str | None = None
    age: int | None = None
    level: Level = Level.LOW
    active: bool = True
    retired_at: dt.datetime | None = None
    made = iq.Transform(Register, lambda e: User(email=e.payload.email, name=e.payload.name))
    places: Many[Place] = iq.many(inverse="user")
    rooms: int = iq.Count(places)


@iq.entity(constraints=[iq.Check(lambda room: room.price >= Decimal("0.5") and room.size > room.taken)])
class Room:
    id: int = iq.key()
    price: Decimal
    size: int
    places: Many[Place] = iq.many(inverse="room")
    taken: int = iq.Count(places)


@iq.relation(
    constraints=[
        iq.Unique("room", "number", name="one_place_each", code="PLACE_TAKEN"),
        iq.Unique("user", where=lambda place: place.main, name="one_main_place"),
    ]
)
class Place:
    user: User
    room: Room
    number: int
    main: bool = False


class House:
    def __init__(self, database: Database) -> None:
        self.app = iq.Controller(iq.MonoSystem(database), [User, Room, Place, Register])
        self.app.setup(install=True)
        self.storage = self.app.system.storage

    def refused(self, make: Callable[[], Any]) -> iq.ConstraintViolationError:
        with pytest.raises(iq.ConstraintViolationError) as caught:
            make()
        assert self.app.verify() == []
        return caught.value


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def told(error: iq.ConstraintViolationError) -> tuple[Any, ...]:
    return error.kind, error.record, error.properties, error.violation_code


def test_unique_among_some(house: House) -> None:
    first = house.storage.create(User(email="a"))
    house.storage.create(User(email="b"))
    error = house.refused(lambda: house.storage.create(User(email="a")))

    assert told(error) == ("unique", "User", ("email",), "EMAIL_TAKEN")
    assert error.code == "EMAIL_TAKEN"
    assert error.message == f"there is a User with the same email already, among those of {error.constraint!r}"
    house.storage.update(first, active=False, retired_at=dt.datetime.now(dt.UTC))
    house.storage.create(User(email="a"))
    assert told(house.refused(lambda: house.storage.update(first, active=True)))[-1] == "EMAIL_TAKEN"


def test_a_dispatch_that_is_refused_writes_nothing(house: House) -> None:
    house.app.dispatch(Register(email="a", name="Ada"))

    error = house.refused(lambda: house.app.dispatch(Register(email="a", name="Bob")))

    assert error.violation_code == "EMAIL_TAKEN"
    assert house.storage.query(User).count() == house.storage.query(iq.InteractionEvent).count() == 1


def test_unique_among_all(house: House) -> None:
    house.storage.create(User(email="a", nickname="x"))
    house.storage.create(User(email="b"))
    house.storage.create(User(email="c"))

    error = house.refused(lambda: house.storage.create(User(email="d", nickname="x")))
    assert told(error) == ("unique", "User", ("nickname",), "NICKNAME_TAKEN")


@pytest.mark.parametrize("age", [-1, 150])
def test_what_is_checked(house: House, age: int) -> None:
    house.storage.create(User(email="a", age=149))
    house.storage.create(User(email="b", age=None))

    error = house.refused(lambda: house.storage.create(User(email="c", age=age)))

    assert told(error) == ("check", "User", ("age",), "AGE")
    assert str(error) == "[AGE]\n  User\n  the User does not satisfy 'age_is_possible', which is about its age"


def test_texts_of_all_kinds_are_part_of_a_check(house: House) -> None:
    house.storage.create(User(email="a", name=" ", level=Level.HIGH))

    error = house.refused(lambda: house.storage.create(User(email="b", name="\t ")))
    assert told(error) == ("check", "User", ("level", "name"), "NAME_EMPTY")


def test_none_is_refused_where_it_may_not_be(house: House) -> None:
    user = house.storage.create(User(email="a"))

    error = house.refused(lambda: house.storage.update(user, active=False))

    assert told(error) == ("not_null", "User", ("retired_at",), "RETIRED_WHEN")
    assert error.message == f"User.retired_at is None where {error.constraint!r} says that it may not be"


def test_a_derived_value_is_checked(house: House) -> None:
    users = [house.storage.create(User(email=name)) for name in "abc"]
    room = house.storage.create(Room(price=Decimal(1), size=3))
    for number, user in enumerate(users[:2]):
        house.storage.create(Place(user=user, room=room, number=number))

    error = house.refused(lambda: house.storage.create(Place(user=users[2], room=room, number=9)))
    assert told(error) == ("check", "Room", ("price", "size", "taken"), None)
    assert error.code == "constraint.check"
    assert told(house.refused(lambda: house.storage.create(Room(price=Decimal("0.49"), size=3))))[1] == "Room"


def test_ends_of_a_relation(house: House) -> None:
    ada, bob = house.storage.create(User(email="a")), house.storage.create(User(email="b"))
    rooms = [house.storage.create(Room(price=Decimal(1), size=9)) for _ in range(2)]
    house.storage.create(Place(user=ada, room=rooms[0], number=1, main=True))
    house.storage.create(Place(user=bob, room=rooms[1], number=1))

    taken = house.refused(lambda: house.storage.create(Place(user=bob, room=rooms[0], number=1)))
    main = house.refused(lambda: house.storage.create(Place(user=ada, room=rooms[1], number=2, main=True)))
    twice = house.refused(lambda: house.storage.create(Place(user=ada, room=rooms[0], number=3)))

    assert (taken.constraint, told(taken)) == (
        "one_place_each" if taken.constraint else "",
        ("unique", "Place", ("room", "number"), "PLACE_TAKEN"),
    )
    assert (main.constraint, told(main)) == ("one_main_place", ("unique", "Place", ("user",), None))
    assert told(twice) == ("unique", "Place", ("user", "room"), None)


def test_threads_that_take_the_same_one_gets_it(database: Database) -> None:
    house = House(database)
    barrier = threading.Barrier(6)

    def take(_: int) -> str:
        barrier.wait()
        try:
            house.app.dispatch(Register(email="a", name="x"))
        except iq.ConstraintViolationError as error:
            return str(error.violation_code)
        return "taken"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(take, range(6))) == ["EMAIL_TAKEN"] * 5 + ["taken"]


# -- what led to an error ---------------------------------------------------------------------


def test_a_violation_is_found_behind_other_errors(house: House) -> None:
    house.storage.create(User(email="a"))

    def fail(how: str) -> None:
        try:
            house.storage.create(User(email="a"))
        except iq.ConstraintViolationError as error:
            if how == "cause":
                raise RuntimeError("outer") from error
            if how == "group":
                raise ExceptionGroup("some", [ValueError("x"), error]) from None
            raise KeyError("outer")  # noqa: B904 - the context is what is tested

    for how in ("cause", "context", "group"):
        with pytest.raises((RuntimeError, KeyError, ExceptionGroup)) as caught:
            fail(how)
        found = iq.find_constraint_violation_error(caught.value)
        assert found is not None
        assert found.violation_code == "EMAIL_TAKEN"
        assert iq.has_error_code(caught.value, "EMAIL_TAKEN")
        assert not iq.has_error_code(caught.value, "constraint.unique")
    assert iq.find_constraint_violation_error(ValueError("x")) is None
    assert iq.find_constraint_violation_error(None) is None
    assert not iq.has_error_code(ValueError("x"), "EMAIL_TAKEN")


# -- existing tables --------------------------------------------------------------------------


def models(*constraints: iq.Constraint) -> type:
    @iq.entity(constraints=constraints)
    class Item:
        id: int = iq.key()
        name: str
        price: int = 1
        sold: bool = False

    return Item


def controller(database: Database, *constraints: iq.Constraint) -> iq.Controller:
    return iq.Controller(iq.MonoSystem(database), [models(*constraints)])


def filled(database: Database, *names: str, price: int = 1) -> None:
    app = controller(database)
    app.setup(install=True)
    (cls,) = [each for each in app.model.records if each.__name__ == "Item"]
    for name in names:
        app.system.storage.create(cls(name=name, price=price))


def test_a_constraint_is_added_to_a_table_that_exists(database: Database) -> None:
    filled(database, "a", "b")
    unique = iq.Unique("name", where=lambda item: not item.sold, name="unsold_name")
    app = controller(database, unique)

    with pytest.raises(iq.SetupError) as caught:
        app.setup()
    assert str(caught.value) == (
        "[setup.missing_constraint]\n"
        "  the table 'item' lacks the constraint 'unsold_name' (unique of name)\n"
        "  add what is missing with controller.setup(install=True)"
    )

    app.setup(install=True)
    app.setup()
    (cls,) = [each for each in app.model.records if each.__name__ == "Item"]
    with pytest.raises(iq.ConstraintViolationError, match="unsold_name"):
        app.system.storage.create(cls(name="a"))


def test_what_is_against_it_is_shown_and_nothing_is_done(database: Database) -> None:
    filled(database, *"abcdefg", "a", "c", "c")
    app = controller(database, iq.Unique("name", name="names"))

    with pytest.raises(iq.SetupError) as caught:
        app.setup(install=True)

    assert str(caught.value) == (
        "[setup.violated_constraint]\n"
        "  the table 'item' can't have the constraint 'names' (unique of name): "
        "name 'a' is there 2 times; name 'c' is there 3 times\n"
        "  correct these records, then set up again"
    )
    with pytest.raises(iq.SetupError, match="lacks the constraint 'names'"):
        app.setup()


def test_rows_against_a_check_are_shown(database: Database) -> None:
    filled(database, *"abcdefg", price=-1)
    check = iq.Check(lambda item: item.price >= 0, name="price_not_negative")

    with pytest.raises(iq.SetupError) as caught:
        controller(database, check).setup(install=True)

    assert caught.value.code == "setup.violated_constraint"
    assert caught.value.message == (
        "the table 'item' can't have the constraint 'price_not_negative' (check of price): "
        + "; ".join(f"the Item with id {number} has price -1" for number in range(1, 6))
        + "; ..."
    )


def test_a_check_is_added_where_the_database_can(database: Database) -> None:
    filled(database, "a")
    app = controller(database, iq.Check(lambda item: item.price >= 0, name="price_not_negative"))

    if database.dialect.name == "SQLite":
        with pytest.raises(iq.SetupError, match=r"SQLite can't add the constraint 'price_not_negative'"):
            app.setup(install=True)
        return
    app.setup(install=True)
    app.setup()
    (cls,) = [each for each in app.model.records if each.__name__ == "Item"]
    with pytest.raises(iq.ConstraintViolationError, match="price_not_negative"):
        app.system.storage.create(cls(name="b", price=-1))


# -- what is no constraint --------------------------------------------------------------------


def wrong(make: Callable[[], list[iq.Constraint]], message: str, hint: str = "") -> None:
    def declare() -> None:
        @iq.entity(constraints=make())
        class Thing:
            name: str
            nick: str | None = None
            owner: Owner
            parts: Many[Part] = iq.many(inverse="thing")

        @iq.entity
        class Owner:
            name: str

        @iq.entity
        class Part:
            thing: Thing

        iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [Thing, Owner, Part]).setup(install=True)

    with pytest.raises(iq.DeclarationError) as caught:
        declare()
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert str(caught.value.location).startswith("tests/runtime/test_constraints.py:")


def test_wrong_arguments() -> None:
    given: Any = "name"
    wrong(lambda: [iq.Unique()], 'Unique takes the names of attributes, such as iq.Unique("email")')
    wrong(
        lambda: [iq.Unique("name", where=given)],
        "Unique takes a condition, such as lambda user: user.active, not 'name'",
    )
    wrong(lambda: [iq.Unique(3)], "Unique takes the names of attributes as texts, not 3")  # type: ignore[arg-type]
    wrong(lambda: [iq.Check(given)], "Check takes a condition, such as lambda user: user.active, not 'name'")
    wrong(lambda: [iq.Check(lambda thing: True, name="")], "Check takes a text as name=, not ''")
    wrong(
        lambda: [given],
        "constraints= takes a list of iq.Unique, iq.Check and iq.NonNull, not name",
        'write constraints=[iq.Unique("email")]',
    )
    wrong(
        lambda: iq.Unique("name"),  # type: ignore[arg-type, return-value]
        "constraints= takes a list of iq.Unique, iq.Check and iq.NonNull, not Unique('name')",
        'write constraints=[iq.Unique("email")]',
    )


def test_wrong_names() -> None:
    wrong(lambda: [iq.Unique("nam")], "Thing stores no 'nam'. Did you mean 'name'?  There is: name, nick, owner, id.")
    wrong(lambda: [iq.Unique("parts")], "Thing stores no 'parts'. There is: name, nick, owner, id.")
    wrong(lambda: [iq.Unique("name", "name")], "it names an attribute twice")
    wrong(
        lambda: [iq.NonNull("name")],
        "Thing.name is str, which is never None",
        "leave it out, or write name: str | None",
    )
    wrong(
        lambda: [iq.Unique("name", name="same"), iq.Unique("owner", name="same")],
        "the name 'same' is that of another constraint",
        "give it a name of its own: name=...",
    )
    wrong(
        lambda: [iq.Check(lambda thing: thing.name != "", name="x" * 64)],
        f"the name '{'x' * 64}' is longer than the 63 bytes that databases keep of a name",
        "give it a name of its own: name=...",
    )


def test_a_condition_is_about_the_record_itself() -> None:
    beyond = (
        "a database checks a row by what is in it; a rule over other records is a guard's, or that of a "
        "derived value that the record has"
    )
    wrong(
        lambda: [iq.Check(lambda thing: thing.owner.name != "")],
        "the condition looks at Owner.name, which is not a value of the Thing itself",
        beyond,
    )
    wrong(lambda: [iq.Check(lambda thing: True)], "it says nothing about the record")
