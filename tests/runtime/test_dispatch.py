"""A dispatch: its phases in their order, all of it or nothing, and what its result says."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.shop import dump

#: The phases that were reached, with what each saw.
log: list[Any] = []

#: What to do in a phase, by its name.
acts: dict[str, Callable[[], Any]] = {}


def reach(phase: str, *seen: Any) -> Any:
    log.append((phase, *seen) if seen else phase)
    return acts.get(phase, lambda: None)()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    log.clear()
    acts.clear()
    yield
    acts.clear()


@iq.entity
class User:
    id: int = iq.key()
    name: str
    notes: Many[Note] = iq.many(inverse="author")

    note_count: int = iq.Count(notes)
    prolific: bool = iq.Any(notes, where=lambda note: note.author is not None and note.author.note_count > 1)


@iq.condition
def is_admitted(event: Event[Any]) -> bool:
    reach("condition")
    return True


def add_context(event: Event[Write]) -> dict[str, Any]:
    reach("map_event_data", event.id)
    return {"source": "web", "tags": event.payload.tags}


def answer(event: Event[Write], storage: iq.Storage) -> Any:
    reach("resolve", event.user.note_count if isinstance(event.user, User) else None)
    return {"notes": storage.query(Note).count()}


def after(event: Event[Write], result: iq.DispatchResult) -> None:
    reach("after_dispatch", event.id > 0, result.data)


def committed(event: Event[Write], result: iq.DispatchResult) -> Any:
    reach("post_commit", event.id > 0, [note.text for note in result.created(Note)])
    return "told"


def text_of(event: Event[Write]) -> str:
    reach("transform")
    if event.payload.tags:
        event.payload.tags.append("seen")
    return event.payload.text


def end_of(event: Event[Rename]) -> str:
    reach("set")
    return event.payload.name


@iq.interaction(
    guard=is_admitted, map_event_data=add_context, resolve=answer, after_dispatch=after, post_commit=committed
)
class Write:
    text: str
    tags: list[str] | None
    to: Note | None


@iq.interaction
class Rename:
    note: Note
    name: str


@iq.interaction
class Burn:
    note: Note


@iq.entity
class Note:
    id: int = iq.key()
    text: str = iq.field(unique=True, changes=iq.on(Rename, set=end_of))
    author: User | None = iq.one(default=None)

    written = iq.Transform(Write, lambda e: Note(text=text_of(e), author=e.user if isinstance(e.user, User) else None))

    @iq.deleted_by(Burn)
    def burnt(self, e: Event[Burn]) -> bool:
        return self == e.payload.note


@iq.side_effect(Note)
def note_changed(change: iq.RecordChange[Note]) -> Any:
    reach("note_changed", change.kind, change.record.text, change.old and change.old.text, sorted(change.names))
    return change.kind


@iq.side_effect(User, on="update")
def user_changed(change: iq.RecordChange[User]) -> Any:
    reach("user_changed", change.record.note_count, change.old and change.old.note_count)


MODELS = (User, Note, Write, Rename, Burn, note_changed, user_changed)


@pytest.fixture
def app(make_app: Apps) -> iq.Controller:
    return make_app(*MODELS)


@pytest.fixture
def ada(app: iq.Controller) -> User:
    return app.system.storage.create(User(name="Ada"))


# -- in which order -----------------------------------------------------------------------------


def test_each_phase_sees_what_those_before_it_did(app: iq.Controller, ada: User) -> None:
    result = app.dispatch(Write(text="one"), user=ada)

    assert log == [
        "condition",
        ("map_event_data", 0),
        "transform",
        ("resolve", 1),
        ("after_dispatch", True, {"notes": 1}),
        ("post_commit", True, ["one"]),
        ("note_changed", "create", "one", None, []),
        ("user_changed", 1, 0),
    ]
    assert result.data == {"notes": 1}
    assert result.error is None
    assert result.post_commit == "complete"
    assert [(each.name, each.result) for each in result.side_effects] == [
        ("post_commit", "told"),
        ("note_changed", "create"),
        ("user_changed", None),
    ]


def test_the_event_can_be_queried(app: iq.Controller, ada: User) -> None:
    event = app.dispatch(Write(text="one", tags=["a"]), user=ada).event
    stored = app.system.storage.query(iq.InteractionEvent).one()
    assert stored.id == event.id
    assert stored.at == event.at
    assert (stored.interaction, stored.actor) == ("Write", str(ada.id))
    assert stored.payload == {"text": "one", "tags": ["a"], "to": None}
    assert stored.context == {"source": "web", "tags": ["a"]}


def test_what_a_dispatch_wrote_is_told_in_causal_order(app: iq.Controller, ada: User) -> None:
    result = app.dispatch(Write(text="one"), user=ada)
    told = [(each.kind, each.record.__name__) for each in result.effects]
    assert told[:3] == [("create", "InteractionEvent"), ("create", "Note"), ("update", "User")]
    assert set(told[3:]) <= {("update", "User")}
    note = result.created(Note)[0]
    assert (note.text, note.author) == ("one", ada)
    assert result.effects[1].key == note.id
    assert result.created(User) == []


def test_a_record_that_was_created_has_its_derived_values(app: iq.Controller, ada: User) -> None:
    app.dispatch(Write(text="one"), user=ada)
    note = app.dispatch(Write(text="two"), user=ada).created(Note)[0]
    assert note.author is not None
    assert (note.author.note_count, note.author.prolific) == (2, True)
    assert app.verify() == []


def test_side_effects_are_told_of_changes_and_deletions_as_they_were(app: iq.Controller, ada: User) -> None:
    note = app.dispatch(Write(text="one"), user=ada).created(Note)[0]
    log.clear()
    app.dispatch(Rename(note=note, name="uno"), user=ada)
    app.dispatch(Burn(note=note), user=ada)
    assert log == [
        "set",
        ("note_changed", "update", "uno", "one", ["text"]),
        ("note_changed", "delete", "uno", None, []),
        ("user_changed", 0, 1),
    ]


# -- all of it or nothing -------------------------------------------------------------------------

IN_THE_TRANSACTION = ["condition", "map_event_data", "transform", "resolve", "after_dispatch"]


class Broken(Exception):
    """What a phase is made to raise."""


def fail() -> None:
    raise Broken


@pytest.mark.parametrize("phase", IN_THE_TRANSACTION)
def test_a_phase_that_fails_leaves_every_table_as_it_was(
    app: iq.Controller, ada: User, database: Database, phase: str
) -> None:
    app.dispatch(Write(text="one"), user=ada)
    before = dump(database)
    log.clear()
    acts[phase] = fail
    with pytest.raises(iq.ConditionRejected if phase == "condition" else Broken):
        app.dispatch(Write(text="two", tags=["x"]), user=ada)
    assert dump(database) == before
    assert not {each[0] for each in log} & {"post_commit", "note_changed", "user_changed"}

    acts.clear()
    assert app.dispatch(Write(text="two"), user=ada).data == {"notes": 2}
    assert app.verify() == []


def test_a_row_that_the_database_refuses_leaves_every_table_as_it_was(
    app: iq.Controller, ada: User, database: Database
) -> None:
    app.dispatch(Write(text="one"), user=ada)
    before = dump(database)
    with pytest.raises(iq.ConstraintViolationError) as refused:
        app.dispatch(Write(text="one"), user=ada)
    assert (refused.value.kind, refused.value.record, refused.value.properties) == ("unique", "Note", ("text",))
    assert dump(database) == before


def test_an_interrupt_leaves_every_table_as_it_was(app: iq.Controller, ada: User, database: Database) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = dump(database)
    acts["after_dispatch"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        app.dispatch(Write(text="one"), user=ada)
    assert dump(database) == before
    acts.clear()
    app.dispatch(Write(text="one"), user=ada)


def test_a_failure_is_answered_where_errors_are_not_raised(make_app: Apps) -> None:
    app = make_app(*MODELS, raise_errors=False)
    acts["after_dispatch"] = fail
    result = app.dispatch(Write(text="one"))
    assert isinstance(result.error, Broken)
    assert (result.data, result.effects, result.side_effects, result.post_commit) == (None, [], [], "not_run")
    assert (result.event.interaction, result.event.id) == ("Write", 0)
    acts.clear()
    assert app.dispatch(Write(text="one")).error is None


# -- after the commit ----------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["post_commit", "note_changed", "user_changed"])
def test_a_failure_after_the_commit_is_told_and_stops_nothing(app: iq.Controller, ada: User, phase: str) -> None:
    acts[phase] = fail
    result = app.dispatch(Write(text="one"), user=ada)
    assert result.error is None
    assert result.post_commit == "failed"
    failures = {each.name: each.error for each in result.side_effects}
    assert list(failures) == ["post_commit", "note_changed", "user_changed"]
    assert [name for name, error in failures.items() if error is not None] == [phase]
    assert isinstance(failures[phase], iq.SideEffectError)
    assert isinstance(failures[phase].__cause__, Broken)
    assert app.system.storage.query(Note).count() == 1


def test_every_failure_of_one_side_effect_is_kept(app: iq.Controller, ada: User) -> None:
    note = app.dispatch(Write(text="one"), user=ada).created(Note)[0]
    acts["note_changed"] = fail
    result = app.dispatch(Rename(note=note, name="two"), user=ada)
    (outcome,) = result.side_effects
    assert outcome.mutation is not None
    assert (outcome.name, outcome.mutation.kind, outcome.mutation.key) == ("note_changed", "update", note.id)


# -- dispatches inside dispatches -----------------------------------------------------------------


@pytest.mark.parametrize("phase", IN_THE_TRANSACTION)
def test_a_dispatch_inside_a_dispatch_is_refused_and_undoes_both(
    app: iq.Controller, ada: User, database: Database, phase: str
) -> None:
    before = dump(database)
    acts[phase] = lambda: app.dispatch(Write(text="inner"), user=ada)
    with pytest.raises(iq.NestedDispatchError, match="inside the dispatch of Write"):
        app.dispatch(Write(text="outer"), user=ada)
    assert dump(database) == before


@pytest.mark.parametrize("phase", IN_THE_TRANSACTION)
def test_so_is_writing_by_hand(app: iq.Controller, ada: User, database: Database, phase: str) -> None:
    before = dump(database)
    acts[phase] = lambda: app.system.storage.create(User(name="Bob"))
    with pytest.raises((iq.StorageError, iq.ConditionRejected), match="in a transaction of its own"):
        app.dispatch(Write(text="outer"), user=ada)
    assert dump(database) == before


@pytest.mark.parametrize("phase", ["post_commit", "note_changed", "user_changed"])
def test_after_the_commit_another_may_follow(app: iq.Controller, ada: User, phase: str) -> None:
    def follow() -> None:
        acts.clear()
        app.dispatch(Write(text="second"), user=ada)

    acts[phase] = follow
    result = app.dispatch(Write(text="first"), user=ada)
    assert result.post_commit == "complete"
    assert [note.text for note in app.system.storage.query(Note)] == ["first", "second"]


# -- what callbacks are given ---------------------------------------------------------------------


def test_what_a_callback_does_to_the_payload_reaches_neither_the_event_nor_the_caller(
    app: iq.Controller, ada: User
) -> None:
    tags = ["a"]
    app.dispatch(Write(text="one", tags=tags), user=ada)
    assert tags == ["a"]
    assert app.system.storage.query(iq.InteractionEvent).one().payload["tags"] == ["a"]


@pytest.mark.parametrize("user", ["ada@example.org", 7, uuid.UUID(int=7), None], ids=repr)
def test_a_user_may_be_no_record(app: iq.Controller, user: Any) -> None:
    event = app.dispatch(Write(text="one"), user=user).event
    assert event.user == user
    actor = app.system.storage.query(iq.InteractionEvent).one().actor
    assert actor == (None if user is None else str(user))


@pytest.mark.parametrize("user", [True, 1.5, {"id": 1}, object()], ids=lambda value: type(value).__name__)
def test_a_user_is_somebody_who_can_be_told_by_it(app: iq.Controller, user: Any) -> None:
    with pytest.raises(iq.InvalidValue) as refused:
        app.dispatch(Write(text="one"), user=user)
    assert refused.value.code == "dispatch.user"


def test_a_user_that_is_gone_is_told(app: iq.Controller, ada: User) -> None:
    app.system.storage.delete(ada)
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(Write(text="one"), user=ada)
    assert [(each.path, each.code) for each in refused.value.problems] == [("user", "payload.not_found")]


def test_a_record_of_another_class_is_not_the_user_with_its_key(make_app: Apps) -> None:
    @iq.interaction
    class Leave:
        pass

    @iq.entity
    class Member:
        user: User

        @iq.deleted_by(Leave)
        def left(self, e: Event[Leave]) -> bool:
            return self.user == e.user

    app = make_app(User, Note, Write, Rename, Burn, Member, Leave)
    ada = app.system.storage.create(User(name="Ada"))
    member = app.system.storage.create(Member(user=ada))
    assert member.id == ada.id
    for user in (member, "ada@example.org", None):
        with pytest.raises(iq.InvalidValue) as refused:
            app.dispatch(Leave(), user=user)
        assert (refused.value.code, refused.value.subject) == ("dispatch.user", "Member.left")
    assert app.system.storage.query(Member).count() == 1
    app.dispatch(Leave(), user=ada)
    assert app.system.storage.query(Member).count() == 0


def test_many_threads_dispatch_at_once(app: iq.Controller, ada: User) -> None:
    start = threading.Barrier(4)

    def write(thread: int) -> list[list[str]]:
        start.wait()
        return [
            [note.text for note in app.dispatch(Write(text=f"{thread}.{each}"), user=ada).created(Note)]
            for each in range(5)
        ]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(write, range(4)))
    assert told == [[[f"{thread}.{each}"] for each in range(5)] for thread in range(4)]
    assert app.system.storage.get(User, ada.id).note_count == 20
    assert app.verify() == []


def test_asking_for_what_is_no_interaction_is_told(app: iq.Controller, ada: User) -> None:
    for request in (ada, Write, {"text": "x"}, None):
        with pytest.raises(iq.DispatchError) as refused:
            app.dispatch(request)
        assert refused.value.code == "dispatch.unknown_interaction"
    with pytest.raises(iq.DispatchError, match="Did you mean 'Write'"):
        app.dispatch("Wrte", {})
