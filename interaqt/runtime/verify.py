"""Verifying: every derived value is worked out anew in SQL and compared with what is stored."""

from __future__ import annotations

from collections.abc import Iterator

from interaqt.runtime.keeper import Difference
from interaqt.runtime.planner import Planner
from interaqt.storage.database import Executor

__all__ = ["Difference", "verify"]


def verify(planner: Planner, executor: Executor) -> Iterator[Difference]:
    """Every difference there is. Each rule is compared with the values that it reads, as stored.

    So a wrong value is reported once, where it went wrong, and not again wherever it is used.
    """
    for rule in planner.graph.rules:
        yield from planner.keeper(rule).differences(executor)
