"""Verifying: every derived value is worked out anew in SQL and compared with what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from interaqt.core.model import RecordModel
from interaqt.runtime.keeper import Difference
from interaqt.runtime.planner import Planner
from interaqt.runtime.spans import Progress, Report, counted, spans_of
from interaqt.storage.database import Executor
from interaqt.storage.spans import Span

__all__ = ["Difference", "verify"]


def verify(planner: Planner, executor: Executor, progress: Report | None = None) -> Iterator[Difference]:
    """Every difference there is. Each rule is compared with the values that it reads, as stored.

    So a wrong value is reported once, where it went wrong, and not again wherever it is used. The
    rows are taken by spans, so no statement takes long and none answers much; ``executor``
    makes that one moment's state.
    """
    known: dict[tuple[RecordModel, int], list[Span]] = {}

    def spans(record: RecordModel, size: int | None) -> list[Span]:
        if size is None:
            return [Span()]
        if (record, size) not in known:
            known[record, size] = list(spans_of(planner, record, size, lambda: nullcontext(executor)))
        return known[record, size]

    for rule in planner.graph.rules:
        keeper = planner.keeper(rule)
        total = 0 if progress is None else counted(planner, keeper.over, executor)
        for place, span in enumerate(spans(keeper.over, keeper.at_once), 1):
            yield from keeper.differences(executor, span)
            if progress is not None:
                done = total if span.upto is None else place * (keeper.at_once or 0)
                progress(Progress(str(rule), done, total))
