"""Asked: what the callbacks of a group say, all of which are called before anything is written.

Mostly nothing is kept of a record that they make but its row. Where records are made that refer
to one another, or are of several kinds, they themselves are kept until they are stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Protocol

from interaqt.core.errors import InvalidValue
from interaqt.core.model import RecordModel
from interaqt.core.record import Record
from interaqt.runtime.created import Created
from interaqt.runtime.group import Group
from interaqt.runtime.making import Maker
from interaqt.runtime.new_rows import Entangled, NewRows
from interaqt.runtime.run import Run

__all__ = ["Asked", "ask"]

#: What one event makes, of each kind.
Records = list[tuple[RecordModel, list[Record]]]

#: Answers what was created for an event, by its place in the group.
Own = Callable[[int], list[Created]]


class Making(Protocol):
    """What the callbacks have made, on its way to the database."""

    def take(self, made: Records) -> None:
        """Take what the next event makes."""

    def write(self, run: Run) -> Own:
        """Store all of it."""


class Asked:
    """What was said before ``failure``, if there is one: of how many events, and what each has for a context."""

    def __init__(self, making: Making, in_vain: Callable[[], bool]) -> None:
        self.making = making
        self._in_vain = in_vain
        self.contexts: list[dict[str, Any] | None] = []
        self.failure: Exception | None = None

    def about(self, group: Group, at: dt.datetime) -> None:
        dispatch, contexts = group.dispatch, self.contexts
        try:
            for request, event in zip(group.requests, group.events(at), strict=True):
                dispatch.admit(event, request)
                context = event.context or None
                self.making.take(dispatch.facts.made(event))
                contexts.append(context)
                if self._in_vain():
                    return
        except Entangled:
            raise
        except Exception as error:
            self.failure = error


def ask(run: Run, group: Group, at: dt.datetime, in_vain: Callable[[], bool]) -> Asked | None:
    """Call the callbacks; None where what they say can't be written together.

    ``in_vain`` says that it can't be, whatever else they say.
    """
    try:
        rows = _Rows(run, group)
        asked = Asked(rows, in_vain)
        asked.about(group, at)
        rows.complete()
    except Entangled:
        asked = Asked(_Instances(), in_vain)
        try:
            asked.about(group, at)
        except Entangled:
            return None
    except InvalidValue:
        # One by one, what is wrong is said at its turn.
        return None
    return asked


class _Rows:
    """Records that refer to nothing new, as rows."""

    def __init__(self, run: Run, group: Group) -> None:
        kinds = group.dispatch.facts.created
        if any(kind.root.family is not None or kind.identity is not None for kind in kinds):
            raise Entangled
        self._rows = [(kind, NewRows(run.planner.rows(kind))) for kind in kinds]

    def take(self, made: Records) -> None:
        ids = [id(each) for _, records in made for each in records]
        if len(ids) > 1 and len(set(ids)) < len(ids):
            raise Entangled
        for (_, rows), (_, records) in zip(self._rows, made, strict=True):
            rows.take(records)

    def complete(self) -> None:
        self._columns = [rows.columns() for _, rows in self._rows]

    def write(self, run: Run) -> Own:
        created = [
            (rows, run.create_rows(kind, columns, len(rows)))
            for (kind, rows), columns in zip(self._rows, self._columns, strict=True)
            if len(rows)
        ]
        return lambda index: [each for rows, some in created for each in some.each(*rows.span(index))]


class _Instances:
    """Records that may refer to one another."""

    def __init__(self) -> None:
        self._made: list[Records] = []
        self._taken: set[int] = set()

    def take(self, made: Records) -> None:
        ids = {id(each) for _, records in made for each in records}
        if ids & self._taken:
            # Each event makes a record of its own of it.
            raise Entangled
        self._taken |= ids
        self._made.append(made)

    def write(self, run: Run) -> Own:
        maker, before = Maker(run), len(run.created)
        for column in zip(*self._made, strict=True):
            maker.make(column[0][0], [each for _, records in column for each in records])
        # What was there already, for another event or from before, is not created again.
        fresh = {id(each) for each in run.created[before:]}
        own: list[list[Created]] = []
        for made in self._made:
            created = maker.created(each for _, records in made for each in records)
            own.append([each for each in created if id(each) in fresh])
            fresh.difference_update(map(id, own[-1]))
        return own.__getitem__
