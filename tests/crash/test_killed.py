"""A process that is killed, wherever it is: all of its dispatch or none of it, and nobody else is held up."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest

import interaqt as iq
from interaqt.storage.database import Database
from tests.crash import market
from tests.crash.market import Bill, Buy, Product, Sale, User
from tests.databases import opened, url_of
from tests.runtime.shop import dump

#: Seconds after which what a killed process held must be free, on a busy machine.
BOUND = 10
STOCK = 100_000


@pytest.fixture
def app(database: Database) -> Iterator[iq.Controller]:
    """A market as others see it, who wait for a lock no longer than that."""
    controller = market.market_in(opened(url_of(database), patience=BOUND), install=True)
    controller.system.storage.create(Product(stock=STOCK))
    controller.system.storage.create(User())
    yield controller
    controller.system.close()


@contextmanager
def running(body: Callable[..., None], *arguments: Any) -> Iterator[tuple[Any, Connection]]:
    """A process, and what it reports; killed at the end at the latest."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.market"])
    heard, report = context.Pipe(duplex=False)
    process = context.Process(target=body, args=(*arguments, report), daemon=True)
    process.start()
    report.close()
    try:
        yield process, heard
    finally:
        process.kill()
        process.join(20)
        heard.close()


def next_from(heard: Connection) -> Any:
    assert heard.poll(60), "the process says nothing"
    return heard.recv()


def consistent(app: iq.Controller) -> None:
    """Events are there exactly where what they mean is, and what is derived of it."""
    assert app.verify() == []
    storage = app.system.storage
    taken = sum(event.payload["quantity"] for event in storage.query(iq.InteractionEvent) if event.interaction == "Buy")
    assert STOCK - sum(product.stock for product in storage.query(Product)) == taken
    assert storage.query(Bill).count() == storage.query(Sale).count()
    if not storage.query(iq.InteractionEvent).where(lambda event: event.interaction == "GiveBack").count():
        numbers = sorted(sale.number for sale in storage.query(Sale))
        assert numbers == [*range(1, len(numbers) + 1)], "a number is missing or there twice"


@pytest.mark.parametrize("request_name", list(market.REQUESTS))
def test_at_every_statement(app: iq.Controller, database: Database, request_name: str) -> None:
    if request_name == "give_back":
        market.buy(app)
        market.buy(app)
    places: list[str] = []
    while not places or places[-1] != "COMMIT":
        before = dump(database)
        with running(market.halted, url_of(database), request_name, len(places)) as (process, heard):
            places.append(next_from(heard))
            unfinished = dump(database)
            process.kill()
            process.join(20)
        after = dump(database)

        if places[-1] == "COMMIT":
            assert before != unfinished == after, "what was committed stays"
        else:
            assert before == unfinished == after, f"nothing is left of what was done up to {places[-1]}"
        consistent(app)

    assert len(places) > 5, places
    begun = time.monotonic()
    market.REQUESTS[request_name](app)
    assert time.monotonic() - begun < BOUND
    consistent(app)
    # Under its key it was done by the process that died after its commit, and is not done again.
    assert (dump(database) == after) == (request_name == "buy_under_a_key")


def test_while_others_wait_for_it(app: iq.Controller, database: Database) -> None:
    """What waits for a lock of a process goes on when that is killed."""
    with running(market.halted, url_of(database), "buy", 6) as (process, heard):
        next_from(heard)
        with running(market.halted, url_of(database), "buy", 10_000) as (_, other):
            assert not other.poll(0.3)
            process.kill()
            assert next_from(other) == "COMMIT"
    assert app.system.storage.query(Sale).count() == 1
    consistent(app)


def test_at_any_moment(app: iq.Controller, database: Database) -> None:
    """Customers die while they buy, and others take over: what each began is done once, whatever was under way."""
    storage = app.system.storage
    storage.create(User())
    url = url_of(database)
    chance = random.Random(7)
    begun = [0, 0]

    for _ in range(12):
        with (
            running(market.customer, url, 0, begun[0]) as (one, from_one),
            running(market.customer, url, 1, begun[1]) as (two, from_two),
        ):
            processes, reports = (one, two), (from_one, from_two)
            for heard in reports:
                assert next_from(heard) == "ready"
            # After some are done by each, at a moment between two lines of Python.
            begun = [next_from(heard) for heard in reports]
            time.sleep(chance.uniform(0, 0.02))
            victim = chance.randrange(2)
            for number in (victim, 1 - victim):
                processes[number].kill()
                processes[number].join(20)
                begun[number] = last_of(reports[number], begun[number])
                if number == victim:
                    # The other one goes on, though it may have waited for a lock of the first.
                    begun[1 - victim] = last_of(reports[1 - victim], begun[1 - victim])
                    begun[1 - victim] = next_from(reports[1 - victim])
        consistent(app)
        by_user = {user.id: user.bought for user in storage.query(User)}
        # All that was reported, and what was done by the one that could not report it any more.
        for bought, reported in zip([by_user[key] for key in sorted(by_user)], begun, strict=True):
            assert bought - reported in (0, 1)

    for number, user in enumerate(storage.query(User).order_by(lambda user: user.id)):
        product = storage.query(Product).one()
        last = Buy(product=product, quantity=1)
        done = storage.query(Sale).where(lambda sale, user=user: sale.user == user).count()
        result = app.dispatch(last, user=user, idempotency_key=f"{number}-{begun[number]}")
        assert result.outcome == ("replayed" if done > begun[number] else "applied")
        assert storage.query(Sale).where(lambda sale, user=user: sale.user == user).count() == begun[number] + 1
    consistent(app)


def last_of(heard: Connection, known: int) -> int:
    """The latest report that was sent."""
    try:
        while heard.poll(0):
            known = heard.recv()
    except EOFError:
        pass
    return known
