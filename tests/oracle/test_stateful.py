"""One rich model under random histories: nothing ever drifts, and what fails changes not a byte.

Hypothesis drives it as a state machine, on each database. The interpreter is no part of it: here
``verify`` is the judge, and the tables as they lie in the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.databases import fresh_mysql, fresh_postgresql
from tests.oracle.conftest import memory

# -- the model ----------------------------------------------------------------------------


@iq.interaction
class Open:
    team: Team
    title: str
    cost: Decimal
    parent: Task | None


@iq.condition
def is_open(e: Event[Assign]) -> bool:
    return e.payload.task.status == "open"


@iq.interaction(guard=is_open)
class Assign:
    task: Task
    users: list[User]
    share: int


@iq.interaction
class Finish:
    tasks: list[Task]


@iq.interaction
class MoveTo:
    task: Task
    team: Team | None
    cost: Decimal


@iq.interaction
class Abandon:
    task: Task


def explode(event: Event[Fail], result: object) -> None:
    raise RuntimeError("after everything was written")


@iq.interaction(after_dispatch=explode)
class Fail:
    task: Task
    title: str


@iq.entity
class User:
    name: str = iq.field(unique=True)
    team: Team | None
    assignments: Many[Assignment] = iq.many(inverse="user")
    load: int = iq.Summation(assignments, of=lambda a: a.share, where=lambda a: a.task.status == "open")
    earned: Decimal = iq.WeightedSummation(assignments, lambda a: a.part, lambda a: a.task.cost, lambda a: a.task.done)
    busy: bool = iq.Any(assignments, where=lambda a: a.task.status == "open" and a.task.people > 1)


@iq.entity
class Team:
    name: str
    tasks: Many[Task] = iq.many(inverse="team")
    users: Many[User] = iq.many(inverse="team")
    open: int = iq.Count(tasks, where=lambda t: t.status == "open")
    cost: Decimal = iq.Summation(tasks, of=lambda t: t.cost)
    crowded: int = iq.Count(tasks, where=lambda t: t.people > 1 and t.effort > 2)
    settled: bool = iq.Every(tasks, where=lambda t: t.done)
    mean_load: float | None = iq.Average(users, of=lambda u: u.load, where=lambda u: u.load > 0)
    busiest: int = iq.Count(users, where=lambda u: u.busy and u.team is not None and u.team.open > 0)


@iq.entity
class Task:
    title: str = iq.field(changes=iq.on(Fail, record=lambda e: e.payload.task, set=lambda e: e.payload.title))
    team: Team | None = iq.one(
        default=None,
        on_delete="set_null",
        changes=iq.on(MoveTo, record=lambda e: e.payload.task, set=lambda e: e.payload.team),
    )
    cost: Decimal = iq.field(changes=iq.on(MoveTo, record=lambda e: e.payload.task, set=lambda e: e.payload.cost))
    parent: Task | None = iq.one(default=None, on_delete="cascade")
    status: Literal["open", "done"] = iq.StateMachine(
        "open", iq.on(Finish, {"open": "done"}, record=lambda e: e.payload.tasks)
    )
    parts: Many[Task] = iq.many(inverse="parent")
    assignments: Many[Assignment] = iq.many(inverse="task")
    workers: Many[User] = iq.many(through="assignments")
    people: int = iq.Count(assignments)
    effort: int = iq.Summation(assignments, of=lambda a: a.share)
    overworked: int = iq.Count(workers, where=lambda u: u.load > 3)
    below: int = iq.Count(parts, where=lambda t: t.people > 0 and (t.team is None or t.team.name != "x"))

    @iq.computed
    def done(self) -> bool:
        return self.status == "done"

    opened = iq.Transform(
        Open,
        lambda e: Task(title=e.payload.title, cost=e.payload.cost, team=e.payload.team, parent=e.payload.parent),
    )

    @iq.deleted_by(Abandon)
    def abandoned(self, e: Event[Abandon]) -> bool:
        return self == e.payload.task or (self.parent is not None and self.parent == e.payload.task)


@iq.relation
class Assignment:
    user: User
    task: Task
    share: int
    at: dt.datetime

    @iq.computed
    def part(self) -> Decimal:
        return self.share * Decimal("0.5")

    assigned = iq.Transform(
        Assign,
        lambda e: [
            Assignment(user=user, task=e.payload.task, share=e.payload.share, at=e.at) for user in e.payload.users
        ],
    )


@iq.entity
class Alarm:
    """Exists while a task is crowded or costly; one for each reason."""

    team: Team | None
    task: Task | None
    weight: int
    seen: int = iq.field(default=0)
    notes: Many[Note] = iq.many(inverse="alarm")
    note_count: int = iq.Count(notes)
    raised = iq.Transform(
        Task,
        lambda t: (
            [Alarm(team=t.team, task=t, weight=t.people), Alarm(team=t.team, task=t, weight=t.below)]
            if t.people > 1
            else Alarm(team=t.team, task=t, weight=1)
            if t.cost > 5
            else None
        ),
    )


@iq.entity
class Note:
    """Derived from what is derived."""

    alarm: Alarm
    loud: bool
    written = iq.Transform(Alarm, lambda a: Note(alarm=a, loud=a.weight > 2) if a.team is not None else None)


MODELS = [User, Team, Task, Assignment, Alarm, Note, Open, Assign, Finish, MoveTo, Abandon, Fail]

# -- the machine --------------------------------------------------------------------------

COSTS = st.sampled_from([Decimal(0), Decimal("1.25"), Decimal("7.5"), Decimal(-2)])
SHARES = st.integers(0, 4)


class Histories(RuleBasedStateMachine):
    """Keys are kept in bundles after their records are gone, so requests name what is not there, too."""

    fresh: ClassVar[Callable[[], AbstractContextManager[Database]]]
    users, teams, tasks = Bundle("users"), Bundle("teams"), Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self._opened = type(self).fresh()
        self.app = iq.Controller(iq.MonoSystem(self._opened.__enter__()), MODELS)
        self.app.setup(install=True)
        self.storage = self.app.system.storage

    def teardown(self) -> None:
        self._opened.__exit__(None, None, None)

    # -- what is done

    def ghost(self, cls: type, key: Any) -> Any:
        return None if key is None else self.storage.loader.ghost(self.storage.record_of(cls), key)

    def attempt(self, work: Callable[[], Any]) -> Any:
        """Do it; where it is refused, nothing may have changed."""
        before = self.dump()
        try:
            return work()
        except (iq.InteraqtError, RuntimeError):
            assert self.dump() == before
            return None

    def dump(self) -> dict[str, list[Any]]:
        with self.storage.executor() as executor:
            return {
                record.table: executor.execute(f'SELECT * FROM "{record.table}" ORDER BY 1', ()).fetchall()
                for record in self.app.model.records.values()
            }

    def made(self, record: Any) -> Any:
        return 10**6 if record is None else record.id

    @initialize(target=users)
    def someone(self) -> Any:
        return self.storage.create(User(name="ada", team=None)).id

    @initialize(target=teams)
    def some_team(self) -> Any:
        return self.storage.create(Team(name="x")).id

    @rule(target=users, name=st.sampled_from("abcd"), team=st.none() | teams)
    def user(self, name: str, team: Any) -> Any:
        return self.made(self.attempt(lambda: self.storage.create(User(name=name, team=self.ghost(Team, team)))))

    @rule(target=teams, name=st.sampled_from("xy"))
    def team(self, name: str) -> Any:
        return self.storage.create(Team(name=name)).id

    @rule(target=tasks, team=teams, cost=COSTS, parent=st.none() | tasks)
    def open(self, team: Any, cost: Decimal, parent: Any) -> Any:
        request = Open(team=self.ghost(Team, team), title="t", cost=cost, parent=self.ghost(Task, parent))
        result = self.attempt(lambda: self.app.dispatch(request))
        return self.made(result and result.created(Task)[0])

    @rule(task=tasks, chosen=st.lists(users, max_size=3), share=SHARES)
    def assign(self, task: Any, chosen: list[Any], share: int) -> None:
        request = Assign(task=self.ghost(Task, task), users=[self.ghost(User, key) for key in chosen], share=share)
        self.attempt(lambda: self.app.dispatch(request))

    @rule(chosen=st.lists(tasks, max_size=3))
    def finish(self, chosen: list[Any]) -> None:
        self.attempt(lambda: self.app.dispatch(Finish(tasks=[self.ghost(Task, key) for key in chosen])))

    @rule(task=tasks, team=st.none() | teams, cost=COSTS)
    def move(self, task: Any, team: Any, cost: Decimal) -> None:
        request = MoveTo(task=self.ghost(Task, task), team=self.ghost(Team, team), cost=cost)
        self.attempt(lambda: self.app.dispatch(request))

    @rule(task=consumes(tasks))
    def abandon(self, task: Any) -> None:
        self.attempt(lambda: self.app.dispatch(Abandon(task=self.ghost(Task, task))))

    @rule(task=tasks)
    def fail(self, task: Any) -> None:
        before = self.dump()
        with pytest.raises((RuntimeError, iq.InteraqtError)):
            self.app.dispatch(Fail(task=self.ghost(Task, task), title="never"))
        assert self.dump() == before

    @rule(task=tasks, parent=st.none() | tasks)
    def reparent(self, task: Any, parent: Any) -> None:
        self.attempt(lambda: self.storage.update(self.ghost(Task, task), parent=self.ghost(Task, parent)))

    @rule(user=users, team=st.none() | teams)
    def join(self, user: Any, team: Any) -> None:
        self.attempt(lambda: self.storage.update(self.ghost(User, user), team=self.ghost(Team, team)))

    @rule(user=users)
    def leave(self, user: Any) -> None:
        self.attempt(lambda: self.storage.delete(self.ghost(User, user)))

    @rule(team=teams)
    def disband(self, team: Any) -> None:
        self.attempt(lambda: self.storage.delete(self.ghost(Team, team)))

    # -- what must hold

    @invariant()
    def nothing_has_drifted(self) -> None:
        assert not [str(each) for each in self.app.verify()]


def run(fresh: Callable[[], AbstractContextManager[Database]], examples: int, steps: int) -> None:
    machine = type("Histories", (Histories,), {"fresh": staticmethod(fresh)})
    run_machine(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_nothing_drifts(examples: int) -> None:
    run(memory, max(1, examples // 10), 30)


@pytest.mark.postgresql
def test_nothing_drifts_on_postgresql(examples: int, hasty_postgresql: str) -> None:
    run(lambda: fresh_postgresql(hasty_postgresql), max(1, examples // 20), 30)


@pytest.mark.mysql
def test_nothing_drifts_on_mysql(examples: int) -> None:
    run(fresh_mysql, max(1, examples // 40), 30)
