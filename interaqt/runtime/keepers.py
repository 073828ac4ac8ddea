"""The keepers of each kind of rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from interaqt.core.computations import (
    AggregateRule,
    ComparedRule,
    CustomRule,
    Derivation,
    HostRule,
    OwnCustomRule,
    OwnRule,
    Rule,
    SequenceRule,
    ValueRule,
)
from interaqt.core.computations.rule import HOST
from interaqt.core.expressions import Expr
from interaqt.core.model import Property, RecordModel
from interaqt.runtime.adjust import Adjust
from interaqt.runtime.anew import Anew, InPython, InSQL
from interaqt.runtime.compare import Compare, CompareFar
from interaqt.runtime.custom_keeper import CustomKeeper
from interaqt.runtime.derive import Derive
from interaqt.runtime.graph import Path
from interaqt.runtime.hosts import assigned
from interaqt.runtime.keeper import Difference, Keeper, Part, Reach
from interaqt.runtime.own import OwnFar
from interaqt.runtime.recount import Recount
from interaqt.runtime.sequence_keeper import SequenceKeeper
from interaqt.runtime.spread import Spread
from interaqt.runtime.wanted import Wanted
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY
from interaqt.storage.spans import OverSpan, Span, differing

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["keeper_of"]

V = TypeVar("V", bound=ValueRule)
H = TypeVar("H", bound=HostRule)


class _ValueKeeper(Keeper[V]):
    """What is the same for all values that SQL can work out."""

    @property
    def over(self) -> RecordModel:
        return self.rule.record

    def anew(self) -> Anew:
        return InSQL(self.planner, self.rule)

    def quietly(self, run: Run, keys: Sequence[Any]) -> None:
        assignments = assigned([self.rule], self.rule.recomputed)
        statement = self.planner.statements.assign_rows(self.rule.record, HOST, assignments, ())
        statement.run(run.tx, [{KEY: key} for key in keys])

    def differences(self, executor: Executor, span: Span) -> Iterator[Difference]:
        expected = self._expected
        for key, *cells in self._differing.run(executor, span).fetchall():
            found = self._value(self.rule.record.key, key)
            for each, stored, wanted in zip(expected, cells[::2], cells[1::2], strict=True):
                values = self._value(each, stored), self._value(each, wanted)
                if values[0] != values[1]:
                    yield Difference(str(each), found, *values)

    @cached_property
    def _expected(self) -> dict[Property, Expr]:
        return assigned([self.rule], self.rule.expected)

    @cached_property
    def _differing(self) -> OverSpan:
        # Where what is kept is right, the value is to follow from it as it is: nothing is worked out twice.
        telling = {each: self.rule.expected(each) for each in self.rule.kept}
        if self.rule.value is not None:
            telling[self.rule.property] = self.rule.value
        return differing(self.planner.statements, self.rule.record, HOST, self._expected, telling)

    def _value(self, attribute: Property, stored: Any) -> Any:
        convert = self.planner.schema.dialect.from_db(attribute.type.optional())
        return stored if convert is None else convert(stored)


class _HostKeeper(_ValueKeeper[H]):
    """What is the same for all values over the records of a collection."""

    @abstractmethod
    def _near(self, new: bool, old: bool) -> Part:
        """The contributing record itself came, changed or went."""

    @abstractmethod
    def _far(self, path: Path) -> Part:
        """A record changed to which contributing ones refer."""

    def _moved(self) -> Iterator[Part]:
        """The contributing record went from one host to another."""
        yield self._near(new=True, old=True)

    def came(self) -> Iterator[Part]:
        yield self._near(new=True, old=False)

    def went(self) -> Iterator[Part]:
        if any(read.path and read.record is self.rule.source for read in self.planner.graph.reads[self.rule]):
            # A row that is gone may be one that another, gone with it, refers to.
            yield self._recount(self.rule.source, (), near=True)
        else:
            yield self._near(new=False, old=True)

    def changed(self, reach: Reach) -> Iterator[Part]:
        if reach.near + len(reach.paths) > 1 or (reach.relinked and reach.entangled):
            yield self._recount(reach.record, reach.paths, reach.near)
        elif reach.paths:
            yield self._far(reach.paths[0])
        elif reach.relinked:
            yield from self._moved()
        else:
            yield self._near(new=True, old=True)

    def _recount(self, record: RecordModel, paths: Sequence[Path], near: bool) -> Part:
        return Part(
            ("recount", self.rule.record, self.rule.via, tuple(paths), near),
            self.rule,
            lambda rules: Recount(self.planner, rules, record, paths, near),
            counts=True,
        )


class _AggregateKeeper(_HostKeeper[AggregateRule]):
    def _near(self, new: bool, old: bool) -> Part:
        group = ("adjust", self.rule.record, self.rule.via, new, old)
        return Part(group, self.rule, lambda rules: Adjust(self.planner, rules, new, old))

    def _moved(self) -> Iterator[Part]:
        yield self._near(new=False, old=True)
        yield self._near(new=True, old=False)

    def _far(self, path: Path) -> Part:
        group = ("spread", self.rule.record, self.rule.via, path)
        return Part(group, self.rule, lambda rules: Spread(self.planner, rules, path))


class _ComparedKeeper(_HostKeeper[ComparedRule]):
    def _near(self, new: bool, old: bool) -> Part:
        return Part(("compare", self.rule), self.rule, lambda _: Compare(self.planner, self.rule))

    def _far(self, path: Path) -> Part:
        return Part(("compare", self.rule, path), self.rule, lambda _: CompareFar(self.planner, self.rule, path))


class _OwnKeeper(_ValueKeeper[OwnRule]):
    def came(self) -> Iterator[Part]:
        yield from ()

    def went(self) -> Iterator[Part]:
        yield from ()

    def changed(self, reach: Reach) -> Iterator[Part]:
        for path in reach.paths:
            group = ("own", self.rule.record, path)
            yield Part(group, self.rule, lambda rules, path=path: OwnFar(self.planner, rules, path))  # type: ignore[misc]


class _DerivationKeeper(Keeper[Derivation]):
    def came(self) -> Iterator[Part]:
        yield self._derive()

    def went(self) -> Iterator[Part]:
        # What a deleted record made is deleted before it, as all that refers to it.
        yield from ()

    def changed(self, reach: Reach) -> Iterator[Part]:
        yield self._derive(reach.paths, reach.near)

    def _derive(self, paths: tuple[Path, ...] = (), near: bool = True) -> Part:
        return Part(("derive", self.rule), self.rule, lambda _: Derive(self.planner, self.rule, paths, near))

    at_once = None

    @property
    def over(self) -> RecordModel:
        return self.rule.source

    def anew(self) -> Anew:
        reaction = Derive(self.planner, self.rule, (), near=True)
        key = self.rule.source.key.name

        def bring(run: Run, keys: Sequence[Any]) -> None:
            # As after a change of each source: what there is is compared with what there should be.
            reaction.run(run, [({key: each}, {key: each}) for each in keys])

        return InPython(self.planner, self.rule.source, bring)

    def differences(self, executor: Executor, span: Span) -> Iterator[Difference]:
        wanted = Wanted(self.planner, self.rule)
        present = wanted.all_present(executor)
        for source, said in wanted.all(executor):
            for index, (kind, values) in said.records.items():
                found = present.pop((source, index), None)
                expected = values if kind is self.rule.record else {**values, **_kind_of(kind)}
                if found is not None:
                    expected = {name: each for name, each in expected.items() if wanted.follows(found, name)}
                shown = None if found is None else {name: found[name] for name in expected}
                if shown != expected:
                    yield Difference(str(self.rule), (source, index), shown, expected)
        for place, found in present.items():
            yield Difference(str(self.rule), place, found, None)


def _kind_of(record: RecordModel) -> dict[str, str]:
    """What says in a row that it is of a kind, where there are several in its table."""
    family = record.root.family
    assert family is not None
    return {family.kind.name: record.name}


_KEEPERS: dict[Any, type[Keeper[Any]]] = {
    AggregateRule: _AggregateKeeper,
    ComparedRule: _ComparedKeeper,
    CustomRule: CustomKeeper,
    OwnCustomRule: CustomKeeper,
    Derivation: _DerivationKeeper,
    OwnRule: _OwnKeeper,
    SequenceRule: SequenceKeeper,
}


def keeper_of(planner: Planner, rule: Rule) -> Keeper[Any]:
    """The keeper of a rule, by its class or the nearest one above it."""
    kind = next(each for each in type(rule).__mro__ if each in _KEEPERS)
    return _KEEPERS[kind](planner, rule)
