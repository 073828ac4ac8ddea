"""State machines and changes: what an event moves, from the state before it to the next."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator
from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from tests.runtime.conftest import Apps


class Stage(enum.Enum):
    TODO = "todo"
    DOING = "doing"
    DONE = "done"


@iq.interaction
class Advance:
    task: Task


@iq.interaction
class Close:
    task: Task
    reason: str


@iq.interaction
class CloseAll:
    tasks: list[Task]


@iq.interaction
class CloseProject:
    project: Project


@iq.interaction
class Move:
    task: Task
    to: Project | None


@iq.interaction
class Swap:
    first: Task
    second: Task


@iq.interaction
class Spend:
    task: Task
    hours: int


@iq.interaction
class Rename:
    name: str


def both(e: Event[Swap]) -> list[Task]:
    return [e.payload.first, e.payload.second]


def other_title(e: Event[Swap]) -> str:
    return f"{e.payload.first.title}/{e.payload.second.title}"


@iq.entity
class User:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, record=lambda e: e.user, set=lambda e: e.payload.name))


@iq.entity
class Project:
    id: int = iq.key()
    name: str
    tasks: Many[Task] = iq.many(inverse="project")

    closed: bool = iq.StateMachine(False, iq.on(CloseProject, {False: True}))
    task_count: int = iq.Count(tasks)
    open_count: int = iq.Count(tasks, where=lambda task: task.stage != Stage.DONE)
    hours: int = iq.Summation(tasks, of=lambda task: task.hours)


@iq.entity
class Task:
    id: int = iq.key()
    title: str = iq.field(changes=iq.on(Swap, record=both, set=other_title))
    project: Project | None = iq.one(default=None, changes=iq.on(Move, set=lambda e: e.payload.to))

    stage: Stage = iq.StateMachine(
        Stage.TODO,
        iq.on(Advance, {Stage.TODO: Stage.DOING, Stage.DOING: Stage.DONE}),
        iq.on(Close, {Stage.TODO: Stage.DONE, Stage.DOING: Stage.DONE}),
        iq.on(CloseAll, {Stage.TODO: Stage.DONE}, record=lambda e: e.payload.tasks),
        iq.on(CloseProject, {Stage.TODO: Stage.DONE}, record=lambda e: e.payload.project.tasks),
    )
    mood: Literal["calm", "busy", "proud"] = iq.StateMachine(
        "calm", iq.on(Advance, {"calm": "busy", "busy": "proud"}), iq.on(Close, {"busy": "proud"})
    )
    reason: str | None = iq.field(default=None, changes=iq.on(Close, set=lambda e: e.payload.reason))
    hours: int = iq.field(default=0, changes=iq.on(Spend, set=lambda e: e.payload.task.hours + e.payload.hours))


MODELS = (User, Project, Task, Advance, Close, CloseAll, CloseProject, Move, Swap, Spend, Rename)


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    yield app
    assert app.verify() == []


def make(app: iq.Controller, title: str = "write", project: Project | None = None) -> Task:
    return app.system.storage.create(Task(title=title, project=project))


def now(app: iq.Controller, task: Task) -> Task:
    return app.system.storage.get(Task, task.id)


# -- tables of moves ----------------------------------------------------------------------------


def test_a_state_starts_as_declared(app: iq.Controller) -> None:
    task = make(app)
    assert (task.stage, task.mood) == (Stage.TODO, "calm")


def test_an_event_moves_a_state_one_step_from_where_it_was(app: iq.Controller) -> None:
    task = make(app)
    app.dispatch(Advance(task=task))
    assert (now(app, task).stage, now(app, task).mood) == (Stage.DOING, "busy")
    app.dispatch(Advance(task=task))
    assert (now(app, task).stage, now(app, task).mood) == (Stage.DONE, "proud")


def test_a_state_that_the_table_does_not_name_stays(app: iq.Controller) -> None:
    task = make(app)
    app.dispatch(CloseAll(tasks=[task]))
    result = app.dispatch(Advance(task=task))
    assert (now(app, task).stage, now(app, task).mood) == (Stage.DONE, "busy")
    assert [each.names for each in result.effects if each.kind == "update"] == [{"mood"}]


def test_where_nothing_matches_nothing_is_written(app: iq.Controller) -> None:
    task = make(app)
    app.dispatch(CloseAll(tasks=[task]))
    result = app.dispatch(CloseAll(tasks=[task]))
    assert [(each.kind, each.record) for each in result.effects] == [("create", iq.InteractionEvent)]


def test_one_event_moves_several_properties_of_one_record_by_one_statement(app: iq.Controller) -> None:
    task = make(app)
    app.dispatch(Advance(task=task))
    with app.system.database.recording() as recorder:
        app.dispatch(Close(task=task, reason="late"))
    closed = now(app, task)
    assert (closed.stage, closed.mood, closed.reason) == (Stage.DONE, "proud", "late")
    assert sum(sql.startswith(('UPDATE "task"', "UPDATE `task`")) for sql, _ in recorder.statements) == 1


# -- which records ------------------------------------------------------------------------------


def test_an_event_moves_as_many_records_as_it_names(app: iq.Controller) -> None:
    tasks = [make(app, title) for title in "abc"]
    app.dispatch(CloseAll(tasks=[]))
    app.dispatch(CloseAll(tasks=[tasks[2], tasks[0], tasks[2]]))
    assert [now(app, task).stage for task in tasks] == [Stage.DONE, Stage.TODO, Stage.DONE]


def test_an_event_moves_two_kinds_of_records(app: iq.Controller) -> None:
    project = app.system.storage.create(Project(name="book"))
    mine, other = make(app, "a", project), make(app, "b")
    app.dispatch(CloseProject(project=project))
    closed = app.system.storage.get(Project, project.id)
    assert (closed.closed, closed.task_count, closed.open_count) == (True, 1, 0)
    assert (now(app, mine).stage, now(app, other).stage) == (Stage.DONE, Stage.TODO)


def test_a_record_may_be_the_user_or_none(app: iq.Controller) -> None:
    ada = app.system.storage.create(User(name="Ada"))
    app.dispatch(Rename(name="Augusta"), user=ada)
    assert app.system.storage.get(User, ada.id).name == "Augusta"
    app.dispatch(Rename(name="nobody"))
    assert [user.name for user in app.system.storage.query(User)] == ["Augusta"]


def test_a_user_who_is_no_record_is_not_changed(app: iq.Controller) -> None:
    with pytest.raises(iq.InvalidValue) as refused:
        app.dispatch(Rename(name="x"), user="ada@example.org")
    assert refused.value.code == "change.record"


@pytest.mark.parametrize(
    ("interaction", "payload"),
    [("Advance", {}), ("Close", {"reason": "x"}), ("Spend", {"hours": 1}), ("Move", {})],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_that_is_not_there_is_told(app: iq.Controller, interaction: str, payload: dict[str, Any]) -> None:
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(interaction, {"task": 4711, **payload})
    assert [(each.path, each.code) for each in refused.value.problems] == [("task", "payload.not_found")]
    assert app.system.storage.query(iq.InteractionEvent).count() == 0


# -- values that are set --------------------------------------------------------------------------


def test_set_sees_the_state_before_the_event_for_every_record(app: iq.Controller) -> None:
    first, second = make(app, "a"), make(app, "b")
    app.dispatch(Swap(first=first, second=second))
    assert (now(app, first).title, now(app, second).title) == ("a/b", "a/b")


def test_set_reads_what_is_stored_and_not_what_the_caller_once_read(app: iq.Controller) -> None:
    task = make(app)
    app.dispatch(Spend(task=task, hours=2))
    app.dispatch(Spend(task=task, hours=3))
    assert task.hours == 0
    assert now(app, task).hours == 5


def test_a_change_to_the_same_value_moves_nothing(app: iq.Controller) -> None:
    project = app.system.storage.create(Project(name="book"))
    task = make(app, "a", project)
    result = app.dispatch(Move(task=task, to=project))
    assert [each.record for each in result.effects] == [iq.InteractionEvent]


def test_a_reference_changes_and_what_is_counted_moves_with_it(app: iq.Controller) -> None:
    storage = app.system.storage
    here, there = storage.create(Project(name="here")), storage.create(Project(name="there"))
    task = make(app, "a", here)
    app.dispatch(Spend(task=task, hours=4))

    def counts() -> list[tuple[int, int]]:
        return [(project.task_count, project.hours) for project in storage.query(Project)]

    assert counts() == [(1, 4), (0, 0)]
    app.dispatch(Move(task=task, to=there))
    assert counts() == [(0, 0), (1, 4)]
    app.dispatch(Move(task=task, to=None))
    assert counts() == [(0, 0), (0, 0)]
    assert now(app, task).project is None
    app.dispatch(Move(task=task, to=here))
    assert counts() == [(1, 4), (0, 0)]


def test_a_reference_to_what_is_not_there_is_told(app: iq.Controller) -> None:
    task = make(app)
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(Move, {"task": task.id, "to": 4711})
    assert [(each.path, each.code) for each in refused.value.problems] == [("to", "payload.not_found")]
    assert now(app, task).project is None


def test_set_answers_a_value_of_its_type(in_memory: Apps) -> None:
    @iq.interaction
    class Paint:
        wall: Wall
        color: str

    @iq.entity
    class Wall:
        color: Literal["red", "blue"] = iq.field(changes=iq.on(Paint, set=lambda e: e.payload.color))

    app = in_memory(Paint, Wall)
    wall = app.system.storage.create(Wall(color="red"))
    with pytest.raises(iq.InvalidValue, match="is 'green', not one of") as refused:
        app.dispatch(Paint(wall=wall, color="green"))
    assert refused.value.code == "change.value"
    assert app.system.storage.query(iq.InteractionEvent).count() == 0


# -- at the same time -------------------------------------------------------------------------------


def at_once(*calls: Any) -> list[Exception | None]:
    """Each in a thread of its own, all started together; what each raised."""
    start, errors = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index: int) -> None:
        start.wait()
        try:
            calls[index]()
        except Exception as error:
            errors[index] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return errors  # type: ignore[return-value]


def test_what_set_reads_of_the_record_is_read_under_its_lock(app: iq.Controller) -> None:
    task = make(app)
    errors = at_once(*[lambda: app.dispatch(Spend(task=task, hours=1)) for _ in range(8)])
    assert errors == [None] * 8
    assert now(app, task).hours == 8


def test_two_moves_at_once_are_two_steps(app: iq.Controller) -> None:
    tasks = [make(app, str(each)) for each in range(5)]
    for task in tasks:
        assert at_once(*[lambda task=task: app.dispatch(Advance(task=task)) for _ in range(2)]) == [None, None]
    assert {now(app, task).stage for task in tasks} == {Stage.DONE}


def test_of_two_events_that_leave_one_state_one_wins(app: iq.Controller) -> None:
    projects = [app.system.storage.create(Project(name=str(each))) for each in range(5)]
    for project in projects:
        results: list[iq.DispatchResult] = []

        def close(project: Project = project, results: list[iq.DispatchResult] = results) -> None:
            results.append(app.dispatch(CloseProject(project=project)))

        assert at_once(close, close) == [None, None]
        moved = [result for result in results if any(each.record is Project for each in result.effects)]
        assert len(moved) == 1
