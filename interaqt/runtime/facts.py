"""Facts: what one interaction writes, before anything is derived from it.

All callbacks that say what changes and what is created are asked first, so they see the state
before the event, whatever was read of it already. Then changes are made, records created, and
those that ended deleted; a record that is made and ended by one event leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from interaqt.core.computations import Creation, Ending
from interaqt.core.computations.aggregation import HOST
from interaqt.core.errors import DispatchError, InvalidValue
from interaqt.core.event import Event
from interaqt.core.event_stand_in import AT, USER, payload_param
from interaqt.core.expressions import Param, Root, walk
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import RecordModel
from interaqt.core.record import ORIGIN, Record, key_of, origin_of
from interaqt.runtime.changing import Changing, Moved
from interaqt.runtime.consequences import Consequences
from interaqt.runtime.making import Maker
from interaqt.runtime.planner import Planner
from interaqt.runtime.reaction import Step
from interaqt.runtime.run import Run
from interaqt.storage.loading import Loader
from interaqt.storage.prepared import Prepared

__all__ = ["Asked", "Facts"]


@attrs.frozen(eq=False)
class _Deletion:
    rule: Ending
    delete: Prepared
    search: Prepared
    holding: tuple[Prepared, ...]
    """What locks the sources of what it ends, where it follows from others."""
    asks_for_user: bool


@attrs.frozen(eq=False)
class Asked:
    """What the callbacks have answered."""

    moves: list[Moved]
    made: list[tuple[RecordModel, list[Record]]]

    def new(self) -> Iterator[Record]:
        """The records that are to be made."""
        for _, records in self.made:
            yield from records


class Facts:
    """The facts of one interaction."""

    def __init__(self, planner: Planner, loader: Loader, interaction: InteractionModel) -> None:
        self.planner = planner
        self.interaction = interaction
        records = planner.model.tables()
        self._changing = Changing(planner, loader, interaction)
        self._creations = [each for record in records for each in record.creations if each.interaction is interaction]
        self._endings = [
            self._deletion(each) for record in records for each in record.endings if each.interaction is interaction
        ]
        self.consequences = Consequences(planner.model, planner.graph).of_facts(
            self._changing.changes, self._creations, [each.rule for each in self._endings]
        )
        """All that may come of them."""
        self._params = [(payload_param(item.name), item) for item in interaction.items.values() if not item.many]

    def _deletion(self, rule: Ending) -> _Deletion:
        record, statements = rule.record, self.planner.statements
        told = self.planner.rows(record).told_when_deleted
        memory = self.planner.memory(record)
        return _Deletion(
            rule,
            statements.delete_where(record, HOST, rule.condition, told),
            statements.find(record, HOST, rule.condition, [Root(HOST, record)], lock=True),
            () if memory is None else memory.holding(HOST, rule.condition),
            any(isinstance(each, Param) and each.name == USER for each in walk(rule.condition)),
        )

    def ask(self, run: Run, event: Event[Any]) -> Asked:
        """Ask all callbacks; nothing is written yet."""
        moves = self._changing.moves(run, event) if self._changing.changes else []
        return Asked(moves, self.made(event) if self._creations else [])

    def write(self, run: Run, event: Event[Any], asked: Asked) -> None:
        """Write all of them, each with what follows from it."""
        deleted = self._changing.write(run, asked.moves, event) if asked.moves else {}
        if run.due:
            run.settle()
        if asked.made:
            maker = Maker(run)
            for record, records in asked.made:
                maker.make(record, records)
            if run.due:
                run.settle()
        for record, keys in deleted.items():
            run.delete(record, keys)
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
            for statement in ending.holding:
                statement.run(run.tx, given)
            run.end(ending.rule, ending.delete, ending.search, given)
            run.settle()

    @property
    def only_creates(self) -> bool:
        """Whether new records are all that it writes, so that several events cannot meet on one row."""
        return not (self._changing.changes or self._endings)

    @property
    def created(self) -> list[RecordModel]:
        """What kinds of records its Transforms make, in their order."""
        return [creation.record for creation in self._creations]

    def made(self, event: Event[Any]) -> list[tuple[RecordModel, list[Record]]]:
        """The records that its Transforms make of the event, not stored yet."""
        made = []
        for creation in self._creations:
            found = creation.make(event)
            if found.__class__ is creation.record.cls and ORIGIN not in found.__dict__:
                made.append((creation.record, [found]))
            else:
                made.append((creation.record, _made(creation, found)))
        return made

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
        listing = self.planner.listing
        yield from self._changing.steps()
        for creation in self._creations:
            for kind in creation.record.kinds:
                yield from listing.creation(kind, f"{creation}: the record it makes")
        yield from self._changing.ending_steps()
        for ending in self._endings:
            has_others = bool(self.planner.rows(ending.rule.record).dependents)
            if has_others:
                yield Step(ending.search.sql, f"{ending.rule}: the records it ends, found")
            sql = "" if has_others else ending.delete.sql
            yield from listing.deletion(ending.rule.record, f"{ending.rule}: the records it ends", sql=sql)


def _made(creation: Creation, found: Any) -> list[Record]:
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
