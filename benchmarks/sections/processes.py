"""Several processes at once: on one row that all of them change, and each on a row of its own."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import pymysql

import interaqt as iq
from benchmarks.case import loaded
from benchmarks.cases.baskets import AddItem, BasketCase, keep_sum, summation
from benchmarks.hand import Hand
from benchmarks.places import Place, Where
from benchmarks.report import Line, Options, Section
from benchmarks.timing import Ours, installed

__all__ = ["PROCESSES"]

ROUNDS = 5

#: One operation on the basket with that key; answers how often it had to be done again.
Work = Callable[[int], int]


class SumCase(BasketCase):
    """Items are added; there is a basket for each process."""

    def __init__(self) -> None:
        super().__init__("Summation", summation, keep_sum)

    def fill(self, app: iq.Controller, hand: Hand, size: int, operations: int) -> None:
        for _ in range(operations):
            app.system.storage.create(self.basket())


def processes(options: Options, folder: Path) -> Iterator[Line]:
    for place in options.places:
        yield from _on(place, options.processes, options.batch)


def _on(place: Place, number: int, operations: int) -> Iterator[Line]:
    case = SumCase()
    with ExitStack() as stack:
        teams = {}
        for side in ("handwritten", "ours"):
            where = stack.enter_context(place.fresh())
            installed(where, case, 0, number)
            teams[side] = stack.enter_context(Team(where, side, number))
        for what, spread in ((f"{number} processes, one row", False), (f"{number} processes, a row each", True)):
            taken: dict[str, list[float]] = {side: [] for side in teams}
            again = dict.fromkeys(teams, 0)
            for turn in range(ROUNDS + 1):
                for side, team in teams.items():
                    seconds, repeated = team.work(operations, spread)
                    if turn:
                        taken[side].append(seconds / (number * operations) * 1e6)
                        again[side] += repeated
            theirs, mine = (statistics.median(taken[side]) for side in teams)
            done = ROUNDS * number * operations
            told = " and ".join(f"{again[side] / done:.1%}" for side in teams)
            yield Line(what, place.name, theirs, mine, None, {"done again": told})
        for team in teams.values():
            team.check()


class Team:
    """Processes of one side over one database, waiting for work."""

    def __init__(self, where: Where, side: str, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._where = where
        self._lines: list[Connection] = []
        self._processes = []
        for place in range(number):
            line, far = context.Pipe()
            process = context.Process(target=_serve, args=(far, where, side, place), daemon=True)
            process.start()
            self._lines.append(line)
            self._processes.append(process)
        for line in self._lines:
            line.recv()

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *error: object) -> None:
        for line in self._lines:
            line.close()
        for process in self._processes:
            process.terminate()
            process.join(5)

    def work(self, operations: int, spread: bool) -> tuple[float, int]:
        """Seconds until all are done, and how often something was done again."""
        began = perf_counter()
        for line in self._lines:
            line.send((operations, spread))
        repeated = sum(line.recv() for line in self._lines)
        return perf_counter() - began, repeated

    def check(self) -> None:
        ours = Ours(self._where, SumCase().models)
        ours.check()
        ours.close()


def _serve(line: Connection, where: Where, side: str, place: int) -> None:
    work = _ours(where) if side == "ours" else _by_hand(where.hand())
    line.send("ready")
    while True:
        try:
            operations, spread = line.recv()
        except EOFError:
            return
        line.send(sum(work(1 + place if spread else 1) for _ in range(operations)))


def _ours(where: Where) -> Work:
    case = SumCase()
    system = iq.MonoSystem(where.open())
    app = iq.Controller(system, case.models)
    app.setup()
    baskets: dict[int, Any] = {}
    repeated = [0]
    is_retryable = system.database.is_retryable

    def counted(error: BaseException) -> bool:
        found = is_retryable(error)
        repeated[0] += found
        return found

    system.database.is_retryable = counted  # type: ignore[method-assign]

    def work(key: int) -> int:
        if key not in baskets:
            baskets[key] = loaded(app, case.basket, key)
        before = repeated[0]
        app.dispatch(AddItem(basket=baskets[key], price=3, place=1))
        return repeated[0] - before

    return work


def _by_hand(hand: Hand) -> Work:
    case = SumCase()

    def work(key: int) -> int:
        repeated = 0
        while True:
            try:
                hand.transaction(case.add, key, 3, 1)
            except pymysql.OperationalError:
                # Two that add an item hold the basket, and each waits for the other to change it.
                repeated += 1
            else:
                return repeated

    return work


PROCESSES = Section(
    "processes", "Several processes at once", "handwritten", "ours", "microseconds for each operation", processes
)
