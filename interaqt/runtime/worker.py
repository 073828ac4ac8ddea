"""The worker: computes what is asked for asynchronously, so many at a time, for as long as it is told.

It needs no other server than the database. Where nothing is due it looks again after a while; what
another process asks for is found then.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import attrs

from interaqt.core.errors import InvalidValue
from interaqt.runtime.custom_inputs import Given
from interaqt.runtime.custom_values import CustomValues, finished
from interaqt.runtime.tasks import Claimed, Ending, Tasks

if TYPE_CHECKING:
    from interaqt.runtime.controller import Controller

__all__ = ["TaskReport", "Worker", "work_off"]

T = TypeVar("T")

_log = logging.getLogger("interaqt.worker")


@attrs.define
class TaskReport:
    """What became of the tasks that were done, counted.

    ``done``: the value is written. ``stale``: it was asked for anew meanwhile, so what was computed
    counts no more. ``gone``: its record is deleted. ``again``: it did not succeed, and is tried again
    later. ``failed``: it was tried as often as it may be.
    """

    done: int = 0
    stale: int = 0
    gone: int = 0
    again: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.done + self.stale + self.gone + self.again + self.failed

    def add(self, ending: Ending) -> None:
        setattr(self, ending, getattr(self, ending) + 1)


class Worker:
    """``iq.Worker(app).run()`` computes what is asked for, until it is stopped.

    ``concurrency`` is how many are computed at a time: those that are ``async def`` in one event
    loop, the others each in a thread. Any number of workers, in any number of processes, share what
    is due.
    """

    def __init__(self, controller: Controller, *, concurrency: int = 4) -> None:
        if type(concurrency) is not int or concurrency < 1:
            raise InvalidValue(f"concurrency= takes a number from 1 on, not {concurrency!r}", code="worker.concurrency")
        self._tasks = controller._ready_tasks()
        self._concurrency = concurrency
        self._claim = uuid.uuid4().hex

    def run(self, *, until_idle: bool = False, stop: threading.Event | None = None, poll: float = 1.0) -> TaskReport:
        """Work until nothing is due, or for ever; when ``stop`` is set, what was begun is done, and no more.

        ``poll`` is how many seconds pass, at most, until it looks again for what others ask for.
        """
        return finished(self.serve(until_idle=until_idle, stop=stop, poll=poll))  # type: ignore[no-any-return]

    async def serve(
        self, *, until_idle: bool = False, stop: threading.Event | None = None, poll: float = 1.0
    ) -> TaskReport:
        """The same in an event loop that is running already."""
        with ThreadPoolExecutor(self._concurrency + 2, "interaqt-worker") as threads:
            shift = _Shift(self._tasks, self._claim, self._concurrency, threads)
            return await shift.work(until_idle, stop or threading.Event(), poll)


class _Shift:
    """One time that a worker works."""

    def __init__(self, tasks: Tasks, claim: str, concurrency: int, threads: ThreadPoolExecutor) -> None:
        self._tasks = tasks
        self._claim = claim
        self._concurrency = concurrency
        self._threads = threads
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._report = TaskReport()

    async def work(self, until_idle: bool, stop: threading.Event, poll: float) -> TaskReport:
        extending = asyncio.create_task(self._extend())
        try:
            while not stop.is_set():
                begun = await self._begin(until_idle)
                if not begun and not self._running and until_idle:
                    break
                if not begun or len(self._running) >= self._concurrency:
                    await self._wait(stop, poll)
            while self._running:
                await asyncio.wait(self._running)
        finally:
            extending.cancel()
            await self._give_back()
        return self._report

    async def _begin(self, until_idle: bool) -> bool:
        """Begin what is due, as far as there is room; answers whether anything was."""
        room = self._concurrency - len(self._running)
        if not room:
            return False
        try:
            claimed = await self._call(lambda: self._tasks.claim(room, self._claim))
            given = await self._call(lambda: self._tasks.given(claimed)) if claimed else {}
        except Exception:
            if until_idle:
                raise
            # A database that does not answer now may do so later; what was claimed comes again.
            _log.exception("nothing could be claimed")
            return False
        for each in claimed:
            running = asyncio.create_task(self._do(each, given[each.id]))
            self._running[running] = each
            running.add_done_callback(self._running.pop)
        return bool(claimed)

    async def _wait(self, stop: threading.Event, poll: float) -> None:
        """Wait until something is done, it is time to look again, or to stop."""
        if self._running:
            waiting = asyncio.wait(self._running, timeout=poll, return_when=asyncio.FIRST_COMPLETED)
            await waiting
        else:
            await self._call(lambda: stop.wait(poll))

    async def _do(self, task: Claimed, given: Given | None) -> None:
        try:
            self._report.add(await self._ending(task, given))
        except Exception:
            # Its lease ends, and then it is tried again.
            _log.exception("what became of task %s could not be written", task.id)

    async def _ending(self, task: Claimed, given: Given | None) -> Ending:
        if given is None:
            return await self._call(lambda: self._tasks.drop(task))
        try:
            kept = await CustomValues(task.rule).awaited(given, self._call)
            return await self._call(lambda: self._tasks.finish(task, kept))
        except Exception as error:
            failure = error
        _log.warning("%s of %r: %s", task.rule, task.host, failure)
        return await self._call(lambda: self._tasks.fail(task, failure))

    async def _extend(self) -> None:
        """Say now and then that what is running is running."""
        while True:
            await asyncio.sleep(self._tasks.shortest_lease / 3)
            try:
                await self._call(lambda: self._tasks.extend(list(self._running.values())))
            except Exception:
                _log.exception("leases could not be extended")

    async def _give_back(self) -> None:
        """What is interrupted is somebody else's to do."""
        for running, task in list(self._running.items()):
            running.cancel()
            self._tasks.give_back(task)

    def _call(self, function: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function)


def work_off(tasks: Tasks, limit: int | None) -> TaskReport:
    """Do what is due one after the other, here, at most so many."""
    report = TaskReport()
    claim = uuid.uuid4().hex
    while limit is None or report.total < limit:
        claimed = tasks.claim(1, claim)
        if not claimed:
            break
        (task,) = claimed
        (given,) = tasks.given(claimed).values()
        report.add(_done(tasks, task, given))
    return report


def _done(tasks: Tasks, task: Claimed, given: Given | None) -> Ending:
    if given is None:
        return tasks.drop(task)
    try:
        return tasks.finish(task, CustomValues(task.rule).computed(given))
    except Exception as error:
        return tasks.fail(task, error)
