"""The plan of an interaction lists all that a dispatch of it may send."""

from __future__ import annotations

from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import shape


@iq.interaction
class Open:
    shop: Shop
    price: int


@iq.interaction
class Reprice:
    box: Box
    price: int


@iq.interaction
class Close:
    shop: Shop


@iq.interaction
class Drop:
    label: Label


@iq.entity
class Shop:
    id: int = iq.key()
    boxes: Many[Box] = iq.many(inverse="shop")
    labels: Many[Label] = iq.many(inverse="shop")

    label_count: int = iq.Count(labels)

    @iq.deleted_by(Close)
    def closed(self, e: Event[Close]) -> bool:
        return self == e.payload.shop


@iq.entity
class Box:
    id: int = iq.key()
    shop: Shop = iq.one(on_delete="cascade")
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    opened = iq.Transform(Open, lambda e: Box(shop=e.payload.shop, price=e.payload.price))


@iq.entity
class Label:
    id: int = iq.key()
    shop: Shop = iq.one(on_delete="cascade")
    text: int
    made = iq.Transform(Box, lambda box: Label(shop=box.shop, text=box.price) if box.price > 10 else None)

    @iq.deleted_by(Drop)
    def dropped(self, e: Event[Drop]) -> bool:
        return self == e.payload.label


@iq.entity
class Pointer:
    id: int = iq.key()
    label: Label | None = iq.one(default=None, on_delete="set_null")


@iq.entity
class Copy:
    """Derived from what is derived."""

    id: int = iq.key()
    text: int
    made = iq.Transform(Label, lambda label: Copy(text=label.text * 2))


@iq.view(Label, where=lambda label: label.text > 20 and label.shop.label_count > 0)
class GreatLabel(Label):
    pass


MODELS = (Shop, Box, Label, Pointer, Copy, GreatLabel, Open, Reprice, Close, Drop)


@pytest.fixture
def sent(database: Database) -> Any:
    def record(action: Any) -> list[str]:
        with database.recording() as recorder:
            action()
        shapes = [shape(sql.replace("`", '"')) for sql, _ in recorder.statements]
        return shapes[shapes.index("BEGIN") + 1 : shapes.index("COMMIT")] if "BEGIN" in shapes else shapes

    return record


def listed(app: iq.Controller, interaction: type) -> list[str]:
    return [shape(step.sql.replace("`", '"')) for step in app.explain(interaction).steps]


def test_all_that_is_sent_is_listed_what_follows_from_derived_records_too(make_app: Apps, sent: Any) -> None:
    seen: list[str] = []

    @iq.side_effect(GreatLabel)
    def watch(change: iq.RecordChange[GreatLabel]) -> None:
        seen.append(change.kind)

    app = make_app(*MODELS, watch)
    storage = app.system.storage
    shop = storage.create(Shop())

    def dispatch(request: Any) -> list[str]:
        found = sent(lambda: app.dispatch(request))
        missing = set(found) - set(listed(app, type(request)))
        assert missing == set(), f"{type(request).__name__} sends {missing} beside its plan"
        return found

    assert "INSERT copy" in dispatch(Open(shop=shop, price=30))
    box = storage.query(Box).one()
    assert "UPDATE copy" in dispatch(Reprice(box=box, price=25))
    storage.create(Pointer(label=storage.query(Label).one()))
    assert "DELETE copy" in dispatch(Reprice(box=box, price=5))
    assert "INSERT copy" in dispatch(Reprice(box=box, price=40))
    storage.create(Pointer(label=storage.query(Label).one()))
    assert "UPDATE pointer" in dispatch(Drop(label=storage.query(Label).one()))
    dispatch(Open(shop=shop, price=50))
    assert "DELETE copy" in dispatch(Close(shop=shop))
    assert app.verify() == []
    assert seen == ["create", "update", "delete", "create", "delete", "create", "delete"]


def test_what_follows_is_deeper_than_what_it_follows_from(make_app: Apps) -> None:
    plan = make_app(*MODELS).explain(Open)
    depths = {shape(step.sql.replace("`", '"')): step.depth for step in reversed(plan.steps)}
    assert depths["INSERT box"] == 0
    assert depths["INSERT label"] == 1
    assert depths["INSERT copy"] == 2
