"""Moves with more to say: strict ones, computed ones, several by one event, and those that end a record."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import pytest

import interaqt as iq
from interaqt import Event, Many
from tests.runtime.conftest import Apps
from tests.runtime.test_transitions import at_once


class Stage(enum.Enum):
    CART = "cart"
    PLACED = "placed"
    PAID = "paid"
    SENT = "sent"


@iq.interaction
class Place:
    order: Order


@iq.interaction
class Pay:
    order: Order
    amount: Decimal


@iq.interaction
class Send:
    order: Order


@iq.interaction
class SendAll:
    shop: Shop


@iq.interaction
class Transfer:
    source: Account
    target: Account
    amount: Decimal


@iq.interaction
class Take:
    order: Order


@iq.interaction
class Discard:
    order: Order


def paid_or_not(e: Event[Pay], order: Order) -> Stage:
    return Stage.PAID if order.paid + e.payload.amount >= order.price else Stage.PLACED


@iq.entity
class User:
    name: str


@iq.entity
class Shop:
    name: str
    orders: Many[Order] = iq.many(inverse="shop")
    lines: Many[Line] = iq.many(inverse="shop")
    sent: int = iq.Count(orders, where=lambda order: order.stage == Stage.SENT)
    open: int = iq.Count(orders)
    line_count: int = iq.Count(lines)


@iq.entity
class Order:
    shop: Shop
    price: Decimal
    paid: Decimal = iq.field(default=Decimal(0), changes=iq.on(Pay, set=lambda e, order: order.paid + e.payload.amount))
    clerk: User | None = iq.one(default=None, changes=iq.on(Take, {None: lambda e, order: e.user}, strict=True))
    stage: Stage = iq.StateMachine(
        Stage.CART,
        iq.on(Place, {Stage.CART: Stage.PLACED}, strict=True),
        iq.on(Pay, {Stage.PLACED: paid_or_not}, strict=True),
        iq.on(Send, {Stage.PAID: Stage.SENT}, strict=True),
        iq.on(SendAll, {Stage.PAID: Stage.SENT}, record=lambda e: e.payload.shop.orders),
        iq.on(Discard, {Stage.CART: iq.DELETED, Stage.PLACED: iq.DELETED}, strict=True),
    )
    note: str = iq.field(default="", changes=iq.on(Discard, set=lambda e: "discarded"))
    lines: Many[Line] = iq.many(inverse="order")


@iq.entity
class Line:
    order: Order = iq.one(on_delete="cascade")
    shop: Shop


@iq.entity
class Account:
    balance: Decimal = iq.field(
        changes=[
            iq.on(
                Transfer,
                record=lambda e: e.payload.source,
                set=lambda e, account: account.balance - e.payload.amount,
            ),
            iq.on(
                Transfer,
                record=lambda e: e.payload.target,
                set=lambda e, account: account.balance + e.payload.amount,
            ),
        ]
    )


MODELS = (User, Shop, Order, Line, Account, Place, Pay, Send, SendAll, Transfer, Take, Discard)


@pytest.fixture
def app(make_app: Apps) -> Iterator[iq.Controller]:
    app = make_app(*MODELS)
    yield app
    assert app.verify() == []


@pytest.fixture
def order(app: iq.Controller) -> Order:
    storage = app.system.storage
    return storage.create(Order(shop=storage.create(Shop(name="tea")), price=Decimal(10)))


def now(app: iq.Controller, order: Order) -> Order:
    return app.system.storage.get(Order, order.id)  # type: ignore[attr-defined]


def events(app: iq.Controller) -> int:
    return app.system.storage.query(iq.InteractionEvent).count()


# -- strict ---------------------------------------------------------------------------------------


def test_a_strict_transition_moves_like_any_other(app: iq.Controller, order: Order) -> None:
    app.dispatch(Place(order=order))
    assert now(app, order).stage is Stage.PLACED


def test_a_strict_transition_without_a_move_from_there_is_an_error_and_writes_nothing(
    app: iq.Controller, order: Order
) -> None:
    app.dispatch(Place(order=order))
    with pytest.raises(iq.ImpossibleMove) as refused:
        app.dispatch(Place(order=order))
    error = refused.value
    assert isinstance(error, iq.DispatchError)
    assert error.code == "statemachine.impossible_move"
    assert (error.record, error.attribute, error.interaction) == ("Order", "stage", "Place")
    assert (error.key, error.state, error.moves) == (1, Stage.PLACED, {Stage.CART: Stage.PLACED})
    assert error.message == (
        "Order.stage of 1 is <Stage.PLACED: 'placed'>, which Place does not move; "
        "it moves from <Stage.CART: 'cart'> to <Stage.PLACED: 'placed'>"
    )
    assert error.location is not None
    assert error.location.file == __file__
    assert events(app) == 1


def test_an_error_instead_of_a_raise_tells_it_too(make_app: Apps) -> None:
    app = make_app(*MODELS, raise_errors=False)
    storage = app.system.storage
    order = storage.create(Order(shop=storage.create(Shop(name="tea")), price=Decimal(10)))
    result = app.dispatch(Send(order=order))
    assert isinstance(result.error, iq.ImpossibleMove)
    assert (result.effects, events(app)) == ([], 0)


def test_one_impossible_move_of_many_undoes_the_whole_batch(app: iq.Controller, order: Order) -> None:
    with pytest.raises(iq.ImpossibleMove):
        app.dispatch_many([Place(order=order), Place(order=order)])
    assert (now(app, order).stage, events(app)) == (Stage.CART, 0)


def test_where_it_is_not_strict_a_state_that_has_no_move_stays(app: iq.Controller, order: Order) -> None:
    storage = app.system.storage
    other = storage.create(Order(shop=order.shop, price=Decimal(1)))
    app.dispatch_many([Place(order=order), Pay(order=order, amount=Decimal(10))])
    app.dispatch(SendAll(shop=order.shop))
    assert (now(app, order).stage, now(app, other).stage) == (Stage.SENT, Stage.CART)
    assert storage.query(Shop).one().sent == 1


def test_of_two_that_place_the_same_order_at_once_one_is_told(app: iq.Controller) -> None:
    storage = app.system.storage
    shop = storage.create(Shop(name="tea"))
    for _ in range(5):
        order = storage.create(Order(shop=shop, price=Decimal(1)))
        errors = at_once(*[lambda order=order: app.dispatch(Place(order=order))] * 2)
        assert sorted(type(each).__name__ for each in errors) == ["ImpossibleMove", "NoneType"]


def test_a_strict_transition_of_a_record_that_is_not_there_says_so(app: iq.Controller) -> None:
    for interaction, payload in (("Place", {}), ("Pay", {"amount": "1"}), ("Take", {}), ("Discard", {})):
        with pytest.raises(iq.PayloadError) as refused:
            app.dispatch(interaction, {"order": 4711, **payload})
        assert [each.code for each in refused.value.problems] == ["payload.not_found"]


# -- computed -------------------------------------------------------------------------------------


def test_the_next_state_may_be_computed_from_the_event_and_the_record_before_it(
    app: iq.Controller, order: Order
) -> None:
    app.dispatch(Place(order=order))
    app.dispatch(Pay(order=order, amount=Decimal(4)))
    assert (now(app, order).stage, now(app, order).paid) == (Stage.PLACED, Decimal(4))
    app.dispatch(Pay(order=order, amount=Decimal(6)))
    assert (now(app, order).stage, now(app, order).paid) == (Stage.PAID, Decimal(10))
    with pytest.raises(iq.ImpossibleMove) as refused:
        app.dispatch(Pay(order=order, amount=Decimal(1)))
    assert refused.value.moves == {Stage.PLACED: None}
    assert now(app, order).paid == Decimal(10)


def test_two_payments_at_once_are_both_counted(app: iq.Controller, order: Order) -> None:
    app.dispatch(Place(order=order))
    assert at_once(*[lambda: app.dispatch(Pay(order=order, amount=Decimal(1)))] * 8) == [None] * 8
    assert (now(app, order).paid, now(app, order).stage) == (Decimal(8), Stage.PLACED)
    assert at_once(*[lambda: app.dispatch(Pay(order=order, amount=Decimal(1)))] * 2) == [None] * 2
    assert now(app, order).stage is Stage.PAID


def test_a_computed_state_is_one_of_its_type(in_memory: Apps) -> None:
    @iq.interaction
    class Go:
        door: Door
        to: str

    @iq.entity
    class Door:
        state: Literal["open", "shut"] = iq.StateMachine("shut", iq.on(Go, {"shut": lambda e, door: e.payload.to}))  # type: ignore[arg-type, dict-item, return-value]

    app = in_memory(Go, Door)
    door = app.system.storage.create(Door())
    app.dispatch(Go(door=door, to="open"))
    app.dispatch(Go(door=door, to="shut"))
    assert app.system.storage.query(Door).one().state == "open"
    door = app.system.storage.create(Door())
    with pytest.raises(iq.InvalidValue, match="what the move from 'shut' answers is 'ajar', not one of"):
        app.dispatch(Go(door=door, to="ajar"))


def test_a_callback_with_a_default_takes_the_event_alone(in_memory: Apps) -> None:
    @iq.interaction
    class Add:
        box: Box

    @iq.entity
    class Box:
        n: int = iq.field(default=0, changes=iq.on(Add, set=lambda e, step=3: e.payload.box.n + step))

    app = in_memory(Add, Box)
    box = app.system.storage.create(Box())
    app.dispatch(Add(box=box))
    assert app.system.storage.query(Box).one().n == 3


def test_a_reference_may_be_taken_only_while_there_is_none(app: iq.Controller, order: Order) -> None:
    ada, bob = (app.system.storage.create(User(name=name)) for name in ("Ada", "Bob"))
    app.dispatch(Take(order=order), user=ada)
    with pytest.raises(iq.ImpossibleMove) as refused:
        app.dispatch(Take(order=order), user=bob)
    assert (refused.value.state, refused.value.moves) == (1, {None: None})
    assert now(app, order).clerk == ada
    other = app.system.storage.create(Order(shop=order.shop, price=Decimal(1)))
    errors = at_once(*[lambda user=user: app.dispatch(Take(order=other), user=user) for user in (ada, bob)])
    assert sorted(type(each).__name__ for each in errors) == ["ImpossibleMove", "NoneType"]


# -- several by one event -----------------------------------------------------------------------------


def test_one_event_may_change_an_attribute_of_two_records_differently(app: iq.Controller) -> None:
    one, other = (app.system.storage.create(Account(balance=Decimal(each))) for each in (10, 1))
    app.dispatch(Transfer(source=one, target=other, amount=Decimal(3)))
    assert [each.balance for each in app.system.storage.query(Account)] == [Decimal(7), Decimal(4)]


def test_one_event_that_changes_an_attribute_of_one_record_to_two_values_is_refused(app: iq.Controller) -> None:
    account = app.system.storage.create(Account(balance=Decimal(10)))
    with pytest.raises(iq.DispatchError) as refused:
        app.dispatch(Transfer(source=account, target=account, amount=Decimal(3)))
    assert refused.value.code == "change.conflict"
    assert refused.value.message == ("Transfer changes Account.balance of 1 to Decimal('7') and to Decimal('13')")
    assert app.system.storage.query(Account).one().balance == Decimal(10)
    assert events(app) == 0
    app.dispatch(Transfer(source=account, target=account, amount=Decimal(0)))


@iq.interaction
class Tick:
    lamp: Lamp


@iq.interaction
class TickBoth:
    lamps: list[Lamp]
    lamp: Lamp


@iq.entity
class Lamp:
    colour: Literal["red", "green", "amber"] = iq.StateMachine(
        "red",
        iq.on(Tick, {"red": "green"}),
        iq.on(Tick, {"green": "amber", "amber": "red"}),
        iq.on(TickBoth, {"red": "green", "green": "amber"}, record=lambda e: e.payload.lamps),
        iq.on(TickBoth, {"red": "green", "green": "red"}, record=lambda e: e.payload.lamp),
    )


def test_several_transitions_on_one_event_fire_once_from_the_state_before_it(make_app: Apps) -> None:
    app = make_app(Lamp, Tick, TickBoth)
    lamp = app.system.storage.create(Lamp())
    seen = []
    for _ in range(4):
        app.dispatch(Tick(lamp=lamp))
        seen.append(app.system.storage.query(Lamp).one().colour)
    assert seen == ["green", "amber", "red", "green"]


def test_two_tables_that_agree_move_a_record_once_and_those_that_do_not_are_refused(make_app: Apps) -> None:
    app = make_app(Lamp, Tick, TickBoth)
    lamp = app.system.storage.create(Lamp())
    app.dispatch(TickBoth(lamps=[lamp, lamp], lamp=lamp))
    assert app.system.storage.query(Lamp).one().colour == "green"
    with pytest.raises(iq.DispatchError) as refused:
        app.dispatch(TickBoth(lamps=[lamp], lamp=lamp))
    assert refused.value.code == "change.conflict"
    assert app.system.storage.query(Lamp).one().colour == "green"
    other = app.system.storage.create(Lamp())
    app.dispatch(TickBoth(lamps=[lamp], lamp=other))
    assert [each.colour for each in app.system.storage.query(Lamp)] == ["amber", "green"]


# -- DELETED ----------------------------------------------------------------------------------------


def test_a_record_that_reaches_deleted_is_gone_with_all_that_goes_with_it(app: iq.Controller, order: Order) -> None:
    storage = app.system.storage
    for _ in range(3):
        storage.create(Line(order=order, shop=order.shop))
    result = app.dispatch(Discard(order=order))
    shop = storage.query(Shop).one()
    assert (shop.open, shop.line_count, storage.query(Line).count()) == (0, 0, 0)
    assert [(each.kind, each.record.__name__) for each in result.effects if each.record in (Order, Line)] == [
        *[("delete", "Line")] * 3,
        ("delete", "Order"),
    ]


def test_a_record_whose_state_does_not_lead_to_deleted_stays(app: iq.Controller, order: Order) -> None:
    app.dispatch_many([Place(order=order), Pay(order=order, amount=Decimal(10))])
    with pytest.raises(iq.ImpossibleMove) as refused:
        app.dispatch(Discard(order=order))
    assert refused.value.moves == {Stage.CART: iq.DELETED, Stage.PLACED: iq.DELETED}
    assert "it moves from <Stage.CART: 'cart'> to iq.DELETED, from" in refused.value.message
    assert (now(app, order).note, now(app, order).stage) == ("", Stage.PAID)


@iq.interaction
class Join:
    club: Club


@iq.interaction
class Promote:
    membership: Membership


@iq.interaction
class Leave:
    club: Club


@iq.entity
class Person:
    name: str


@iq.entity
class Club:
    name: str
    memberships: Many[Membership] = iq.many(inverse="club")
    size: int = iq.Count(memberships)
    chairs: int = iq.Count(memberships, where=lambda each: each.role == "chair")


@iq.relation
class Membership:
    person: Person
    club: Club
    role: Literal["member", "chair"] = iq.StateMachine(
        "member",
        iq.on(Promote, {"member": "chair"}, strict=True),
        iq.on(
            Leave,
            {"member": iq.DELETED, "chair": "member"},
            record=lambda e: [each for each in e.payload.club.memberships if each.person == e.user],
        ),
    )
    joined = iq.Transform(Join, lambda e: Membership(person=e.user, club=e.payload.club))


def test_a_link_that_one_event_makes_and_another_moves_and_ends(make_app: Apps) -> None:
    app = make_app(Person, Club, Membership, Join, Promote, Leave, user=Person)
    storage = app.system.storage
    ada, bob, club = (
        storage.create(Person(name="Ada")),
        storage.create(Person(name="Bob")),
        storage.create(Club(name="x")),
    )
    app.dispatch(Join(club=club), user=ada)
    app.dispatch(Join(club=club), user=bob)
    (first, _) = storage.query(Membership).all()
    app.dispatch(Promote(membership=first))

    def sizes() -> tuple[int, int]:
        found = storage.query(Club).one()
        return found.size, found.chairs

    assert sizes() == (2, 1)
    app.dispatch(Leave(club=club), user=ada)
    assert sizes() == (2, 0)
    app.dispatch(Leave(club=club), user=ada)
    assert sizes() == (1, 0)
    app.dispatch(Leave(club=club), user=ada)
    app.dispatch(Join(club=club), user=ada)
    assert sizes() == (2, 0)
    assert app.verify() == []
