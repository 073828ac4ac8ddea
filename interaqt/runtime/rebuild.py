"""Rebuilding: derived values worked out anew over a whole table, by batches that others can live with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from interaqt.core.computations import Rule
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.model import RecordModel
from interaqt.runtime.pages import pages_of
from interaqt.runtime.transaction import Transactions

__all__ = ["Progress", "Rebuilder"]


@attrs.frozen
class Progress:
    """How far a rebuild has come: ``done`` of ``total`` records of ``attribute``."""

    attribute: str
    done: int
    total: int


class Rebuilder:
    """Works values out anew, in the order in which they follow from one another."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._planner = transactions.planner
        self._storage = transactions.storage

    def run(self, record: RecordModel, name: str | None, batch: int, progress: Callable[[Progress], None]) -> int:
        """Rebuild one value of a record, or all of them; answers how many records were gone through.

        Each batch is a transaction that locks its records only. What depends on a value that
        changes is brought up to date with it.
        """
        if batch < 1:
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

    def _rebuild(self, rule: Rule, batch: int, progress: Callable[[Progress], None]) -> int:
        keeper = self._planner.keeper(rule)
        source, work = keeper.over, keeper.again()
        total = self._storage.query(source.cls).count()
        done = 0
        for keys in pages_of(self._planner, source, batch, self._storage.executor):
            self._transactions.run(lambda run, keys=keys: work(run, keys), f"rebuild {rule}")  # type: ignore[misc]
            done += len(keys)
            progress(Progress(str(rule), done, max(total, done)))
        return done
