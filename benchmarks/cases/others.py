"""Computations of other shapes: states, records that follow from others, both ends alike, the whole class, a view."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Literal

import interaqt as iq
from benchmarks.case import NUMBERS, Call, Case, calls, loaded
from benchmarks.hand import Hand
from interaqt import Event, Many

__all__ = ["OTHERS"]

EVENTS = "SELECT interaction, count(*) FROM interaction_event GROUP BY interaction ORDER BY interaction"


class Shape(Case):
    """A case whose every step is one request and one function by hand, of the number of the operation."""

    def ours(self, app: iq.Controller, step: str, size: int, numbers: range) -> list[Call]:
        dispatch = app.dispatch
        return calls(
            lambda cls, values, user=None: dispatch(cls(**values), user=user),
            (self.request(app, step, size + 1 + number) for number in numbers),
        )

    def by_hand(self, hand: Hand, step: str, size: int, numbers: range) -> list[Call]:
        work = partial(hand.transaction, getattr(self, step))
        return calls(work, ((size + 1 + number,) for number in numbers))

    @abstractmethod
    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        """What is dispatched about the record with that key: its class, its payload, and by whom."""


# -- a state ---------------------------------------------------------------------------------------


@iq.interaction
class Open:
    door: Door


@iq.interaction
class Shut:
    door: Door


@iq.entity
class Door:
    id: int = iq.key()
    state: Literal["shut", "open"] = iq.StateMachine(
        "shut", iq.on(Open, {"shut": "open"}), iq.on(Shut, {"open": "shut"})
    )


class StateCase(Shape):
    """Doors are opened and shut; nothing depends on it."""

    name = "StateMachine"
    models = (Door, Open, Shut)
    steps = ("open", "shut")
    snapshot = ("SELECT id, state FROM door ORDER BY id", EVENTS)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        doors = f"INSERT INTO door (id, state) {NUMBERS} i, 'shut' FROM n"
        hand.transaction(lambda hand: hand.run(doors, (size + operations,)))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        return Open if step == "open" else Shut, {"door": loaded(app, Door, key)}

    def open(self, hand: Hand, key: int) -> None:
        self._move(hand, "Open", key, "shut", "open")

    def shut(self, hand: Hand, key: int) -> None:
        self._move(hand, "Shut", key, "open", "shut")

    @staticmethod
    def _move(hand: Hand, interaction: str, key: int, before: str, after: str) -> None:
        hand.event(interaction, {"door": key})
        (state,) = hand.one("SELECT state FROM door WHERE id = ? FOR UPDATE", (key,))
        if state == before:
            hand.run("UPDATE door SET state = ? WHERE id = ?", (after, key))


# -- a record of an event, and a value that follows from its own ------------------------------------


@iq.interaction
class AddLine:
    price: int
    amount: int


@iq.interaction
class Reprice:
    line: Line
    price: int


@iq.interaction
class DropLine:
    line: Line


@iq.entity
class Line:
    id: int = iq.key()
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    amount: int

    added = iq.Transform(AddLine, lambda e: Line(price=e.payload.price, amount=e.payload.amount))

    @iq.computed(stored=True)
    def total(self) -> int:
        return self.price * self.amount

    @iq.deleted_by(DropLine)
    def dropped(self, e: Event[DropLine]) -> bool:
        return self == e.payload.line


class LineCase(Shape):
    """Lines of an order, each with its total beside price and amount."""

    name = "Transform from an event, stored computed"
    models = (Line, AddLine, Reprice, DropLine)
    snapshot = ("SELECT id, price, amount, total FROM line ORDER BY id", EVENTS)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        lines = f"INSERT INTO line (id, price, amount, total) {NUMBERS} i, i, 2, 2 * i FROM n"
        hand.transaction(lambda hand: hand.run(lines, (size,)))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        if step == "add":
            return AddLine, {"price": key, "amount": 3}
        line = loaded(app, Line, key)
        return (Reprice, {"line": line, "price": key + 1}) if step == "change" else (DropLine, {"line": line})

    def add(self, hand: Hand, key: int) -> None:
        hand.event("AddLine", {"price": key, "amount": 3})
        hand.insert("INSERT INTO line (price, amount, total) VALUES (?, ?, ?)", (key, 3, 3 * key))

    def change(self, hand: Hand, key: int) -> None:
        price = key + 1
        hand.event("Reprice", {"line": key, "price": price})
        hand.run("UPDATE line SET price = ?, total = ? * amount WHERE id = ?", (price, price, key))

    def drop(self, hand: Hand, key: int) -> None:
        hand.event("DropLine", {"line": key})
        hand.run("DELETE FROM line WHERE id = ?", (key,))


# -- records that follow from records ----------------------------------------------------------------


@iq.interaction
class AddRoom:
    name: str
    rank: int


@iq.interaction
class Rename:
    room: Room
    name: str


@iq.interaction
class DropRoom:
    room: Room


@iq.entity
class Room:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))
    rank: int

    added = iq.Transform(AddRoom, lambda e: Room(name=e.payload.name, rank=e.payload.rank))

    @iq.deleted_by(DropRoom)
    def dropped(self, e: Event[DropRoom]) -> bool:
        return self == e.payload.room


@iq.entity
class Badge:
    id: int = iq.key()
    text: str

    shown = iq.Transform(Room, lambda room: Badge(text=room.name) if room.rank > 5 else None)


class DerivedCase(Shape):
    """Each room of a high rank has a badge with its name."""

    name = "Transform from a record"
    models = (Room, Badge, AddRoom, Rename, DropRoom)
    snapshot = (
        "SELECT id, name, rank FROM room ORDER BY id",
        "SELECT text, shown__source FROM badge ORDER BY shown__source",
        EVENTS,
    )
    derived = (Badge,)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        rooms = f"INSERT INTO room (id, name, rank) {NUMBERS} i, 'room', 9 FROM n"
        hand.transaction(lambda hand: hand.run(rooms.replace("rank", '"rank"'), (size,)))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        if step == "add":
            return AddRoom, {"name": f"room {key}", "rank": 9}
        room = loaded(app, Room, key)
        return (Rename, {"room": room, "name": f"hall {key}"}) if step == "change" else (DropRoom, {"room": room})

    def add(self, hand: Hand, key: int) -> None:
        name = f"room {key}"
        hand.event("AddRoom", {"name": name, "rank": 9})
        room = hand.key('INSERT INTO room (name, "rank") VALUES (?, ?)', (name, 9))
        hand.insert("INSERT INTO badge (text, shown__source, shown__index) VALUES (?, ?, 0)", (name, room))

    def change(self, hand: Hand, key: int) -> None:
        name = f"hall {key}"
        hand.event("Rename", {"room": key, "name": name})
        hand.run("UPDATE room SET name = ? WHERE id = ?", (name, key))
        hand.run("UPDATE badge SET text = ? WHERE shown__source = ?", (name, key))

    def drop(self, hand: Hand, key: int) -> None:
        hand.event("DropRoom", {"room": key})
        hand.run("DELETE FROM badge WHERE shown__source = ?", (key,))
        hand.run("DELETE FROM room WHERE id = ?", (key,))


# -- both ends alike ---------------------------------------------------------------------------------


@iq.interaction
class Befriend:
    who: User


@iq.interaction
class Part:
    who: User


@iq.entity
class User:
    id: int = iq.key()
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))

    friend_count: int = iq.Count(friendships)


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


class FriendsCase(Shape):
    """User 1 has friends. By hand there are two indexes instead of the two small rows that interaqt keeps beside."""

    name = "symmetric"
    models = (User, Friendship, Befriend, Part)
    steps = ("befriend", "part")
    snapshot = (
        'SELECT id, friend_count FROM "user" ORDER BY id',
        "SELECT one_id, other_id FROM friendship ORDER BY other_id",
        EVENTS,
    )
    derived = (User,)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        users = f'INSERT INTO "user" (id, friend_count) {NUMBERS} i, 0 FROM n'
        hand.transaction(lambda hand: hand.run(users, (1 + size + operations,)))
        ada = loaded(app, User, 1)
        app.dispatch_many([Befriend(who=loaded(app, User, key)) for key in range(2, 2 + size)], user=ada)

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        who = loaded(app, User, key + 1)
        return Befriend if step == "befriend" else Part, {"who": who}, loaded(app, User, 1)

    def befriend(self, hand: Hand, key: int) -> None:
        hand.event("Befriend", {"who": key + 1}, 1)
        hand.insert("INSERT INTO friendship (one_id, other_id) VALUES (?, ?)", (1, key + 1))
        hand.run('UPDATE "user" SET friend_count = friend_count + 1 WHERE id IN (?, ?)', (1, key + 1))

    def part(self, hand: Hand, key: int) -> None:
        hand.event("Part", {"who": key + 1}, 1)
        gone = hand.one(
            "DELETE FROM friendship WHERE (one_id = ? AND other_id = ?) OR (one_id = ? AND other_id = ?) RETURNING id",
            (1, key + 1, key + 1, 1),
        )
        if gone is not None:
            hand.run('UPDATE "user" SET friend_count = friend_count - 1 WHERE id IN (?, ?)', (1, key + 1))


# -- a whole class, and a part of one ----------------------------------------------------------------


@iq.interaction
class Write:
    words: int


@iq.interaction
class Publish:
    page: Page


@iq.interaction
class Burn:
    page: Page


@iq.entity
class Page:
    id: int = iq.key()
    words: int
    status: Literal["draft", "live"] = iq.StateMachine("draft", iq.on(Publish, {"draft": "live"}))

    written = iq.Transform(Write, lambda e: Page(words=e.payload.words))

    @iq.deleted_by(Burn)
    def burned(self, e: Event[Burn]) -> bool:
        return self == e.payload.page


@iq.view(Page, where=lambda page: page.status == "live")
class LivePage(Page):
    """What everybody can read."""


@iq.dictionary
class Totals:
    pages: int = iq.Count(Page)
    live: int = iq.Count(LivePage)
    live_words: int = iq.Summation(LivePage, of=lambda page: page.words)


class TotalsCase(Shape):
    """Global values: over all pages, and over those of a view."""

    name = "dictionary, view"
    models = (Page, LivePage, Totals, Write, Publish, Burn)
    steps = ("write", "publish", "burn")
    snapshot = (
        "SELECT id, words, status FROM page ORDER BY id",
        "SELECT pages, live, live_words FROM totals",
        EVENTS,
    )
    derived = (Totals,)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        pages = f"INSERT INTO page (id, words, status) {NUMBERS} i, i % 100, 'live' FROM n"
        hand.transaction(lambda hand: hand.run(pages, (size,)))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        if step == "write":
            return Write, {"words": key % 100}
        return Publish if step == "publish" else Burn, {"page": loaded(app, Page, key)}

    def write(self, hand: Hand, key: int) -> None:
        words = key % 100
        hand.event("Write", {"words": words})
        hand.insert("INSERT INTO page (words, status) VALUES (?, 'draft')", (words,))
        hand.run("UPDATE totals SET pages = pages + 1 WHERE id = 1")

    def publish(self, hand: Hand, key: int) -> None:
        hand.event("Publish", {"page": key})
        status, words = hand.one("SELECT status, words FROM page WHERE id = ? FOR UPDATE", (key,))
        if status == "draft":
            hand.run("UPDATE page SET status = 'live' WHERE id = ?", (key,))
            hand.run("UPDATE totals SET live = live + 1, live_words = live_words + ? WHERE id = 1", (words,))

    def burn(self, hand: Hand, key: int) -> None:
        hand.event("Burn", {"page": key})
        status, words = hand.one("DELETE FROM page WHERE id = ? RETURNING status, words", (key,))
        live = int(status == "live")
        hand.run(
            "UPDATE totals SET pages = pages - 1, live = live - ?, live_words = live_words - ? WHERE id = 1",
            (live, words * live),
        )


# -- numbers in scopes -----------------------------------------------------------------------------


@iq.interaction
class TakeTicket:
    counter: int


@iq.interaction
class TearUp:
    ticket: Ticket


@iq.entity
class Ticket:
    id: int = iq.key()
    counter: int = iq.field()
    number: int = iq.ScopedSequence(counter)

    taken = iq.Transform(TakeTicket, lambda e: Ticket(counter=e.payload.counter))

    @iq.deleted_by(TearUp)
    def torn(self, e: Event[TearUp]) -> bool:
        return self == e.payload.ticket


class NumbersCase(Shape):
    """Tickets are taken at one counter, one number after the other, and thrown away."""

    name = "ScopedSequence"
    models = (Ticket, TakeTicket, TearUp)
    steps = ("take", "tear")
    snapshot = ("SELECT id, counter, number FROM ticket ORDER BY id", "SELECT last FROM sequence_counter", EVENTS)

    SCOPE = "Ticket.number(counter)[1]"

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        tickets = f"INSERT INTO ticket (id, counter, number) {NUMBERS} i, 1, i FROM n"
        counter = f"INSERT INTO sequence_counter VALUES ('{self.SCOPE}', 1, ?)"
        hand.transaction(lambda hand: (hand.run(tickets, (size,)), hand.run(counter, (size,))))

    def request(self, app: iq.Controller, step: str, key: int) -> tuple[object, ...]:
        return (TakeTicket, {"counter": 1}) if step == "take" else (TearUp, {"ticket": loaded(app, Ticket, key)})

    def take(self, hand: Hand, key: int) -> None:
        hand.event("TakeTicket", {"counter": 1})
        hand.run("UPDATE sequence_counter SET last = last + 1 WHERE scope = ?", (self.SCOPE,))
        number = "(SELECT last FROM sequence_counter WHERE scope = ?)"
        hand.insert(f"INSERT INTO ticket (counter, number) VALUES (?, {number})", (1, self.SCOPE))

    def tear(self, hand: Hand, key: int) -> None:
        hand.event("TearUp", {"ticket": key})
        hand.run("DELETE FROM ticket WHERE id = ?", (key,))


OTHERS: Sequence[Case] = (StateCase(), LineCase(), DerivedCase(), FriendsCase(), TotalsCase(), NumbersCase())
