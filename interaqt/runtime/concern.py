"""Concerning: which hosts a write concerns whose value is computed over all that they read.

What changed is found by each way that it can be read; how it changed does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST, LINK
from interaqt.core.expressions import Attr, Root
from interaqt.core.model import RecordModel
from interaqt.core.parts import belongs
from interaqt.runtime.custom import CustomUpdate
from interaqt.runtime.graph import Path
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.runtime.requests import Requests
from interaqt.runtime.row_states import RowStates
from interaqt.runtime.spread import Cut
from interaqt.storage.prepared import KEY, Prepared

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Concern"]


class Concern(Reaction):
    """Has the values of hosts computed that a changed row of ``record`` reaches.

    ``near`` says that the row is one of the collection, so its host before and after counts; it is
    reached by ``paths`` from such rows, and by ``own`` paths from hosts, of which the empty one is the
    row itself.
    """

    def __init__(
        self,
        planner: Planner,
        rule: CustomRule | OwnCustomRule,
        update: CustomUpdate | Requests,
        record: RecordModel,
        near: bool,
        paths: Sequence[Path],
        own: Sequence[Path],
    ) -> None:
        self.planner = planner
        self.rule = rule
        self.rules = (rule,)
        self.record = record
        self.update = update
        self.own = tuple(own)
        self.paths = tuple(paths)
        self.states: RowStates | None = None
        if near and isinstance(rule, CustomRule):
            self.states = RowStates(planner, Root(LINK, rule.source), rule.condition, rule.state)
        self.via = rule.via if near else None
        owner, family = rule.property.owner, rule.record.family
        self._kinds: frozenset[str] | None = None
        if owner.condition is not None and family is not None:
            self._kinds = frozenset(name for name, each in family.members.items() if each.is_a(owner))
        reads = {*record.telling} | ({self.via.name} if self.via else set())
        reads |= self.states.reads if self.states is not None else set()
        self.reads = frozenset(reads.union(*(cut.reads for cut in self._cuts.values())))

    @cached_property
    def _cuts(self) -> dict[Path, Cut]:
        """What tells that nothing changed of what is read by a path."""
        exprs = [] if self.rule.own is None else self.rule.own.exprs
        return {path: Cut(Root(HOST, self.rule.record), path, exprs) for path in self.own if path}

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        hosts: set[Any] = set()
        if self.via is not None:
            hosts |= {self.via.key_in(image) for pair in pairs for image in pair if image is not None}
            if self.states is not None and not self.states.local:
                # So that what lies behind the row stays as it is: who changes it does not find the row yet.
                self.states.of(run, [new for _, new in pairs])
        for old, new in pairs:
            known = new or old
            assert known is not None
            key = known[self.record.key.name]
            for statement in self._links.values():
                hosts |= self._found(run, statement, key)
            for path in self.own:
                if not path:
                    if self._kinds is None or known[self._kind] in self._kinds:
                        hosts.add(key)
                elif old is None or new is None or self._cuts[path].given(old, new) is not None:
                    hosts |= self._found(run, self._hosts[path], key)
        self.update.again(run, [host for host in hosts - {None} if not run.is_ending(self.update.host, host)])

    def _found(self, run: Run, statement: Prepared, key: Any) -> set[Any]:
        convert = self.planner.schema.dialect.from_db(self.rule.record.key.type)
        found = (stored for (stored,) in statement.run(run.tx, {KEY: key}).fetchall())
        return {stored if convert is None or stored is None else convert(stored) for stored in found}

    @cached_property
    def _links(self) -> dict[Path, Prepared]:
        if not isinstance(self.rule, CustomRule):
            return {}
        link, via = self.rule.source, self.rule.collection.via
        host = Attr(Root(LINK, link), via.name, via.type)
        return {path: self.planner.statements.reaching(link, path, LINK, [host]) for path in self.paths}

    @cached_property
    def _hosts(self) -> dict[Path, Prepared]:
        root = Root(HOST, self.rule.record)
        is_one = belongs(self.rule.property.owner, root)
        reaching = self.planner.statements.reaching
        return {path: reaching(root.record, path, HOST, [root], where=is_one) for path in self.own if path}

    @property
    def _kind(self) -> str:
        """What tells of which kind a row of the rule's record is."""
        assert self.rule.record.family is not None
        return self.rule.record.family.kind.name

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        reading = f"the {self.rule.record} records whose {self.rule} reads the changed {self.record}"
        for statement in self._statements():
            yield Step(statement.sql, reading)
        yield from self.update.steps()

    def _statements(self) -> Iterable[Prepared]:
        return [*self._links.values(), *self._hosts.values()]
