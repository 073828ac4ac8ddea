"""Numbering: the numbers of rows that are going to be made, all of them by one statement.

Counters are moved on in the order of their names, so no two transactions that number several scopes
at once wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import SequenceRule
from interaqt.core.errors import InvalidValue
from interaqt.storage.database import Executor
from interaqt.storage.prepared import Image

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["Numbering", "Scopes", "take"]


class Scopes:
    """Which counter a row of a sequence belongs to."""

    def __init__(self, planner: Planner, rule: SequenceRule) -> None:
        self.rule = rule
        self._names = [each.name for each in rule.scope]
        # Only what is of its type has one text.
        self._checks = [planner.schema.dialect.to_db(each.type.optional(False)) for each in rule.scope]

    def counter(self, image: Image) -> str:
        """What the counter of a row's scope is called; a value of another type is refused."""
        return self.called([image[name] for name in self._names])

    def called(self, values: Sequence[Any]) -> str:
        """What the counter of a scope is called."""
        for check, value in zip(self._checks, values, strict=True):
            if check is not None:
                check(value)
        return self.rule.counter(values)


class Numbering:
    """Numbers rows of one record, in their order."""

    def __init__(self, planner: Planner, rules: Sequence[SequenceRule]) -> None:
        self.planner = planner
        self._scopes = [Scopes(planner, rule) for rule in rules]

    def give(self, executor: Executor, images: Sequence[Image]) -> None:
        """Put the next numbers into the rows; of a row that has one, see that it was reserved."""
        wanted: dict[str, tuple[SequenceRule, list[Image]]] = {}
        brought: list[tuple[str, SequenceRule, Image]] = []
        for scopes in self._scopes:
            rule = scopes.rule
            for image in images:
                counter = scopes.counter(image)
                if image.get(rule.name) is None:
                    wanted.setdefault(counter, (rule, []))[1].append(image)
                else:
                    brought.append((counter, rule, image))
        if brought:
            self._require_reserved(executor, brought)
        if not wanted:
            return
        asked = {counter: (rule, len(some)) for counter, (rule, some) in wanted.items()}
        lasts = take(self.planner, executor, asked)
        for counter, (rule, some) in wanted.items():
            number = lasts[counter] - len(some)
            for image in some:
                number += 1
                image[rule.name] = number

    def _require_reserved(self, executor: Executor, brought: Sequence[tuple[str, SequenceRule, Image]]) -> None:
        """Refuse numbers that were never handed out: they would be given a second time."""
        names = sorted({counter for counter, _, _ in brought})
        rows = self.planner.counters.read_rows.run(executor, [{"scope": name} for name in names]).fetchall()
        known = {scope: (first, last) for scope, first, last in rows}
        for counter, rule, image in brought:
            number = image[rule.name]
            first, last = known.get(counter, (rule.start, rule.start - 1))
            if isinstance(number, int) and not first <= number <= last:
                there = f"from {first} to {last} are" if last >= first else "none is"
                raise InvalidValue(
                    f"{rule} is {number}, which was not reserved: of {counter}, {there} given or reserved",
                    code="sequence.not_reserved",
                    subject=str(rule),
                    location=rule.location,
                    hint=f"reserve it before: controller.reserve({rule}, ..., count=...); or leave it out",
                )


def take(planner: Planner, executor: Executor, asked: dict[str, tuple[SequenceRule, int]]) -> dict[str, int]:
    """Take so many numbers of each counter, by one statement; answers the last one of each."""
    rows: list[dict[str, Any]] = [
        {"scope": counter, "first": rule.start, "last": rule.start + count - 1}
        for counter, (rule, count) in sorted(asked.items())
    ]
    if len(rows) == 1:
        (last,) = planner.counters.take.run(executor, rows[0]).fetchone()
        return {rows[0]["scope"]: last}
    return dict(planner.counters.take_rows.run(executor, rows).fetchall())
