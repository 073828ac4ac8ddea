"""Changing: what one interaction does to stored records - their next values, and what tells of the change.

All callbacks are asked before anything is written, so each sees the state before the event,
locked. A table of moves without callbacks is looked up when its record is written. Whatever one
event says of an attribute of one record must come to one next value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from interaqt.core.computations import DELETED, Change, Stamp
from interaqt.core.computations.aggregation import HOST
from interaqt.core.errors import DispatchError, ImpossibleMove, InvalidValue
from interaqt.core.event import Event
from interaqt.core.expressions import TRUE, Expr, Param
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel, Reference
from interaqt.core.record import Record, key_of, origin_of
from interaqt.core.types import Kind
from interaqt.core.values import check_of
from interaqt.runtime.events import actor_of
from interaqt.runtime.planner import Planner
from interaqt.runtime.reaction import Step
from interaqt.runtime.run import Run
from interaqt.storage.cohort import Cohort
from interaqt.storage.loading import Loader
from interaqt.storage.prepared import Image, Prepared

__all__ = ["Changing", "Moved"]

#: The next value where there is no move: the present one.
_STAYS: Final = object()

#: Slots of what an event tells a stamp; no attribute is called so.
_TOLD = {"at": "event.at", "by": "event.user", "actor": "event.actor"}


@attrs.define(eq=False)
class Moved:
    """What is to become of one record: next values, and tables to look its present values up in."""

    record: RecordModel
    key: Any
    values: Image = attrs.field(factory=dict)
    tables: list[Change] = attrs.field(factory=list)

    def decide(self, change: Change, value: Any) -> None:
        """Note a next value; refuses another one for the same attribute."""
        name = change.attribute.name
        known = self.values.setdefault(name, value)
        if known is not value and known != value:
            raise DispatchError(
                f"{change.interaction} changes {change.attribute} of {self.key!r} to {known!r} and to {value!r}",
                code="change.conflict",
                subject=f"{change.attribute}: on({change.interaction})",
                location=change.location,
                hint="one event changes an attribute of a record once; refuse such a request with a guard, or let "
                "one transition say what comes of it",
            )


class Changing:
    """The changes of one interaction."""

    def __init__(self, planner: Planner, loader: Loader, interaction: InteractionModel) -> None:
        self.planner = planner
        self._loader = loader
        records = planner.model.tables()
        self.changes = [each for record in records for each in record.changes if each.interaction is interaction]
        self._asking = frozenset(change for change in self.changes if change.asks)
        self.records = frozenset(change.attribute.record for change in self.changes)
        """The kinds of records that the interaction changes."""
        self._ends = [change for change in self.changes if change.deletes and planner.memory(change.attribute.record)]
        """Those that may end records which follow from others."""
        self._checks = {change: check_of(change.attribute.type) for change in self.changes}
        self._single: dict[Change, tuple[frozenset[str], tuple[Stamp, ...]]] = {}
        """What is read for a change that a table says, and the stamps that tell of it."""
        self._blind: dict[tuple[RecordModel, frozenset[str], tuple[Stamp, ...]], Prepared] = {}

    # -- before anything is written

    def moves(self, run: Run, event: Event[Any]) -> list[Moved]:
        """What is to become of which records, in the order in which they are locked."""
        if len(self.changes) == 1 and not self._asking and not self._ends:
            # A table moves a record: the state of most things.
            (change,) = self.changes
            records = _targets(change, event)
            if len(records) == 1:
                return [Moved(change.attribute.record, key_of(records[0]), {}, [change])]
        found: dict[tuple[RecordModel, Any], Moved] = {}
        targets = [(change, _targets(change, event)) for change in self.changes]
        if self._ends:
            self._hold(run, targets)
        if self._asking:
            self._lock_before_reading(targets)
        for change, records in targets:
            model = change.attribute.record
            for record in records:
                key = key_of(record)
                moved = found.get((model, key))
                if moved is None:
                    moved = found[model, key] = Moved(model, key)
                if change not in self._asking:
                    moved.tables.append(change)
                    continue
                value = self._next(change, record, event)
                if value is not _STAYS:
                    moved.decide(change, value)
        moves = list(found.values())
        return moves if len(moves) == 1 else sorted(moves, key=lambda each: (each.record.table, each.key))

    def _hold(self, run: Run, targets: Iterable[tuple[Change, list[Record]]]) -> None:
        """What a record that may end follows from is locked before it."""
        for change, records in targets:
            memory = self.planner.memory(change.attribute.record)
            if change in self._ends and memory is not None and records:
                memory.hold(run, [key_of(each) for each in records])

    def _lock_before_reading(self, targets: Iterable[tuple[Change, list[Record]]]) -> None:
        """What a callback reads of a record that ``record=`` has found by way of others is read again, locked."""
        locks = self.planner.schema.dialect.for_update
        cohorts: dict[RecordModel, Cohort] = {}
        for change, records in targets:
            for each in records if change in self._asking else ():
                origin = origin_of(each)
                if origin is None or (locks and getattr(origin, "lock", None) not in ("change", "alone")):
                    record = change.attribute.record
                    if record not in cohorts:
                        cohorts[record] = Cohort(self._loader, record, lock="change")
                    cohorts[record].renew(each)

    def _next(self, change: Change, record: Record, event: Event[Any]) -> Any:
        attribute = change.attribute
        if change.set is not None:
            value, source = change.set(event, record), "set="
        else:
            present = getattr(record, attribute.name)
            present = key_of(present) if isinstance(present, Record) else present
            value = self._looked_up(change, present, key_of(record))
            if not callable(value):
                return value
            value, source = value(event, record), f"the move from {present!r}"
        wrong = self._checks[change](value)
        if wrong is not None:
            raise InvalidValue(f"what {source} answers {wrong}", code="change.value", subject=str(change))
        return key_of(value) if isinstance(attribute, Reference) and value is not None else value

    @staticmethod
    def _looked_up(change: Change, present: Any, key: Any) -> Any:
        assert change.moves is not None
        value = change.moves.get(present, _STAYS)
        if value is _STAYS and change.strict:
            raise _impossible(change, present, key)
        return value

    # -- writing

    def write(self, run: Run, moves: Iterable[Moved], event: Event[Any]) -> dict[RecordModel, list[Any]]:
        """Write the next values, each with what follows from it; answers whose next state is DELETED."""
        deleted: dict[RecordModel, list[Any]] = {}
        for each in moves:
            if not each.values and len(each.tables) == 1:
                is_deleted = self._look_up(run, each, each.tables[0], event)
            else:
                is_deleted = self._write(run, each, event)
            if is_deleted:
                deleted.setdefault(each.record, []).append(each.key)
        return deleted

    def _write(self, run: Run, moved: Moved, event: Event[Any]) -> bool:
        record = moved.record
        names = frozenset({*moved.values, *(each.attribute.name for each in moved.tables)})
        stamps = self._stamps(record, names)
        if not moved.tables:
            if DELETED in moved.values.values():
                return True
            if not stamps:
                if moved.values:
                    run.update(record, moved.key, moved.values)
                return False
            if self._may_be_blind(record, stamps, names):
                self._write_blindly(run, moved, stamps, event)
                return False
        return self._read_and_write(run, moved, names | {each.property.name for each in stamps}, stamps, event)

    def _look_up(self, run: Run, moved: Moved, change: Change, event: Event[Any]) -> bool:
        """Write what a table alone says."""
        known = self._single.get(change)
        if known is None:
            names = frozenset({change.attribute.name})
            stamps = self._stamps(moved.record, names)
            known = self._single[change] = names | {each.property.name for each in stamps}, stamps
        return self._read_and_write(run, moved, *known, event)

    def _read_and_write(
        self, run: Run, moved: Moved, names: frozenset[str], stamps: tuple[Stamp, ...], event: Event[Any]
    ) -> bool:
        """Look up what the tables have for the present values, and write all of it."""
        record = moved.record
        old = run.read(record, moved.key, names)
        if old is None:
            # The guard finds that the payload names no such record.
            return False
        for change in moved.tables:
            value = self._looked_up(change, old[change.attribute.name], moved.key)
            if value is not _STAYS:
                moved.decide(change, value)
        if DELETED in moved.values.values():
            return True
        told = self._told(stamps, old, moved.values, event) if stamps else {}
        run.change(record, old, {**moved.values, **told})
        return False

    # -- what tells of changes

    @staticmethod
    def _stamps(record: RecordModel, names: frozenset[str]) -> tuple[Stamp, ...]:
        if not record.stamps:
            return ()
        return tuple(each for each in record.stamps if each.attribute.name in names)

    def _told(self, stamps: Sequence[Stamp], old: Image, new: Image, event: Event[Any]) -> Image:
        """The stamps that tell of a change, as they are then."""
        told: Image = {}
        for each in stamps:
            name = each.attribute.name
            if name in new and each.tells(old[name], new[name]):
                present = old[each.property.name]
                told[each.property.name] = each.value(present, self._known(each, event))
        return told

    def _known(self, stamp: Stamp, event: Event[Any]) -> Any:
        """What the event tells a stamp."""
        match stamp.kind:
            case "at":
                return event.at
            case "by":
                user = self.planner.model.user
                return key_of(event.user) if user is not None and isinstance(event.user, user.cls) else None
            case "actor":
                return actor_of(event.user)
            case _:
                return True

    def _may_be_blind(self, record: RecordModel, stamps: Sequence[Stamp], names: frozenset[str]) -> bool:
        """Whether the database can tell by itself if a value is another one, and nobody else asks."""
        if any(each.attribute.type.kind is Kind.JSON for each in stamps):
            return False
        return not self.planner.rows(record).watched(names | {each.property.name for each in stamps})

    def _write_blindly(self, run: Run, moved: Moved, stamps: Sequence[Stamp], event: Event[Any]) -> None:
        record, values = moved.record, moved.values
        meant = tuple(each for each in stamps if each.may_tell(values[each.attribute.name]))
        names = frozenset(values)
        statement = self._blind.get((record, names, meant))
        if statement is None:
            statement = self._blind[record, names, meant] = self._statement(record, names, meant)
        told = {_TOLD[each.kind]: self._known(each, event) for each in meant if each.kind in _TOLD}
        written = names | {each.property.name for each in meant}
        run.write(record, moved.key, written, statement, {**values, **told})

    def _statement(self, record: RecordModel, names: frozenset[str], stamps: Sequence[Stamp]) -> Prepared:
        """Sets the attributes, and the stamps where the row's own values are other ones."""
        given = {each: Param(each.name, each.type) for each in self.planner.attributes(record, names)}
        assignments: dict[Any, Expr] = dict(given)
        for each in stamps:
            slot = _TOLD.get(each.kind)
            told: Expr = TRUE if slot is None else Param(slot, each.property.type)
            assignments[each.property] = each.assignment(given[each.attribute], told)
        completed = self.planner.rows(record).completion.completed(assignments)
        return self.planner.statements.adjust(record, HOST, completed, {}, ())

    # -- for explain

    def steps(self) -> Iterator[Step]:
        """Every statement that changes may issue, in order, with those that follow indented."""
        for record, changes in self._by_record().items():
            names = frozenset(change.attribute.name for change in changes)
            why = ", ".join(map(str, changes))
            rows = self.planner.rows(record)
            stamps = self._stamps(record, names)
            every = names | {each.property.name for each in stamps}
            told = f" with {', '.join(map(str, stamps))}" if stamps else ""
            watched = rows.watched(every)
            has_tables = any(not change.asks for change in changes)
            if stamps and not has_tables and self._may_be_blind(record, stamps, names):
                yield Step(self._statement(record, names, stamps).sql, f"{why}: the next state{told}")
                continue
            if watched or stamps or has_tables:
                yield Step(rows.read(every)[0].sql, f"{why}: the present state, locked")
            yield Step(rows.update(every).sql, f"{why}: the next state{told}")
            yield from self.planner.listing.changed(record, watched)

    def ending_steps(self) -> Iterator[Step]:
        for record, changes in self._by_record().items():
            ended = [str(change) for change in changes if change.deletes]
            if ended:
                yield from self.planner.listing.deletion(record, f"{', '.join(ended)}: what is DELETED then")

    def _by_record(self) -> Mapping[RecordModel, list[Change]]:
        found: dict[RecordModel, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.attribute.record, []).append(change)
        return found


def _targets(change: Change, event: Event[Any]) -> list[Record]:
    """The records that a change is about."""
    if change.record is None:
        assert change.item is not None
        found = getattr(event.payload, change.item.name)
    else:
        found = change.record(event)
    many = [] if found is None else [found] if isinstance(found, Record) else list(found)
    for each in many:
        if not isinstance(each, change.attribute.owner.cls) or key_of(each) is None:
            raise InvalidValue(
                f"record= answers {each!r}, which is no stored {change.attribute.owner}",
                code="change.record",
                subject=str(change),
            )
    return many


def _impossible(change: Change, present: Any, key: Any) -> ImpossibleMove:
    assert change.moves is not None
    attribute = change.attribute
    moves = {state: None if callable(after) else after for state, after in change.moves.items()}
    known = ", ".join(f"from {state!r}" + ("" if after is None else f" to {after!r}") for state, after in moves.items())
    return ImpossibleMove(
        f"{attribute} of {key!r} is {present!r}, which {change.interaction} does not move; it moves {known}",
        record=attribute.record.name,
        key=key,
        attribute=attribute.name,
        state=present,
        interaction=change.interaction.name,
        moves=moves,
        location=change.location,
    )
