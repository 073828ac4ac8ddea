"""Asynchronous computations: asked for in the transaction, computed by a worker, written if still asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import shape

asked: list[str] = []
"""What was computed, in order."""

failing: set[str] = set()
"""What can't be computed now."""

meanwhile: list[Callable[[], Any]] = []
"""What happens while something is computed."""

NOW = iq.Asynchronous(attempts=3, backoff=dt.timedelta(0))


async def summary_of(title: str, body: str) -> str:
    asked.append(body)
    await asyncio.sleep(0)
    for each in list(meanwhile):
        meanwhile.remove(each)
        each()
    if body in failing:
        raise ConnectionError(f"nobody answers to {body}")
    return f"{title}: {body[:3]}"


def mood_of(notes: list[str]) -> str:
    asked.append("mood")
    return "bad" if "bad" in notes else "good"


@iq.interaction
class Edit:
    page: Page
    body: str


@iq.entity
class Book:
    id: int = iq.key()
    title: str
    pages: Many[Page] = iq.many(inverse="book")

    summaries: int = iq.Count(pages, where=lambda page: page.summary is not None)
    length: int = iq.Summation(pages, of=lambda page: page.mark)


@iq.entity
class Page:
    id: int = iq.key()
    book: Book
    body: str = iq.field(default="", changes=iq.on(Edit, set=lambda e: e.payload.body))
    notes: Many[Note] = iq.many(inverse="page")

    summary: str | None = iq.Custom(
        reads=lambda page: (page.book.title, page.body), compute=summary_of, asynchronous=NOW
    )
    mood: str = iq.Custom(
        notes, inputs=lambda note: note.text, compute=mood_of, asynchronous=iq.Asynchronous(), initial="none"
    )
    label: str = iq.Custom(
        reads=lambda page: (page.summary, page.mood), compute=lambda summary, mood: f"{summary} is {mood}"
    )

    @iq.computed(stored=True)
    def mark(self) -> int:
        return len(self.mood) + (len(self.summary) if self.summary is not None else 0)


@iq.entity
class Note:
    id: int = iq.key()
    page: Page = iq.one(on_delete="cascade")
    text: str


MODELS = (Book, Page, Note, Edit)


class Clock:
    """Goes on as all clocks do, after a leap."""

    ahead = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(make_app: Apps, clock: Clock) -> Iterator[iq.Controller]:
    found = make_app(*MODELS, clock=clock)
    for each in (asked, failing, meanwhile):
        each.clear()
    yield found
    assert found.verify() == []


@pytest.fixture
def page(app: iq.Controller) -> Page:
    storage = app.system.storage
    return storage.create(Page(book=storage.create(Book(title="Tea")), body="leaves"))


def current(app: iq.Controller, page: Page) -> Page:
    return app.system.storage.get(Page, page.id)


def test_it_is_asked_for_when_the_record_is_made_and_there_when_a_worker_was(app: iq.Controller, page: Page) -> None:
    assert (page.summary, page.mood, page.label) == (None, "none", "None is none")
    (task,) = app.tasks()
    assert (task.attribute, task.record, task.version, task.status) == ("Page.summary", page, 1, "waiting")
    assert app.run_tasks() == iq.TaskReport(done=1)
    now = current(app, page)
    assert (now.summary, now.label, now.book.summaries, now.book.length) == ("Tea: lea", "Tea: lea is none", 1, 12)
    assert app.tasks() == []


def test_what_is_asked_for_again_is_computed_once_and_newest(app: iq.Controller, page: Page) -> None:
    for body in ("one", "two", "three"):
        app.dispatch(Edit(page=page, body=body))
    app.system.storage.update(page.book, title="Tee")
    assert [task.version for task in app.tasks()] == [5]
    assert app.run_tasks().done == 1
    assert asked == ["three"]
    assert current(app, page).summary == "Tee: thr"


def test_what_does_not_change_is_not_asked_for(app: iq.Controller, page: Page) -> None:
    app.run_tasks()
    app.dispatch(Edit(page=page, body="leaves"))
    assert app.tasks() == []


def test_over_a_collection(app: iq.Controller, page: Page) -> None:
    storage = app.system.storage
    note = storage.create(Note(page=page, text="bad"))
    storage.create(Note(page=page, text="well"))
    assert app.run_tasks().done == 2
    assert current(app, page).mood == "bad"
    storage.update(note, text="fine")
    assert app.run_tasks().done == 1
    assert current(app, page).mood == "good"
    for each in storage.query(Note):
        storage.delete(each)
    app.run_tasks()
    # Over nothing it is what it was at first, and nobody is asked.
    assert (current(app, page).mood, asked.count("mood")) == ("none", 2)


def test_what_was_computed_of_old_inputs_does_not_count(app: iq.Controller, page: Page) -> None:
    meanwhile.append(lambda: app.dispatch(Edit(page=page, body="newer")))
    assert app.run_tasks(limit=1) == iq.TaskReport(stale=1)
    assert current(app, page).summary is None
    assert [(task.version, task.attempts, task.status) for task in app.tasks()] == [(2, 0, "waiting")]
    assert app.run_tasks() == iq.TaskReport(done=1)
    assert current(app, page).summary == "Tea: new"


def test_what_was_asked_for_of_a_record_that_is_gone_is_forgotten(app: iq.Controller, page: Page) -> None:
    app.system.storage.delete(page)
    assert app.tasks() == []
    assert app.run_tasks() == iq.TaskReport()


def test_a_record_may_go_while_it_is_computed(app: iq.Controller, page: Page) -> None:
    meanwhile.append(lambda: app.system.storage.delete(page))
    assert app.run_tasks() == iq.TaskReport(stale=1)
    assert app.tasks() == []


def test_what_fails_is_tried_again_and_then_kept_with_its_error(app: iq.Controller, page: Page) -> None:
    failing.add("leaves")
    assert app.run_tasks(limit=1) == iq.TaskReport(again=1)
    assert [(task.attempts, task.status) for task in app.tasks()] == [(1, "waiting")]
    assert app.run_tasks() == iq.TaskReport(again=1, failed=1)
    (task,) = app.tasks(status="failed")
    assert task.attempts == 3
    assert task.error is not None
    assert "compute= raises ConnectionError: nobody answers to leaves" in task.error
    assert "Page.summary: Custom(reads=...)" in task.error
    assert app.run_tasks() == iq.TaskReport()
    # The value stays as it was, and a check leaves it alone.
    assert current(app, page).summary is None
    assert app.verify() == []

    failing.clear()
    assert app.retry_task(task)
    assert not app.retry_task(task)
    assert app.run_tasks() == iq.TaskReport(done=1)
    assert current(app, page).summary == "Tea: lea"


def test_a_newer_change_begins_anew_after_a_failure(app: iq.Controller, page: Page) -> None:
    failing.add("leaves")
    app.run_tasks()
    app.dispatch(Edit(page=page, body="roots"))
    assert [(task.attempts, task.status, task.error) for task in app.tasks()] == [(0, "waiting", None)]
    assert app.run_tasks() == iq.TaskReport(done=1)


def test_a_value_that_the_attribute_does_not_take_is_a_failure(make_app: Apps) -> None:
    app = make_app(Wrong)
    app.system.storage.create(Wrong(body="x"))
    assert app.run_tasks() == iq.TaskReport(failed=1)
    (task,) = app.tasks()
    assert task.error is not None
    assert "what compute= answers is str 'x', not int | None" in task.error


def anything(body: str) -> Any:
    return body


@iq.entity
class Wrong:
    id: int = iq.key()
    body: str
    number: int | None = iq.Custom(
        reads=lambda wrong: (wrong.body,), compute=anything, asynchronous=iq.Asynchronous(attempts=1)
    )


def test_time_passes_before_another_attempt(app: iq.Controller, page: Page, clock: Clock) -> None:
    later = iq.Asynchronous(attempts=9, backoff=dt.timedelta(seconds=10), longest=dt.timedelta(seconds=60))
    assert [later.delay(attempts, 0.5).total_seconds() for attempts in (1, 2, 3, 4, 9)] == [10, 20, 40, 60, 60]
    assert {later.delay(1, chance).total_seconds() for chance in (0.0, 1.0)} == {5, 15}
    rule = app._ready_tasks().rules["Page.summary"]
    object.__setattr__(rule.functions, "asynchronous", later)
    failing.add("leaves")
    begun = dt.datetime.now(dt.UTC)
    assert app.run_tasks() == iq.TaskReport(again=1)
    assert app.run_tasks() == iq.TaskReport()
    (task,) = app.tasks()
    assert 5 <= (task.due - begun).total_seconds() < 20
    failing.clear()
    clock.ahead = dt.timedelta(seconds=30)
    assert app.run_tasks() == iq.TaskReport(done=1)
    object.__setattr__(rule.functions, "asynchronous", NOW)


def test_a_transaction_that_fails_asks_for_nothing(app: iq.Controller, page: Page) -> None:
    app.run_tasks()
    gone = app.system.storage.create(Page(book=page.book))
    app.system.storage.delete(gone)
    with pytest.raises(iq.PayloadError):
        app.dispatch_many([Edit(page=page, body="x"), Edit(page=gone, body="y")])
    assert app.tasks() == []


# -- workers ----------------------------------------------------------------------------------------------


def test_a_worker_works_until_nothing_is_due(app: iq.Controller, page: Page) -> None:
    storage = app.system.storage
    for number in range(20):
        storage.create(Page(book=page.book, body=f"page {number}"))
    assert iq.Worker(app, concurrency=3).run(until_idle=True) == iq.TaskReport(done=21)
    assert storage.get(Book, page.book.id).summaries == 21


def test_a_worker_works_until_it_is_stopped(app: iq.Controller, page: Page) -> None:
    stop = threading.Event()
    reports: list[iq.TaskReport] = []
    working = threading.Thread(target=lambda: reports.append(iq.Worker(app).run(stop=stop, poll=0.01)))
    working.start()
    try:
        _wait_for(lambda: current(app, page).summary == "Tea: lea")
        app.dispatch(Edit(page=page, body="roots"))
        _wait_for(lambda: current(app, page).summary == "Tea: roo")
    finally:
        stop.set()
        working.join(10)
    assert reports == [iq.TaskReport(done=2)]


def test_a_worker_in_an_event_loop_that_is_running(app: iq.Controller, page: Page) -> None:
    async def main() -> iq.TaskReport:
        return await iq.Worker(app).serve(until_idle=True)

    assert asyncio.run(main()) == iq.TaskReport(done=1)

    async def inside() -> iq.TaskReport:
        app.dispatch(Edit(page=page, body="roots"))
        return app.run_tasks()

    assert asyncio.run(inside()) == iq.TaskReport(done=1)


def test_so_many_are_computed_at_a_time_and_no_more(make_app: Apps) -> None:
    app = make_app(Slow)
    for _ in range(6):
        app.system.storage.create(Slow())
    together.clear()
    assert iq.Worker(app, concurrency=3).run(until_idle=True) == iq.TaskReport(done=12)
    assert 1 < max(together) <= 3


together: list[int] = []
_lock, _now_running = threading.Lock(), 0


def _enter(step: int) -> None:
    global _now_running
    with _lock:
        _now_running += step
        together.append(_now_running)


def slow(number: int) -> int:
    _enter(+1)
    time.sleep(0.03)
    _enter(-1)
    return number


async def slow_too(number: int) -> int:
    _enter(+1)
    await asyncio.sleep(0.03)
    _enter(-1)
    return number


@iq.entity
class Slow:
    id: uuid.UUID = iq.key()
    number: int = 7
    one: int | None = iq.Custom(reads=lambda each: (each.number,), compute=slow, asynchronous=iq.Asynchronous())
    two: int | None = iq.Custom(reads=lambda each: (each.number,), compute=slow_too, asynchronous=iq.Asynchronous())


def test_what_takes_longer_than_its_lease_is_not_taken_by_another(make_app: Apps) -> None:
    app = make_app(Long)
    app.system.storage.create(Long())
    begun.clear()
    workers = [threading.Thread(target=lambda: iq.Worker(app).run(stop=over, poll=0.05)) for _ in range(2)]
    over = threading.Event()
    for each in workers:
        each.start()
    try:
        _wait_for(lambda: app.system.storage.query(Long).one().value == 7)
    finally:
        over.set()
        for each in workers:
            each.join(10)
    assert len(begun) == 1


begun: list[float] = []


def long(number: int) -> int:
    begun.append(time.monotonic())
    time.sleep(2.5)
    return number


@iq.entity
class Long:
    id: int = iq.key()
    number: int = 7
    value: int = iq.Custom(
        reads=lambda each: (each.number,),
        compute=long,
        asynchronous=iq.Asynchronous(lease=dt.timedelta(seconds=1)),
        initial=0,
    )


def test_what_a_lost_worker_had_is_taken_up_when_its_lease_is_over(
    app: iq.Controller, page: Page, clock: Clock
) -> None:
    tasks = app._ready_tasks()
    assert len(tasks.claim(5, "lost")) == 1
    (task,) = app.tasks()
    assert (task.status, task.attempts) == ("running", 1)
    assert app.run_tasks() == iq.TaskReport()
    clock.ahead = dt.timedelta(minutes=2)
    assert app.run_tasks() == iq.TaskReport(done=1)


def test_a_task_that_takes_every_worker_with_it_fails_in_the_end(app: iq.Controller, page: Page, clock: Clock) -> None:
    tasks = app._ready_tasks()
    for number in range(3):
        clock.ahead = number * dt.timedelta(minutes=2)
        assert len(tasks.claim(5, "lost")) == 1
    clock.ahead = dt.timedelta(hours=1)
    assert app.run_tasks() == iq.TaskReport()
    (task,) = app.tasks()
    assert (task.status, task.error) == ("failed", "the worker that computed it was not heard of any more")


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


# -- around it --------------------------------------------------------------------------------------------


def test_rebuilding_asks_for_all(app: iq.Controller, page: Page) -> None:
    app.run_tasks()
    tx = app.system.database.begin()
    tx.execute(f"UPDATE {app.system.database.dialect.quote('page')} SET summary = 'x'", ())
    tx.commit()
    assert "Page.summary" in {each.attribute for each in app.verify()}
    told: list[iq.Progress] = []
    app.rebuild(Page, "summary", progress=told.append)
    assert [(each.done, each.total) for each in told] == [(1, 1)]
    assert "Page.summary" not in {each.attribute for each in app.verify()}
    assert app.run_tasks() == iq.TaskReport(done=1)
    assert current(app, page).summary == "Tea: lea"


def test_what_is_not_repeatable_is_not_checked(make_app: Apps) -> None:
    app = make_app(Dice)
    app.system.storage.create(Dice())
    app.run_tasks()
    assert app.verify() == []
    assert len(app.system.storage.query(Dice).one().thrown or "") == 32


@iq.entity
class Dice:
    id: int = iq.key()
    sides: int = 6
    thrown: str | None = iq.Custom(
        reads=lambda dice: (dice.sides,),
        compute=lambda sides: uuid.uuid4().hex,
        asynchronous=iq.Asynchronous(repeatable=False),
    )


def test_side_effects_see_what_a_worker_wrote(make_app: Apps) -> None:
    seen: list[tuple[str | None, str | None]] = []

    @iq.side_effect(Page, on="update")
    def tell(change: iq.RecordChange[Page]) -> None:
        assert change.old is not None
        seen.append((change.old.summary, change.record.summary))

    app = make_app(*MODELS, tell)
    storage = app.system.storage
    storage.create(Page(book=storage.create(Book(title="Tea")), body="leaves"))
    app.run_tasks()
    assert (None, "Tea: lea") in seen


def test_explaining_shows_what_is_read_and_how_it_is_asked_for(app: iq.Controller, page: Page) -> None:
    assert "given 'Tea', 'leaves'" in str(app.explain(page, "summary"))
    assert "a task for each host, for a worker to compute Page.summary" in str(app.explain(Edit))


def test_a_model_without_any_has_no_table_for_them(make_app: Apps) -> None:
    app = make_app(Plain)
    assert not any("task" in table for table in app.system.database.tables())
    with pytest.raises(iq.InvalidQuery) as refused:
        iq.Worker(app)
    assert (refused.value.code, refused.value.message) == ("tasks.none", "nothing of this model is computed by workers")


@iq.entity
class Plain:
    id: int = iq.key()


def test_asking_for_tasks_of_something_else_is_refused(app: iq.Controller) -> None:
    with pytest.raises(iq.InvalidQuery) as refused:
        app.tasks("Page.sumary")
    assert refused.value.message == (
        "'Page.sumary' is not computed asynchronously. Did you mean 'Page.summary'?  There is: Page.summary, Page.mood."
    )


def test_what_it_costs(app: iq.Controller, page: Page) -> None:
    database = app.system.database
    if database.dialect.name not in ("SQLite", "PostgreSQL"):
        pytest.skip("the same statements are written otherwise there, see tests/drivers")

    def sent(action: Callable[[], Any]) -> list[str]:
        with database.recording() as recorder:
            action()
        return [shape(sql) for sql, _ in recorder.statements]

    book = page.book
    made = sent(lambda: app.system.storage.create(Page(book=book, body="x")))
    assert made[: made.index("COMMIT")].count("INSERT asynchronous_task") == 1
    edited = sent(lambda: app.dispatch(Edit(page=page, body="y")))
    assert edited[2:-1] == ["SELECT page", "UPDATE page", "INSERT asynchronous_task"]
    done = sent(lambda: app.run_tasks(limit=1))
    assert done == [
        *("BEGIN", "SELECT asynchronous_task", "UPDATE asynchronous_task", "COMMIT"),
        *("BEGIN", "SELECT page", "SELECT book", "ROLLBACK"),
        *("BEGIN", "SELECT page", "UPDATE page", "UPDATE book"),
        # Its label follows, in the same transaction; the task goes last.
        *("SELECT page", "UPDATE page", "DELETE asynchronous_task", "COMMIT"),
    ]
    app.run_tasks()
