"""Everybody takes numbers of the same scopes, gives some back and reserves others: none is missing or there twice."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class Open:
    projects: list[Project]


@iq.interaction
class Rename:
    """Changes the project, and then numbers something in it."""

    project: Project
    name: str


@iq.interaction
class Close:
    issue: Issue


@iq.entity
class Project:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))
    issues: Many[Issue] = iq.many(inverse="project")

    open: int = iq.Count(issues)
    newest: int | None = iq.Maximum(issues, of=lambda issue: issue.number)


@iq.entity
class Issue:
    id: int = iq.key()
    project: Project = iq.one()
    label: str = iq.field()
    number: int = iq.ScopedSequence(project, default=None)
    place: int = iq.ScopedSequence(label)
    overall: int = iq.ScopedSequence(start=1000)

    opened = iq.Transform(
        Open, lambda e: [Issue(project=project, label=str(project.id % 2)) for project in e.payload.projects]
    )
    renamed = iq.Transform(Rename, lambda e: Issue(project=e.payload.project, label="renamed"))

    @iq.deleted_by(Close)
    def closed(self, e: Event[Close]) -> bool:
        return self == e.payload.issue


def tracker(at_once: AtOnce) -> iq.Controller:
    app = at_once.app(Project, Issue, Open, Rename, Close)
    for _ in range(4):
        app.system.storage.create(Project(name="new"))
    return app


def numbers_taken(issues: list[Issue]) -> list[tuple[Any, int]]:
    """Which numbers they have, each with what tells its scope."""
    found: list[tuple[Any, int]] = []
    for each in issues:
        found += [(each.project.id, each.number), (each.label, each.place), ("overall", each.overall)]
    return found


def take(me: Me) -> None:
    """Open issues in some projects, in any order; close some, and reserve numbers."""
    projects = me.all(Project)
    for _ in range(15):
        chosen = me.chance.sample(projects, me.chance.randint(1, 4))
        opened: Open | Rename = Open(projects=chosen)
        match me.chance.randrange(3):
            case 0:
                opened = Rename(project=chosen[0], name=str(me.number))
            case 1:
                reserved = me.attempt(lambda: me.app.reserve(Issue.number, chosen[0], count=2))  # noqa: B023
                me.note([(chosen[0].id, number) for number in reserved or ()])
        result = me.dispatch(opened)
        made = result.created(Issue) if result else []
        me.note(numbers_taken(made))
        if me.chance.random() < 0.3:
            me.dispatch(Close(issue=made[0]))


def take_and_give_back(me: Me) -> None:
    """Several dispatches in one transaction, of which every other one is undone."""
    projects = me.all(Project)

    def work(tx: iq.BusinessTransaction, fails: bool) -> list[tuple[Any, int]]:
        project = me.chance.choice(projects)
        reserved = tx.reserve(Issue.number, project, count=3)
        made = tx.dispatch(Open(projects=[me.chance.choice(projects)])).created(Issue)
        made += tx.dispatch(Open(projects=me.chance.sample(projects, 2))).created(Issue)
        if fails:
            raise LookupError
        return [(project.id, number) for number in reserved] + numbers_taken(made)

    for each in range(8):
        fails = (each + me.number) % 2 == 0
        me.note(me.attempt(lambda: me.app.transact(lambda tx: work(tx, fails), attempts=50)) or [])  # noqa: B023


def require_all(notes: list[list[tuple[Any, int]]], starts: dict[Any, int]) -> None:
    """Of each scope all numbers were taken by somebody, from the first one on, and none by two."""
    taken = defaultdict(list)
    for scope, number in (each for some in notes for each in some):
        taken[scope].append(number)
    for scope, numbers in taken.items():
        start = starts.get(scope, 1)
        assert sorted(numbers) == [*range(start, start + len(numbers))], scope


def test_numbers_are_taken_and_reserved_and_nobody_waits_for_two(at_once: AtOnce) -> None:
    app = tracker(at_once)

    report = at_once(take)

    assert set(report.outcomes) == {"done"}
    # All lock first whose records they number, and then the counters by their names.
    assert not report.conflicts
    require_all(report.notes, {"overall": 1000})
    assert app.verify() == []


def test_what_is_undone_is_taken_by_others(at_once: AtOnce) -> None:
    app = tracker(at_once)

    report = at_once(take_and_give_back)

    assert report.outcomes == {"done": PROCESSES * 4, "LookupError: ": PROCESSES * 4}
    require_all(report.notes, {"overall": 1000})
    assert app.verify() == []


@iq.interaction
class IssueTicket:
    """A ticket of a kind that is new to everybody."""

    kind: str


@iq.interaction
class Found:
    code: str
    kind: str


@iq.entity
class Ticket:
    id: int = iq.key()
    kind: str = iq.field()
    number: int = iq.ScopedSequence(kind, start=-1)

    issued = iq.Transform(IssueTicket, lambda e: Ticket(kind=e.payload.kind))


@iq.entity(identity=("code",))
class Coin:
    id: int = iq.key()
    code: str
    kind: str = iq.field()
    number: int = iq.ScopedSequence(kind)

    found = iq.Transform(Found, lambda e: Coin(code=e.payload.code, kind=e.payload.kind))


def first_ones(me: Me) -> None:
    """The first of a scope, all at the same time, scope after scope; and what only one of all is to make."""
    for each in range(20):
        result = me.dispatch(IssueTicket(kind=f"kind {each}"))
        me.note([(each.kind, each.number) for each in result.created(Ticket)] if result else [])
        me.dispatch(Found(code=f"coin {each}", kind=str(me.number % 3)))


def test_the_first_numbers_of_new_scopes(at_once: AtOnce) -> None:
    app = at_once.app(Ticket, Coin, IssueTicket, Found)

    report = at_once(first_ones)

    assert report.outcomes == {"done": PROCESSES * 40}
    require_all(report.notes, {f"kind {each}": -1 for each in range(20)})
    coins = app.system.storage.query(Coin).all()
    assert len(coins) == 20
    require_all([[(each.kind, each.number) for each in coins]], {})
    assert app.verify() == []
