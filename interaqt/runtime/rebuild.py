"""Rebuilding: derived values worked out anew over a whole table, by batches that others can live with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from interaqt.core.computations import Derivation, HostRule
from interaqt.core.errors import InvalidQuery, did_you_mean
from interaqt.core.model import RecordModel
from interaqt.runtime.derive import Derive
from interaqt.runtime.graph import Rule
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.run import Run
from interaqt.runtime.transaction import Transactions
from interaqt.storage.prepared import KEY

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
        rules = [rule for rule in self._planner.graph.rules if _record_of(rule) is record]
        if name is not None:
            known = {_name_of(rule): rule for rule in rules}
            if name not in known:
                raise InvalidQuery(
                    f"{record} derives no {name!r}. {did_you_mean(name, known)}",
                    code="rebuild.unknown",
                    subject=f"{record}.{name}",
                )
            rules = [known[name]]
        return sorted(rules, key=self._planner.graph.level)

    def _rebuild(self, rule: Rule, batch: int, progress: Callable[[Progress], None]) -> int:
        source = rule.property.record if isinstance(rule, HostRule) else rule.source
        total = self._storage.query(source.cls).count()
        work = self._again(rule) if isinstance(rule, HostRule) else self._derive(rule)
        done = 0
        for keys in self._batches(source, batch):
            self._transactions.run(lambda run, keys=keys: work(run, keys), f"rebuild {rule}")  # type: ignore[misc]
            done += len(keys)
            progress(Progress(str(rule), done, max(total, done)))
        return done

    def _again(self, rule: HostRule) -> Callable[[Run, Sequence[Any]], None]:
        return HostUpdate(self._planner, [rule]).again

    def _derive(self, rule: Derivation) -> Callable[[Run, Sequence[Any]], None]:
        reaction = Derive(self._planner, rule, (), near=True)
        key = rule.source.key.name

        def bring(run: Run, keys: Sequence[Any]) -> None:
            # As after a change of each source: what there is is compared with what there should be.
            reaction.run(run, [({key: each}, {key: each}) for each in keys])

        return bring

    def _batches(self, record: RecordModel, size: int) -> Iterator[list[Any]]:
        first, following = self._planner.statements.pages(record, size)
        convert = self._planner.schema.dialect.from_db(record.key.type)
        last: Any = None
        while True:
            with self._storage.executor() as executor:
                statement = first if last is None else following
                rows = statement.run(executor, {} if last is None else {KEY: last}).fetchall()
            keys = [row[0] if convert is None else convert(row[0]) for row in rows]
            if keys:
                yield keys
                last = keys[-1]
            if len(keys) < size:
                return


def _record_of(rule: Rule) -> RecordModel:
    return rule.property.record if isinstance(rule, HostRule) else rule.record


def _name_of(rule: Rule) -> str:
    return rule.property.name if isinstance(rule, HostRule) else rule.name
