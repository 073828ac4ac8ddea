"""Several processes at once: nothing is lost, nothing is torn, and no conflict is left for the caller to heal."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import interaqt as iq
from interaqt.storage.database import Database
from tests.databases import url_of
from tests.runtime.bank import Account, Bank, Like, Post, User, controller_of, process

PROCESSES = 4

Together = Callable[[str], Counter[str]]


@pytest.fixture
def url(database: Database) -> str:
    return url_of(database)


@pytest.fixture
def app(url: str) -> Iterator[iq.Controller]:
    controller = controller_of(url, install=True)
    yield controller
    assert controller.verify() == []
    controller.system.close()


@pytest.fixture
def together(url: str, app: iq.Controller, record_property: Callable[[str, object], None]) -> Together:
    """Does some work in several processes at once; answers how often each outcome was."""

    def run(work: str) -> Counter[str]:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.runtime.bank"])
        start, reports = context.Barrier(PROCESSES), context.Queue()
        running = [
            context.Process(target=process, args=(url, work, number, start, reports)) for number in range(PROCESSES)
        ]
        for each in running:
            each.start()
        outcomes: Counter[str] = Counter()
        retries, seconds = 0, 0.0
        for _ in running:
            report: dict[str, Any] = reports.get(timeout=60)
            outcomes.update(report["outcomes"])
            retries += report["retries"]
            seconds = max(seconds, report["seconds"])
        for each in running:
            each.join(20)
        record_property("retries", f"{retries} of {sum(outcomes.values())} in {seconds:.2f}s")
        print(f"{work}: {dict(outcomes)}, {retries} retries, {seconds:.2f}s")
        return outcomes

    return run


def test_likes_and_unlikes_of_one_post(app: iq.Controller, together: Together) -> None:
    storage = app.system.storage
    storage.create(Post())
    for number in range(1 + PROCESSES):
        storage.create(User(name=str(number)))

    outcomes = together("likes")

    # Who likes what he likes already is told so by the relation's own rule, not by a conflict.
    assert set(outcomes) <= {"done", "constraint.unique"}
    post = storage.query(Post).one()
    assert post.like_count == storage.query(Like).count() == len(post.likes)
    assert sum(user.likes_given for user in storage.query(User)) == post.like_count
    assert storage.query(iq.InteractionEvent).count() == outcomes["done"]


def test_two_posts_liked_in_either_order(app: iq.Controller, together: Together) -> None:
    storage = app.system.storage
    for _ in range(2):
        storage.create(Post())
    for number in range(PROCESSES):
        storage.create(User(name=str(number)))

    assert together("crossing") == {"done": PROCESSES * 60}

    assert [post.like_count for post in storage.query(Post)] == [0, 0]
    assert storage.query(Like).count() == 0


def test_of_an_approval_and_a_rejection_one_wins(app: iq.Controller, together: Together) -> None:
    storage = app.system.storage
    posts = [storage.create(Post()) for _ in range(25)]

    outcomes = together("decisions")

    assert outcomes == {"done": len(posts), "condition.rejected": (PROCESSES - 1) * len(posts)}
    events = Counter(event.interaction for event in storage.query(iq.InteractionEvent))
    stored = Counter(post.status for post in storage.query(Post))
    assert (stored["approved"], stored["rejected"]) == (events["Approve"], events["Reject"])
    assert stored["new"] == 0


def test_money_is_neither_made_nor_lost_and_nobody_overdraws(app: iq.Controller, together: Together) -> None:
    storage = app.system.storage
    bank = storage.create(Bank())
    accounts = [storage.create(Account(bank=bank, balance=100)) for _ in range(4)]

    outcomes = together("transfers")

    assert set(outcomes) <= {"done", "condition.rejected"}
    expected = {account.id: 100 for account in accounts}
    for event in storage.query(iq.InteractionEvent):
        expected[event.payload["source"]] -= event.payload["amount"]
        expected[event.payload["target"]] += event.payload["amount"]
    stored = {account.id: account.balance for account in storage.query(Account)}
    assert stored == expected
    assert min(stored.values()) >= 0
    assert storage.query(Bank).one().total == sum(stored.values()) == 400
    assert storage.query(iq.InteractionEvent).count() == outcomes["done"]
