"""The keeper of a Custom: what is done about it when rows come, change or go, and how it is checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST, LINK
from interaqt.core.expressions import Attr, Expr, Root
from interaqt.core.model import RecordModel
from interaqt.core.parts import belongs
from interaqt.core.types import Kind
from interaqt.runtime.anew import Anew, InPython
from interaqt.runtime.compare import Compare, CompareFar
from interaqt.runtime.concern import Concern
from interaqt.runtime.custom import CustomUpdate
from interaqt.runtime.custom_inputs import CustomInputs, converted
from interaqt.runtime.custom_values import CustomValues
from interaqt.runtime.graph import Path, reads_of
from interaqt.runtime.keeper import Difference, Keeper, Part, Reach
from interaqt.runtime.requests import Forgetting, Requests
from interaqt.runtime.updates import asking
from interaqt.storage.convert import Convert
from interaqt.storage.database import Executor
from interaqt.storage.spans import OverSpan, Span, values_within

if TYPE_CHECKING:
    from interaqt.runtime.run import Run

__all__ = ["CustomKeeper"]


class CustomKeeper(Keeper[CustomRule | OwnCustomRule]):
    @cached_property
    def update(self) -> CustomUpdate | Requests:
        return asking(self.planner, self.rule)

    def came(self) -> Iterator[Part]:
        if isinstance(self.rule, CustomRule):
            yield self._compared(self.rule)
        elif isinstance(self.update, Requests):
            yield self._concern(self.rule.record, False, (), ((),))
        # Else the value is in the row from the beginning: see ``asking``.

    def host_went(self) -> Iterator[Part]:
        if isinstance(self.update, Requests):
            yield Part(("forget", self.rule.record), self.rule, lambda rules: Forgetting(self.planner, rules))

    def went(self) -> Iterator[Part]:
        if not isinstance(self.rule, CustomRule):
            return
        if any(read.path and read.record is self.rule.source for read in self.planner.graph.reads[self.rule]):
            # A row that is gone may be one that another, gone with it, refers to.
            yield self._concern(self.rule.source, True, (), ())
        else:
            yield self._compared(self.rule)

    def changed(self, reach: Reach) -> Iterator[Part]:
        rule = self.rule
        if not isinstance(rule, CustomRule):
            own: list[Path] = [()] if reach.near else []
            yield self._concern(reach.record, False, (), (*own, *reach.paths))
            return
        paths = [path for path in reach.paths if path in self._link_paths]
        own = [path[1:] for path in reach.paths if path in self._own_paths]
        if reach.near + len(paths) + len(own) > 1 or own or (reach.relinked and reach.entangled):
            yield self._concern(reach.record, reach.near, paths, own)
        elif paths:
            yield Part(("compare", rule, paths[0]), rule, lambda _: CompareFar(self.planner, rule, paths[0]))
        else:
            yield self._compared(rule)

    @staticmethod
    def _reached(exprs: Any, root: str) -> set[Path]:
        return {read.path for each in exprs for read in reads_of(each, root)}

    @cached_property
    def _link_paths(self) -> set[Path]:
        """The ways from a record of the collection to what is read."""
        assert isinstance(self.rule, CustomRule)
        return self._reached((self.rule.condition, *self.rule.inputs.exprs), LINK)

    @cached_property
    def _own_paths(self) -> set[Path]:
        """The ways from such a record by its host to what is read of that, as the rule's reads have them."""
        assert isinstance(self.rule, CustomRule)
        via = self.rule.collection.via.name
        exprs = () if self.rule.own is None else self.rule.own.exprs
        return {(via, *path) for path in self._reached(exprs, HOST)}

    def _compared(self, rule: CustomRule) -> Part:
        return Part(("compare", rule), rule, lambda _: Compare(self.planner, rule))

    def _concern(self, record: RecordModel, near: bool, paths: Sequence[Path], own: Sequence[Path]) -> Part:
        rule = self.rule
        return Part(
            ("concern", rule), rule, lambda _: Concern(self.planner, rule, self.update, record, near, paths, own)
        )

    # -- checking and working out anew

    @property
    def over(self) -> RecordModel:
        return self.rule.record

    at_once = 500

    def anew(self) -> Anew:
        update = self.update
        if isinstance(update, Requests):
            return InPython(self.planner, self.over, update.request)
        return InPython(self.planner, self.over, lambda run, keys: update.compute(run, dict.fromkeys(sorted(keys))))

    def quietly(self, run: Run, keys: Sequence[Any]) -> None:
        if isinstance(self.update, Requests):
            self.update.request(run, keys)
        else:
            self.update.compute(run, dict.fromkeys(keys), quietly=True)

    def differences(self, executor: Executor, span: Span) -> Iterator[Difference]:
        options = self.rule.functions.asynchronous
        if options is not None and not options.repeatable:
            return
        rows = self._stored.run(executor, span).fetchall()
        stored = {key: value for key, value, mine in (converted(row, self._converters) for row in rows) if mine}
        if not stored:
            return
        given = self._inputs.ask(executor, list(stored))()
        # What is asked for is not done yet.
        unfinished = self._unfinished(executor, list(stored)) if options is not None else set()
        for key, value in stored.items():
            if key not in unfinished:
                expected = self._values.computed(given[key])[0]
                if not self._agree(value, expected):
                    yield Difference(str(self.rule), key, value, expected)

    @cached_property
    def _stored(self) -> OverSpan:
        root, property = Root(HOST, self.over), self.rule.property
        # It is of the records of one kind alone; what others in the table have, nobody can read.
        exprs: list[Expr] = [root, Attr(root, property.name, property.type), belongs(property.owner, root)]
        return values_within(self.planner.statements, root, exprs)

    @cached_property
    def _converters(self) -> list[Convert | None]:
        from_db = self.planner.schema.dialect.from_db
        return [from_db(self.over.key.type), from_db(self.rule.property.type.optional(False)), None]

    @cached_property
    def _inputs(self) -> CustomInputs:
        return CustomInputs(self.planner, self.rule)

    @cached_property
    def _values(self) -> CustomValues:
        return CustomValues(self.rule)

    def _unfinished(self, executor: Executor, keys: Sequence[Any]) -> set[Any]:
        hosts = {str(key): key for key in keys}
        rows = [{"host": host} for host in hosts]
        found = self.planner.queue.unfinished.run(executor, rows, {"attribute": str(self.rule)}).fetchall()
        return {hosts[host] for (host,) in found}

    def _agree(self, stored: Any, expected: Any) -> bool:
        if self.rule.property.type.kind is Kind.FLOAT and stored is not None and expected is not None:
            # The order of adding shows in the last digits of a float.
            return math.isclose(stored, expected, rel_tol=1e-9, abs_tol=1e-9)
        return self._values.same(self.rule.property, stored, expected)
