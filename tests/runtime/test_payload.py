"""What a request may be: every problem told at once, each with a code and the path to it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

import interaqt as iq
from tests.runtime.shop import MODELS, Approve, Describe, Document, Line, Order, PlaceOrder, Priority, Product, User

Problems = dict[str, str]


@pytest.fixture
def app() -> Iterator[iq.Controller]:
    system = iq.MonoSystem(iq.SQLiteDB())
    controller = iq.Controller(system, MODELS)
    controller.setup(install=True)
    yield controller
    system.close()


@pytest.fixture
def ada(app: iq.Controller) -> User:
    return app.system.storage.create(User(name="Ada"))


@pytest.fixture
def order(app: iq.Controller, ada: User) -> Order:
    return app.system.storage.create(Order(customer=ada))


def problems(app: iq.Controller, request: Any, payload: Any = None) -> Problems:
    """Path and code of each problem; and the request has left nothing."""
    events = app.system.storage.query(iq.InteractionEvent).count()
    with pytest.raises(iq.PayloadError) as refused:
        app.dispatch(request, payload)
    assert app.system.storage.query(iq.InteractionEvent).count() == events
    assert refused.value.code == refused.value.problems[0].code
    assert all(problem.message for problem in refused.value.problems)
    return {problem.path: problem.code for problem in refused.value.problems}


def heard(app: iq.Controller, payload: dict[str, Any]) -> Any:
    """The request that the payload means, once it was dispatched."""
    return app.dispatch(Describe, payload).event.payload


# -- the payload as a whole -------------------------------------------------------------------


def test_all_problems_are_told_at_once(app: iq.Controller) -> None:
    payload = {"txt": "x", "text": 5, "count": "7", "order": "first", "documents": [1, "x"], "at": "noon"}
    assert problems(app, Describe, payload) == {
        "txt": "payload.unknown",
        "order": "payload.reference",
        "documents[0]": "payload.reference",
        "documents[1]": "payload.reference",
        "text": "payload.type",
        "count": "payload.type",
        "at": "payload.type",
    }


def test_what_is_missing_is_told_beside_what_is_wrong(app: iq.Controller) -> None:
    found = problems(app, PlaceOrder, {"quantity": "many"})
    assert found == {"products": "payload.missing", "quantity": "payload.type"}


@pytest.mark.parametrize("payload", [[], [1], "text", "", 0, False], ids=repr)
def test_a_payload_is_a_mapping(app: iq.Controller, payload: Any) -> None:
    assert problems(app, Approve, payload) == {"payload": "payload.not_a_mapping"}


def test_an_interaction_by_its_name_needs_no_payload_where_nothing_is_required(app: iq.Controller) -> None:
    assert app.dispatch("Describe").event.payload == Describe()


def test_the_problems_of_a_request_are_those_of_its_dispatch(app: iq.Controller) -> None:
    with pytest.raises(iq.PayloadError) as refused:
        app.request("Describe", {"count": True, "size": "XL", "ratio": float("nan")})
    assert {problem.path for problem in refused.value.problems} == {"count", "size", "ratio"}


def test_an_item_is_named_with_the_nearest_there_is(app: iq.Controller) -> None:
    with pytest.raises(iq.PayloadError, match="Did you mean 'text'"):
        app.dispatch(Describe, {"txt": "x"})


# -- None and absence -------------------------------------------------------------------------


def test_an_optional_item_is_absent_or_none(app: iq.Controller) -> None:
    assert heard(app, {"order": None, "price": None}) == heard(app, {}) == Describe()
    assert app.dispatch(Describe(order=None)).event.payload.order is None


def test_an_absent_item_hides_no_wrong_one_after_it(app: iq.Controller) -> None:
    assert problems(app, Describe, {"extra": 5}) == {"extra": "payload.type"}


@pytest.mark.parametrize("name", ["text", "count", "ratio", "urgent", "priority"])
def test_none_is_no_value_of_what_is_not_optional(app: iq.Controller, name: str) -> None:
    assert problems(app, Describe, {name: None}) == {name: "payload.type"}
    assert problems(app, Describe(**{name: None})) == {name: "payload.type"}


def test_none_is_no_record(app: iq.Controller) -> None:
    assert problems(app, Approve, {"order": None}) == {"order": "payload.reference"}
    assert problems(app, PlaceOrder, {"products": [None], "quantity": 1}) == {"products[0]": "payload.reference"}
    assert problems(app, PlaceOrder, {"products": None, "quantity": 1}) == {"products": "payload.reference"}


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", ["a"]),
        ("text", "nul\0"),
        ("count", "5"),
        ("count", 5.0),
        ("count", True),
        ("count", 2**63),
        ("ratio", "0.5"),
        ("ratio", True),
        ("ratio", float("nan")),
        ("ratio", float("inf")),
        ("price", "a lot"),
        ("price", True),
        ("price", "NaN"),
        ("urgent", "false"),
        ("urgent", 0),
        ("priority", "urgent"),
        ("size", "XL"),
        ("at", "2026-01-01T12:00:00"),
        ("at", 5),
        ("day", "2026-02-30"),
        ("took", "an hour"),
        ("token", "x"),
        ("extra", [1]),
        ("extra", "text"),
    ],
)
def test_a_value_of_another_type_is_refused(app: iq.Controller, name: str, value: Any) -> None:
    assert problems(app, Describe, {name: value}) == {name: "payload.type"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", "nul\0"),
        ("count", True),
        ("count", 2**63),
        ("ratio", float("nan")),
        ("price", 0.5),
        ("priority", "high"),
        ("size", "XL"),
        ("at", dt.datetime(2026, 1, 1)),  # noqa: DTZ001
        ("day", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        ("extra", [1]),
        ("extra", {"at": object()}),
        ("extra", {"ratio": float("nan")}),
    ],
)
def test_so_is_one_in_an_instance(app: iq.Controller, name: str, value: Any) -> None:
    assert problems(app, Describe(**{name: value})) == {name: "payload.type"}


def test_values_come_out_of_json_as_their_types(app: iq.Controller) -> None:
    token = uuid.uuid4()
    payload = {
        "ratio": 2,
        "price": 19.99,
        "priority": "high",
        "size": "M",
        "at": "2026-03-01T12:00:00+02:00",
        "day": "2026-02-28",
        "took": 1_500_000,
        "token": str(token),
        "lines": [{"sku": "a", "quantity": 2, "price": "0.10"}, {"sku": "b", "quantity": 1}],
        "tags": ["x", "y"],
        "extra": {"deep": [1, {"er": None}]},
    }
    assert heard(app, payload) == Describe(
        ratio=2.0,
        price=Decimal("19.99"),
        priority=Priority.HIGH,
        size="M",
        at=dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC),
        day=dt.date(2026, 2, 28),
        took=dt.timedelta(seconds=1.5),
        token=token,
        lines=[Line("a", 2, Decimal("0.10")), Line("b", 1)],
        tags=["x", "y"],
        extra={"deep": [1, {"er": None}]},
    )


def test_values_of_python_are_taken_in_a_mapping_too(app: iq.Controller, order: Order) -> None:
    at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    payload = {"order": order, "at": at, "priority": Priority.HIGH, "lines": [Line("a", 1)]}
    assert heard(app, payload) == Describe(order=order, at=at, priority=Priority.HIGH, lines=[Line("a", 1)])


def test_what_the_event_keeps_can_be_dispatched_again(app: iq.Controller, order: Order) -> None:
    request = Describe(
        order=order,
        price=Decimal("1.10"),
        priority=Priority.HIGH,
        at=dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC),
        day=dt.date(2026, 3, 1),
        took=dt.timedelta(days=1),
        token=uuid.uuid4(),
        lines=[Line("a", 2, Decimal("0.10"))],
    )
    event = app.dispatch(request).event
    stored = app.system.storage.get(iq.InteractionEvent, event.id)
    assert heard(app, stored.payload) == request


def test_a_problem_inside_has_its_path(app: iq.Controller) -> None:
    lines = [{"sku": "a", "quantity": "two"}, {"sku": "b"}, {"sku": "c", "quantity": 1}, "d"]
    found = problems(app, Describe, {"lines": lines, "tags": ["x", 5]})
    assert found == {
        "lines[0].quantity": "payload.type",
        "lines[1].quantity": "payload.type",
        "lines[3]": "payload.type",
        "tags[1]": "payload.type",
    }


def test_a_text_is_no_list_of_its_letters(app: iq.Controller) -> None:
    assert problems(app, Describe, {"tags": "abc"}) == {"tags": "payload.not_a_list"}
    assert problems(app, Describe, {"lines": {"sku": "a", "quantity": 1}}) == {"lines": "payload.not_a_list"}


def test_an_instance_is_checked_inside_as_well(app: iq.Controller) -> None:
    wrong: Any = [Line("a", 1), {"sku": "b"}]
    assert problems(app, Describe(lines=wrong)) == {"lines[1]": "payload.type"}


# -- references -------------------------------------------------------------------------------


def test_a_record_is_named_by_its_key_or_by_an_object_with_it(app: iq.Controller, order: Order) -> None:
    for reference in (order.id, {"id": order.id}, {"id": order.id, "note": "ignored"}, order):
        assert heard(app, {"order": reference}).order == order


@pytest.mark.parametrize("reference", ["1", 1.0, True, [1], {}, {"id": None}, {"key": 1}, 2**63], ids=repr)
def test_what_names_no_record_is_refused(app: iq.Controller, order: Order, reference: Any) -> None:
    assert problems(app, Approve, {"order": reference}) == {"order": "payload.reference"}


def test_a_record_of_another_class_names_none(app: iq.Controller, ada: User, order: Order) -> None:
    wrong: Any = ada
    assert ada.id == order.id
    assert problems(app, Approve, {"order": ada}) == {"order": "payload.reference"}
    assert problems(app, Approve(order=wrong)) == {"order": "payload.reference"}


def test_a_record_that_is_not_stored_names_none(app: iq.Controller, ada: User) -> None:
    assert problems(app, Approve(order=Order(customer=ada))) == {"order": "payload.reference"}


@pytest.mark.parametrize("key", [0, -1, 4711])
def test_a_record_that_is_not_there_is_told(app: iq.Controller, key: int) -> None:
    assert problems(app, Approve, {"order": key}) == {"order": "payload.not_found"}


def test_a_uuid_is_named_by_its_text(app: iq.Controller) -> None:
    document = app.system.storage.create(Document(title="contract"))
    assert heard(app, {"documents": [str(document.id), {"id": document.id}]}).documents == [document, document]
    assert problems(app, Describe, {"documents": ["x"]}) == {"documents[0]": "payload.reference"}
    assert problems(app, Describe, {"documents": [str(uuid.uuid4())]}) == {"documents[0]": "payload.not_found"}


def test_missing_records_are_told_one_by_one_and_looked_up_at_once(app: iq.Controller, ada: User) -> None:
    kept = app.system.storage.create(Product(name="kept"))
    with app.system.database.recording() as recorder, pytest.raises(iq.PayloadError) as refused:
        app.dispatch(PlaceOrder, {"products": [8, kept.id, 9], "quantity": 1}, user=ada)
    found = {problem.path: problem.code for problem in refused.value.problems}
    assert found == {"products[0]": "payload.not_found", "products[2]": "payload.not_found"}
    # Once for which reference was refused, which this database does not tell, and once for all of the payload.
    assert sum('FROM "product"' in sql for sql, _ in recorder.statements) == 2


def test_a_list_may_be_empty_and_may_name_one_record_twice(app: iq.Controller, ada: User) -> None:
    kept = app.system.storage.create(Product(name="kept"))
    assert app.dispatch(PlaceOrder(products=[], quantity=1, note=None), user=ada).created(Product) == []
    app.dispatch(PlaceOrder(products=[kept, kept], quantity=3, note=None), user=ada)
    assert app.system.storage.get(Product, kept.id).sold == 6


def test_a_single_record_is_no_list_of_records(app: iq.Controller) -> None:
    assert problems(app, PlaceOrder, {"products": 1, "quantity": 1}) == {"products": "payload.not_a_list"}


# -- converters and validators ------------------------------------------------------------------


@iq.interaction
class Invite:
    email: str = iq.field(converter=lambda text: text.strip().lower())
    seats: int = iq.field(default=1, validator=attrs.validators.ge(1))
    nick: str | None = iq.field(default=None, validator=attrs.validators.optional(attrs.validators.min_len(2)))


@pytest.fixture
def invitations() -> Iterator[iq.Controller]:
    system = iq.MonoSystem(iq.SQLiteDB())
    controller = iq.Controller(system, [Invite])
    controller.setup(install=True)
    yield controller
    system.close()


def test_a_converter_runs_on_what_came_as_json(invitations: iq.Controller) -> None:
    assert invitations.request(Invite, {"email": " Ada@Example.org"}) == Invite(email="ada@example.org")


def test_what_validators_refuse_is_told_with_its_path(invitations: iq.Controller) -> None:
    found = problems(invitations, Invite, {"email": "a", "seats": 0, "nick": "x"})
    assert found == {"seats": "payload.invalid", "nick": "payload.invalid"}
