"""Eight processes that do one thing at once, and what became of each of their operations.

A workload is a function of one process, ``work(me)``. All processes have a controller of their own
over one database and begin together; what they did comes back as one :class:`Report`.
"""

from __future__ import annotations

import multiprocessing
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import attrs

import interaqt as iq
from interaqt.storage.database import Database
from tests.databases import opened

__all__ = ["PROCESSES", "AtOnce", "Me", "Processes", "Report"]

PROCESSES = 8

#: Seconds after which a workload that is not over has come to a stop. One waits for a lock no longer than half of it.
PATIENCE = 60

R = TypeVar("R")


@attrs.define
class Report:
    """What was done: how often each outcome was, what was noted, and which conflicts were healed on the way."""

    outcomes: Counter[str] = attrs.field(factory=Counter)
    notes: list[Any] = attrs.field(factory=list)
    conflicts: Counter[str] = attrs.field(factory=Counter)
    seconds: float = 0.0

    def add(self, other: Report) -> None:
        self.outcomes += other.outcomes
        self.notes += other.notes
        self.conflicts += other.conflicts
        self.seconds = max(self.seconds, other.seconds)

    def __str__(self) -> str:
        healed = ", ".join(f"{number} {kind}" for kind, number in self.conflicts.most_common()) or "no conflicts"
        return f"{dict(self.outcomes)} in {self.seconds:.2f}s; healed: {healed}"


@attrs.frozen
class Me:
    """One of the processes, as its work sees it."""

    app: iq.Controller
    number: int
    chance: random.Random
    report: Report = attrs.field(factory=Report)

    @property
    def storage(self) -> iq.Storage:
        return self.app.system.storage

    def all(self, cls: type[R]) -> list[R]:
        """Every record of a class, in the order of the keys."""
        return self.storage.query(cls).order_by(lambda each: each.id).all()  # type: ignore[attr-defined]

    def dispatch(self, request: Any, user: Any = None, key: str | None = None) -> iq.DispatchResult | None:
        """Dispatch, and count what came of it; the result, unless it was refused."""
        return self.attempt(lambda: self.app.dispatch(request, user=user, idempotency_key=key))

    def attempt(self, action: Callable[[], R]) -> R | None:
        """Do something, and count what came of it: ``done``, or the code of the refusal."""
        try:
            answer = action()
        except Exception as error:
            outcome = error.code if isinstance(error, iq.InteraqtError) else f"{type(error).__name__}: {error}"
            self.report.outcomes[outcome] += 1
            return None
        self.report.outcomes["done"] += 1
        return answer

    def note(self, value: Any) -> None:
        self.report.notes.append(value)


Work = Callable[[Me], None]


class AtOnce:
    """One database, and the processes that work on it at once."""

    def __init__(self, database: Database, url: str, processes: Processes) -> None:
        self.url = url
        self.reports: dict[str, Report] = {}
        self._database = database
        self._processes = processes
        self._models: Sequence[type] = ()

    def app(self, *models: type) -> iq.Controller:
        """The controller of these models here; each process will have its own."""
        self._models = models
        self.controller = iq.Controller(iq.MonoSystem(self._database), models)
        self.controller.setup(install=True)
        return self.controller

    def __call__(self, work: Work) -> Report:
        """Have every process do the work, all at once."""
        report = Report()
        for each in self._processes.run(self.url, self._models, work):
            report.add(each)
        self.reports[work.__name__] = report
        return report


# -- the processes -----------------------------------------------------------------------------------


class Processes:
    """Processes that wait for work; started once, for that takes longer than most of the work."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.concurrency.processes"])
        self._start = context.Barrier(PROCESSES)
        self._lines: list[Connection] = []
        self._running = []
        for number in range(PROCESSES):
            line, far = context.Pipe()
            process = context.Process(target=_serve, args=(far, self._start, number), daemon=True)
            process.start()
            far.close()
            self._lines.append(line)
            self._running.append(process)

    def run(self, url: str, models: Sequence[type], work: Work) -> Iterable[Report]:
        self._start.reset()
        for line in self._lines:
            line.send((url, models, work))
        waiting, failures = set(self._lines), []
        until = time.monotonic() + PATIENCE
        reports = {}
        while waiting:
            ready = wait(waiting, timeout=max(0.0, until - time.monotonic()))
            if not ready:
                raise AssertionError(f"{len(waiting)} of {PROCESSES} processes are not done after {PATIENCE} seconds")
            for line in ready:
                waiting.discard(line)
                answer = line.recv()
                if isinstance(answer, Report):
                    reports[self._lines.index(line)] = answer
                else:
                    failures.append(answer)
        assert not failures, "\n".join(failures)
        return [reports[number] for number in sorted(reports)]

    def close(self) -> None:
        for line in self._lines:
            line.close()
        for process in self._running:
            process.join(5)
            if process.is_alive():
                process.kill()


def _serve(line: Connection, start: Any, number: int) -> None:
    """The life of a process: work as long as there is any."""
    while True:
        try:
            url, models, work = line.recv()
        except EOFError:
            return
        try:
            answer: Report | str = _done(url, models, work, start, number)
        except BaseException:
            start.abort()
            answer = f"process {number}: {traceback.format_exc()}"
        line.send(answer)


def _done(url: str, models: Sequence[type], work: Work, start: Any, number: int) -> Report:
    database = opened(url, PATIENCE // 2)
    controller = iq.Controller(iq.MonoSystem(database), models)
    controller.setup()
    me = Me(controller, number, random.Random(number))
    _count_conflicts(database, me.report.conflicts)
    try:
        me.all(models[0])  # a connection is there before the start
        start.wait(PATIENCE)
        began = time.perf_counter()
        work(me)
        me.report.seconds = time.perf_counter() - began
    finally:
        controller.system.close()
    return me.report


def _count_conflicts(database: Any, conflicts: Counter[str]) -> None:
    """Note each error for which an attempt is made again."""
    is_retryable = database.is_retryable
    last: list[BaseException] = []

    def counted(error: BaseException) -> bool:
        found: bool = is_retryable(error)
        if found and error not in last:
            last[:] = [error]
            code = getattr(error, "sqlite_errorname", None) or (error.args and error.args[0])
            conflicts[f"{type(error).__name__} {code}" if isinstance(code, int) else type(error).__name__] += 1
        return found

    database.is_retryable = counted
