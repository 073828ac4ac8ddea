"""What each computation costs, by itself: the statements of every write that reaches it, and none that scans.

Each is alone in a model of baskets, items and kinds, once over what an item has itself and once over
what lies behind its reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import interaqt as iq
from interaqt.storage.database import Database
from tests.runtime.test_statements import scans, shape

MODEL = """
from __future__ import annotations
import interaqt as iq
from interaqt import Many

@iq.entity
class Basket:
    id: int = iq.key()
    items: Many[Item] = iq.many(inverse="basket")
    kinds: Many[Kind] = iq.many(through="items")
    value: {type} = {value}

@iq.entity
class Kind:
    id: int = iq.key()
    weight: int = 0

@iq.entity
class Item:
    id: int = iq.key()
    basket: Basket = iq.one(on_delete="cascade")
    kind: Kind
    price: int = 0
"""

#: What follows a write of an item, or of its kind: a statement for each table that it touches.
Pins = dict[str, list[str]]

#: What becomes of a host that goes, too, nobody asks.
HOST = ["SELECT item", "DELETE item", "DELETE basket"]

#: A sum moves by the difference, which is known from the row alone.
SUM: Pins = {
    "create": ["INSERT item", "UPDATE basket"],
    "update": ["SELECT item", "UPDATE item", "UPDATE basket"],
    "far": ["UPDATE kind"],
    "relink": ["SELECT item", "UPDATE item", "UPDATE basket", "UPDATE basket"],
    "delete": ["DELETE item", "UPDATE basket"],
    "delete extreme": ["DELETE item", "UPDATE basket"],
    "delete host": HOST,
}
#: What does not ask for the item's price is not told of it.
COUNT: Pins = {**SUM, "update": ["UPDATE item"]}
#: Only failing ones are counted, and none that comes or goes here fails but once.
EVERY: Pins = {
    **SUM,
    "create": ["INSERT item"],
    "relink": ["SELECT item", "UPDATE item"],
    "delete": ["DELETE item"],
    "delete extreme": ["DELETE item"],
}
#: What comes is compared; only where the extreme itself goes the next one is looked up, by an index.
HIGHEST: Pins = {
    **SUM,
    "relink": ["SELECT item", "UPDATE item", "SELECT basket", "UPDATE basket"],
    "delete": ["DELETE item", "SELECT basket", "UPDATE basket"],
    "delete extreme": ["DELETE item", "SELECT basket", "UPDATE basket"],
}
LOWEST: Pins = {
    **HIGHEST,
    "update": ["SELECT item", "UPDATE item", "SELECT basket", "UPDATE basket"],
    "relink": ["SELECT item", "UPDATE item", "SELECT basket", "UPDATE basket", "UPDATE basket"],
    "delete extreme": ["DELETE item", "SELECT basket"],
}
#: Whether another one has the value is asked before the number moves: two who ask at once must not both be told no.
LOCK = "lock basket"
DISTINCT: Pins = {
    "create": ["INSERT item", LOCK, "SELECT item", "UPDATE basket"],
    "update": ["SELECT item", "UPDATE item", LOCK, "SELECT item"],
    "far": ["UPDATE kind"],
    "relink": ["SELECT item", "UPDATE item", LOCK, "SELECT item", "UPDATE basket"],
    "delete": ["DELETE item", LOCK, "SELECT item", "UPDATE basket"],
    "delete extreme": ["DELETE item", LOCK, "SELECT item", "UPDATE basket"],
    "delete host": HOST,
}

#: Once for all baskets concerned: they are locked, their items are read, and what is another now is written.
CUSTOM: Pins = {
    "create": ["INSERT item", "SELECT basket", "SELECT item", "UPDATE basket"],
    "update": ["SELECT item", "UPDATE item", "SELECT basket", "SELECT item", "UPDATE basket"],
    "far": ["UPDATE kind"],
    "relink": ["SELECT item", "UPDATE item", "SELECT basket", "SELECT item", "UPDATE basket"],
    "delete": ["DELETE item", "SELECT basket", "SELECT item", "UPDATE basket"],
    "delete extreme": ["DELETE item", "SELECT basket", "SELECT item", "UPDATE basket"],
    "delete host": ["SELECT item", "DELETE item", "DELETE basket"],
}
#: A step needs no more than the present value.
STEP: Pins = {
    **CUSTOM,
    "create": ["INSERT item", "SELECT basket", "UPDATE basket"],
    "update": ["SELECT item", "UPDATE item", "SELECT basket", "UPDATE basket"],
    "relink": ["SELECT item", "UPDATE item", "SELECT basket", "UPDATE basket"],
    "delete": ["DELETE item", "SELECT basket", "UPDATE basket"],
    "delete extreme": ["DELETE item", "SELECT basket", "UPDATE basket"],
}

#: A change of the kind sums the differences of the items that refer to it, by basket.
FAR_SUM: Pins = {**COUNT, "far": ["SELECT kind", "UPDATE kind", "SELECT item", "UPDATE basket"]}
FAR_PRODUCT: Pins = {**FAR_SUM, "update": SUM["update"]}


def far(near: Pins, **others: list[str]) -> Pins:
    """The same where what is compared lies behind the item's reference: it is read first."""
    behind = {}
    for write, statements in near.items():
        place = next(
            index
            for index, each in enumerate(statements)
            if each in ("INSERT item", "UPDATE item", "DELETE item", "UPDATE kind")
        )
        behind[write] = [*statements[: place + 1], "SELECT kind", *statements[place + 1 :]]
    return {**behind, "update": ["UPDATE item"], **others}


FAR_HIGHEST = far(HIGHEST, far=["SELECT kind", "UPDATE kind", "SELECT item", "UPDATE basket"])
FAR_LOWEST = far(
    LOWEST,
    far=["SELECT kind", "UPDATE kind", "SELECT item", "SELECT basket", "UPDATE basket"],
    **{"delete extreme": ["DELETE item", "SELECT kind", "SELECT basket", "UPDATE basket"]},
)
FAR_DISTINCT = far(
    DISTINCT,
    create=["INSERT item", "SELECT kind", LOCK, "SELECT item"],
    far=["SELECT kind", "UPDATE kind", "SELECT item", LOCK, "SELECT item"],
    **{"delete extreme": ["DELETE item", "SELECT kind", LOCK, "SELECT item"]},
)
FAR_CUSTOM = far(
    CUSTOM, far=["SELECT kind", "UPDATE kind", "SELECT item", "SELECT basket", "SELECT item", "UPDATE basket"]
)
FAR_STEP = far(STEP, far=["SELECT kind", "UPDATE kind", "SELECT item", "SELECT basket", "UPDATE basket"])
PRICED = ["SELECT item", "UPDATE item", "SELECT kind", "UPDATE basket"]

#: What an item has itself: the type, the value, and what each write is followed by.
NEAR: dict[str, tuple[str, str, Pins]] = {
    "Count": ("int", "iq.Count(items)", COUNT),
    "Count where": ("int", "iq.Count(items, where=lambda item: item.price > 2)", SUM),
    "Summation": ("int", "iq.Summation(items, of=lambda item: item.price)", SUM),
    "WeightedSummation": (
        "int",
        "iq.WeightedSummation(items, weight=lambda item: item.price, of=lambda item: item.price)",
        SUM,
    ),
    "Average": ("float | None", "iq.Average(items, of=lambda item: item.price)", SUM),
    "Every": ("bool", "iq.Every(items, where=lambda item: item.price > 2)", EVERY),
    "Any": ("bool", "iq.Any(items, where=lambda item: item.price > 2)", SUM),
    "Maximum": ("int | None", "iq.Maximum(items, of=lambda item: item.price)", HIGHEST),
    "Minimum": ("int | None", "iq.Minimum(items, of=lambda item: item.price)", LOWEST),
    "First": ("int | None", "iq.First(items, of=lambda item: item.price, by=lambda item: item.price)", LOWEST),
    "Last": ("int | None", "iq.Last(items, of=lambda item: item.price, by=lambda item: item.price)", HIGHEST),
    "Distinct": ("int", "iq.Distinct(items, of=lambda item: item.price)", DISTINCT),
    "Custom": ("int", "iq.Custom(items, inputs=lambda item: item.price, compute=sum)", CUSTOM),
    "Custom step": (
        "int",
        "iq.Custom(items, inputs=lambda item: item.price, compute=sum, "
        "step=lambda value, old, new: value - (old or 0) + (new or 0))",
        STEP,
    ),
}
FAR: dict[str, tuple[str, str, Pins]] = {
    "Count": ("int", "iq.Count(items, where=lambda item: item.kind.weight > 2)", FAR_SUM),
    "Count through": ("int", "iq.Count(kinds, where=lambda kind: kind.weight > 2)", FAR_SUM),
    "Summation": ("int", "iq.Summation(items, of=lambda item: item.kind.weight)", FAR_SUM),
    "WeightedSummation": (
        "int",
        "iq.WeightedSummation(items, weight=lambda item: item.price, of=lambda item: item.kind.weight)",
        FAR_PRODUCT,
    ),
    "Average": ("float | None", "iq.Average(items, of=lambda item: item.kind.weight)", FAR_SUM),
    "Every": ("bool", "iq.Every(items, where=lambda item: item.kind.weight > 2)", FAR_SUM),
    "Any": ("bool", "iq.Any(items, where=lambda item: item.kind.weight > 2)", FAR_SUM),
    "Maximum": ("int | None", "iq.Maximum(items, of=lambda item: item.kind.weight)", FAR_HIGHEST),
    "Minimum": ("int | None", "iq.Minimum(items, of=lambda item: item.kind.weight)", FAR_LOWEST),
    "First": (
        "int | None",
        "iq.First(items, of=lambda item: item.price, by=lambda item: item.kind.weight)",
        {**FAR_LOWEST, "update": PRICED},
    ),
    "Last": (
        "int | None",
        "iq.Last(items, of=lambda item: item.price, by=lambda item: item.kind.weight)",
        {**FAR_HIGHEST, "update": PRICED, "delete extreme": ["DELETE item", "SELECT kind", "SELECT basket"]},
    ),
    "Distinct": ("int", "iq.Distinct(items, of=lambda item: item.kind.weight)", FAR_DISTINCT),
    "Custom": ("int", "iq.Custom(items, inputs=lambda item: item.kind.weight, compute=sum)", FAR_CUSTOM),
    "Custom through": ("int", "iq.Custom(kinds, inputs=lambda kind: kind.weight, compute=sum)", FAR_CUSTOM),
    "Custom step": (
        "int",
        "iq.Custom(items, inputs=lambda item: item.kind.weight, compute=sum, "
        "step=lambda value, old, new: value - (old or 0) + (new or 0))",
        FAR_STEP,
    ),
}


class Costs:
    """One model in one database, and the statements of each write of a history."""

    def __init__(self, database: Database, type: str, value: str) -> None:
        module = ModuleType("costs_model")
        sys.modules["costs_model"] = module
        exec(compile(MODEL.format(type=type, value=value), "<costs>", "exec", dont_inherit=True), vars(module))
        self.database = database
        self.app = iq.Controller(iq.MonoSystem(database), [module.Basket, module.Item, module.Kind])
        self.app.setup(install=True)
        self.storage = self.app.system.storage
        self.model: Any = module
        self.scanned: list[str] = []

    def cost(self, write: Callable[[], Any]) -> list[str]:
        with self.database.recording() as recorder:
            write()
        self.scanned += [sql for sql, values in recorder.statements if scans(self.database, sql, values)]
        assert self.app.verify() == []
        found = [shape(sql) for sql, _ in recorder.statements]
        return found[found.index("BEGIN") + 1 : found.index("COMMIT")]

    def history(self) -> dict[str, list[str]]:
        storage, model = self.storage, self.model
        here, there = storage.create(model.Basket()), storage.create(model.Basket())
        light, heavy = storage.create(model.Kind(weight=1)), storage.create(model.Kind(weight=5))
        new = self._item
        lesser = new(here, light, 1)
        greater = new(here, heavy, 5)
        return {
            "create": self.cost(lambda: new(here, heavy, 4)),
            "update": self.cost(lambda: storage.update(lesser, price=3)),
            "far": self.cost(lambda: storage.update(light, weight=3)),
            "relink": self.cost(lambda: storage.update(lesser, basket=there)),
            "delete": self.cost(lambda: storage.delete(lesser)),
            "delete extreme": self.cost(lambda: storage.delete(greater)),
            "delete host": self.cost(lambda: storage.delete(here)),
        }

    def _item(self, basket: Any, kind: Any, price: int) -> Any:
        return self.storage.create(self.model.Item(basket=basket, kind=kind, price=price))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


def expected(pins: Pins, database: Database) -> Pins:
    """SQLite has one writer at a time: nothing is locked there."""
    locks = ["SELECT basket"] if database.dialect.for_update else []
    return {
        write: [each for statement in statements for each in (locks if statement == LOCK else [statement])]
        for write, statements in pins.items()
    }


@pytest.mark.parametrize("name", NEAR)
def test_what_a_value_over_the_records_themselves_costs(name: str, database: Database) -> None:
    type, value, pins = NEAR[name]
    costs = Costs(database, type, value)
    assert costs.history() == expected(pins, database)
    assert costs.scanned == []


def test_a_cascade_is_one_statement_for_each_table(database: Database) -> None:
    costs = Costs(database, "int", "iq.Count(items)")
    storage, model = costs.storage, costs.model
    basket, kind = storage.create(model.Basket()), storage.create(model.Kind())
    for price in range(20):
        storage.create(model.Item(basket=basket, kind=kind, price=price))
    assert costs.cost(lambda: storage.delete(basket)) == HOST
    assert storage.query(model.Item).count() == 0


@pytest.mark.parametrize("name", FAR)
def test_what_a_value_over_what_lies_behind_them_costs(name: str, database: Database) -> None:
    type, value, pins = FAR[name]
    costs = Costs(database, type, value)
    assert costs.history() == expected(pins, database)
    assert costs.scanned == []


DERIVED = """
from __future__ import annotations
import interaqt as iq
from interaqt import Many

@iq.dictionary
class Limits:
    most: int = 100

@iq.entity
class Basket:
    id: int = iq.key()
    labels: Many[Label] = iq.many(inverse="basket")
    value: int = iq.Count(labels)
    long: int = iq.Summation(labels, of=lambda label: label.size)

@iq.entity
class Kind:
    id: int = iq.key()
    weight: int = 0

@iq.interaction
class Put:
    basket: Basket
    kind: Kind

@iq.entity
class Item:
    id: int = iq.key()
    basket: Basket
    kind: Kind = iq.one(on_delete="cascade")
    put = iq.Transform(Put, lambda e: Item(basket=e.payload.basket, kind=e.payload.kind))

@iq.entity
class Label:
    id: int = iq.key()
    basket: Basket
    size: int
    at: int
    made = iq.Transform(
        Item,
        lambda s: Label(basket=s.basket, size=s.kind.weight, at=s.id)
        if 0 < s.kind.weight < Limits.most else None,
    )

MODELS = [Limits, Basket, Kind, Item, Label, Put]
"""

#: What is asked of items reads their kind, too.
ASK = ["SELECT kind", "SELECT label"]
#: What follows from what a kind is for all its items: what there should be and what there is, then one write.
OF_ITEMS: Pins = {
    "none yet": ["SELECT kind", "UPDATE kind", "SELECT item", *ASK, "INSERT label", "SUMS"],
    "other ones": ["SELECT kind", "UPDATE kind", "SELECT item", *ASK, "UPDATE label", "SUMS"],
    "none of them": ["SELECT kind", "UPDATE kind", "SELECT item", *ASK, "DELETE label", "SUMS"],
    "what is global": ["SELECT limits", "UPDATE limits", "SELECT item", *ASK, "INSERT label", "SUMS"],
    "new sources": ["INSERT interaction_event", "INSERT item", "SELECT kind", "INSERT label", "SUMS"],
    "no sources": ["SELECT item", "SELECT label", "DELETE label", "SUMS", "DELETE item", "DELETE kind"],
}


@pytest.mark.parametrize("number", [2, 40])
def test_what_follows_from_many_records_is_one_statement_of_each_kind(number: int, database: Database) -> None:
    module = ModuleType("derived_costs")
    sys.modules["derived_costs"] = module
    exec(compile(DERIVED, "<costs>", "exec", dont_inherit=True), vars(module))
    app = iq.Controller(iq.MonoSystem(database), module.MODELS)
    app.setup(install=True)
    storage, model = app.system.storage, module
    kind = storage.create(model.Kind())
    for _ in range(number):
        storage.create(model.Item(basket=storage.create(model.Basket()), kind=kind))
    baskets = storage.query(model.Basket).all()
    scanned: list[str] = []

    def cost(write: Callable[[], Any]) -> list[str]:
        with database.recording() as recorder:
            write()
        # What is global concerns all items.
        asked = [(sql, values) for sql, values in recorder.statements if "WHERE (1 = " not in sql]
        scanned.extend(sql for sql, values in asked if scans(database, sql, values))
        assert app.verify() == []
        found = [shape(sql) for sql, _ in recorder.statements]
        return found[found.index("BEGIN") + 1 : found.index("COMMIT")]

    puts = [model.Put(basket=each, kind=kind) for each in baskets]
    costs = {
        "none yet": cost(lambda: storage.update(kind, weight=3)),
        "other ones": cost(lambda: storage.update(kind, weight=4)),
        "none of them": cost(lambda: storage.update(kind, weight=200)),
        "what is global": cost(lambda: storage.update(storage.get(model.Limits), most=1000)),
        "new sources": cost(lambda: app.dispatch_many(puts)),
        "no sources": cost(lambda: storage.delete(kind)),
    }
    sums = ["UPDATE basket"] if not database.dialect.for_update else ["SELECT basket", "UPDATE basket"]
    assert costs == {
        write: [each for one in statements for each in (sums if one == "SUMS" else [one])]
        for write, statements in OF_ITEMS.items()
    }
    assert scanned == []
    assert storage.query(model.Label).count() == 0
