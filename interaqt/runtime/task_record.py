"""Tasks: computations that a worker has to do, as they are stored."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import attrs

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.declare import entity
from interaqt.core.fields import field, key
from interaqt.core.model import Index, Model, RecordModel
from interaqt.core.resolve import resolve

__all__ = ["AsynchronousTask", "Task", "asynchronous", "task_record"]


@entity(unique=[("attribute", "host")])
class AsynchronousTask:
    """A computation that is asked for: of which attribute, and of the record with which key.

    There is one for each. Asking again makes it another ``version``, and what is computed for an
    older one counts no more. It is ``due`` at once, then when its claim is over, then when it is to
    be tried again.
    """

    id: int = key()
    attribute: str
    host: str
    version: int
    requested: dt.datetime
    due: dt.datetime
    attempts: int
    status: Literal["waiting", "failed"]
    claim: str | None = None
    error: str | None = field(default=None)


def task_record() -> RecordModel:
    """Its model, which is no part of the user's: nothing depends on it and nobody asks for it."""
    record = resolve([AsynchronousTask]).records[AsynchronousTask]
    record.indexes.append(Index(("status", "due"), ordered=True))
    return record


def asynchronous(model: Model) -> tuple[str, ...]:
    """The attributes that workers compute."""
    rules = (rule for record in model.tables() for rule in record.rules)
    return tuple(
        str(rule)
        for rule in rules
        if isinstance(rule, CustomRule | OwnCustomRule) and rule.functions.asynchronous is not None
    )


@attrs.frozen(eq=False)
class Task:
    """A computation that is not done: of ``attribute``, such as ``"Post.summary"``, of ``record``.

    It is ``waiting`` until it is ``due``, ``running`` while a worker has it, or has ``failed`` with
    ``error`` after so many ``attempts``. ``version`` counts how often it was asked for.
    """

    id: int
    attribute: str
    record: Any
    key: Any
    version: int
    status: Literal["waiting", "running", "failed"]
    attempts: int
    requested: dt.datetime
    due: dt.datetime
    error: str | None
