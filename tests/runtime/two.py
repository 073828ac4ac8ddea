"""Two dispatches at the same time, in a fixed order: one pauses in a callback, and the other goes as far as it gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import interaqt as iq
from interaqt.drivers.sqlite import SQLiteDB
from tests.drivers.waiting import waits

__all__ = ["BOUND", "at_once", "pause"]

BOUND = 60

_hold: Callable[[], None] | None = None


def pause() -> None:
    """Called by callbacks where they have read something, and before they go on."""
    if _hold is not None:
        _hold()


def at_once(app: iq.Controller, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """The second begins where the first one pauses, until it is over or waits; what becomes of both.

    Afterwards every derived value is what its declaration says.
    """
    global _hold
    reached, goes_on = threading.Event(), threading.Event()

    def hold() -> None:
        if threading.current_thread().name.startswith("first"):
            reached.set()
            assert goes_on.wait(BOUND)

    _hold = hold
    try:
        with ThreadPoolExecutor(1, "first") as one, ThreadPoolExecutor(1, "second") as other:
            slow = one.submit(_outcome, first)
            assert reached.wait(BOUND)
            quick: Future[Any] = other.submit(_outcome, second)
            until = time.monotonic() + BOUND
            while not quick.done() and not _somebody_waits(app):
                assert time.monotonic() < until
                time.sleep(0.005)
            goes_on.set()
            outcomes = slow.result(BOUND), quick.result(BOUND)
    finally:
        goes_on.set()
        _hold = None
    assert app.verify() == []
    return outcomes


def _somebody_waits(app: iq.Controller) -> bool:
    database = app.system.database
    return isinstance(database, SQLiteDB) or any(waits(database, each) for each in list(database._sessions))  # type: ignore[attr-defined]


def _outcome(dispatch: Callable[[], Any]) -> Any:
    try:
        return dispatch()
    except iq.ConditionRejected:
        return "rejected"
    except (iq.ConstraintViolationError, iq.PayloadError) as error:
        return error.code
    except RuntimeError as error:
        return str(error)
