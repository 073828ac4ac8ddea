"""Memory: that somebody ended a record which follows from another, so that it does not come back with the next change.

The source remembers it, in a hidden column of its own: where the source goes, so does the memory,
and who brings records to what a source says reads and locks its row anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import Derivation
from interaqt.core.computations.aggregation import HOST
from interaqt.core.expressions import BOOL, STR, Attr, Const, Expr, Op, Param, Root, case
from interaqt.core.model import RecordModel
from interaqt.runtime.reaction import Step
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Memory", "tokens"]

_TOKENS = "tokens"


def tokens(stored: str | None) -> set[str]:
    """What a source remembers, as :meth:`Derivation.token` has it."""
    return set(stored.split(" ")) if stored else set()


class Memory:
    """What the sources of one kind of derived records remember of them."""

    def __init__(self, planner: Planner, record: RecordModel) -> None:
        self.planner = planner
        self.record = record
        self.rules = tuple(each for each in record.derivations if each.ended is not None)
        self.names = frozenset(each.name for rule in self.rules for each in (rule.link, rule.position))
        """What must be known of a record that goes."""

    # -- before somebody ends records

    def hold(self, run: Run, keys: Sequence[Any]) -> None:
        """Lock the sources of the records: who derives locks a source first, and then what follows from it."""
        for statement in self._holding:
            statement.run(run.tx, [{KEY: key} for key in keys])

    def holding(self, root: str, condition: Expr) -> tuple[Prepared, ...]:
        """The same for the records of which a condition over ``Root(root)`` holds: what to run."""
        return tuple(self.planner.statements.targets_where(rule.link, root, condition) for rule in self._locked)

    @cached_property
    def _holding(self) -> tuple[PreparedRows, ...]:
        return tuple(self.planner.statements.targets(rule.link) for rule in self._locked)

    @property
    def _locked(self) -> tuple[Derivation, ...]:
        return self.rules if self.planner.schema.dialect.for_update else ()

    # -- when they are gone

    def remember(self, run: Run, gone: Iterable[Image]) -> None:
        """Note on their sources that records were ended; a source that goes as well has nothing to remember."""
        found: dict[Derivation, dict[Any, list[int]]] = {}
        for image in gone:
            for rule in self.rules:
                source = image[rule.link.name]
                if source is not None and not run.is_ending(rule.source, source):
                    found.setdefault(rule, {}).setdefault(source, []).append(image[rule.position.name])
        for rule, ended in found.items():
            rows = [{KEY: key, _TOKENS: " ".join(map(rule.token, sorted(ended[key])))} for key in sorted(ended)]
            self._noting[rule].run(run.tx, rows)

    @cached_property
    def _noting(self) -> dict[Derivation, PreparedRows]:
        return {rule: self._note(rule) for rule in self.rules}

    def _note(self, rule: Derivation) -> PreparedRows:
        assert rule.ended is not None
        known, more = Attr(Root(HOST, rule.source), rule.ended.name, rule.ended.type), Param(_TOKENS, STR)
        both = Op("concat", (known, Const(" ", STR), more), STR.optional())
        value = case(Op("is_null", (known,), BOOL), more, both)
        columns = [(KEY, rule.source.key.type), (_TOKENS, STR)]
        return self.planner.statements.adjust_rows(rule.source, HOST, {rule.ended: value}, columns, ())

    # -- when they are not wanted any more

    def forget(self, run: Run, rule: Derivation, remembered: Mapping[Any, Iterable[str]]) -> None:
        """Leave sources with what is given, by key: what they do not want, nobody keeps away from them."""
        rows = [{KEY: key, _TOKENS: " ".join(sorted(remembered[key])) or None} for key in sorted(remembered)]
        self._forgetting[rule].run(run.tx, rows)

    @cached_property
    def _forgetting(self) -> dict[Derivation, PreparedRows]:
        return {rule: self._forget(rule) for rule in self.rules}

    def _forget(self, rule: Derivation) -> PreparedRows:
        assert rule.ended is not None
        type = STR.optional()
        columns = [(KEY, rule.source.key.type), (_TOKENS, type)]
        return self.planner.statements.adjust_rows(rule.source, HOST, {rule.ended: Param(_TOKENS, type)}, columns, ())

    # -- for explain

    def steps(self) -> Iterator[Step]:
        """What may be issued where records are ended, beside their deletion."""
        for statement in self._holding:
            yield Step(statement.sql, f"the sources of the {self.record} records, locked")
        for rule, statement in self._noting.items():
            yield Step(statement.sql, f"{rule}: its source remembers which was ended")
