"""A reference to nothing, and a deletion that would leave one: what is told of it, on every database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import interaqt as iq
from interaqt import Event
from tests.runtime.conftest import Apps


@iq.interaction
class Close:
    shop: Shop


@iq.entity
class Shop:
    id: int = iq.key()
    name: str

    @iq.deleted_by(Close)
    def closed(self, e: Event[Close]) -> bool:
        return self == e.payload.shop


@iq.entity
class Item:
    id: int = iq.key()
    shop: Shop
    maker: Shop | None = None


MODELS = Shop, Item, Close


def refused(act: Callable[[], object]) -> iq.ConstraintViolationError:
    with pytest.raises(iq.ConstraintViolationError) as caught:
        act()
    error = caught.value
    assert (error.kind, error.code, error.record) == ("foreign_key", "constraint.foreign_key", "Item")
    return error


def test_the_reference_is_named_on_every_database(make_app: Apps) -> None:
    storage = make_app(*MODELS).system.storage
    here, gone = (storage.create(Shop(name=name)) for name in ("here", "gone"))
    item = storage.create(Item(shop=here))
    storage.delete(gone)
    assert refused(lambda: storage.create(Item(shop=here, maker=gone))).properties == ("maker",)
    assert refused(lambda: storage.update(item, shop=gone)).properties == ("shop",)
    assert refused(lambda: storage.delete(here)).properties == ("shop",)
    assert storage.query(Item).count() == 1
    assert storage.query(Shop).count() == 1


def test_an_interaction_that_would_leave_a_reference_is_told_which(make_app: Apps) -> None:
    app = make_app(*MODELS)
    storage = app.system.storage
    shop = storage.create(Shop(name="here"))
    storage.create(Item(shop=shop))
    assert refused(lambda: app.dispatch(Close(shop=shop))).properties == ("shop",)
    assert app.verify() == []
    assert storage.query(Shop).count() == 1


def test_where_the_database_says_nothing_the_records_are_told(in_memory: Apps) -> None:
    storage = in_memory(*MODELS).system.storage
    here, gone = (storage.create(Shop(name=name)) for name in ("here", "gone"))
    item = storage.create(Item(shop=here))
    storage.delete(gone)
    assert (
        refused(lambda: storage.create(Item(shop=gone))).message == "Item.shop names the Shop 2, which does not exist"
    )
    assert (
        refused(lambda: storage.update(item, maker=gone)).message == "Item.maker names the Shop 2, which does not exist"
    )
    error = refused(lambda: storage.delete(here))
    assert error.message == "the Shop 1 is to be deleted, but Item.shop of the Item 1 names it"
    assert error.hint == "delete that first, or declare shop with iq.one(on_delete='cascade')"
