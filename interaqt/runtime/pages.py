"""Pages: the keys of all records of a kind, so many at a time, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from interaqt.core.model import RecordModel
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["pages_of"]


def pages_of(
    planner: Planner, record: RecordModel, size: int, reading: Callable[[], AbstractContextManager[Executor]]
) -> Iterator[list[Any]]:
    """The keys of the record's rows; each page is read when it is asked for, and nothing is held between."""
    first, following = planner.statements.pages(record, size)
    convert = planner.schema.dialect.from_db(record.key.type)
    last: Any = None
    while True:
        statement = first if last is None else following
        with reading() as executor:
            rows = statement.run(executor, {} if last is None else {KEY: last}).fetchall()
        keys = [row[0] if convert is None else convert(row[0]) for row in rows]
        if keys:
            yield keys
            last = keys[-1]
        if len(keys) < size:
            return
