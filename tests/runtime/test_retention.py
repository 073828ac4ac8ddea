"""How long records are kept, and that sweeping them keeps all else right."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@iq.interaction
class Say:
    room: Room
    text: str


@iq.entity
class Room:
    id: int = iq.key()
    name: str
    messages: Many[Message] = iq.many(inverse="room")
    message_count: int = iq.Count(messages)


@iq.entity(retention=iq.Retention(keep=3, per="room", by="at"))
class Message:
    id: uuid.UUID = iq.key()
    room: Room
    text: str
    at: dt.datetime
    said = iq.Transform(Say, lambda e: Message(room=e.payload.room, text=e.payload.text, at=e.at))
    marks: Many[Mark] = iq.many(inverse="message")


@iq.entity
class Mark:
    message: Message = iq.one(on_delete="cascade")


@iq.entity(retention=iq.Retention(older_than=30 * DAY, by="seen_at"))
class Visit:
    id: int = iq.key()
    room: Room | None = iq.one(on_delete="set_null", default=None)
    seen_at: dt.datetime | None = None
    other: dt.datetime = iq.field(default=NOW)


class Chat:
    def __init__(self, database: Database, **options: Any) -> None:
        self.app = iq.Controller(iq.MonoSystem(database), [Room, Message, Mark, Visit, Say], user=Room, **options)
        self.app.setup(install=True)
        self.storage = self.app.system.storage

    def room(self, name: str, *days: int) -> Room:
        room = self.storage.create(Room(name=name))
        for day in days:
            self.storage.create(Message(room=room, text=f"{day}", at=NOW - day * DAY))
        return room

    def texts(self, room: Room) -> list[str]:
        assert self.app.verify() == []
        found = self.storage.query(Message).where(lambda message: message.room == room).all()
        return sorted((message.text for message in found), key=int)


@pytest.fixture
def chat(database: Database) -> Chat:
    return Chat(database)


def test_the_newest_are_kept_of_each(chat: Chat) -> None:
    ada, bob, eve = chat.room("ada", 5, 1, 4, 2, 3), chat.room("bob", 9, 8), chat.room("eve", 1, 2, 3, 4)
    for message in chat.storage.query(Message).where(lambda message: message.text == "5").all():
        chat.storage.create(Mark(message=message))

    assert chat.app.sweep() == {"Message": 3}

    assert (chat.texts(ada), chat.texts(bob), chat.texts(eve)) == (["1", "2", "3"], ["8", "9"], ["1", "2", "3"])
    assert chat.storage.get(Room, ada.id).message_count == 3
    assert chat.storage.query(Mark).count() == 0
    assert chat.app.sweep() == {}


def test_what_is_older_goes_and_what_has_no_age_stays(chat: Chat) -> None:
    for days in (None, 31, 29, 400):
        chat.storage.create(Visit(seen_at=None if days is None else NOW - days * DAY))

    assert chat.app.sweep() == {"Visit": 2}
    assert [visit.seen_at for visit in chat.storage.query(Visit).all()] == [None, NOW - 29 * DAY]


def test_batches_are_transactions_of_their_own(chat: Chat) -> None:
    for _ in range(7):
        chat.storage.create(Visit(seen_at=NOW - 99 * DAY))

    with chat.app.system.database.recording() as recorder:
        assert chat.app.sweep(batch=3) == {"Visit": 7}
    commits = [sql for sql, _ in recorder.statements if sql.startswith("COMMIT")]
    assert len(commits) == 3 + 1 + 1  # three of visits; none of messages, none of requests
    for _ in range(5):
        chat.storage.create(Visit(seen_at=NOW - 99 * DAY))
    assert chat.app.sweep(batch=2, batches=1) == {"Visit": 2}
    assert chat.app.sweep(batch=2, batches=2) == {"Visit": 3}


def test_events_are_kept_for_ever_unless_it_is_said(database: Database) -> None:
    chat = Chat(database)
    room = chat.room("ada")
    for _ in range(5):
        chat.app.dispatch(Say(room=room, text="1"))
    chat.app.sweep()
    assert chat.storage.query(iq.InteractionEvent).count() == 5

    few = Chat(database, events=iq.Retention(keep=2))
    assert few.app.sweep() == {"InteractionEvent": 3}
    assert [event.id for event in few.storage.query(iq.InteractionEvent).all()] == [4, 5]

    old = Chat(database, events=iq.Retention(older_than=DAY))
    assert old.app.sweep() == {}


def test_derived_values_need_not_follow(database: Database) -> None:
    @iq.entity
    class Sensor:
        name: str
        readings: Many[Reading] = iq.many(inverse="sensor")
        total: int = iq.Count(readings)

    @iq.entity(retention=iq.Retention(keep=1, computations=False))
    class Reading:
        id: int = iq.key()
        sensor: Sensor

    app = iq.Controller(iq.MonoSystem(database), [Sensor, Reading])
    app.setup(install=True)
    storage = app.system.storage
    sensor = storage.create(Sensor(name="s"))
    for _ in range(4):
        storage.create(Reading(sensor=sensor))

    assert app.sweep() == {"Reading": 3}
    assert storage.get(Sensor, sensor.id).total == 4


def test_dispatches_go_on_while_it_sweeps(database: Database) -> None:
    chat = Chat(database)
    room = chat.room("ada", *range(1, 40))
    done = threading.Event()
    failures: list[BaseException] = []

    def sweep() -> None:
        try:
            while not done.is_set():
                chat.app.sweep(batch=2)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(40):
        chat.app.dispatch(Say(room=room, text=f"{-number}"))
    done.set()
    for thread in threads:
        thread.join(30)

    assert failures == []
    chat.app.sweep()
    assert chat.texts(room) == ["-39", "-38", "-37"]
    assert chat.storage.get(Room, room.id).message_count == 3


@pytest.mark.parametrize("options", [{"batch": 0}, {"batch": True}, {"batches": -1}, {"batch": "all"}])
def test_wrong_sizes(sqlite_db: iq.SQLiteDB, options: dict[str, Any]) -> None:
    with pytest.raises(iq.InvalidValue, match="takes a number from 1 on, not"):
        Chat(sqlite_db).app.sweep(**options)


# -- what is no retention ---------------------------------------------------------------------


def test_wrong_arguments() -> None:
    hint = "write iq.Retention(keep=1000) or iq.Retention(older_than=timedelta(days=30))"
    given: list[tuple[dict[str, Any], str]] = [
        ({"keep": 1, "older_than": DAY}, "it says how many and how long; a record has one of them"),
        ({"keep": -1}, "keep= takes a number of records, not -1"),
        ({"keep": True}, "keep= takes a number of records, not True"),
        ({"older_than": 30}, "older_than= takes a timedelta longer than none, not 30"),
        ({"older_than": DAY, "per": "room"}, "per= is for keep=, which counts"),
        ({"by": "at"}, "by= is for keep= or older_than=; without them records are kept for ever"),
    ]
    for arguments, message in given:
        with pytest.raises(iq.InvalidEntity) as caught:
            iq.Retention(**arguments)
        assert (caught.value.message, caught.value.hint) == (message, hint)
        assert str(caught.value.location).startswith("tests/runtime/test_retention.py:")


def wrong(retention: Any, message: str, hint: str = "") -> None:
    def declare() -> None:
        @iq.entity(retention=retention)
        class Thing:
            id: uuid.UUID = iq.key()
            name: str | None
            made_at: dt.datetime
            seen_at: dt.datetime
            parts: Many[Part] = iq.many(inverse="thing")

        @iq.entity
        class Part:
            thing: Thing

        iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [Thing, Part])

    with pytest.raises(iq.InvalidEntity) as caught:
        declare()
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_wrong_retentions() -> None:
    wrong(
        iq.Retention(keep=1),
        "it does not say by what to tell the age; the times of Thing are: made_at, seen_at",
        'write by="created_at", for instance',
    )
    wrong(
        iq.Retention(older_than=DAY, by="made"),
        "by='made' is not stored. Did you mean 'made_at'?  There is: id, name, made_at, seen_at.",
    )
    wrong(iq.Retention(older_than=DAY, by="name"), "by='name' is str | None, not a datetime")
    wrong(iq.Retention(keep=1, by="name"), "by='name' is str | None, which has no order for every record")
    wrong(
        iq.Retention(keep=1, by="made_at", per="parts"),
        "per='parts' is not stored. There is: id, name, made_at, seen_at.",
    )
    wrong(
        iq.Retention(keep=1, by="made_at"),
        "Part.thing refers to Thing, and keeps it from being deleted",
        "write thing: Thing = iq.one(on_delete='cascade'), if they go together",
    )
    wrong("long", "retention= takes iq.Retention(...), not 'long'", "write retention=iq.Retention(keep=1000)")


def test_a_controller_is_told_what_events_are_kept(sqlite_db: iq.SQLiteDB) -> None:
    with pytest.raises(iq.SetupError, match=r"events= takes iq.Retention\(...\), not 90"):
        Chat(sqlite_db, events=90)
