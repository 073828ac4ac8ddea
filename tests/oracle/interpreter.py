"""What declarations mean, as plainly as it can be said: a naive in-memory interpreter of a model.

It keeps what somebody gave in dictionaries, and works everything else out from scratch by calling
the user's own callbacks on plain stand-ins. It shares nothing with the engine but the declarations:
no traced expression, no rule, no plan, no storage. So where the two agree, both are probably right.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

from interaqt import Event
from interaqt.core.class_body import RecordDeclaration
from interaqt.core.computations import DELETED, StampSpec, Written
from interaqt.core.computations.aggregation import Aggregation
from interaqt.core.computations.own import StoredComputed
from interaqt.core.computations.real_time import RealTimeSpec
from interaqt.core.computations.stamps import ANY
from interaqt.core.dictionary import first
from interaqt.core.global_values import reading_globals
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
from interaqt.core.sides import Sides

__all__ = ["Interpreter", "Refused", "View"]

#: What is worked out from what is there each time it is asked for.
WORKED_OUT = (Aggregation, StoredComputed, RealTimeSpec)

Row = dict[str, Any]
#: Where a derived record comes from: its model, the transform, the source's key, and which of the source's it is.
Place = tuple[RecordModel, str, Any, int]


class Refused(Exception):
    """The step is not admitted: nothing of it happens."""


class View:
    """Stands for a record in the user's callbacks: attributes are looked up or worked out when read."""

    def __init__(self, interpreter: Interpreter, record: RecordModel, key: Any) -> None:
        self._interpreter, self._record, self._key = interpreter, record, key

    def __getattr__(self, name: str) -> Any:
        return self._interpreter.read(self, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and (self._record, self._key) == (other._record, other._key)

    def __hash__(self) -> int:
        return hash((id(self._record), self._key))

    def __repr__(self) -> str:
        return f"{self._record}#{self._key}"


class Interpreter:
    """The state of one model. ``create``, ``update``, ``delete`` and ``dispatch`` each happen whole or not at all.

    Keys are the database's to give: whoever runs it puts those of created records into ``keys``
    (in order, for each record) and those of derived ones into ``places``; without them it counts
    its own, which are negative.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        records = [each for each in model.records.values() if each.name != "InteractionEvent"]
        self.records = [each for each in records if each.sides is None]
        self.rows: dict[RecordModel, dict[Any, Row]] = {record: {} for record in self.records}
        for record in model.dictionaries:
            given = {each.name: _initial(each) for each in _stored(record)}
            self.rows[record][ONLY] = given | _given(first(record.cls), given)
        self.derived: dict[Place, Any] = {}
        self.keys: dict[RecordModel, list[Any]] = {}
        self.places: Mapping[Place, Any] = {}
        self.at = self.now = dt.datetime.now(dt.UTC)
        self._own_keys = itertools.count(-1, -1)
        self._leaving: dict[View, None] = {}
        self._memo: dict[tuple[RecordModel, Any, str], Any] = {}

    # -- what there is

    def get(self, cls: type, key: Any) -> View:
        return View(self, self.model.records[cls], key)

    def state(self) -> dict[str, dict[Any, Row]]:
        """Every attribute of every record, references and collections by their keys."""
        with reading_globals(self.global_value):
            return {
                record.name: {
                    key: {name: _plain(self.read(View(self, record, key), name)) for name in _visible(record)}
                    for key in rows
                }
                for record, rows in self.rows.items()
            }

    def global_value(self, dictionary: type, name: str) -> Any:
        """What a callback reads on the class of a dictionary."""
        return self.read(self.get(dictionary, ONLY), name)

    def views(self, record: RecordModel) -> list[View]:
        return [View(self, record, key) for key in self.rows[record]]

    # -- reading, by the definitions

    def read(self, view: View, name: str) -> Any:
        record, key = view._record, view._key
        self._exists(view)
        attribute = record.attributes.get(name)
        match attribute:
            case Property(key=True):
                return key
            case Property(computation=Aggregation() as spec):
                place = (record, key, name)
                if place not in self._memo:
                    whole = isinstance(spec.over, type)
                    over = self.views(self.model.records[spec.over]) if whole else getattr(view, spec.over.name)
                    self._memo[place] = aggregate(spec, over)
                return self._memo[place]
            case Property(computation=RealTimeSpec() as timed):
                return timed.value(view, self.now)
            case Property(computation=StoredComputed()):
                return _declared(record).attributes[name].spec.function(view)  # type: ignore[attr-defined]
            case Property():
                return self.rows[record][key][name]
            case Reference(target=target):
                found = self.rows[record][key][name]
                return None if found is None else View(self, target, found)
            case Mirror(via=via):
                return next((each for each in self.views(via.record) if getattr(each, via.name) == view), None)
            case Collection(link=RecordModel(sides=Sides(either=either)), far=far):
                first, second = (each.name for each in either)
                found = [
                    each
                    for each in self.views(either[0].record)
                    if view in (getattr(each, first), getattr(each, second))
                ]
                if far is not None and far.name == "link":
                    return found
                return [getattr(each, second if getattr(each, first) == view else first) for each in found]
            case Collection(link=link, via=via, far=far):
                links = [each for each in self.views(link) if getattr(each, via.name) == view]
                return links if far is None else [getattr(each, far.name) for each in links]
            case ComputedProperty(function=function):
                return function(view)
            case _:
                found = getattr(record.cls, name)
                return MethodType(found, view) if isinstance(found, FunctionType) else found

    # -- steps

    def create(self, instance: Any) -> None:
        with self._step():
            self._create(self.model.records[type(instance)], instance)
            self._settle()

    def update(self, view: View, **values: Any) -> None:
        with self._step():
            self._exists(view)
            self._set(view._record, view._key, values)
            self._settle()

    def delete(self, view: View) -> None:
        with self._step():
            self._exists(view)
            self._delete([view])
            self._settle()

    def dispatch(self, request: Any, user: View | None = None) -> None:
        with self._step():
            self._dispatch(request, user)

    def dispatch_many(self, requests: list[Any], user: View | None = None) -> None:
        with self._step():
            for request in requests:
                self._dispatch(request, user)

    def pass_time(self, minutes: int) -> None:
        """It is later, as ``now`` says; what follows from that does."""
        with self._step():
            self._settle()

    def late(self, minutes: int, write: Callable[[], None]) -> None:
        """Something is written when it is later."""
        write()

    def _dispatch(self, request: Any, user: View | None) -> None:
        """Changes, then creations, then endings; who says what changes or is created sees the state before."""
        interaction = self.model.interactions[type(request)]
        event = Event(interaction.name, self.at, user, SimpleNamespace(**vars(request)))
        for each in vars(request).values():
            for one in _several(each) if isinstance(each, View | list) else ():
                if isinstance(one, View):
                    self._exists(one)
        if interaction.guard is not None and interaction.guard.rejection(event) is not None:  # type: ignore[attr-defined]
            raise Refused("guard")
        changes = self._changes(interaction, event)
        made = [
            (record, _several(transform.make(event)))
            for record in self.records
            for transform in _declared(record).transforms
            if transform.source is interaction.cls
        ]
        for view, values in changes.items():
            if DELETED not in values.values():
                told = self._told(view, values, event)
                self._set(view._record, view._key, values | told)
        self._settle()
        for record, instances in made:
            self._make(record, instances)
        self._settle()
        gone = [view for view, values in changes.items() if DELETED in values.values()]
        for record in sorted(self.records, key=lambda each: each.table):
            self._delete([view for view in gone if view._record is record and view._key in self.rows[record]])
            self._settle()
        for record in self.records:
            for deletion in _declared(record).deletions:
                if deletion.source is interaction.cls:
                    self._delete([each for each in self.views(record) if deletion.function(each, event)])
                    self._settle()

    def _changes(self, interaction: Any, event: Event[Any]) -> dict[View, Row]:
        """The next values of attributes by record; two for one are refused, and so is a strict move from nowhere."""
        found: dict[View, Row] = {}
        for record in self.records:
            for change in record.changes:
                if change.interaction is interaction:
                    where: Callable[[Any], Any] = change.record or _item(change.item)
                    name = change.attribute.name
                    chosen = View(self, record, ONLY) if record.is_dictionary else where(event)
                    for view in _several(chosen):
                        present = getattr(view, name)
                        if change.set is not None:
                            value = change.set(event, view)
                        elif present in (change.moves or {}):
                            value = change.moves[present]
                            value = value(event, view) if callable(value) else value
                        elif change.strict:
                            raise Refused(f"{view}.{name} is {present!r}")
                        else:
                            continue
                        if _key(found.setdefault(view, {}).setdefault(name, value)) != _key(value):
                            raise Refused(f"{view}.{name} is changed twice")
        return found

    def _told(self, view: View, values: Row, event: Event[Any]) -> Row:
        """What tells of changes: when an attribute was changed, by whom and how often."""
        told: Row = {}
        for name, each in _declared(view._record).attributes.items():
            spec = each.spec
            if not isinstance(spec, StampSpec) or spec.attribute.name not in values:
                continue
            old, new = getattr(view, spec.attribute.name), values[spec.attribute.name]
            if old != new and spec.to in (ANY, new) and spec.leaving in (ANY, old):
                match spec.kind:
                    case "at":
                        told[name] = event.at
                    case "count":
                        told[name] = getattr(view, name) + 1
                    case _:
                        by_key = isinstance(view._record.attributes[name], Reference)
                        told[name] = event.user if by_key or event.user is None else str(event.user._key)
        return told

    @contextmanager
    def _step(self) -> Iterator[None]:
        before = {record: {key: dict(row) for key, row in rows.items()} for record, rows in self.rows.items()}
        derived, self._leaving = dict(self.derived), {}
        try:
            with reading_globals(self.global_value):
                yield
        except Refused:
            self.rows, self.derived = before, derived
            raise
        finally:
            self._memo.clear()

    # -- writing

    def _exists(self, view: View) -> None:
        if view._key not in self.rows[view._record]:
            raise Refused(f"there is no {view}")

    def _create(self, record: RecordModel, instance: Any, key: Any = None) -> Any:
        given = self.keys.get(record)
        if key is None:
            key = given.pop(0) if given else next(self._own_keys)
        row = {each.name: _initial(each) for each in _stored(record)}
        self.rows[record][key] = row | _given(instance, row)
        self._check(record)
        return key

    def _make(self, record: RecordModel, instances: list[Any]) -> list[View]:
        """Create records, and before them what is new that they refer to: all by one reference, then the next."""
        for each in _stored(record):
            if isinstance(each, Reference):
                new = [one for one in instances if isinstance(vars(one).get(each.name), each.target.cls)]
                made = self._make(each.target, [vars(one)[each.name] for one in new]) if new else []
                for one, view in zip(new, made, strict=True):
                    vars(one)[each.name] = view
        return [View(self, record, self._create(record, one)) for one in instances]

    def _set(self, record: RecordModel, key: Any, values: Mapping[str, Any]) -> None:
        self.rows[record][key] |= {name: _key(value) for name, value in values.items()}
        self._check(record)

    def _check(self, record: RecordModel) -> None:
        """What is unique is."""
        self._memo.clear()
        stored = _stored(record)
        rows = list(self.rows[record].values())
        groups = [(each.name,) for each in stored if each.unique] + list(record.unique)
        for group in groups:
            if all(name in _visible(record) for name in group):
                values = [tuple(row[name] for name in group) for row in rows]
                values = [each for each in values if None not in each]
                if len(set(values)) < len(values):
                    raise Refused(f"{record} is unique by {group}")
        declared = _declared(record)
        if declared.symmetric:
            one, other = (each.name for each in record.ends)
            pairs = [frozenset((row[one], row[other])) for row in rows]
            if not declared.self_pairs and any(len(pair) == 1 for pair in pairs):
                raise Refused(f"{record} links no record to itself")
            if not declared.repeatable and len(set(pairs)) < len(pairs):
                raise Refused(f"{record} links a pair once")

    def _delete(self, views: list[View]) -> None:
        """Delete records, with all that goes with them; what then still refers to one refuses it in the end."""
        doomed: dict[View, None] = {}
        queue = list(views)
        while queue:
            view = queue.pop()
            if view not in doomed:
                doomed[view] = None
                queue += [each for each, reference in self._referring(view) if reference.on_delete == "cascade"]
                queue += [
                    View(self, place[0], key) for place, key in self.derived.items() if self._source(place) == view
                ]
        for view in doomed:
            for each, reference in self._referring(view):
                if each not in doomed and reference.on_delete == "set_null":
                    self.rows[each._record][each._key][reference.name] = None
        self._memo.clear()
        before = self._leaving
        self._leaving = before | doomed
        self._follow()
        self._leaving = before
        for view in doomed:
            self.rows[view._record].pop(view._key, None)
        self.derived = {place: key for place, key in self.derived.items() if key in self.rows[place[0]]}
        self._memo.clear()

    def _referring(self, view: View) -> list[tuple[View, Reference]]:
        return [
            (each, reference)
            for record in self.records
            for reference in _stored(record)
            if isinstance(reference, Reference) and reference.target is view._record
            for each in self.views(record)
            if getattr(each, reference.name) == view
        ]

    # -- records that follow from others

    def _settle(self) -> None:
        """Bring derived records to what their sources say; then references must lead somewhere."""
        self._follow()
        for record in self.records:
            self._check(record)
            for view in self.views(record):
                for each in _stored(record):
                    found = getattr(view, each.name)
                    if isinstance(found, View):
                        self._exists(found)

    def _follow(self) -> None:
        """Make, change and delete derived records until nothing changes any more."""
        changed = True
        while changed:
            changed = any(self._derive(record) for record in self.records)

    def _derive(self, record: RecordModel) -> bool:
        wanted: dict[Place, Any] = {}
        for transform in _declared(record).transforms:
            if transform.source in self.model.records:
                source = self.model.records[transform.source]
                for view in self.views(source):
                    made = [] if view in self._leaving else _several(transform.make(view))
                    for index, instance in enumerate(made):
                        wanted[record, transform.name, view._key, index] = instance
        present = {place: key for place, key in self.derived.items() if place[0] is record}
        changed = False
        for place, instance in wanted.items():
            if place not in present:
                self.derived[place] = self._create(record, instance, self.places.get(place) or next(self._own_keys))
                changed = True
            else:
                row = self.rows[record][present[place]]
                said = {name: value for name, value in _given(instance, row).items() if _follows(record, name)}
                if any(row[name] != value for name, value in said.items()):
                    self._set(record, present[place], said)
                    changed = True
        gone = [View(self, record, key) for place, key in present.items() if place not in wanted]
        gone = [view for view in gone if view not in self._leaving]
        if gone:
            self._delete(gone)
        return changed or bool(gone)

    def _source(self, place: Place) -> View:
        record, name, key, _ = place
        transform = next(each for each in _declared(record).transforms if each.name == name)
        return View(self, self.model.records[transform.source], key)


def aggregate(spec: Any, elements: list[View]) -> Any:
    """The value of a computation over a collection, by its definition."""
    chosen = [each for each in elements if spec.where is None or spec.where(each)]
    match spec.name_of:
        case "Count":
            return len(chosen)
        case "Every":
            return len(chosen) == len(elements)
        case "Any":
            return bool(chosen)
        case "Summation":
            return sum(value for value in map(spec.of, chosen) if value is not None)
        case "WeightedSummation":
            pairs = [(spec.weight(each), spec.of(each)) for each in chosen]
            return sum((w * v for w, v in pairs if w is not None and v is not None), spec.start or 0)
        case "Average":
            values = [float(value) for value in map(spec.of, chosen) if value is not None]
            return sum(values) / len(values) if values else spec.default
        case "Maximum" | "Minimum":
            values = [value for value in map(spec.of, chosen) if value is not None]
            extreme = max if spec.name_of == "Maximum" else min
            return extreme(values) if values else spec.default
        case "First" | "Last":
            placed = {(spec.by(each), each._key): each for each in chosen if spec.by(each) is not None}
            end = min if spec.name_of == "First" else max
            return spec.of(placed[end(placed)]) if placed else spec.default
        case "Distinct":
            return len({value for value in map(spec.of, chosen) if value is not None})
    raise NotImplementedError(spec.name_of)


def _declared(record: RecordModel) -> RecordDeclaration:
    declaration: RecordDeclaration = vars(record.cls)["__iq_record__"]
    return declaration


def _stored(record: RecordModel) -> list[Property | Reference]:
    """What a row holds: neither the key nor what is worked out."""
    return [
        each
        for each in record.stored()
        if not each.hidden
        and not (isinstance(each, Property) and (each.key or isinstance(each.computation, WORKED_OUT)))
    ]


def _visible(record: RecordModel) -> list[str]:
    return [name for name, each in record.attributes.items() if not getattr(each, "hidden", False)]


def _follows(record: RecordModel, name: str) -> bool:
    """Whether a derived record takes the attribute from its source: what interactions change is its own."""
    return not getattr(record.attributes[name], "changes", ())


def _initial(attribute: Property | Reference) -> Any:
    computation = getattr(attribute, "computation", None)
    return computation.initial if isinstance(computation, Written) else None


def _given(instance: Any, row: Row) -> Row:
    """What the maker of a record gave, by its constructor."""
    return {name: _key(value) for name, value in vars(instance).items() if name in row}


def _item(item: Any) -> Callable[[Any], Any]:
    return lambda event: getattr(event.payload, item.name)


def _several(found: Any) -> list[Any]:
    return [] if found is None else list(found) if isinstance(found, list | tuple) else [found]


def _key(value: Any) -> Any:
    return value._key if isinstance(value, View) else value


def _plain(value: Any) -> Any:
    return sorted(map(_key, value)) if isinstance(value, list) else _key(value)
