"""Several processes compute what is asked for asynchronously: each task is done once, whoever dies in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from interaqt.storage.database import Database
from tests.concurrency.processes import PROCESSES, AtOnce, Me
from tests.databases import opened, url_of

WORKERS = 4


def digest(number: int, revision: int, log: str) -> str:
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{number}.{revision}\n")
    time.sleep(0.01)
    return f"{number}.{revision}"


@iq.interaction
class Revise:
    sheet: Sheet
    revision: int


@iq.entity
class Folder:
    id: int = iq.key()
    log: str
    sheets: Many[Sheet] = iq.many(inverse="folder")

    digests: int = iq.Count(sheets, where=lambda sheet: sheet.digest is not None)


@iq.entity
class Sheet:
    id: int = iq.key()
    folder: Folder
    number: int
    revision: int = iq.field(default=0, changes=iq.on(Revise, set=lambda e: e.payload.revision))

    digest: str | None = iq.Custom(
        reads=lambda sheet: (sheet.number, sheet.revision, sheet.folder.log),
        compute=digest,
        asynchronous=iq.Asynchronous(lease=timedelta(seconds=1)),
    )


MODELS = (Folder, Sheet, Revise)
SHEETS = 60


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "computed"


def folder(app: iq.Controller, log: Path) -> Folder:
    found = app.system.storage.create(Folder(log=str(log)))
    for number in range(SHEETS):
        app.system.storage.create(Sheet(folder=found, number=number))
    return found


def computed(log: Path) -> Counter[str]:
    return Counter(log.read_text("utf-8").splitlines())


def work_off(me: Me) -> None:
    if me.number < WORKERS:
        report = iq.Worker(me.app, concurrency=2).run(until_idle=True)
        me.note((report.done, report.total))


def test_each_task_is_done_once(at_once: AtOnce, log: Path) -> None:
    app = at_once.app(*MODELS)
    found = folder(app, log)

    notes = at_once(work_off).notes

    assert sum(done for done, _ in notes) == sum(total for _, total in notes) == SHEETS
    assert computed(log) == {f"{number}.0": 1 for number in range(SHEETS)}
    assert app.system.storage.get(Folder, found.id).digests == SHEETS
    assert app.tasks() == []


def revising(me: Me) -> None:
    """Half of them revise while the others compute."""
    sheets = me.all(Sheet)[:10]
    if me.number < WORKERS:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            iq.Worker(me.app, concurrency=3).run(until_idle=True)
        return
    for each in range(25):
        me.dispatch(Revise(sheet=me.chance.choice(sheets), revision=100 * me.number + each))


def test_what_is_written_in_the_end_is_computed_of_what_there_is_in_the_end(at_once: AtOnce, log: Path) -> None:
    app = at_once.app(*MODELS)
    found = folder(app, log)

    assert at_once(revising).outcomes == {"done": (PROCESSES - WORKERS) * 25}

    app.run_tasks()
    assert app.tasks() == []
    for sheet in app.system.storage.query(Sheet):
        assert sheet.digest == f"{sheet.number}.{sheet.revision}"
    assert app.system.storage.get(Folder, found.id).digests == SHEETS


def serve(url: str) -> None:
    """The life of a worker's process."""
    app = iq.Controller(iq.MonoSystem(opened(url, 30)), MODELS)
    app.setup()
    iq.Worker(app, concurrency=2).run(poll=0.05)


@pytest.fixture
def workers(database: Database) -> Iterator[list[Any]]:
    context = multiprocessing.get_context("forkserver")
    found = [context.Process(target=serve, args=(url_of(database),), daemon=True) for _ in range(WORKERS)]
    yield found
    for each in found:
        if each.is_alive():
            each.kill()
        each.join(10)


def test_a_worker_that_is_killed_leaves_nothing_undone(at_once: AtOnce, workers: list[Any], log: Path) -> None:
    app = at_once.app(*MODELS)
    found = folder(app, log)
    log.touch()
    for each in workers:
        each.start()
    _wait_for(lambda: len(computed(log)) > 10)
    os.kill(workers[0].pid, signal.SIGKILL)

    _wait_for(lambda: not app.tasks())

    assert app.system.storage.get(Folder, found.id).digests == SHEETS
    times = computed(log)
    assert set(times) == {f"{number}.0" for number in range(SHEETS)}
    # Nothing is done twice but what the one had begun.
    assert sum(number - 1 for number in times.values()) <= 2


def _wait_for(condition: Any) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
