"""The only record of each dictionary: made when a controller is installed, over what there is by then."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from interaqt.core.computations import ValueRule
from interaqt.core.dictionary import first
from interaqt.core.errors import NotInstalled, SetupError
from interaqt.core.model import ONLY, RecordModel, Reference
from interaqt.core.record import Record
from interaqt.runtime.keeper import Difference
from interaqt.runtime.run import Run
from interaqt.runtime.transaction import Transactions

__all__ = ["Dictionaries"]


class Dictionaries:
    """All dictionaries of one controller."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._planner = transactions.planner
        self._records = self._planner.model.dictionaries

    def install(self) -> None:
        """Make what is missing. Of several who do so at once, one does, and the others wait for it."""
        if self._missing():
            self._transactions.run(self._make, "setup")

    def check(self) -> None:
        """Refuse to work where a dictionary was never made."""
        missing = self._missing()
        if missing:
            raise NotInstalled(
                f"the database has no values of {', '.join(map(str, missing))}",
                hint="make them with controller.setup(install=True)",
            )

    def differences(self) -> list[Difference]:
        """What :func:`~interaqt.runtime.verify.verify` can't see, since there is no row to compare."""
        return [Difference(record.name, ONLY, None, "a record") for record in self._missing()]

    def _missing(self) -> list[RecordModel]:
        loader = self._transactions.storage.loader
        return [record for record in self._records if not loader.rows_by(record.key, (ONLY,), record)]

    def _make(self, run: Run) -> None:
        made = {record for record in self._ordered() if self._insert(run, record)}
        # Each is worked out after what it reads; what reads it is told nothing, for it was there before.
        rules = [each for each in self._planner.graph.rules if isinstance(each, ValueRule) and each.record in made]
        for rule in sorted(rules, key=self._planner.graph.level):
            self._planner.keeper(rule).quietly(run, [ONLY])

    def _ordered(self) -> list[RecordModel]:
        """Each after those of which it stores what follows from them."""
        sorter: TopologicalSorter[RecordModel] = TopologicalSorter()
        for record in self._records:
            reads = (
                each.record
                for rule in record.rules
                if rule.with_row
                for each in self._planner.graph.reads[rule]
                if each.path
            )
            sorter.add(record, *(each for each in reads if each.is_dictionary and each is not record))
        try:
            return list(sorter.static_order())
        except CycleError as error:
            names = " and ".join(dict.fromkeys(map(str, error.args[1])))
            raise SetupError(
                f"{names} store what follows from each other, so that none of them can be made first",
                code="setup.dictionaries",
                hint="leave stored=True out of one of them, or put the values into one dictionary",
            ) from None

    def _insert(self, run: Run, record: RecordModel) -> bool:
        """Insert the values that the declaration gives; False where there is a record by now."""
        given = self._planner.rows(record).values_of(first(record.cls), _never_new)
        _, result = run.insert(run.planner.rows(record), [{**given, record.key.name: ONLY}])
        return result.fetchone() is not None


def _never_new(reference: Reference, value: Record) -> Any:
    raise AssertionError(f"{reference} of a dictionary is None at first")
