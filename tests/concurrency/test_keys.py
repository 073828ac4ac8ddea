"""What must be there once is there once: requests that are sent again, and records known by values of their own."""

from __future__ import annotations

from collections import defaultdict

import interaqt as iq
from interaqt import Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class Pay:
    purse: Purse
    amount: int


@iq.entity
class Purse:
    id: int = iq.key()
    payments: Many[Payment] = iq.many(inverse="purse")

    spent: int = iq.Summation(payments, of=lambda payment: payment.amount)


@iq.entity
class Payment:
    id: int = iq.key()
    purse: Purse
    amount: int

    paid = iq.Transform(Pay, lambda e: Payment(purse=e.payload.purse, amount=e.payload.amount))


def the_same_requests(me: Me) -> None:
    """Each with the key that it has for everybody."""
    (purse,) = me.all(Purse)
    for number in range(15):
        result = me.dispatch(Pay(purse=purse, amount=number), key=f"payment-{number}")
        if result is not None:
            me.note((number, str(result.outcome), result.event.id, [each.id for each in result.created(Payment)]))


def test_a_request_that_all_send_is_done_once_and_answered_alike(at_once: AtOnce) -> None:
    storage = at_once.app(Purse, Payment, Pay).system.storage
    storage.create(Purse())

    report = at_once(the_same_requests)

    assert report.outcomes == {"done": PROCESSES * 15}
    answers = defaultdict(list)
    for number, outcome, event, made in report.notes:
        answers[number].append((outcome, event, made))
    for found in answers.values():
        assert sorted(outcome for outcome, *_ in found) == ["applied"] + ["replayed"] * (PROCESSES - 1)
        assert len({(event, *made) for _, event, made in found}) == 1
    assert storage.query(Payment).count() == storage.query(iq.InteractionEvent).count() == 15
    assert storage.query(Purse).one().spent == sum(range(15))


@iq.interaction
class Subscribe:
    email: str
    topics: list[str]


@iq.entity(identity=("name",))
class Topic:
    id: int = iq.key()
    name: str
    subscriptions: Many[Subscription] = iq.many(inverse="topic")

    readers: int = iq.Count(subscriptions)


@iq.entity(identity=("email",))
class Reader:
    id: int = iq.key()
    email: str
    subscriptions: Many[Subscription] = iq.many(inverse="reader")

    topics: int = iq.Count(subscriptions)


@iq.relation(identity=("reader", "topic"))
class Subscription:
    id: int = iq.key()
    reader: Reader
    topic: Topic

    made = iq.Transform(
        Subscribe,
        lambda e: [
            Subscription(reader=Reader(email=e.payload.email), topic=Topic(name=name)) for name in e.payload.topics
        ],
    )


def the_same_subscriptions(me: Me) -> None:
    """Of few readers to few topics, two at a time, in whatever order: nobody knows who is first."""
    for _ in range(15):
        reader, topics = me.chance.randrange(4), me.chance.sample(range(6), 2)
        me.dispatch(Subscribe(email=f"{reader}@example.org", topics=[f"topic {number}" for number in topics]))


def test_of_what_all_make_there_is_one(at_once: AtOnce) -> None:
    storage = at_once.app(Reader, Topic, Subscription, Subscribe).system.storage

    assert at_once(the_same_subscriptions).outcomes == {"done": PROCESSES * 15}

    asked = set()
    for event in storage.query(iq.InteractionEvent):
        asked |= {(event.payload["email"], topic) for topic in event.payload["topics"]}
    found = [(each.reader.email, each.topic.name) for each in storage.query(Subscription)]
    assert len(found) == len(set(found))
    assert set(found) == asked
    assert sum(topic.readers for topic in storage.query(Topic)) == len(asked)
    assert len({reader.email for reader in storage.query(Reader)}) == storage.query(Reader).count()
