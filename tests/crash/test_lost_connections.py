"""Connections that the server ends while dispatches are going on: whatever was under way, each is done once."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pymysql
import pytest

import interaqt as iq
from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.database import Database
from tests.crash import market
from tests.crash.market import Bill, Buy, Product, Sale, User

CUSTOMERS = 4
KILLS = 60
#: So many dispatches are done between two kills that none is unlucky five times.
PAUSE = 6


class Desk:
    """Dispatches from several threads, each over connections of its own, which somebody ends now and then."""

    def __init__(self, server: Database, end: Callable[[Database, random.Random], None]) -> None:
        self.server = server
        self.apps = [market.market_in(_again(server)) for _ in range(CUSTOMERS)]
        self.outcomes: Counter[str] = Counter()
        self.over = threading.Event()
        self._end = end
        self._done = threading.Semaphore(0)

    def work(self, number: int, request: Callable[[iq.Controller, int, int], None]) -> None:
        for each in itertools.count():
            if self.over.is_set():
                return
            try:
                request(self.apps[number], number, each)
                outcome = "done"
            except iq.CommitUnknown:
                outcome = "unknown"
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            self.outcomes[f"{number} {outcome}"] += 1
            self._done.release()

    def kill(self) -> None:
        chance = random.Random(11)
        last = -1
        try:
            for _ in range(KILLS):
                for _ in range(PAUSE):
                    assert self._done.acquire(timeout=60), "nobody gets on"
                self.over.wait(chance.uniform(0, 0.004))
                last = chance.choice([number for number in range(CUSTOMERS) if number != last])
                self._end(self.apps[last].system.database, chance)
        finally:
            self.over.set()

    def run(self, request: Callable[[iq.Controller, int, int], None]) -> Counter[str]:
        with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
            working = [pool.submit(self.work, number, request) for number in range(CUSTOMERS)]
            pool.submit(self.kill).result(120)
            for each in working:
                each.result(60)
        for app in self.apps:
            app.system.close()
        return self.outcomes


def _again(server: Database) -> Database:
    if isinstance(server, MySQLDB):
        return MySQLDB(**server.arguments)
    assert isinstance(server, PostgreSQLDB)
    return PostgreSQLDB(server.dsn)


def _backends(database: Database) -> list[int]:
    """The connections of the database object, as the server counts them."""
    found = []
    for session in list(database._sessions):  # type: ignore[attr-defined]
        connection = session.connection
        found.append(connection.info.backend_pid if isinstance(database, PostgreSQLDB) else connection.thread_id())
    return found


@pytest.fixture
def end(server: Database) -> Iterator[Callable[[Database, random.Random], None]]:
    """Ends one of a database's connections, from another one."""
    if isinstance(server, PostgreSQLDB):
        with psycopg.connect(server.dsn, autocommit=True) as admin:

            def terminate(database: Database, chance: random.Random) -> None:
                for pid in _backends(database):
                    admin.execute("SELECT pg_terminate_backend(%s)", (pid,))

            yield terminate
    else:
        assert isinstance(server, MySQLDB)
        with pymysql.connect(**server.arguments) as admin, admin.cursor() as cursor:

            def kill(database: Database, chance: random.Random) -> None:
                for number in _backends(database):
                    try:
                        cursor.execute(f"KILL {number}")
                    except pymysql.err.OperationalError as error:
                        if error.args[0] != 1094:  # it is gone already
                            raise

            yield kill


@pytest.fixture
def app(server: Database) -> iq.Controller:
    controller = market.market_in(server, install=True)
    for _ in range(3):
        controller.system.storage.create(Product(stock=100_000))
    for _ in range(CUSTOMERS):
        controller.system.storage.create(User())
    return controller


def _product(app: iq.Controller, each: int) -> Product:
    return app.system.storage.get(Product, 1 + each % 3)


def test_under_a_key_nobody_notices(
    app: iq.Controller, server: Database, end: Callable[[Database, random.Random], None]
) -> None:
    def buy(app: iq.Controller, number: int, each: int) -> None:
        user = app.system.storage.get(User, number + 1)
        app.dispatch(Buy(product=_product(app, each), quantity=1), user=user, idempotency_key=f"{each}")

    outcomes = Desk(server, end).run(buy)

    assert set(outcomes) == {f"{number} done" for number in range(CUSTOMERS)}
    for number, user in enumerate(app.system.storage.query(User).order_by(lambda user: user.id)):
        assert user.bought == outcomes[f"{number} done"]
    _consistent(app, sum(outcomes.values()))


def test_without_one_what_is_unknown_is_told_and_all_else_healed(
    app: iq.Controller, server: Database, end: Callable[[Database, random.Random], None]
) -> None:
    def buy(app: iq.Controller, number: int, each: int) -> None:
        user = app.system.storage.get(User, number + 1)
        app.dispatch(Buy(product=_product(app, each), quantity=1), user=user)

    outcomes = Desk(server, end).run(buy)

    kinds = {outcome.split(" ", 1)[1] for outcome in outcomes}
    assert kinds <= {"done", "unknown"}
    bought = 0
    for number, user in enumerate(app.system.storage.query(User).order_by(lambda user: user.id)):
        done, unknown = outcomes[f"{number} done"], outcomes[f"{number} unknown"]
        assert done <= user.bought <= done + unknown
        bought += user.bought
    _consistent(app, bought)


def test_many_at_once_are_all_done_or_none(
    app: iq.Controller, server: Database, end: Callable[[Database, random.Random], None]
) -> None:
    def buy(app: iq.Controller, number: int, each: int) -> None:
        user = app.system.storage.get(User, number + 1)
        app.dispatch_many([Buy(product=_product(app, each), quantity=1)] * 2, user=user)

    outcomes = Desk(server, end).run(buy)

    assert {outcome.split(" ", 1)[1] for outcome in outcomes} <= {"done", "unknown"}
    bought = 0
    for number, user in enumerate(app.system.storage.query(User).order_by(lambda user: user.id)):
        done, unknown = outcomes[f"{number} done"], outcomes[f"{number} unknown"]
        assert user.bought % 2 == 0
        assert done <= user.bought // 2 <= done + unknown
        bought += user.bought
    _consistent(app, bought)


def _consistent(app: iq.Controller, bought: int) -> None:
    assert app.verify() == []
    storage = app.system.storage
    events = sum(event.interaction == "Buy" for event in storage.query(iq.InteractionEvent))
    assert storage.query(Sale).count() == storage.query(Bill).count() == events == bought
    assert sum(product.stock for product in storage.query(Product)) == 300_000 - bought
