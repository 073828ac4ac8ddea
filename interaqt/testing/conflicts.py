"""Conflicts that are really provoked: which of them are worth another attempt, and that one heals them."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Mapping

import interaqt as iq
from interaqt import BusinessTransaction, Many
from interaqt.storage.capability import Conflict
from interaqt.testing.play import BOUND, Bench, Play
from interaqt.testing.schedules import SCHEDULES, write

__all__ = ["HEALED", "healed", "retried"]

#: What two threads can bring about by dispatches alone.
HEALED: frozenset[Conflict] = frozenset({"deadlock", "serialization failure"})


def retried(bench: Bench) -> frozenset[Conflict]:
    """What is run again; whether a lost connection is, is the driver's word where the bench can't sever one."""
    found: set[Conflict] = set()
    for conflict, provoke in _PROVOKED.items():
        if conflict == "lost connection" and bench.sever is None:
            if conflict in bench.database.capability.retried:
                found.add(conflict)
            continue
        bench.new_seats()
        errors = provoke(bench)
        if errors and all(map(bench.database.is_retryable, errors)):
            found.add(conflict)
    return frozenset(found)


def _deadlock(bench: Bench) -> list[BaseException]:
    """Each has changed what the other one is about to."""
    play = bench.play()
    play.first(write(1, lambda: 1))
    play.second(write(2, lambda: 1))
    play.first(write(2, lambda: 2))
    play.second(write(1, lambda: 2))
    play.end()
    assert len(play.errors) <= 1, "both of the two that wait for each other are ended"
    return play.errors


def _serialization_failure(bench: Bench) -> list[BaseException]:
    """One is refused for what the other has done, though nobody had waited for anybody."""
    errors: list[BaseException] = []
    for level in bench.database.capability.isolation:
        for schedule in (SCHEDULES["lost update"], SCHEDULES["write skew"]):
            bench.new_seats()
            play: Play = bench.play(level)
            schedule(play)
            errors += [] if play.waited else play.errors
    return errors


def _lock_timeout(bench: Bench) -> list[BaseException]:
    """One holds a row for longer than the other one is told to wait for it."""
    database = bench.database
    errors: list[BaseException] = []

    def wait() -> None:
        tx = None
        try:
            tx = database.begin()
            database.limit_waiting(tx, dt.timedelta(seconds=1))
            write(1, lambda: 2)(tx)
        except Exception as error:
            errors.append(error)
        finally:
            if tx is not None:
                tx.rollback()

    holding = database.begin()
    waiting = threading.Thread(target=wait, daemon=True)
    try:
        write(1, lambda: 1)(holding)
        waiting.start()
        waiting.join(BOUND / 2)
    finally:
        holding.rollback()
    waiting.join(BOUND)
    return errors


def _lost_connection(bench: Bench) -> list[BaseException]:
    assert bench.sever is not None
    tx = bench.database.begin()
    try:
        write(1, lambda: 1)(tx)
        bench.sever(tx)
        write(2, lambda: 1)(tx)
    except Exception as error:
        return [error]
    finally:
        tx.rollback()
    raise AssertionError("a transaction goes on without its connection")


_PROVOKED: Mapping[Conflict, Callable[[Bench], list[BaseException]]] = {
    "deadlock": _deadlock,
    "serialization failure": _serialization_failure,
    "lock timeout": _lock_timeout,
    "lost connection": _lost_connection,
}


# -- healing -----------------------------------------------------------------------------------


@iq.entity
class Purse:
    id: int = iq.key()
    coins: Many[Coin] = iq.many(inverse="purse")
    worth: int = iq.Summation(coins, of=lambda coin: coin.worth)


@iq.interaction
class Put:
    purse: Purse
    worth: int


@iq.entity
class Coin:
    id: int = iq.key()
    purse: Purse
    worth: int

    put = iq.Transform(Put, lambda e: Coin(purse=e.payload.purse, worth=e.payload.worth))


def healed(bench: Bench) -> frozenset[Conflict]:
    """Which of two conflicts make a function of ``transact`` be called again, until both have done what they should."""
    app = iq.Controller(iq.MonoSystem(bench.database), [Purse, Put, Coin])
    app.setup(install=True)
    found: set[Conflict] = set()
    if _attempts(app, crosswise=True, isolation=None) > 2:
        found.add("deadlock")
    strongest = list(bench.database.capability.isolation)[-1]
    if "serialization failure" in bench.database.capability.retried:
        _attempts(app, crosswise=False, isolation=strongest)
        found.add("serialization failure")
    assert app.verify() == [], "after conflicts that were healed, derived values are wrong"
    return frozenset(found)


def _attempts(app: iq.Controller, *, crosswise: bool, isolation: str | None) -> int:
    """How often two functions were called in all: each fills both purses, or one by what it finds in it."""
    storage = app.system.storage
    left, right = (storage.create(Purse()) for _ in range(2))
    # Both are in the middle at once, at their first attempts, unless one has to wait for the other one.
    both = threading.Barrier(2)
    calls: list[Purse] = []
    errors: list[BaseException] = []

    def meet() -> None:
        if len(calls) <= 2:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(2)

    def cross(first: Purse, second: Purse) -> Callable[[BusinessTransaction], None]:
        def work(tx: BusinessTransaction) -> None:
            calls.append(first)
            tx.dispatch(Put(purse=first, worth=1))
            meet()
            tx.dispatch(Put(purse=second, worth=1))

        return work

    def double(tx: BusinessTransaction) -> None:
        calls.append(left)
        worth = storage.get(Purse, left.id).worth
        meet()
        tx.dispatch(Put(purse=left, worth=worth + 1))

    def run(work: Callable[[BusinessTransaction], None]) -> None:
        try:
            app.transact(work, isolation=isolation)
        except BaseException as error:
            errors.append(error)

    works = (cross(left, right), cross(right, left)) if crosswise else (double, double)
    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
        assert not thread.is_alive(), "a transaction hangs"
    assert not errors, f"a conflict is shown to the caller: {errors[0]}"
    worth = [storage.get(Purse, purse.id).worth for purse in (left, right)]
    # One after the other: 0 + 1 = 1, and 1 + (1 + 1) = 3.
    assert worth == ([2, 2] if crosswise else [3, 0]), f"two transactions end at {worth}"
    return len(calls)
