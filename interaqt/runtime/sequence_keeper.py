"""Keeping numbers: they are given as rows are made, so there is nothing to do but to check and to mend them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import SequenceRule
from interaqt.core.model import RecordModel
from interaqt.runtime.anew import Anew, InPython
from interaqt.runtime.keeper import Difference, Keeper, Part, Reach
from interaqt.runtime.numbering import Numbering, Scopes
from interaqt.storage.counters import NumberStatements
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY
from interaqt.storage.spans import Span

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["SequenceKeeper"]

#: Counters that are brought up at once.
BATCH = 5000

#: How many counters are read where all are.
_ALL = 2**31 - 1


class SequenceKeeper(Keeper[SequenceRule]):
    """Keeps the numbers of one sequence."""

    def __init__(self, planner: Planner, rule: SequenceRule) -> None:
        super().__init__(planner, rule)
        self._scopes = Scopes(planner, rule)
        self._convert = [planner.schema.dialect.from_db(each.type.optional()) for each in rule.scope]

    def came(self) -> Iterator[Part]:
        yield from ()

    def went(self) -> Iterator[Part]:
        # Nobody gets the number again.
        yield from ()

    def changed(self, reach: Reach) -> Iterator[Part]:
        yield from ()

    at_once = None

    @property
    def over(self) -> RecordModel:
        return self.rule.record

    # -- mending

    def anew(self) -> Anew:
        """Numbers records that have none, once the counters of their scopes have come as far as other numbers."""
        rule, statements = self.rule, self._statements
        numbering = Numbering(self.planner, [rule])
        convert_key = self.planner.schema.dialect.from_db(rule.record.key.type)

        def bring(run: Run, keys: Sequence[Any]) -> None:
            rows = [{KEY: key} for key in keys]
            self._raise(run.tx, statements.concerned.run(run.tx, rows).fetchall())
            images = []
            for key, *values in statements.unnumbered.run(run.tx, rows).fetchall():
                scope = dict(zip((each.name for each in rule.scope), self._values(values), strict=True))
                images.append({**scope, KEY: key if convert_key is None else convert_key(key)})
            numbering.give(run.tx, images)
            for image in images:
                run.update(rule.record, image[KEY], {rule.name: image[rule.name]})

        return InPython(self.planner, self.over, bring)

    def install(self, executor: Executor) -> None:
        """Let the counters begin after the numbers that there are, before any was given."""
        self._raise(executor, self._statements.highest.run(executor, {}).fetchall())

    def _raise(self, executor: Executor, found: Sequence[Any]) -> None:
        rows = [
            {
                "scope": self._scopes.called(self._values(values)),
                "first": min(self.rule.start, highest),
                "last": highest,
            }
            for *values, highest in found
            if highest is not None
        ]
        rows.sort(key=lambda row: str(row["scope"]))
        for some in range(0, len(rows), BATCH):
            self.planner.counters.raise_rows.run(executor, rows[some : some + BATCH]).fetchall()

    def has_begun(self, executor: Executor) -> bool:
        """Whether there are counters, where there are numbers."""
        if self._counters(executor, most=1):
            return True
        return self._statements.some.run(executor, {}).fetchone() is None

    # -- checking

    def differences(self, executor: Executor, span: Span) -> Iterator[Difference]:
        rule, statements = self.rule, self._statements
        convert_key = self.planner.schema.dialect.from_db(rule.record.key.type)
        for (key,) in statements.missing.run(executor, {}).fetchall():
            yield Difference(str(rule), key if convert_key is None else convert_key(key), None, "a number")
        for *values, number, count in statements.doubles.run(executor, {}).fetchall():
            yield Difference(str(rule), self.rule.counter(self._values(values)), [number] * count, [number])
        lasts = self._counters(executor)
        for *values, highest in statements.highest.run(executor, {}).fetchall():
            counter = self._scopes.called(self._values(values)) if highest is not None else ""
            if counter and lasts.get(counter, rule.start - 1) < highest:
                yield Difference(f"the last number of {rule}", counter, lasts.get(counter), highest)

    def _counters(self, executor: Executor, most: int = _ALL) -> dict[str, int]:
        low, high = self.rule.counters
        rows = self.planner.counters.all_of.run(executor, {"from": low, "to": high, "most": most}).fetchall()
        return {scope: last for scope, _, last in rows}

    # -- parts

    @cached_property
    def _statements(self) -> NumberStatements:
        return NumberStatements(self.planner.statements, self.rule)

    def _values(self, stored: Sequence[Any]) -> list[Any]:
        return [
            value if convert is None else convert(value) for convert, value in zip(self._convert, stored, strict=True)
        ]
