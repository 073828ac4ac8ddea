"""What attributes, views and kinds mean: each is looked up, or worked out from scratch, when it is read."""

from __future__ import annotations

import datetime as dt
from types import FunctionType, MethodType
from typing import Any

from interaqt.core.class_body import RecordDeclaration
from interaqt.core.computations import Written
from interaqt.core.computations.aggregation import Aggregation
from interaqt.core.computations.custom import OwnCustomSpec
from interaqt.core.computations.own import StoredComputed
from interaqt.core.computations.real_time import RealTimeSpec
from interaqt.core.dictionary import first
from interaqt.core.fields import ManySpec
from interaqt.core.model import (
    ONLY,
    Collection,
    ComputedProperty,
    Mirror,
    Model,
    Property,
    RecordModel,
    Reference,
)
from tests.oracle.aggregates import aggregate

__all__ = ["Meaning", "Refused", "Row", "View", "declared", "given", "initial", "key_of", "stored", "top", "visible"]

#: What is worked out from what is there each time it is asked for.
WORKED_OUT = (Aggregation, OwnCustomSpec, StoredComputed, RealTimeSpec)

Row = dict[str, Any]


class Refused(Exception):
    """The step is not admitted: nothing of it happens."""


class View:
    """Stands for a record in the user's callbacks: attributes are looked up or worked out when read."""

    def __init__(self, meaning: Meaning, record: RecordModel, key: Any) -> None:
        self._meaning, self._record, self._key = meaning, record, key

    @property
    def __class__(self) -> Any:
        """So that a callback which asks isinstance() is answered of which kind the record is."""
        return self._record.cls

    def __getattr__(self, name: str) -> Any:
        return self._meaning.read(self, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and (self._record, self._key) == (other._record, other._key)

    def __hash__(self) -> int:
        return hash((id(self._record), self._key))

    def __repr__(self) -> str:
        return f"{self._record}#{self._key}"


class Meaning:
    """What there is: the rows of each kind of record by their keys, and what follows from them."""

    def __init__(self, model: Model, now: dt.datetime) -> None:
        self.model = model
        self.now = now
        records = [each for each in model.records.values() if each.name != "InteractionEvent" and each.sides is None]
        self.records = [each for each in records if not each.is_view]
        self.parts = [each for each in records if each.is_view]
        self.rows: dict[RecordModel, dict[Any, Row]] = {record: {} for record in self.records}
        for record in model.dictionaries:
            row = {each.name: initial(each) for each in stored(record)}
            self.rows[record][ONLY] = row | given(first(record.cls), row)
        self._memo: dict[tuple[RecordModel, Any, str], Any] = {}

    def one(self, record: RecordModel, key: Any) -> View:
        """The record with a key, of whichever kind it is."""
        return View(self, next((kind for kind in self.kinds(record) if key in self.rows[kind]), record), key)

    def kinds(self, record: RecordModel) -> list[RecordModel]:
        """The record itself, and what inherits from it."""
        return [each for each in self.records if issubclass(each.cls, record.cls)]

    def keys_of_all(self) -> dict[RecordModel, set[Any]]:
        """The keys of all records of each class, of whichever kind they are."""
        return {record: {key for kind in self.kinds(record) for key in self.rows[kind]} for record in self.records}

    def views(self, record: RecordModel) -> list[View]:
        """All records of a class."""
        declaration = declared(record).view
        if declaration is None:
            return [View(self, kind, key) for kind in self.kinds(record) for key in self.rows[kind]]
        return [each for each in self.views(self.model.records[declaration.of]) if declaration.where(each)]

    def own(self, record: RecordModel) -> list[View]:
        """Those of exactly this kind."""
        return [View(self, record, key) for key in self.rows[record]]

    def is_one(self, view: View, record: RecordModel) -> bool:
        """Whether a record is of a class."""
        declaration = declared(record).view
        if declaration is None:
            return issubclass(view._record.cls, record.cls)
        return self.is_one(view, self.model.records[declaration.of]) and declaration.where(view)

    def require(self, view: View) -> None:
        if view._key not in self.rows[view._record]:
            raise Refused(f"there is no {view}")

    # -- reading, by the definitions

    def read(self, view: View, name: str) -> Any:
        record, key = view._record, view._key
        self.require(view)
        attribute = record.attributes.get(name)
        match attribute:
            case Property(key=True):
                return key
            case Property(computation=Aggregation() as spec):
                place = (record, key, name)
                if place not in self._memo:
                    whole = isinstance(spec.over, type)
                    over = self.views(self.model.records[spec.over]) if whole else getattr(view, spec.over.name)
                    self._memo[place] = aggregate(spec, over, view)
                return self._memo[place]
            case Property(computation=OwnCustomSpec() as custom):
                given = custom.options.reads(view)
                return custom.options.compute(*(given if isinstance(given, tuple) else (given,)))
            case Property(computation=RealTimeSpec() as timed):
                return timed.value(view, self.now)
            case Property(computation=StoredComputed()):
                return declared(record).attributes[name].spec.function(view)  # type: ignore[attr-defined]
            case Property():
                return self.rows[record][key][name]
            case Reference(target=target):
                found = self.rows[record][key][name]
                return None if found is None else self.one(target, found)
            case Mirror(via=via, target=target):
                return next((each for each in self.views(target) if getattr(each, via.name) == view), None)
            case Collection():
                return self._collected(view, attribute)
            case ComputedProperty(function=function):
                return function(view)
            case _:
                found = getattr(record.cls, name)
                return MethodType(found, view) if isinstance(found, FunctionType) else found

    def _collected(self, view: View, collection: Collection) -> list[View]:
        """The records that refer to one, or those to which these go on."""
        spec = declared(view._record).attributes[collection.name].spec
        assert isinstance(spec, ManySpec)
        if spec.through is None:
            names = (spec.inverse,) if isinstance(spec.inverse, str) else spec.inverse or ()
            return [
                each
                for each in self.views(collection.target)
                if any(getattr(each, name) == view for name in names)
            ]  # fmt: skip
        links = getattr(view, spec.through)
        inner = declared(view._record).attributes[spec.through].spec
        assert isinstance(inner, ManySpec)
        if isinstance(inner.inverse, str):
            assert collection.far is not None
            past = [getattr(each, collection.far.name) for each in links]
        else:
            one, other = inner.inverse or ()
            past = [getattr(each, other if getattr(each, one) == view else one) for each in links]
        return [each for each in past if self.is_one(each, collection.target)]


def top(record: RecordModel) -> RecordModel:
    """That from which a kind inherits in the end, among whose records its keys are unique."""
    return next(iter(record.root.family.members.values())) if record.root.family is not None else record.made_as


def declared(record: RecordModel) -> RecordDeclaration:
    declaration: RecordDeclaration = vars(record.cls)["__iq_record__"]
    return declaration


def stored(record: RecordModel) -> list[Property | Reference]:
    """What a row holds: neither the key nor what is worked out."""
    return [
        each
        for each in record.stored()
        if not each.hidden
        and not (isinstance(each, Property) and (each.key or isinstance(each.computation, WORKED_OUT)))
    ]


def visible(record: RecordModel) -> list[str]:
    return [name for name, each in record.attributes.items() if not getattr(each, "hidden", False)]


def initial(attribute: Property | Reference) -> Any:
    computation = getattr(attribute, "computation", None)
    return computation.initial if isinstance(computation, Written) else None


def given(instance: Any, row: Row) -> Row:
    """What the maker of a record gave, by its constructor."""
    return {name: key_of(value) for name, value in vars(instance).items() if name in row}


def key_of(value: Any) -> Any:
    return value._key if isinstance(value, View) else value
