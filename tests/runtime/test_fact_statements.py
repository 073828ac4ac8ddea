"""What the facts of an interaction cost: moves, stamps and ends, by statements and round trips."""

from __future__ import annotations

from decimal import Decimal

import pytest

import interaqt as iq
from interaqt.storage.database import Database
from tests.runtime import test_moves as moves
from tests.runtime import test_stamps as stamps
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import Record, trips
from tests.runtime.test_statements import database as database
from tests.runtime.test_statements import sent as sent


@pytest.fixture
def stamped(make_app: Apps) -> iq.Controller:
    return make_app(*stamps.MODELS)


@pytest.fixture
def bill(stamped: iq.Controller) -> stamps.Order:
    storage = stamped.system.storage
    return storage.create(stamps.Order(owner=storage.create(stamps.User(name="Ada"))))


def test_stamps_are_written_by_the_update_of_the_state(
    stamped: iq.Controller, database: Database, sent: Record, bill: stamps.Order
) -> None:
    user = bill.owner
    found = sent(lambda: stamped.dispatch(stamps.Assign(order=bill, to=user)))
    assert found.inner == ["UPDATE order", "SELECT user"]
    stamped.dispatch(stamps.Pay(order=bill))
    found = sent(lambda: stamped.dispatch(stamps.Reopen(order=bill)))
    assert found.inner == ["SELECT order", "UPDATE order", "UPDATE user"]
    assert found.round_trips == trips(database, 2)


def test_whether_a_value_that_is_set_is_another_one_tells_the_update_itself(
    stamped: iq.Controller, database: Database, sent: Record, bill: stamps.Order
) -> None:
    found = sent(lambda: stamped.dispatch(stamps.Edit(order=bill, note="a")))
    assert found.inner == ["UPDATE order"]
    assert found.round_trips == trips(database, 2)


def test_a_json_value_is_read_to_be_compared(stamped: iq.Controller, sent: Record, bill: stamps.Order) -> None:
    assert sent(lambda: stamped.dispatch(stamps.Tag(order=bill, tags=["x"]))).inner == ["SELECT order", "UPDATE order"]
    assert sent(lambda: stamped.dispatch(stamps.Tag(order=bill, tags=["x"]))).inner == ["SELECT order"]


@pytest.fixture
def shop(make_app: Apps) -> iq.Controller:
    return make_app(*moves.MODELS)


@pytest.fixture
def order(shop: iq.Controller) -> moves.Order:
    storage = shop.system.storage
    return storage.create(moves.Order(shop=storage.create(moves.Shop(name="tea")), price=Decimal(10)))


def test_a_computed_move_reads_the_record_once_for_all_callbacks(
    shop: iq.Controller, sent: Record, order: moves.Order
) -> None:
    assert sent(lambda: shop.dispatch(moves.Place(order=order))).inner == ["SELECT order", "UPDATE order"]
    found = sent(lambda: shop.dispatch(moves.Pay(order=order, amount=Decimal(1))))
    # The record, locked, before the event is written; then its state, on which the shop depends.
    assert found.shapes == [
        *["BEGIN", "INSERT interaction_event", "SELECT order", "SELECT order", "UPDATE order", "COMMIT"]
    ]


def test_an_impossible_move_is_found_by_reading_the_state(
    shop: iq.Controller, sent: Record, order: moves.Order
) -> None:
    def send() -> None:
        with pytest.raises(iq.ImpossibleMove):
            shop.dispatch(moves.Send(order=order))

    assert sent(send).shapes == ["BEGIN", "INSERT interaction_event", "SELECT order", "ROLLBACK"]


def test_what_is_deleted_by_a_move_costs_what_an_end_costs(
    shop: iq.Controller, sent: Record, order: moves.Order
) -> None:
    found = sent(lambda: shop.dispatch(moves.Discard(order=order)))
    assert found.inner == ["SELECT order", "SELECT line", "DELETE order", "UPDATE shop"]


def test_what_a_plan_lists_is_what_is_sent(stamped: iq.Controller, sent: Record, bill: stamps.Order) -> None:
    # Of notes that are not empty, the one that counts those is not told.
    found = sent(lambda: stamped.dispatch(stamps.Edit(order=bill, note="")))
    assert [step.sql for step in stamped.explain(stamps.Edit).steps] == [sql for sql, _ in found.statements[1:-1]]


def test_a_plan_tells_of_stamps(stamped: iq.Controller) -> None:
    assert [step.why for step in stamped.explain(stamps.Edit).steps] == [
        "the event record",
        "Order.note on Edit: the next state with Order.noted_at, Order.noted_by, Order.notes, Order.emptied",
    ]


def test_a_plan_tells_of_what_a_move_ends(shop: iq.Controller) -> None:
    why = [step.why for step in shop.explain(moves.Discard).steps]
    assert "Order.stage on Discard: what is DELETED then" in why
