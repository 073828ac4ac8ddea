"""Going through all rows of a record by spans of keys, so many rows at a time, in the order of their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.model import RecordModel
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY, Reader
from interaqt.storage.spans import Span, bounds, count

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Progress", "Report", "counted", "spans_of"]


@attrs.frozen
class Progress:
    """How far a rebuild, or a verification, has come: ``done`` of ``total`` records of ``attribute``."""

    attribute: str
    done: int
    total: int


#: Is told after each step how far it has come.
Report = Callable[[Progress], None]


def spans_of(
    planner: Planner, record: RecordModel, size: int, reading: Callable[[], AbstractContextManager[Executor]]
) -> Iterator[Span]:
    """Spans of ``size`` rows, all of them together without a gap; the last is of what is left.

    The end of each is looked up when it is asked for, and nothing is held between.
    """
    first, following = bounds(planner.statements, record, size)
    reader = Reader(planner.schema, (record.key,))
    last: Any = None
    while True:
        statement = first if last is None else following
        with reading() as executor:
            rows = statement.run(executor, {} if last is None else {KEY: last}).fetchall()
        if len(rows) < 2:
            yield Span(last)
            return
        ends = reader.image(rows[0])[record.key.name]
        yield Span(last, ends)
        last = ends


def counted(planner: Planner, record: RecordModel, executor: Executor) -> int:
    """How many rows there are."""
    return int(count(planner.statements, record).run(executor, {}).fetchone()[0])
