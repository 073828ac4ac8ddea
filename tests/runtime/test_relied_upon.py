"""What a dispatch may rely on while others go on: the second table of docs/databases.md, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.capability import Anomaly
from interaqt.storage.database import Database
from interaqt.testing.schedules import SCHEDULES
from tests.drivers.test_isolation_levels import written
from tests.runtime.conftest import Apps
from tests.runtime.two import at_once, pause

#: What a condition asks beside the event.
storage: Any = None


@iq.condition
def can_pay(event: Event[Any]) -> bool:
    left = event.payload.one.balance
    pause()
    return bool(left + event.payload.other.balance >= event.payload.amount)


@iq.interaction(guard=can_pay)
class Pay:
    one: Account
    other: Account
    amount: int


@iq.interaction
class Move:
    source: Account
    target: Account
    amount: int


@iq.condition
def looked_at(event: Event[Any]) -> bool:
    found = event.payload.account.balance >= 0
    pause()
    return found


def held(event: Event[Any], storage: iq.Storage) -> None:
    pause()
    if event.payload.fails:
        raise RuntimeError("taken back")


@iq.interaction(guard=looked_at, resolve=held)
class Deposit:
    account: Account
    amount: int
    fails: bool = False


@iq.interaction
class Open:
    bank: Bank


def counted(event: Event[Report], storage: iq.Storage) -> list[int]:
    def read() -> int:
        if event.payload.what is None:
            return storage.query(Account).count()
        return storage.get(Account, event.payload.what).balance

    before = read()
    pause()
    if event.payload.then is not None:
        return [before, storage.get(Account, event.payload.then).balance]
    return [before, read()]


@iq.interaction(resolve=counted)
class Report:
    what: int | None
    then: int | None


@iq.condition
def within_limit(event: Event[Any]) -> bool:
    found = event.payload.account.debt + event.payload.amount <= event.payload.limit.value
    pause()
    return bool(found)


@iq.interaction(guard=within_limit)
class Lend:
    account: Account
    limit: Limit
    amount: int


@iq.condition
def above_debt(event: Event[Any]) -> bool:
    return bool(event.payload.account.debt <= event.payload.value)


@iq.interaction(guard=above_debt)
class SetLimit:
    account: Account
    limit: Limit
    value: int


@iq.condition
def is_free(event: Event[Any]) -> bool:
    found = event.payload.room.taken < event.payload.room.size
    pause()
    return bool(found)


@iq.interaction(guard=is_free, resolve=held)
class Book:
    room: Room
    fails: bool = False


@iq.condition
def has_no_guest(event: Event[Any]) -> bool:
    found = len(event.payload.room.stays) == 0
    pause()
    return found


@iq.interaction(guard=has_no_guest)
class BookAlone:
    room: Room


@iq.condition
def nobody_is_there(event: Event[Any]) -> bool:
    found = storage.query(Stay).where_in(lambda stay: stay.room, [event.payload.room]).count() == 0
    pause()
    return bool(found)


@iq.interaction(guard=nobody_is_there)
class BookUnasked:
    room: Room


@iq.interaction(resolve=lambda event, storage: pause())
class Reserve:
    bed: Bed


@iq.interaction(resolve=lambda event, storage: pause())
class Rename:
    room: Room
    name: str


@iq.entity
class Limit:
    id: int = iq.key()
    value: int = iq.field(changes=iq.on(SetLimit, record=lambda e: e.payload.limit, set=lambda e: e.payload.value))


@iq.entity
class Bank:
    id: int = iq.key()
    accounts: Many[Account] = iq.many(inverse="bank")

    opened: int = iq.Count(accounts)
    total: int = iq.Summation(accounts, of=lambda account: account.balance)
    rich: int = iq.Count(accounts, where=lambda account: account.balance > 150)


@iq.entity
class Account:
    id: int = iq.key()
    bank: Bank
    debt: int = iq.field(default=0, changes=iq.on(Lend, set=lambda e: e.payload.account.debt + e.payload.amount))
    balance: int = iq.field(
        default=0,
        changes=[
            iq.on(Pay, record=lambda e: e.payload.one, set=lambda e: e.payload.one.balance - e.payload.amount),
            iq.on(Move, record=lambda e: e.payload.source, set=lambda e: e.payload.source.balance - e.payload.amount),
            iq.on(Move, record=lambda e: e.payload.target, set=lambda e: e.payload.target.balance + e.payload.amount),
            iq.on(
                Deposit,
                record=lambda e: e.payload.account,
                set=lambda e: e.payload.account.balance + e.payload.amount,
            ),
        ],
    )

    made = iq.Transform(Open, lambda e: Account(bank=e.payload.bank))


@iq.entity
class Hotel:
    id: int = iq.key()
    stays: Many[Stay] = iq.many(inverse="hotel")

    in_suites: int = iq.Count(stays, where=lambda stay: stay.room.name == "suite")
    worth: int = iq.Summation(stays, of=lambda stay: stay.room.size * 10, where=lambda stay: stay.room.name != "attic")


@iq.entity
class Room:
    id: int = iq.key()
    hotel: Hotel
    size: int = 1
    name: str = iq.field(default="room", changes=iq.on(Rename, set=lambda e: e.payload.name))
    stays: Many[Stay] = iq.many(inverse="room")

    taken: int = iq.Count(stays)
    latest: int | None = iq.Maximum(stays, of=lambda stay: stay.night)


@iq.entity
class Stay:
    id: int = iq.key()
    room: Room
    hotel: Hotel
    night: int = 1

    booked = iq.Transform(Book, lambda e: Stay(room=e.payload.room, hotel=e.payload.room.hotel))
    alone = iq.Transform(BookAlone, lambda e: Stay(room=e.payload.room, hotel=e.payload.room.hotel))
    unasked = iq.Transform(BookUnasked, lambda e: Stay(room=e.payload.room, hotel=e.payload.room.hotel))


@iq.entity(constraints=[iq.Check(lambda bed: bed.taken <= bed.size)])
class Bed:
    id: int = iq.key()
    size: int = 1
    nights: Many[Night] = iq.many(inverse="bed")

    taken: int = iq.Count(nights)


@iq.entity
class Night:
    id: int = iq.key()
    bed: Bed

    reserved = iq.Transform(Reserve, lambda e: Night(bed=e.payload.bed))


MODELS: list[Any] = [
    *(Limit, Bank, Account, Hotel, Room, Stay, Bed, Night),
    *(Pay, Move, Deposit, Open, Report, Lend, SetLimit, Book, BookAlone, BookUnasked, Reserve, Rename),
]


class Scene:
    """A bank and a hotel, and two dispatches at the same time."""

    def __init__(self, app: iq.Controller) -> None:
        self.app = app
        global storage
        self.storage = storage = app.system.storage
        self.bank = storage.create(Bank())
        self.one = storage.create(Account(bank=self.bank, balance=100))
        self.other = storage.create(Account(bank=self.bank, balance=100))
        self.limit = storage.create(Limit(value=100))
        self.hotel = storage.create(Hotel())
        self.room = storage.create(Room(hotel=self.hotel))
        self.suite = storage.create(Room(hotel=self.hotel, name="suite", size=9))

    def at_once(self, first: Any, second: Any) -> tuple[Any, Any]:
        return at_once(self.app, lambda: self.app.dispatch(first).data, lambda: self.app.dispatch(second).data)

    def balances(self) -> list[int]:
        return [account.balance for account in self.storage.query(Account).order_by(lambda account: account.id)]


# -- records of kinds that the dispatch writes: whether the anomaly happens --------------------------


def pay_from_what_is_taken_back(scene: Scene) -> bool:
    outcomes = scene.at_once(
        Deposit(account=scene.one, amount=100, fails=True), Pay(one=scene.one, other=scene.other, amount=250)
    )
    assert outcomes[0] == "taken back"
    return outcomes[1] != "rejected"


def pay_twice_what_is_there(scene: Scene) -> bool:
    pay = Pay(one=scene.one, other=scene.other, amount=200)
    outcomes = scene.at_once(pay, pay)
    assert sorted(map(str, outcomes)) in (["None", "rejected"], ["None", "None"])
    return outcomes == (None, None)


def pay_while_money_is_moved(scene: Scene) -> bool:
    # 200 are there at any time; who sees less, or more, has seen halves of two states.
    outcomes = scene.at_once(
        Pay(one=scene.one, other=scene.other, amount=201), Move(source=scene.other, target=scene.one, amount=100)
    )
    low = scene.at_once(
        Pay(one=scene.one, other=scene.other, amount=200), Move(source=scene.one, target=scene.other, amount=100)
    )
    return outcomes[0] != "rejected" or low[0] == "rejected"


def deposit_twice(scene: Scene) -> bool:
    deposit = Deposit(account=scene.one, amount=10)
    assert scene.at_once(deposit, deposit) == (None, None)
    return scene.balances()[0] != 120


def pay_from_either(scene: Scene) -> bool:
    outcomes = scene.at_once(
        Pay(one=scene.one, other=scene.other, amount=200), Pay(one=scene.other, other=scene.one, amount=200)
    )
    return outcomes == (None, None)


def book_alone_beside_another(scene: Scene) -> bool:
    outcomes = scene.at_once(BookAlone(room=scene.room), Book(room=scene.room))
    return outcomes == (None, None)


def book_one_room_twice(scene: Scene) -> bool:
    outcomes = scene.at_once(Book(room=scene.room), Book(room=scene.room))
    return outcomes == (None, None)


# -- what callbacks read besides -------------------------------------------------------------------


def report_what_is_taken_back(scene: Scene) -> bool:
    _, seen = scene.at_once(Deposit(account=scene.one, amount=100, fails=True), Report(what=scene.one.id))
    return seen != [100, 100]


def report_twice(scene: Scene) -> bool:
    before, after = scene.at_once(Report(what=scene.one.id), Deposit(account=scene.one, amount=1))[0]
    return before != after


def report_two(scene: Scene) -> bool:
    seen = scene.at_once(
        Report(what=scene.one.id, then=scene.other.id), Move(source=scene.one, target=scene.other, amount=50)
    )[0]
    return sum(seen) != 200


def report_rows(scene: Scene) -> bool:
    before, after = scene.at_once(Report(), Open(bank=scene.bank))[0]
    return before != after


def lend_while_the_limit_is_lowered(scene: Scene) -> bool:
    outcomes = scene.at_once(
        Lend(account=scene.one, limit=scene.limit, amount=100),
        SetLimit(account=scene.one, limit=scene.limit, value=50),
    )
    return outcomes == (None, None)


def book_unasked_twice(scene: Scene) -> bool:
    outcomes = scene.at_once(BookUnasked(room=scene.room), BookUnasked(room=scene.room))
    return outcomes == (None, None)


# -- derived values: ``verify`` says after each that none is wrong -----------------------------------


def book_beside_one_that_is_taken_back(scene: Scene) -> bool:
    scene.at_once(Book(room=scene.suite, fails=True), Book(room=scene.suite))
    return scene.storage.get(Room, scene.suite.id).taken != 1


def book_while_the_room_is_renamed(scene: Scene) -> bool:
    scene.at_once(Book(room=scene.suite), Rename(room=scene.suite, name="attic"))
    return scene.storage.get(Hotel, scene.hotel.id).in_suites != 0


def rename_while_the_room_is_booked(scene: Scene) -> bool:
    scene.at_once(Rename(room=scene.room, name="suite"), Book(room=scene.room))
    return scene.storage.get(Hotel, scene.hotel.id).in_suites != 1


def rename_two_of_one_hotel(scene: Scene) -> bool:
    for room in (scene.room, scene.suite):
        scene.app.dispatch(Book(room=room))
    scene.at_once(Rename(room=scene.room, name="suite"), Rename(room=scene.suite, name="attic"))
    hotel = scene.storage.get(Hotel, scene.hotel.id)
    return (hotel.in_suites, hotel.worth) != (1, 10)


def book_a_suite_twice(scene: Scene) -> bool:
    assert scene.at_once(Book(room=scene.suite), Book(room=scene.suite)) == (None, None)
    room = scene.storage.get(Room, scene.suite.id)
    return (room.taken, room.latest) != (2, 1)


def move_and_deposit(scene: Scene) -> bool:
    scene.at_once(Deposit(account=scene.one, amount=100), Move(source=scene.one, target=scene.other, amount=100))
    bank = scene.storage.get(Bank, scene.bank.id)
    return (bank.total, bank.rich, bank.opened) != (300, 1, 2)


CELLS: dict[Anomaly, tuple[Callable[[Scene], bool] | None, ...]] = {
    "dirty read": (book_beside_one_that_is_taken_back, pay_from_what_is_taken_back, report_what_is_taken_back),
    "non-repeatable read": (book_while_the_room_is_renamed, pay_twice_what_is_there, report_twice),
    "read skew": (move_and_deposit, pay_while_money_is_moved, report_two),
    "phantom": (rename_while_the_room_is_booked, book_alone_beside_another, report_rows),
    "lost update": (book_a_suite_twice, deposit_twice, None),
    "write skew": (rename_two_of_one_hotel, pay_from_either, lend_while_the_limit_is_lowered),
    "double booking": (book_a_suite_twice, book_one_room_twice, book_unasked_twice),
}
COLUMNS = ["derived values", "records of kinds that the dispatch writes", "anything else that is read"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("anomaly", list(SCHEDULES))
def test_two_dispatches(make_app: Apps, database: Database, anomaly: Anomaly, column: str) -> None:
    cell = written("What a dispatch may rely on")[anomaly][column]
    happens = CELLS[anomaly][COLUMNS.index(column)]
    assert (happens is None) == (cell == "-")
    if happens is not None:
        happened = happens(Scene(make_app(*MODELS)))
        expected = "no" if isinstance(database, SQLiteDB) else cell
        assert ("possible" if happened else "no") == expected


def test_what_the_database_holds_is_not_booked_twice(make_app: Apps) -> None:
    scene = Scene(make_app(*MODELS))
    bed = scene.storage.create(Bed())
    assert scene.at_once(Reserve(bed=bed), Reserve(bed=bed)) == (None, "constraint.check")
    assert scene.storage.get(Bed, bed.id).taken == scene.storage.query(Night).count() == 1


def test_the_table_says_nothing_else() -> None:
    table = written("What a dispatch may rely on")
    assert list(table) == list(SCHEDULES) == list(CELLS)
    for row in table.values():
        assert list(row) == COLUMNS
        assert set(row.values()) <= {"no", "possible", "-"}
