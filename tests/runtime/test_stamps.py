"""Stamps: when an attribute was changed, by whom and how often, written with the change itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Literal

import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps


@iq.interaction
class Pay:
    order: Order


@iq.interaction
class Reopen:
    order: Order


@iq.interaction
class Edit:
    order: Order
    note: str


@iq.interaction
class Tag:
    order: Order
    tags: list[str]


@iq.interaction
class Assign:
    order: Order
    to: User | None


@iq.interaction
class Touch:
    order: Order


@iq.entity
class User:
    name: str
    orders: Many[Order] = iq.many(inverse="owner")
    last_paid: dt.datetime | None = iq.Maximum(orders, of=lambda order: order.paid_at)
    times: int = iq.Summation(orders, of=lambda order: order.reopened)
    edits: Many[Order] = iq.many(inverse="edited_by")
    edited: int = iq.Count(edits)


@iq.entity
class Order:
    owner: User
    status: Literal["open", "paid"] = iq.StateMachine(
        "open", iq.on(Pay, {"open": "paid"}), iq.on(Reopen, {"paid": "open"})
    )
    paid_at: dt.datetime | None = iq.changed_at(status, to="paid")
    paid_by: User | None = iq.changed_by(status, to="paid")
    reopened: int = iq.change_count(status, leaving="paid")
    moved_at: dt.datetime | None = iq.changed_at(status)

    note: str = iq.field(
        default="", changes=[iq.on(Edit, set=lambda e: e.payload.note), iq.on(Touch, set=lambda e, order: order.note)]
    )
    noted_at: dt.datetime | None = iq.changed_at(note)
    noted_by: str | None = iq.changed_by(note)
    notes: int = iq.change_count(note)
    emptied: int = iq.change_count(note, to="")

    tags: list[str] = iq.field(factory=list, changes=iq.on(Tag, set=lambda e: e.payload.tags))
    tagged: int = iq.change_count(tags)
    edited_by: User | None = iq.changed_by(tags)

    helper: User | None = iq.one(default=None, changes=iq.on(Assign, set=lambda e: e.payload.to))
    assigned: int = iq.change_count(helper)
    freed_at: dt.datetime | None = iq.changed_at(helper, to=None)
    first_at: dt.datetime | None = iq.changed_at(helper, leaving=None)


MODELS = (User, Order, Pay, Reopen, Edit, Tag, Assign, Touch)


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    yield app
    assert app.verify() == []


@pytest.fixture
def ada(app: iq.Controller) -> User:
    return app.system.storage.create(User(name="Ada"))


@pytest.fixture
def order(app: iq.Controller, ada: User) -> Order:
    return app.system.storage.create(Order(owner=ada))


def now(app: iq.Controller) -> Order:
    return app.system.storage.query(Order).one()


def test_a_stamp_starts_with_nothing_to_tell(app: iq.Controller, order: Order) -> None:
    found = now(app)
    assert (found.paid_at, found.paid_by, found.reopened, found.moved_at) == (None, None, 0, None)
    assert (found.noted_at, found.noted_by, found.notes) == (None, None, 0)


def test_a_state_is_written_with_when_and_by_whom(app: iq.Controller, ada: User, order: Order) -> None:
    result = app.dispatch(Pay(order=order), user=ada)
    found = now(app)
    assert (found.paid_at, found.paid_by, found.moved_at) == (result.event.at, ada, result.event.at)
    (change,) = [each for each in result.effects if each.record is Order]
    assert change.names == {"status", "paid_at", "paid_by", "moved_at"}


def test_a_stamp_of_one_state_tells_of_that_alone_and_of_the_last_time(app: iq.Controller, order: Order) -> None:
    first = app.dispatch(Pay(order=order)).event.at
    second = app.dispatch(Reopen(order=order)).event.at
    found = now(app)
    assert (found.paid_at, found.moved_at, found.reopened) == (first, second, 1)
    third = app.dispatch(Pay(order=order)).event.at
    assert (now(app).paid_at, now(app).reopened) == (third, 1)


def test_an_event_that_moves_nothing_is_told_by_no_stamp(app: iq.Controller, ada: User, order: Order) -> None:
    first = app.dispatch(Pay(order=order)).event.at
    app.dispatch(Pay(order=order), user=ada)
    assert (now(app).paid_at, now(app).paid_by) == (first, None)


def test_a_value_that_is_set_is_told_where_it_is_another_one(app: iq.Controller, ada: User, order: Order) -> None:
    app.dispatch(Edit(order=order, note=""), user=ada)
    assert (now(app).notes, now(app).noted_at, now(app).noted_by) == (0, None, None)
    first = app.dispatch(Edit(order=order, note="a"), user=ada).event.at
    assert (now(app).notes, now(app).noted_at, now(app).noted_by, now(app).emptied) == (1, first, "1", 0)
    app.dispatch(Edit(order=order, note="a"), user="somebody else")
    assert (now(app).notes, now(app).noted_by) == (1, "1")
    app.dispatch(Edit(order=order, note=""), user="root")
    assert (now(app).notes, now(app).noted_by, now(app).emptied) == (2, "root", 1)
    app.dispatch(Touch(order=order), user=ada)
    assert (now(app).notes, now(app).noted_by) == (2, "root")


def test_a_json_value_is_compared_as_python_compares(app: iq.Controller, ada: User, order: Order) -> None:
    app.dispatch(Tag(order=order, tags=[]), user=ada)
    assert (now(app).tagged, now(app).edited_by) == (0, None)
    app.dispatch(Tag(order=order, tags=["a", "b"]), user=ada)
    app.dispatch(Tag(order=order, tags=["a", "b"]))
    assert (now(app).tagged, now(app).edited_by) == (1, ada)


def test_a_reference_that_comes_and_goes_is_told(app: iq.Controller, ada: User, order: Order) -> None:
    app.dispatch(Assign(order=order, to=None))
    assert (now(app).assigned, now(app).freed_at) == (0, None)
    first = app.dispatch(Assign(order=order, to=ada)).event.at
    app.dispatch(Assign(order=order, to=ada))
    bob = app.system.storage.create(User(name="Bob"))
    app.dispatch(Assign(order=order, to=bob))
    found = now(app)
    assert (found.assigned, found.freed_at, found.first_at) == (2, None, first)
    last = app.dispatch(Assign(order=order, to=None)).event.at
    assert (now(app).assigned, now(app).freed_at, now(app).first_at) == (3, last, first)


def test_what_is_computed_of_a_stamp_follows(app: iq.Controller, ada: User, order: Order) -> None:
    at = app.dispatch(Pay(order=order), user=ada).event.at
    app.dispatch(Reopen(order=order), user=ada)
    found = app.system.storage.query(User).one()
    assert (found.last_paid, found.times, found.edited) == (at, 1, 0)
    app.dispatch(Tag(order=order, tags=["x"]), user=ada)
    assert app.system.storage.query(User).one().edited == 1


def test_who_changed_it_may_go(app: iq.Controller, ada: User, order: Order) -> None:
    bob = app.system.storage.create(User(name="Bob"))
    app.dispatch(Pay(order=order), user=bob)
    app.system.storage.delete(bob)
    assert now(app).paid_by is None
    assert now(app).paid_at is not None


def test_a_user_who_is_not_there_is_told(app: iq.Controller, order: Order) -> None:
    ghost = app.system.storage.create(User(name="Bob"))
    app.system.storage.delete(ghost)
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(Pay(order=order), user=ghost)
    assert [(each.path, each.code) for each in refused.value.problems] == [("user", "payload.not_found")]


def test_what_is_written_by_hand_is_told_by_no_stamp(app: iq.Controller, order: Order) -> None:
    app.system.storage.update(order, note="by hand")
    assert (now(app).note, now(app).notes, now(app).noted_at) == ("by hand", 0, None)


@pytest.mark.parametrize("name", ["paid_at", "paid_by", "reopened"])
def test_a_stamp_is_given_by_nobody(app: iq.Controller, ada: User, order: Order, name: str) -> None:
    value: Any = {"paid_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "paid_by": ada, "reopened": 3}[name]
    with pytest.raises(iq.InvalidValue) as refused:
        app.system.storage.update(order, **{name: value})
    assert refused.value.code == "record.derived"
    with pytest.raises(iq.InvalidValue) as refused:
        Order(owner=ada, **{name: value})
    assert refused.value.code == "record.derived"


def test_it_is_explained_by_its_rule(app: iq.Controller, order: Order) -> None:
    app.dispatch(Pay(order=order))
    explained = app.explain(now(app), "paid_at")
    assert explained.value == now(app).paid_at
    assert explained.rule.startswith("changed_at(status, to='paid'), declared at")
    assert app.explain(now(app), "paid_by").rule.startswith("changed_by(status, to='paid')")


def test_queries_ask_for_stamps(app: iq.Controller, ada: User, order: Order) -> None:
    app.dispatch(Pay(order=order), user=ada)
    query = app.system.storage.query(Order)
    assert query.where(lambda order: order.paid_by == ada and order.paid_at is not None).count() == 1
    assert query.where(lambda order: order.reopened > 0).count() == 0


# -- of global values -------------------------------------------------------------------------------


@iq.interaction
class Open:
    pass


@iq.interaction
class Close:
    pass


@iq.interaction
class Donate:
    amount: int


@iq.dictionary
class Fair:
    state: Literal["shut", "open", "over"] = iq.StateMachine(
        "shut",
        iq.on(Open, {"shut": "open"}, strict=True),
        iq.on(Close, {"open": "over"}),
        iq.on(Close, {"shut": "shut"}),
    )
    opened_by: User | None = iq.changed_by(state, to="open")
    moves: int = iq.change_count(state)
    total: int = iq.field(default=0, changes=iq.on(Donate, set=lambda e, fair: fair.total + e.payload.amount))
    given_at: dt.datetime | None = iq.changed_at(total)


def test_a_dictionary_has_machines_and_stamps_like_any_record(make_app: Apps) -> None:
    app = make_app(*MODELS, Fair, Open, Close, Donate)
    ada = app.system.storage.create(User(name="Ada"))
    app.dispatch(Open(), user=ada)
    with pytest.raises(iq.ImpossibleMove) as refused:
        app.dispatch(Open())
    assert (refused.value.record, refused.value.state) == ("Fair", "open")
    first = app.dispatch(Donate(amount=3)).event.at
    app.dispatch(Donate(amount=0))
    app.dispatch(Close())
    fair = app.system.storage.get(Fair)
    assert (fair.state, fair.opened_by, fair.moves) == ("over", ada, 2)
    assert (fair.total, fair.given_at) == (3, first)


# -- and what is stored of a record's own values ---------------------------------------------------------


@iq.interaction
class Rate:
    film: Film
    stars: int


@iq.entity
class Film:
    stars: int = iq.field(default=0, changes=iq.on(Rate, set=lambda e: e.payload.stars))
    rated: int = iq.change_count(stars)
    rated_at: dt.datetime | None = iq.changed_at(stars)

    @iq.computed(stored=True)
    def often(self) -> bool:
        return self.rated > 1

    @iq.computed(stored=True)
    def year(self) -> int:
        return self.rated_at.year if self.rated_at is not None else 0


def test_what_is_stored_of_a_stamp_is_written_with_it(make_app: Apps) -> None:
    app = make_app(Film, Rate)
    film = app.system.storage.create(Film())
    for stars, expected in ((0, (0, False, 0)), (1, (1, False, 1)), (1, (1, False, 1)), (2, (2, True, 1))):
        app.dispatch(Rate(film=film, stars=stars))
        found = app.system.storage.get(Film, film.id)  # type: ignore[attr-defined]
        assert (found.rated, found.often, found.year > 0) == expected
    assert app.verify() == []
