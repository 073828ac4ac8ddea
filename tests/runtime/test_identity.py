"""A record with an identity is made once: making it again finds it, whoever makes it and when."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database


@iq.interaction
class Subscribe:
    email: str
    topic: str
    name: str = ""


@attrs.frozen
class Entry:
    email: str
    name: str


@iq.interaction
class Import:
    entries: list[Entry]


@iq.entity(identity=("name",))
class Topic:
    id: uuid.UUID = iq.key()
    name: str
    subscriptions: Many[Subscription] = iq.many(inverse="topic")
    readers: int = iq.Count(subscriptions)


@iq.entity(identity=("email",), identity_conflict="update")
class Reader:
    id: int = iq.key()
    email: str
    name: str = ""
    subscriptions: Many[Subscription] = iq.many(inverse="reader")
    topics: int = iq.Count(subscriptions)
    imported = iq.Transform(Import, lambda e: [Reader(email=each.email, name=each.name) for each in e.payload.entries])


@iq.relation(identity=("reader", "topic"))
class Subscription:
    reader: Reader
    topic: Topic
    made = iq.Transform(
        Subscribe,
        lambda e: Subscription(
            reader=Reader(email=e.payload.email, name=e.payload.name), topic=Topic(name=e.payload.topic)
        ),
    )


@iq.entity(identity=("shop", "number"), identity_conflict="refuse")
class Order:
    id: int = iq.key()
    shop: Shop
    number: str
    total: int


@iq.entity
class Shop:
    name: str
    orders: Many[Order] = iq.many(inverse="shop")
    turnover: int = iq.Summation(orders, lambda order: order.total)


class Magazine:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.app = iq.Controller(
            iq.MonoSystem(database), [Topic, Reader, Subscription, Order, Shop, Subscribe, Import], user=Shop
        )
        self.app.setup(install=True)
        self.storage = self.app.system.storage

    def subscribe(self, email: str, topic: str, name: str = "") -> iq.DispatchResult:
        return self.app.dispatch(Subscribe(email=email, topic=topic, name=name))

    def count(self, cls: type) -> int:
        assert self.app.verify() == []
        return self.storage.query(cls).count()


@pytest.fixture
def magazine(database: Database) -> Magazine:
    return Magazine(database)


def test_creating_it_again_answers_the_stored_one(magazine: Magazine) -> None:
    first = magazine.storage.create(Topic(name="news"))

    again = magazine.storage.create(Topic(name="news"))

    assert again == first
    assert again.id == first.id
    assert magazine.count(Topic) == 1


def test_a_transform_and_what_is_nested_in_it_find_what_is_there(magazine: Magazine) -> None:
    first = magazine.subscribe("ada@x", "news")
    again = magazine.subscribe("ada@x", "news")
    other = magazine.subscribe("ada@x", "sports")

    assert [len(first.created(cls)) for cls in (Reader, Topic, Subscription)] == [1, 1, 1]
    assert [len(again.created(cls)) for cls in (Reader, Topic, Subscription)] == [0, 0, 0]
    assert [len(other.created(cls)) for cls in (Reader, Topic, Subscription)] == [0, 1, 1]
    assert [each.record for each in again.effects] == [iq.InteractionEvent]
    assert (magazine.count(Reader), magazine.count(Topic), magazine.count(Subscription)) == (1, 2, 2)
    assert magazine.storage.query(Reader).one().topics == 2
    assert magazine.storage.query(Topic).where(lambda topic: topic.name == "news").one().readers == 1


def test_other_values_are_kept(database: Database) -> None:
    @iq.entity(identity=("name",), identity_conflict="keep")
    class Tag:
        name: str
        colour: str = "red"

    app = iq.Controller(iq.MonoSystem(database), [Tag])
    app.setup(install=True)
    storage = app.system.storage
    storage.create(Tag(name="a"))

    assert storage.create(Tag(name="a", colour="blue")).colour == "red"


def test_other_values_are_updated_and_nothing_is_said_where_none_differs(magazine: Magazine) -> None:
    magazine.subscribe("ada@x", "news", "Ada")
    renamed = magazine.subscribe("ada@x", "news", "Ada Lovelace")
    again = magazine.subscribe("ada@x", "news", "Ada Lovelace")

    assert [(each.kind, each.record) for each in renamed.effects] == [
        ("create", iq.InteractionEvent),
        ("update", Reader),
    ]
    assert [each.kind for each in again.effects] == ["create"]
    assert magazine.storage.query(Reader).one().name == "Ada Lovelace"


def test_other_values_are_refused(magazine: Magazine) -> None:
    shop = magazine.storage.create(Shop(name="s"))
    other = magazine.storage.create(Shop(name="t"))
    first = magazine.storage.create(Order(shop=shop, number="1", total=5))

    assert magazine.storage.create(Order(shop=shop, number="1", total=5)) == first
    assert magazine.storage.create(Order(shop=other, number="1", total=6)) != first
    with pytest.raises(iq.IdentityConflictError) as caught:
        magazine.storage.create(Order(shop=shop, number="1", total=6))

    assert (caught.value.record, caught.value.key, caught.value.properties) == ("Order", first.id, ("total",))
    assert str(caught.value) == (
        "[identity.conflict]\n"
        "  Order\n"
        f"  there is a Order with shop {shop.id!r}, number '1' already, and its total differs\n"
        '  identity_conflict="update" would change it, "keep" would leave it as it is'
    )
    assert magazine.count(Order) == 2
    assert magazine.storage.get(Shop, shop.id).turnover == 5


def test_many_at_once_some_of_them_the_same(magazine: Magazine) -> None:
    magazine.storage.create(Reader(email="b", name="old"))
    entries = [Entry(email, name) for email, name in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "5"))]

    result = magazine.app.dispatch(Import(entries=entries))

    assert [each.email for each in result.created(Reader)] == ["a", "c"]
    found = {each.email: each.name for each in magazine.storage.query(Reader).all()}
    assert found == {"a": "3", "b": "5", "c": "4"}
    assert magazine.app.dispatch(Import(entries=entries)).created(Reader) == []


def test_it_costs_no_statement_where_it_is_new(magazine: Magazine) -> None:
    magazine.storage.create(Topic(name="a"))
    with magazine.database.recording() as recorder:
        magazine.storage.create(Topic(name="b"))

    inserts = [sql for sql, _ in recorder.statements if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(inserts) == 1
    assert "ON CONFLICT" in inserts[0] or "WHERE NOT EXISTS" in inserts[0]


def test_threads_that_make_the_same_make_one(database: Database) -> None:
    magazine = Magazine(database)
    barrier = threading.Barrier(6)

    def work(number: int) -> list[Any]:
        barrier.wait()
        return [magazine.subscribe(f"r{n % 3}", f"t{n % 2}", f"{number}") for n in range(12)]

    with ThreadPoolExecutor(6) as pool:
        results = [each for some in pool.map(work, range(6)) for each in some]

    made = {cls: sum(len(each.created(cls)) for each in results) for cls in (Reader, Topic, Subscription)}
    assert made == {Reader: 3, Topic: 2, Subscription: 6}
    assert (magazine.count(Reader), magazine.count(Topic), magazine.count(Subscription)) == (3, 2, 6)


def test_threads_that_make_and_delete_the_same(database: Database) -> None:
    magazine = Magazine(database)
    barrier = threading.Barrier(4)

    def work(_: int) -> None:
        barrier.wait()
        for _ in range(15):
            made = magazine.storage.create(Topic(name="a"))
            try:
                magazine.storage.delete(made)
            except iq.RecordNotFound:
                continue

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, n) for n in range(4)]:
            try:
                each.result(60)
            except iq.RecordNotFound:  # read after another thread had deleted it
                continue
    assert magazine.count(Topic) in (0, 1)


# -- what is no identity ---------------------------------------------------------------------


def wrong(message: str, hint: str, **rules: Any) -> None:
    def declare() -> None:
        @iq.entity(**rules)
        class Thing:
            name: str
            nick: str | None = None
            parts: Many[Part] = iq.many(inverse="thing")
            part_count: int = iq.Count(parts)

        @iq.entity
        class Part:
            thing: Thing

        iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [Thing, Part])

    with pytest.raises(iq.InvalidEntity) as caught:
        declare()
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert str(caught.value.location).startswith("tests/runtime/test_identity.py:")


def test_wrong_identities() -> None:
    wrong("identity= takes the names of attributes, not 'name'", 'write identity=("name",)', identity="name")
    wrong(
        "identity_conflict='merge' is none of 'keep', 'update', 'refuse'",
        "'keep' leaves the stored record as it is, 'update' sets the other values, 'refuse' raises where they differ",
        identity=("name",),
        identity_conflict="merge",
    )
    wrong("Thing stores no 'nam'. Did you mean 'name'?  There is: name, nick, part_count, id.", "", identity=("nam",))
    wrong(
        "Thing.nick may be None, and None is not the same as another None",
        "write nick: str, or leave it out of the identity",
        identity=("nick",),
    )
    wrong("Thing.part_count is derived; an identity is what a maker gives", "", identity=("part_count",))
    wrong(
        "Thing.id is the key, which is given when the record is stored; an identity is what a maker gives",
        "",
        identity=("id",),
    )
    wrong("identity=('name', 'name') names an attribute twice", "", identity=("name", "name"))


def test_what_follows_from_other_records_has_no_identity() -> None:
    @iq.entity
    class Source:
        name: str

    @iq.entity(identity=("name",))
    class Derived:
        name: str
        made = iq.Transform(Source, lambda source: Derived(name=source.name))

    with pytest.raises(iq.InvalidEntity) as caught:
        iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [Source, Derived])

    assert caught.value.message == (
        "records of Derived follow from other records (Derived.made), each from one of them"
    )
