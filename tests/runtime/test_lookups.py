"""Maximum, Minimum, First, Last and Distinct: what they are under any write, and what each write costs."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Recorder


@iq.entity
class Shop:
    id: int = iq.key()
    name: str
    offers: Many[Offer] = iq.many(inverse="shop")

    dearest: Decimal | None = iq.Maximum(offers, of=lambda offer: offer.price)
    cheapest: Decimal = iq.Minimum(
        offers, of=lambda offer: offer.price, where=lambda offer: offer.live, default=Decimal(0)
    )
    titles: int = iq.Distinct(offers, of=lambda offer: offer.title)
    products: int = iq.Distinct(offers, of=lambda offer: offer.product, where=lambda offer: offer.live)
    first_title: str | None = iq.First(offers, of=lambda offer: offer.title, by=lambda offer: offer.at)
    last_title: str = iq.Last(offers, of=lambda offer: offer.title, by=lambda offer: offer.at, default="none")
    heaviest: int | None = iq.Maximum(offers, of=lambda offer: offer.product.weight)
    weights: int = iq.Distinct(offers, of=lambda offer: offer.product.weight)


@iq.entity
class Product:
    id: int = iq.key()
    weight: int | None = None
    offers: Many[Offer] = iq.many(inverse="product")

    # What is found there is looked up here: the dearest offer of the shops that have it.
    best: Decimal | None = iq.Maximum(offers, of=lambda offer: offer.shop.dearest if offer.shop is not None else None)


@iq.entity
class Offer:
    id: int = iq.key()
    shop: Shop | None
    product: Product
    title: str = "a"
    price: Decimal | None = None
    live: bool = True
    at: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


MODELS = [Shop, Product, Offer]


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 1, number, tzinfo=dt.UTC)


class App:
    def __init__(self, database: Any, *models: type) -> None:
        self.database = database
        system = iq.MonoSystem(database)
        self.controller = iq.Controller(system, list(models))
        self.controller.setup(install=True)
        self.storage = system.storage

    def check(self) -> None:
        assert self.controller.verify() == []

    def cost(self, write: Any, *arguments: Any, **values: Any) -> list[str]:
        """The statements of one write, in short, without what reads the outcome."""
        with self.database.recording() as recorder:
            write(*arguments, **values)
        self.check()
        found = statements(recorder)
        return found if write == self.storage.delete else found[:-1]


def statements(recorder: Recorder) -> list[str]:
    """Which statement on which table, and whether it locks."""
    found = []
    for sql, _ in recorder.statements:
        words = sql.replace('"', "").replace("`", "").split()
        if "STRAIGHT_JOIN" in words:  # the rows that were given come first there
            words[1:] = ["", "FROM", words[words.index("STRAIGHT_JOIN") + 1]]
            words[1] = words[3]
        if words[0] in ("INSERT", "DELETE"):
            found.append(f"{words[0]} {words[2]}")
        elif words[0] == "UPDATE":
            found.append(f"UPDATE {words[1]}")
        elif words[0] == "SELECT":
            lock = " for update" if " UPDATE" in sql else ""
            found.append(f"SELECT {words[words.index('FROM') + 1].strip('(')}{lock}")
    return found


@pytest.fixture
def shop(database: Any) -> App:
    return App(database, *MODELS)


# -- what they are


def test_nothing_is_none_or_the_default(shop: App) -> None:
    created = shop.storage.create(Shop(name="one"))
    found = shop.storage.get(Shop, created.id)
    assert (found.dearest, found.first_title, found.heaviest) == (None, None, None)
    assert (found.cheapest, found.last_title, found.titles, found.products) == (Decimal(0), "none", 0, 0)
    shop.check()


def test_each_write_leaves_what_a_look_at_all_records_would_find(shop: App) -> None:
    storage = shop.storage
    one, other = (storage.create(Shop(name=name)) for name in ("one", "other"))
    light, heavy = (storage.create(Product(weight=weight)) for weight in (1, 9))
    offers = []
    for number, title in enumerate("abca", 1):
        product = heavy if number == 2 else light
        offers.append(
            storage.create(Offer(shop=one, product=product, title=title, price=Decimal(number) / 4, at=day(number)))
        )
        shop.check()

    def values(*names: str) -> list[Any]:
        shop.check()
        found = storage.get(Shop, one.id)
        return [getattr(found, name) for name in names]

    assert values("dearest", "cheapest", "titles", "products") == [Decimal(1), Decimal("0.25"), 3, 2]
    assert values("first_title", "last_title", "heaviest", "weights") == ["a", "a", 9, 2]
    assert storage.get(Product, light.id).best == Decimal(1)

    storage.delete(offers[3])
    assert values("dearest", "titles", "last_title") == [Decimal("0.75"), 3, "c"]
    assert storage.get(Product, heavy.id).best == Decimal("0.75")

    storage.update(offers[0], live=False, title="b")
    assert values("cheapest", "titles", "first_title", "products") == [Decimal("0.5"), 2, "b", 2]

    storage.update(heavy, weight=None)
    assert values("heaviest", "weights") == [1, 1]
    storage.update(light, weight=5)
    assert values("heaviest", "weights") == [5, 1]

    storage.update(offers[2], shop=other)
    assert values("dearest", "last_title", "titles", "products") == [Decimal("0.5"), "b", 1, 1]
    assert storage.get(Shop, other.id).last_title == "c"

    storage.update(offers[1], price=None)
    assert values("dearest", "cheapest") == [Decimal("0.25"), Decimal(0)]
    for each in offers[:3]:
        storage.delete(each)
    assert values("dearest", "first_title", "last_title", "titles") == [None, None, "none", 0]


def test_equal_records_are_in_the_order_of_their_keys(shop: App) -> None:
    storage = shop.storage
    one, product = storage.create(Shop(name="one")), storage.create(Product())
    offers = [storage.create(Offer(shop=one, product=product, title=title)) for title in "abc"]
    found = storage.get(Shop, one.id)
    assert (found.first_title, found.last_title) == ("a", "c")
    storage.delete(offers[2])
    storage.update(offers[0], at=day(2))
    found = storage.get(Shop, one.id)
    assert (found.first_title, found.last_title) == ("b", "a")
    shop.check()


def test_a_value_that_several_have_is_held_by_the_rest(shop: App) -> None:
    storage = shop.storage
    one, product = storage.create(Shop(name="one")), storage.create(Product())
    offers = [storage.create(Offer(shop=one, product=product, price=Decimal(price))) for price in (3, 3, 1)]
    storage.delete(offers[0])
    found = storage.get(Shop, one.id)
    assert (found.dearest, found.titles, found.products) == (Decimal(3), 1, 1)
    shop.check()


KINDS: dict[str, tuple[Any, list[Any]]] = {
    "int": (int, [3, -5, 2**40]),
    "float": (float, [0.5, -2.25, 1e300]),
    "Decimal": (Decimal, [Decimal("9.5"), Decimal(10), Decimal("-0.001")]),
    "str": (str, ["b", "Z", "ä", "a", "\U0001f600"]),
    "date": (dt.date, [dt.date(2026, 2, 1), dt.date(1999, 12, 31)]),
    "datetime": (dt.datetime, [day(3), day(1), day(2)]),
    "timedelta": (dt.timedelta, [dt.timedelta(hours=1), dt.timedelta(days=-1), dt.timedelta(days=40)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_ordered_kind_is_in_the_order_of_python(kind: str, database: Any) -> None:
    scalar, values = KINDS[kind]

    @iq.entity
    class Owner:
        id: int = iq.key()
        things: Many[Thing] = iq.many(inverse="owner")
        most: scalar | None = iq.Maximum(things, of=lambda thing: thing.value)  # type: ignore[valid-type]
        least: scalar | None = iq.Minimum(things, of=lambda thing: thing.value)  # type: ignore[valid-type]
        first: scalar | None = iq.First(things, of=lambda thing: thing.value, by=lambda thing: thing.value)  # type: ignore[valid-type]
        last: scalar | None = iq.Last(things, of=lambda thing: thing.value, by=lambda thing: thing.value)  # type: ignore[valid-type]
        different: int = iq.Distinct(things, of=lambda thing: thing.value)

    @iq.entity
    class Thing:
        id: int = iq.key()
        owner: Owner
        value: scalar | None  # type: ignore[valid-type]

    app = App(database, Owner, Thing)
    owner = app.storage.create(Owner())
    made = []
    for value in [*values, None, values[0]]:
        made.append(app.storage.create(Thing(owner=owner, value=value)))
        app.check()
    found = app.storage.get(Owner, owner.id)
    assert (found.most, found.least, found.first, found.last) == (max(values), min(values), min(values), max(values))
    assert found.different == len(values)
    for thing in made:
        app.storage.delete(thing)
        app.check()


# -- what they cost


@iq.interaction
class MakeTickets:
    desk: Desk


@iq.entity
class Desk:
    id: int = iq.key()
    tickets: Many[Ticket] = iq.many(inverse="desk")
    top: int | None = iq.Maximum(tickets, of=lambda ticket: ticket.rank)


@iq.entity
class Ticket:
    id: int = iq.key()
    desk: Desk
    rank: int

    made = iq.Transform(
        MakeTickets, lambda e: [Ticket(desk=e.payload.desk, rank=5), Ticket(desk=e.payload.desk, rank=7)]
    )


@iq.entity
class Board:
    id: int = iq.key()
    notes: Many[Note] = iq.many(inverse="board")
    words: int = iq.Distinct(notes, of=lambda note: note.word)


@iq.entity
class Note:
    id: int = iq.key()
    board: Board
    word: str


@iq.entity
class Writer:
    id: int = iq.key()
    age: int
    pages: Many[Page] = iq.many(inverse="writer")


@iq.entity
class Book:
    id: int = iq.key()
    pages: Many[Page] = iq.many(inverse="book")
    oldest: int | None = iq.Maximum(pages, of=lambda page: page.writer.age)
    latest: int | None = iq.Last(pages, of=lambda page: page.number, by=lambda page: page.number)


@iq.entity
class Page:
    id: int = iq.key()
    book: Book
    writer: Writer
    number: int = 0


def locked(database: Any, table: str) -> str:
    return f"SELECT {table} for update" if database.dialect.for_update else f"SELECT {table}"


def held(database: Any, table: str) -> list[str]:
    """What locks a host before a row comes to refer to it, where that alone would hold it."""
    return [f"SELECT {table} for update"] if database.dialect.reference_locks else []


def test_what_a_maximum_costs(database: Any) -> None:
    app = App(database, Desk, Ticket, MakeTickets)
    storage, cost = app.storage, app.cost
    desk, other = storage.create(Desk()), storage.create(Desk())
    tickets = [storage.create(Ticket(desk=desk, rank=rank)) for rank in (1, 2, 3, 9)]
    lock, hold = locked(database, "desk"), held(database, "desk")
    read = locked(database, "ticket")

    assert cost(storage.create, Ticket(desk=desk, rank=8)) == [*hold, "INSERT ticket", "UPDATE desk"]
    # One that is not the greatest is compared, and no more.
    assert cost(storage.delete, tickets[0]) == ["DELETE ticket", lock]
    assert cost(storage.update, tickets[1], rank=1) == [read, "UPDATE ticket", lock]
    assert cost(storage.update, tickets[1], rank=4) == [read, "UPDATE ticket", "UPDATE desk"]
    # Where the greatest goes or sinks, the next is looked up.
    assert cost(storage.update, tickets[3], rank=10) == [read, "UPDATE ticket", "UPDATE desk"]
    assert cost(storage.update, tickets[3], rank=6) == [read, "UPDATE ticket", lock, "UPDATE desk"]
    assert cost(storage.delete, tickets[3]) == ["DELETE ticket", lock]
    assert cost(storage.update, tickets[2], desk=other) == [read, *hold, "UPDATE ticket", lock, "UPDATE desk"]


def test_what_distinct_costs(database: Any) -> None:
    app = App(database, Board, Note)
    storage, cost = app.storage, app.cost
    board = storage.create(Board())
    lock = [locked(database, "board")] if database.dialect.for_update else []
    hold = held(database, "board")
    read = locked(database, "note")

    # The values that are asked for are the list that the statement reads from.
    *before, asked, last = cost(storage.create, Note(board=board, word="a"))
    assert [*before, last] == [*hold, "INSERT note", *lock, "UPDATE board"]
    second = Note(board=board, word="a")
    assert cost(storage.create, second) == [*hold, "INSERT note", *lock, asked]
    note = storage.query(Note).all()[-1]
    assert cost(storage.update, note, word="b") == [read, "UPDATE note", *lock, asked, "UPDATE board"]
    assert cost(storage.delete, note) == ["DELETE note", *lock, asked, "UPDATE board"]
    assert storage.get(Board, board.id).words == 1


def test_what_a_change_far_away_costs(database: Any) -> None:
    app = App(database, Book, Writer, Page)
    storage, cost = app.storage, app.cost
    books = [storage.create(Book()) for _ in range(3)]
    young, old = storage.create(Writer(age=20)), storage.create(Writer(age=80))
    for book in books:
        storage.create(Page(book=book, writer=young))
    storage.create(Page(book=books[0], writer=old))
    lock = locked(database, "book")
    read = locked(database, "writer")
    several = [lock] if database.dialect.for_update else []
    # What the records were and are is asked once; their hosts are compared together.
    assert cost(storage.update, young, age=30) == [read, "UPDATE writer", "SELECT page", *several, "UPDATE book"]
    assert [book.oldest for book in storage.query(Book)] == [80, 30, 30]
    # Only the hosts that had it from there are looked up again, those of all pages by one statement.
    assert cost(storage.update, young, age=10) == [read, "UPDATE writer", "SELECT page", lock, "UPDATE book"]
    assert [book.oldest for book in storage.query(Book)] == [80, 10, 10]


def test_many_at_once_are_one_comparison(database: Any) -> None:
    app = App(database, Desk, Ticket, MakeTickets)
    desk = app.storage.create(Desk())
    app.controller.dispatch(MakeTickets(desk=desk))
    with database.recording() as recorder:
        app.controller.dispatch(MakeTickets(desk=desk))
    assert [each for each in statements(recorder) if "desk" in each or "ticket" in each][-2:] == [
        "INSERT ticket",
        "UPDATE desk",
    ]
    assert app.storage.get(Desk, desk.id).top == 7
    app.check()


@iq.entity
class Shelf:
    id: int = iq.key()
    jars: Many[Jar] = iq.many(inverse="shelf")

    dearest: Decimal | None = iq.Maximum(jars, of=lambda jar: jar.price)
    first: str | None = iq.Minimum(jars, of=lambda jar: jar.label)
    newest: str | None = iq.Last(jars, of=lambda jar: jar.label, by=lambda jar: jar.at)
    prices: int = iq.Distinct(jars, of=lambda jar: jar.price)
    makers: int = iq.Distinct(jars, of=lambda jar: jar.maker)
    oldest: int | None = iq.Maximum(jars, of=lambda jar: jar.maker.age, where=lambda jar: jar.label != "x")


@iq.entity
class Maker:
    id: int = iq.key()
    age: int


@iq.entity
class Jar:
    id: int = iq.key()
    shelf: Shelf
    maker: Maker
    label: str
    price: Decimal
    at: dt.date


def plans(database: Any, recorder: Recorder) -> dict[str, str]:
    """What the database does for each statement, its rows being found by indexes wherever it has one for them."""
    found = {}
    is_sqlite = database.dialect.name == "SQLite"
    tx = database.begin()
    try:
        if not is_sqlite:
            tx.execute("SET LOCAL enable_seqscan = off", ())
        for sql, values in recorder.statements:
            if sql.split()[0] in ("SELECT", "UPDATE", "DELETE"):
                rows = tx.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{sql}", values).fetchall()
                found[sql] = "\n".join(str(row[-1]) for row in rows)
    finally:
        tx.rollback()
    return found


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_nothing_is_scanned_or_sorted(kind: str, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(f"{kind}_db")
    app = App(database, Shelf, Maker, Jar)
    storage = app.storage
    shelves = [storage.create(Shelf()) for _ in range(2)]
    makers = [storage.create(Maker(age=age)) for age in (30, 60)]
    at = dt.date(2026, 1, 1)
    with database.recording() as recorder:
        jars = [
            storage.create(
                Jar(
                    shelf=shelves[0],
                    maker=makers[place % 2],
                    label="abc"[place % 3],
                    price=Decimal(place),
                    at=at + dt.timedelta(days=place),
                )
            )
            for place in range(6)
        ]
        storage.update(jars[5], price=Decimal(1), label="z", at=at)
        storage.update(jars[0], label="y")
        storage.update(jars[4], shelf=shelves[1])
        storage.update(makers[1], age=10)
        storage.delete(jars[3])
    app.check()
    found = plans(database, recorder)
    assert len(found) > 20
    for sql, plan in found.items():
        # A list of given rows is no table; the records of one host are sorted where no index has what is compared.
        scans = [
            line
            for line in plan.splitlines()
            if ("SCAN" in line and not any(word in line for word in ("json_each", "VIRTUAL", "SUBQUERY", "CONSTANT")))
            or "Seq Scan on" in line
        ]
        assert not scans, f"{sql}\n{plan}"
        sorts = "TEMP B-TREE FOR ORDER BY" in plan or "Sort Key" in plan
        assert not sorts or 'SET "oldest"' in sql or "FOR NO KEY UPDATE" in sql, f"{sql}\n{plan}"


@pytest.mark.postgresql
def test_writers_at_once_leave_what_one_by_one_would(postgresql_db: Any) -> None:
    app = App(postgresql_db, Shelf, Maker, Jar)
    storage = app.storage
    shelf, maker = storage.create(Shelf()), storage.create(Maker(age=3))
    jars = [make(shelf, maker, place) for place in range(24)]
    stored = [storage.create(each) for each in jars]
    failures: list[BaseException] = []

    def work(turn: int) -> None:
        try:
            # All of them go for the first, the last and the dearest at once.
            for place in range(23 - turn, -1, -4):
                if place % 3 == 0:
                    storage.update(stored[place], price=Decimal(place % 5), label="abc"[turn % 3])
                else:
                    storage.delete(stored[place])
                storage.create(make(shelf, maker, place % 7))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    app.check()


def make(shelf: Shelf, maker: Maker, place: int) -> Jar:
    day = dt.date(2026, 1, 1) + dt.timedelta(days=place)
    return Jar(shelf=shelf, maker=maker, label="abc"[place % 3], price=Decimal(place), at=day)


@iq.entity
class Room:
    id: int = iq.key()
    seats: Many[Seat] = iq.many(inverse="room")
    top: int = iq.Maximum(seats, of=lambda seat: seat.rank, default=0)
    doubled: int = iq.Summation(seats, of=lambda seat: seat.room.top * 2)


@iq.entity
class Seat:
    id: int = iq.key()
    room: Room
    rank: int


@iq.entity
class Badge:
    id: int = iq.key()
    room: Room
    text: str

    shown = iq.Transform(Room, lambda room: Badge(room=room, text="high") if room.top > 5 else None)


@iq.entity
class Person:
    id: int = iq.key()
    name: str
    memberships: Many[Member] = iq.many(inverse="person")
    clubs: Many[Club] = iq.many(through="memberships")
    oldest_club: str | None = iq.First(clubs, of=lambda club: club.name, by=lambda club: club.founded)
    towns: int = iq.Distinct(clubs, of=lambda club: club.town)


@iq.entity
class Club:
    id: int = iq.key()
    name: str
    town: str | None
    founded: int


@iq.relation
class Member:
    person: Person
    club: Club


def test_other_values_follow_what_is_found(database: Any) -> None:
    app = App(database, Room, Seat, Badge)
    storage = app.storage
    room = storage.create(Room())
    seats = [storage.create(Seat(room=room, rank=rank)) for rank in (3, 8)]
    assert (storage.get(Room, room.id).top, storage.get(Room, room.id).doubled) == (8, 32)
    assert [badge.text for badge in storage.query(Badge)] == ["high"]
    storage.delete(seats[1])
    assert (storage.get(Room, room.id).top, storage.get(Room, room.id).doubled) == (3, 6)
    assert storage.query(Badge).all() == []
    assert [each.rank for each in storage.query(Seat).where(lambda seat: seat.rank == seat.room.top)] == [3]
    app.check()


def test_past_a_relation_the_far_record_is_what_is_compared(database: Any) -> None:
    app = App(database, Person, Club, Member)
    storage = app.storage
    person = storage.create(Person(name="Ada"))
    clubs = [storage.create(Club(name=name, town=town, founded=at)) for name, town, at in CLUBS]
    members = [storage.create(Member(person=person, club=club)) for club in clubs]

    def found() -> tuple[str | None, int]:
        app.check()
        stored = storage.get(Person, person.id)
        return stored.oldest_club, stored.towns

    assert found() == ("chess", 2)
    storage.update(clubs[1], founded=1700)
    assert found() == ("choir", 2)
    storage.update(clubs[2], town=None)
    assert found() == ("choir", 1)
    storage.delete(members[1])
    assert found() == ("chess", 1)
    storage.delete(clubs[0])
    assert found() == ("rowing", 0)


CLUBS = (("chess", "Bern", 1800), ("choir", "Bern", 1850), ("rowing", "Basel", 1900))


# -- what is refused, and what is shown


def test_a_type_without_a_place_for_nothing_is_refused(in_memory: Any) -> None:
    @iq.entity
    class Host:
        things: Many[Item] = iq.many(inverse="host")
        most: int = iq.Maximum(things, of=lambda item: item.n)  # type: ignore[assignment]

    @iq.entity
    class Item:
        host: Host
        n: int

    with pytest.raises(iq.InvalidComputation, match=r"the maximum of nothing is None.*\n.*write most: int \| None"):
        in_memory(Host, Item)


def test_what_has_no_order_is_refused(in_memory: Any) -> None:
    @iq.entity
    class Host:
        things: Many[Item] = iq.many(inverse="host")
        first: int | None = iq.First(things, of=lambda item: item.n, by=lambda item: item.live)

    @iq.entity
    class Item:
        host: Host
        n: int
        live: bool

    with pytest.raises(iq.TraceError, match="it gives bool, which has no order"):
        in_memory(Host, Item)


def test_a_default_of_another_type_is_refused(in_memory: Any) -> None:
    wrong: Any = "0"

    @iq.entity
    class Host:
        things: Many[Item] = iq.many(inverse="host")
        most: int = iq.Maximum(things, of=lambda item: item.n, default=wrong)

    @iq.entity
    class Item:
        host: Host
        n: int

    with pytest.raises(iq.InvalidComputation, match="the default is str '0', not int"):
        in_memory(Host, Item)


def test_the_plan_says_when_something_is_looked_up(database: Any) -> None:
    app = App(database, Desk, Ticket, MakeTickets)
    plan = str(app.controller.explain(MakeTickets))
    assert "Desk.top is compared with a record that comes or moves forward" in plan
