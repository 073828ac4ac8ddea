"""The sequences of a model: where they begin in a database that has records already, and reserving numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from interaqt.core.computations import SequenceRule
from interaqt.core.errors import InvalidValue, NotInstalled
from interaqt.core.model import Reference
from interaqt.core.record import LazyAttribute, key_of
from interaqt.core.values import check_of
from interaqt.runtime.numbering import Scopes, take
from interaqt.runtime.run import Run
from interaqt.runtime.sequence_keeper import SequenceKeeper
from interaqt.runtime.transaction import Transactions
from interaqt.storage.database import Executor

__all__ = ["Reservation", "Sequences"]


@attrs.frozen(eq=False)
class Reservation:
    """Numbers that are asked for: how many, of which scope."""

    rule: SequenceRule
    values: list[Any]
    count: int


class Sequences:
    """All sequences of one model."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._planner = transactions.planner
        self._rules = [rule for record in self._planner.model.tables() for rule in record.sequences]

    # -- setting up

    def install(self) -> None:
        """Let each sequence begin after the numbers that there are."""
        late = self._not_begun()

        def work(run: Run) -> None:
            for rule in late:
                self._keeper(rule).install(run.tx)

        if late:
            self._transactions.run(work, "setup")

    def check(self) -> None:
        """Refuse to work where the next number could be one that there is."""
        late = self._not_begun()
        if late:
            raise NotInstalled(
                f"there are records with numbers, but none was given by {', '.join(map(str, late))}",
                hint="let it begin after them with controller.setup(install=True)",
            )

    def _not_begun(self) -> list[SequenceRule]:
        if not self._rules:
            return []
        with self._transactions.storage.executor() as executor:
            return [rule for rule in self._rules if not self._keeper(rule).has_begun(executor)]

    def _keeper(self, rule: SequenceRule) -> SequenceKeeper:
        found = self._planner.keeper(rule)
        assert isinstance(found, SequenceKeeper)
        return found

    # -- reserving

    def asked(self, sequence: Any, scope: Sequence[Any], count: Any) -> Reservation:
        """What is asked for, checked."""
        spec = sequence.spec if isinstance(sequence, LazyAttribute) else None
        rule = next((each for each in self._rules if each.spec is spec), None)
        if rule is None:
            known = ", ".join(map(str, self._rules)) or "none"
            raise _refusal(
                f"reserve() takes a sequence of a class, not {sequence!r}. There is: {known}.",
                "sequence",
                hint="write app.reserve(Issue.number, project, count=10)",
            )
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise _refusal(f"count= takes how many numbers, an int from 1, not {count!r}", "count", str(rule))
        names = [each.name for each in rule.scope]
        if len(scope) != len(names):
            counted = f"by its {' and '.join(names)}" if names else "for the whole class"
            raise _refusal(
                f"{rule} is counted {counted}, and {len(scope) or 'no'} value{'s' * (len(scope) != 1)} "
                f"{'were' if len(scope) != 1 else 'was'} given",
                "scope",
                str(rule),
                f"write app.reserve({', '.join([str(rule), *names])}, count={count})",
            )
        return Reservation(rule, [self._value(rule, *each) for each in zip(rule.scope, scope, strict=True)], count)

    def _value(self, rule: SequenceRule, attribute: Any, value: Any) -> Any:
        wrong = check_of(attribute.type.optional(False))(value)
        if wrong is not None:
            raise _refusal(f"{attribute} {wrong}", "scope", str(rule))
        if not isinstance(attribute, Reference):
            return value
        key, storage = key_of(value), self._transactions.storage
        if storage.find(attribute.target.cls, key) is None:
            raise storage.loader.not_found(attribute.target, key)
        return key

    def reserve(self, executor: Executor, asked: Reservation) -> range:
        """Take numbers that no record gets by itself any more."""
        counter = Scopes(self._planner, asked.rule).called(asked.values)
        last = take(self._planner, executor, {counter: (asked.rule, asked.count)})[counter]
        return range(last - asked.count + 1, last + 1)

    def reserved(self, asked: Reservation) -> range:
        """The same in a transaction of its own."""

        def work(run: Run) -> range:
            return self.reserve(run.tx, asked)

        return self._transactions.run(work, f"reserve {asked.rule}")


def _refusal(message: str, code: str, subject: str = "", hint: str = "") -> InvalidValue:
    return InvalidValue(message, code=f"reserve.{code}", subject=subject, hint=hint)
