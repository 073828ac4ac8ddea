"""Facts: what one interaction writes, before anything is derived from it.

All callbacks that say what changes and what is created are asked first, so they see the state
before the event, whatever was read of it already. Then changes are made, records created, and
those that ended deleted; a record that is made and ended by one event leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from interaqt.core.computations import Change, Creation, Ending
from interaqt.core.computations.aggregation import HOST
from interaqt.core.errors import DispatchError, InvalidValue
from interaqt.core.event import Event
from interaqt.core.event_stand_in import AT, USER, payload_param
from interaqt.core.expressions import Param, Root, walk
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel, Reference
from interaqt.core.record import Record, key_of, origin_of
from interaqt.core.values import check_of
from interaqt.runtime.making import Maker
from interaqt.runtime.planner import Planner
from interaqt.runtime.reaction import Step
from interaqt.runtime.run import Run
from interaqt.storage.cohort import Cohort
from interaqt.storage.loading import Loader
from interaqt.storage.prepared import Image, Prepared

__all__ = ["Facts"]


@attrs.frozen(eq=False)
class _Deletion:
    rule: Ending
    delete: Prepared
    search: Prepared
    asks_for_user: bool


@attrs.define(eq=False)
class _Move:
    """What is to become of one record: fixed values, and tables to look its present values up in."""

    values: Image
    tables: list[Change]


class Facts:
    """The facts of one interaction."""

    def __init__(self, planner: Planner, loader: Loader, interaction: InteractionModel) -> None:
        self.planner = planner
        self._loader = loader
        self.interaction = interaction
        records = list(planner.model.records.values())
        self._changes = [each for record in records for each in record.changes if each.interaction is interaction]
        self._creations = [each for record in records for each in record.creations if each.interaction is interaction]
        self._endings = [
            self._deletion(each) for record in records for each in record.endings if each.interaction is interaction
        ]
        self.changed = frozenset(change.attribute.record for change in self._changes)
        """The kinds of records that the interaction changes."""
        self.written = self.changed | {each.rule.record for each in self._endings}
        """Those, and the kinds that it ends."""
        self._checks = {change: check_of(change.attribute.type) for change in self._changes}
        self._params = [(payload_param(item.name), item) for item in interaction.items.values() if not item.many]

    def _deletion(self, rule: Ending) -> _Deletion:
        record, statements = rule.record, self.planner.statements
        told = self.planner.rows(record).told_when_deleted
        return _Deletion(
            rule,
            statements.delete_where(record, HOST, rule.condition, told),
            statements.find(record, HOST, rule.condition, [Root(HOST, record)], lock=True),
            any(isinstance(each, Param) and each.name == USER for each in walk(rule.condition)),
        )

    def write(self, run: Run, event: Event[Any]) -> None:
        """Write all of them, each with what follows from it."""
        moves = self._moves(event) if self._changes else {}
        made = self.made(event)
        for record, key in moves if len(moves) == 1 else sorted(moves, key=lambda each: (each[0].table, each[1])):
            self._move(run, record, key, moves[record, key])
        run.settle()
        maker = Maker(run)
        for record, records in made:
            maker.make(record, records)
        run.settle()
        for ending in self._endings:
            given = self._given(event)
            if ending.asks_for_user and given[USER] is None:
                raise InvalidValue(
                    f"which {ending.rule.record} records it ends depends on the user, "
                    f"and user= is {event.user!r}, not a {self.planner.model.user}",
                    code="dispatch.user",
                    subject=str(ending.rule),
                )
            run.end(ending.rule, ending.delete, ending.search, given)
            run.settle()

    @property
    def only_creates(self) -> bool:
        """Whether new records are all that it writes, so that several events cannot meet on one row."""
        return not (self._changes or self._endings)

    def made(self, event: Event[Any]) -> list[tuple[RecordModel, list[Record]]]:
        """The records that its Transforms make of the event, not stored yet."""
        return [(creation.record, _made(creation, event)) for creation in self._creations]

    # -- changes

    def _moves(self, event: Event[Any]) -> dict[tuple[RecordModel, Any], _Move]:
        moves: dict[tuple[RecordModel, Any], _Move] = {}
        targets = [(change, _targets(change, event)) for change in self._changes]
        if self.planner.schema.dialect.for_update:
            self._lock_before_reading(targets)
        for change, records in targets:
            record = change.attribute.record
            for key in map(key_of, records):
                move = moves.setdefault((record, key), _Move({}, []))
                if change.set is None:
                    move.tables.append(change)
                else:
                    move.values[change.attribute.name] = self._next(change, change.set, event)
        return moves

    def _lock_before_reading(self, targets: Iterable[tuple[Change, list[Record]]]) -> None:
        """What ``set=`` reads of a record that ``record=`` has found by way of others is read again, locked."""
        cohorts: dict[RecordModel, Cohort] = {}
        for change, records in targets:
            for each in records if change.set is not None else ():
                if not getattr(origin_of(each), "lock", False):
                    record = change.attribute.record
                    if record not in cohorts:
                        cohorts[record] = Cohort(self._loader, record, lock=True)
                    cohorts[record].renew(each)

    def _next(self, change: Change, set: Callable[[Any], Any], event: Event[Any]) -> Any:
        value = set(event)
        wrong = self._checks[change](value)
        if wrong is not None:
            raise InvalidValue(f"what set= answers {wrong}", code="change.value", subject=str(change))
        return key_of(value) if isinstance(change.attribute, Reference) and value is not None else value

    def _move(self, run: Run, record: RecordModel, key: Any, move: _Move) -> None:
        if not move.tables:
            run.update(record, key, move.values)
            return
        names = frozenset({*move.values, *(each.attribute.name for each in move.tables)})
        old = run.read(record, key, names)
        if old is None:
            # The guard finds that the payload names no such record.
            return
        values = dict(move.values)
        for change in move.tables:
            assert change.moves is not None
            present = old[change.attribute.name]
            if present in change.moves:
                values.setdefault(change.attribute.name, change.moves[present])
        run.change(record, old, values)

    # -- endings

    def _given(self, event: Event[Any]) -> dict[str, Any]:
        user = self.planner.model.user
        is_user = user is not None and isinstance(event.user, user.cls)
        given: dict[str, Any] = {AT: event.at, USER: key_of(event.user) if is_user else None}
        for name, item in self._params:
            value = getattr(event.payload, item.name)
            given[name] = key_of(value) if item.record is not None and value is not None else value
        return given

    # -- for explain

    def steps(self) -> Iterator[Step]:
        """Every statement that it may issue, in order, with those that follow indented."""
        for record, changes in self._by_record():
            names = frozenset(change.attribute.name for change in changes)
            rows = self.planner.rows(record)
            why = ", ".join(map(str, changes))
            watched = rows.watched(names)
            if watched or any(change.moves is not None for change in changes):
                yield Step(rows.read(names)[0].sql, f"{why}: the present state, locked")
            yield Step(rows.update(names).sql, f"{why}: the next state")
            yield from self.planner.following(record, "update", watched)
        for creation in self._creations:
            yield Step(self.planner.rows(creation.record).insert.sql, f"{creation}: the record it makes")
            yield from self.planner.following(creation.record, "create")
        for ending in self._endings:
            yield Step(ending.delete.sql, f"{ending.rule}: the records it ends")
            yield from self.planner.following(ending.rule.record, "delete")

    def _by_record(self) -> Iterable[tuple[RecordModel, list[Change]]]:
        found: dict[RecordModel, list[Change]] = {}
        for change in self._changes:
            found.setdefault(change.attribute.record, []).append(change)
        return found.items()


def _targets(change: Change, event: Event[Any]) -> list[Record]:
    """The records that a change is about."""
    if change.record is None:
        assert change.item is not None
        found = getattr(event.payload, change.item.name)
    else:
        found = change.record(event)
    many = _several(found)
    for each in many:
        if not isinstance(each, change.attribute.record.cls) or key_of(each) is None:
            raise InvalidValue(
                f"record= answers {each!r}, which is no stored {change.attribute.record}",
                code="change.record",
                subject=str(change),
            )
    return many


def _made(creation: Creation, event: Event[Any]) -> list[Record]:
    found = creation.make(event)
    made = _several(found)
    for each in made:
        if not isinstance(each, creation.record.cls) or origin_of(each) is not None:
            raise DispatchError(
                f"it stands in {creation.record}, so it answers new {creation.record}(...), a list of them, or None, "
                f"not {each!r}",
                code="transform.result",
                subject=f"{creation}: Transform({creation.interaction})",
                location=creation.location,
            )
    return made


def _several(found: Any) -> list[Any]:
    """One, several or none, as a list."""
    if found is None:
        return []
    return [found] if isinstance(found, Record) else list(found)
