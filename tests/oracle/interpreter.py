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
from types import SimpleNamespace
from typing import Any

from interaqt import Event
from interaqt.core.computations import DELETED, SequenceSpec, StampSpec
from interaqt.core.computations.stamps import ANY
from interaqt.core.global_values import reading_globals
from interaqt.core.model import ONLY, Model, RecordModel, Reference
from tests.oracle.meaning import (
    Meaning,
    Refused,
    Row,
    View,
    declared,
    given,
    initial,
    key_of,
    stored,
    visible,
)

__all__ = ["Interpreter", "Place", "Refused", "View"]

#: Where a derived record comes from: its model, the transform, the source's key, and which of the source's it is.
Place = tuple[RecordModel, str, Any, int]


class Interpreter(Meaning):
    """The state of one model. ``create``, ``update``, ``delete`` and ``dispatch`` each happen whole or not at all.

    Keys are the database's to give: whoever runs it puts those of created records into ``keys``
    (in order, for each record) and those of derived ones into ``places``; without them it counts
    its own, which are negative.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model, dt.datetime.now(dt.UTC))
        self.derived: dict[Place, View] = {}
        self.last: dict[tuple[Any, ...], int] = {}
        """The last number of each scope of each sequence."""
        self.ended: set[Place] = set()
        """Derived records that somebody has ended, as long as their sources want them."""
        self.changed: set[tuple[View, str]] = set()
        """Attributes that somebody has changed: they follow from no source any more."""
        self.keys: dict[RecordModel, list[Any]] = {}
        self.places: Mapping[Place, Any] = {}
        self.at = self.now
        self._own_keys = itertools.count(-1, -1)
        self._leaving: dict[View, None] = {}
        self._making_room: RecordModel | None = None

    # -- what there is

    def get(self, cls: type, key: Any) -> View:
        return self.one(self.model.records[cls].made_as, key)

    def state(self) -> dict[str, dict[Any, Row]]:
        """Every attribute of every record, references and collections by their keys."""
        with reading_globals(self.global_value):
            return {
                record.name: {
                    key: {name: _plain(self.read(View(self, record, key), name)) for name in visible(record)}
                    for key in rows
                }
                for record, rows in self.rows.items()
            }

    def members(self) -> dict[str, set[Any]]:
        """The keys of the records that are in each view."""
        with reading_globals(self.global_value):
            return {part.name: {each._key for each in self.views(part)} for part in self.parts}

    def global_value(self, dictionary: type, name: str) -> Any:
        """What a callback reads on the class of a dictionary."""
        return self.read(self.get(dictionary, ONLY), name)

    # -- steps

    def create(self, instance: Any) -> None:
        with self._step():
            self._create(instance)
            self._settle()

    def update(self, view: View, **values: Any) -> None:
        with self._step():
            self.require(view)
            self._change(view, values)
            self._settle()

    def delete(self, view: View) -> None:
        with self._step():
            self.require(view)
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
        for item in interaction.items.values():
            for one in _several(getattr(request, item.name)) if item.record is not None else ():
                self.require(one)
                if not self.is_one(one, item.record):
                    raise Refused(f"{one} is not in {item.record}")
        if interaction.guard is not None and interaction.guard.rejection(event) is not None:  # type: ignore[attr-defined]
            raise Refused("guard")
        changes = self._changes(interaction, event)
        made = [
            _several(transform.make(event))
            for record in self.records
            for transform in declared(record).transforms
            if transform.source is interaction.cls
        ]
        for view, values in changes.items():
            if DELETED not in values.values():
                told = self._told(view, values, event)
                self._change(view, values | told)
        self._settle()
        for instances in made:
            self._make(instances)
        self._settle()
        gone = [view for view, values in changes.items() if DELETED in values.values()]
        for record in sorted(self.records, key=lambda each: each.table):
            self._delete([view for view in gone if view._record is record and view._key in self.rows[record]])
            self._settle()
        for record in self.records:
            for deletion in declared(record).deletions:
                if deletion.source is interaction.cls:
                    self._delete([each for each in self.views(record) if deletion.function(each, event)])
                    self._settle()

    def _changes(self, interaction: Any, event: Event[Any]) -> dict[View, Row]:
        """The next values of attributes by record; two for one are refused, and so is a strict move from nowhere."""
        found: dict[View, Row] = {}
        for table in self.model.tables():
            for change in table.changes:
                if change.interaction is interaction:
                    where: Callable[[Any], Any] = change.record or _item(change.item)
                    name = change.attribute.name
                    chosen = View(self, table, ONLY) if table.is_dictionary else where(event)
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
                        if key_of(found.setdefault(view, {}).setdefault(name, value)) != key_of(value):
                            raise Refused(f"{view}.{name} is changed twice")
        return found

    def _told(self, view: View, values: Row, event: Event[Any]) -> Row:
        """What tells of changes: when an attribute was changed, by whom and how often."""
        told: Row = {}
        for name, each in declared(view._record).attributes.items():
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
        derived, ended, changed, self._leaving = dict(self.derived), set(self.ended), set(self.changed), {}
        last = dict(self.last)
        try:
            with reading_globals(self.global_value):
                yield
        except Refused:
            self.rows, self.derived, self.last = before, derived, last
            self.ended, self.changed = ended, changed
            raise
        finally:
            self._memo.clear()

    # -- writing

    def _create(self, instance: Any, key: Any = None) -> View:
        record = self.model.records[type(instance)]
        keys = self.keys.get(record)
        if key is None:
            key = keys.pop(0) if keys else next(self._own_keys)
        row = {each.name: initial(each) for each in stored(record)}
        row |= given(instance, row)
        for name, each in declared(record).attributes.items():
            if isinstance(each.spec, SequenceSpec):
                scope = (record.cls.__iq_root__, name, *(row[by.name] for by in each.spec.scope))
                row[name] = self.last[scope] = self.last.get(scope, each.spec.start - 1) + 1
        self.rows[record][key] = row
        self._check(record)
        return View(self, record, key)

    def _make(self, instances: list[Any]) -> list[View]:
        """Create records, and before them what is new that they refer to: all by one reference, then the next."""
        kinds = [self.model.records[type(one)] for one in instances]
        references = [each.name for kind in kinds for each in stored(kind) if isinstance(each, Reference)]
        for name in dict.fromkeys(references):
            new = [one for one in instances if type(vars(one).get(name)) in self.model.records]
            made = self._make([vars(one)[name] for one in new]) if new else []
            for one, view in zip(new, made, strict=True):
                vars(one)[name] = view
        return [self._create(one) for one in instances]

    def _change(self, view: View, values: Mapping[str, Any]) -> None:
        """What somebody changes, and not a source, is the record's own."""
        row = self.rows[view._record][view._key]
        for name, value in values.items():
            if getattr(view._record.attributes[name], "changes", ()) and row[name] != key_of(value):
                self.changed.add((view, name))
        self._set(view, values)

    def _set(self, view: View, values: Mapping[str, Any]) -> None:
        self.rows[view._record][view._key] |= {name: key_of(value) for name, value in values.items()}
        self._check(view._record)

    def _check(self, record: RecordModel) -> None:
        """What is unique is, among all of the kind that says so."""
        self._memo.clear()
        for level in [each for each in self.records if issubclass(record.cls, each.cls)]:
            rows = [row for kind in self.kinds(level) for row in self.rows[kind].values()]
            own = {each.name for each in declared(level).own}
            groups = [(each.name,) for each in stored(level) if each.unique and each.name in own]
            if level.kind == "relation" and declared(level).part is None and not declared(level).repeatable:
                groups.append(tuple(each.name for each in level.ends))
            for group in groups + list(declared(level).unique):
                values = [tuple(row[name] for name in group) for row in rows]
                values = [each for each in values if None not in each]
                if len(set(values)) < len(values):
                    raise Refused(f"{level} is unique by {group}")
            if declared(level).symmetric:
                self._check_pairs(level, rows)

    def _check_pairs(self, relation: RecordModel, rows: list[Row]) -> None:
        one, other = (each.name for each in relation.ends)
        pairs = [frozenset((row[one], row[other])) for row in rows]
        if not declared(relation).self_pairs and any(len(pair) == 1 for pair in pairs):
            raise Refused(f"{relation} links no record to itself")
        if not declared(relation).repeatable and len(set(pairs)) < len(pairs):
            raise Refused(f"{relation} links a pair once")

    def _delete(self, views: list[View], let_go: bool = False) -> None:
        """Delete records, with all that goes with them; what then still refers to one refuses it in the end.

        A derived one that goes while its source stays was ended, unless its source has ``let_go`` of it.
        """
        doomed: dict[View, None] = {}
        queue = list(views)
        while queue:
            view = queue.pop()
            if view not in doomed:
                doomed[view] = None
                queue += [each for each, reference in self._referring(view) if reference.on_delete == "cascade"]
                queue += [made for place, made in self.derived.items() if self._source(place) == view]
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
        for place, view in self.derived.items():
            stays = self._source(place) not in self._leaving | doomed
            if view in doomed and stays and not (let_go and view in views):
                self.ended.add(place)
        self.derived = {place: each for place, each in self.derived.items() if each not in doomed}
        self._memo.clear()

    def _referring(self, view: View) -> list[tuple[View, Reference]]:
        return [
            (each, reference)
            for record in self.records
            for reference in stored(record)
            if isinstance(reference, Reference) and issubclass(view._record.cls, reference.target.cls)
            for each in self.own(record)
            if self.rows[record][each._key][reference.name] == view._key
        ]

    # -- records that follow from others

    def _settle(self) -> None:
        """Bring derived records to what their sources say; then references must lead somewhere."""
        self._follow()
        for record in self.records:
            self._check(record)
            for view in self.own(record):
                for each in stored(record):
                    found = getattr(view, each.name)
                    if isinstance(found, View):
                        self.require(found)

    def _follow(self) -> None:
        """Make, change and delete derived records until nothing changes any more."""
        changed = True
        while changed:
            changed = any(self._derive(record) for record in self.records if record is not self._making_room)

    def _derive(self, record: RecordModel) -> bool:
        wanted: dict[Place, Any] = {}
        for transform in declared(record).transforms:
            if transform.source in self.model.records:
                source = self.model.records[transform.source]
                for view in self.views(source):
                    made = [] if view in self._leaving else _several(transform.make(view))
                    for index, instance in enumerate(made):
                        wanted[record, transform.name, view._key, index] = instance
        present = {place: made for place, made in self.derived.items() if place[0] is record}
        self.ended -= {place for place in self.ended if place[0] is record and place not in wanted}
        wanted = {place: instance for place, instance in wanted.items() if place not in self.ended}
        # One of another kind is another record.
        stays = {place for place, made in present.items() if type(wanted.get(place)) is made._record.cls}
        gone = [made for place, made in present.items() if place not in stays and made not in self._leaving]
        if gone:
            # First, for what goes makes room for what comes.
            before, self._making_room = self._making_room, record
            self._delete(gone, let_go=True)
            self._making_room = before
            return True
        changed = False
        for place in wanted:
            if place in stays:
                made = present[place]
                row = self.rows[made._record][made._key]
                said = given(wanted[place], row).items()
                follows = {name: value for name, value in said if (made, name) not in self.changed}
                if any(row[name] != value for name, value in follows.items()):
                    self._set(made, follows)
                    changed = True
        for place, instance in wanted.items():
            if place not in present:
                self.derived[place] = self._create(instance, self.places.get(place) or next(self._own_keys))
                changed = True
        return changed

    def _source(self, place: Place) -> View:
        record, name, key, _ = place
        transform = next(each for each in declared(record).transforms if each.name == name)
        return self.one(self.model.records[transform.source].made_as, key)


def _item(item: Any) -> Callable[[Any], Any]:
    return lambda event: getattr(event.payload, item.name)


def _several(found: Any) -> list[Any]:
    return [] if found is None else list(found) if isinstance(found, list | tuple) else [found]


def _plain(value: Any) -> Any:
    return sorted(map(key_of, value)) if isinstance(value, list) else key_of(value)
