"""The guard: the payload's shape, then conditions, then whether what is named is there."""

from __future__ import annotations

from typing import Any

import pytest

import interaqt as iq
from interaqt import Event
from tests.runtime.conftest import Apps

asked: list[Any] = []


@iq.entity
class User:
    id: int = iq.key()
    name: str
    role: str = "member"


@iq.condition
def is_moderator(event: Event[Any]) -> bool:
    asked.append(event.payload)
    return bool(event.user.role == "moderator")


@iq.condition
def is_owner(event: Event[Close]) -> bool:
    return bool(event.payload.room.owner == event.user)


@iq.condition
def is_open(event: Event[Close]) -> bool:
    if event.payload.room.state == "closed":
        raise iq.ConditionRejected(f"{event.payload.room.name} is closed already", code="room.closed")
    return True


@iq.interaction(guard=is_open & (is_owner | is_moderator))
class Close:
    room: Room


@iq.interaction(guard=is_moderator)
class Rename:
    room: Room
    name: str


@iq.interaction(guard=is_owner)
class Leave:
    room: Room


@iq.entity
class Room:
    id: int = iq.key()
    name: str = iq.field(changes=iq.on(Rename, set=lambda e: e.payload.name))
    owner: User = iq.one()
    state: str = iq.StateMachine("open", iq.on(Close, {"open": "closed"}))


MODELS = (User, Room, Close, Rename, Leave)


@pytest.fixture
def app(make_app: Apps) -> iq.Controller:
    asked.clear()
    return make_app(*MODELS)


@pytest.fixture
def ada(app: iq.Controller) -> User:
    return app.system.storage.create(User(name="Ada"))


@pytest.fixture
def room(app: iq.Controller, ada: User) -> Room:
    return app.system.storage.create(Room(name="lobby", owner=ada))


def refusal(app: iq.Controller, request: Any, user: Any = None) -> iq.GuardError:
    with pytest.raises(iq.GuardError) as refused:
        app.dispatch(request, user=user)
    assert app.system.storage.query(iq.InteractionEvent).where(lambda e: e.interaction == "Rename").count() == 0
    return refused.value


def test_conditions_never_meet_a_payload_of_the_wrong_shape(app: iq.Controller, ada: User) -> None:
    wrong: Any = "lobby"
    assert isinstance(refusal(app, Rename(room=wrong, name="x"), ada), iq.PayloadError)
    assert asked == []


def test_who_may_not_ask_learns_nothing_of_what_is_there(app: iq.Controller, ada: User, room: Room) -> None:
    there = refusal(app, app.request(Rename, {"room": room.id, "name": "x"}), ada)
    not_there = refusal(app, app.request(Rename, {"room": 4711, "name": "x"}), ada)
    assert there.code == not_there.code == "condition.rejected"
    assert there.message == not_there.message


def test_who_may_ask_is_told_what_is_not_there(app: iq.Controller) -> None:
    bob = app.system.storage.create(User(name="Bob", role="moderator"))
    error = refusal(app, app.request(Rename, {"room": 4711, "name": "x"}), bob)
    assert isinstance(error, iq.PayloadError)
    assert [(each.code, each.path) for each in error.problems] == [("payload.not_found", "room")]


def test_a_condition_that_stumbles_over_what_is_not_there_says_so(app: iq.Controller, ada: User) -> None:
    error = refusal(app, app.request(Leave, {"room": 4711}), ada)
    assert isinstance(error, iq.PayloadError)
    assert error.code == "payload.not_found"


def test_a_condition_sees_what_is_stored_and_not_what_the_caller_once_read(
    app: iq.Controller, ada: User, room: Room
) -> None:
    assert room.state == "open"
    app.dispatch(Close(room=room), user=ada)
    error = refusal(app, Close(room=room), ada)
    assert (error.code, error.message) == ("room.closed", "lobby is closed already")
    assert room.state == "open"


def test_a_condition_sees_the_user_as_stored(app: iq.Controller, ada: User, room: Room) -> None:
    assert ada.role == "member"
    app.system.storage.update(ada, role="moderator")
    app.dispatch(Rename(room=room, name="hall"), user=ada)
    assert app.system.storage.get(Room, room.id).name == "hall"


def test_whose_it_is_costs_no_look_at_the_owner(app: iq.Controller, ada: User, room: Room) -> None:
    with app.system.database.recording() as recorder:
        app.dispatch(Leave(room=room), user=ada)
    assert not any('FROM "user"' in sql for sql, _ in recorder.statements)


def test_a_user_who_is_no_record_has_no_role(app: iq.Controller, room: Room) -> None:
    assert refusal(app, Rename(room=room, name="x"), "ada@example.org").code == "condition.raised"
    assert refusal(app, Rename(room=room, name="x")).code == "condition.raised"


def test_a_refusal_is_answered_where_errors_are_not_raised(make_app: Apps) -> None:
    app = make_app(*MODELS, raise_errors=False)
    bob = app.system.storage.create(User(name="Bob"))
    result = app.dispatch("Rename", {"room": 1, "name": "x"}, user=bob)
    assert isinstance(result.error, iq.ConditionRejected)
    assert (result.data, result.effects, result.side_effects, result.post_commit) == (None, [], [], "not_run")
    assert result.created(Room) == []
    assert isinstance(app.dispatch("Rename", {"rom": 1}, user=bob).error, iq.PayloadError)
