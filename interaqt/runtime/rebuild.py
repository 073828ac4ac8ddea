"""Rebuilding: derived values worked out anew over a whole table, by batches that others can live with."""

from __future__ import annotations

from collections.abc import Sequence

from interaqt.core.computations import Rule
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.model import RecordModel
from interaqt.runtime.anew import Anew
from interaqt.runtime.spans import Progress, Report, counted, spans_of
from interaqt.runtime.transaction import Transactions
from interaqt.storage.moment import during

__all__ = ["Progress", "Rebuilder"]

#: How many rows a batch reads, about, where it must read all that its rows are worked out from.
READ = 50_000


class Rebuilder:
    """Works values out anew, in the order in which they follow from one another."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._planner = transactions.planner
        self._storage = transactions.storage

    def run(self, record: RecordModel, name: str | None, batch: int | None, progress: Report) -> int:
        """Rebuild one value of a record, or all of them; answers how many records were gone through.

        Each batch in which anything is wrong is a transaction, which locks its records only. What
        depends on a value that changes is brought up to date with it.
        """
        if batch is not None and batch < 1:
            raise InvalidQuery(f"batch is at least 1, not {batch}", code="rebuild.batch")
        return sum(self._rebuild(rule, batch, progress) for rule in self._rules(record, name))

    def _rules(self, record: RecordModel, name: str | None) -> Sequence[Rule]:
        rules = [rule for rule in self._planner.graph.rules if rule.record is record]
        if name is not None:
            known = {rule.name: rule for rule in rules}
            if name not in known:
                raise InvalidQuery(
                    f"{record} derives no {name!r}. {did_you_mean(name, known)}",
                    code="rebuild.unknown",
                    subject=f"{record}.{name}",
                )
            rules = [known[name]]
        return sorted(rules, key=self._planner.graph.level)

    def _rebuild(self, rule: Rule, batch: int | None, progress: Report) -> int:
        keeper = self._planner.keeper(rule)
        anew, reading = keeper.anew(), self._storage.executor
        with reading() as executor:
            total = counted(self._planner, keeper.over, executor)
        size = batch or self._size(anew, total)
        done = 0
        for span in spans_of(self._planner, keeper.over, size, reading):
            with reading() as executor, during(self._storage.clock()):
                is_right = anew.is_right(executor, span)
            if not is_right:
                self._transactions.run(lambda run, span=span: anew.run(run, span), f"rebuild {rule}")  # type: ignore[misc]
            done = done + size if span.upto is not None else max(total, done)
            progress(Progress(str(rule), done, max(total, done)))
        return done

    def _size(self, anew: Anew, total: int) -> int:
        """How many rows a batch takes: as many as can be locked, or read for, in a part of a second."""
        if anew.beside is None:
            return anew.most
        with self._storage.executor() as executor:
            read = counted(self._planner, anew.beside, executor)
        return max(1, min(anew.most, READ * total // max(read, 1)))
