"""Recounting: where a write reaches a value by more than one way, its hosts are counted again.

A difference must be taken with all else as it was. Where one record is read in two places (as a
contributing record and behind a reference, say) there is no such moment, so the few hosts
concerned are worked out anew, which is right whatever came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from interaqt.core.computations import HostRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.expressions import Attr, Root
from interaqt.core.model import RecordModel
from interaqt.runtime.graph import Path
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.storage.prepared import KEY, Prepared

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Recount"]


class Recount(Reaction):
    """Counts again for the hosts that a changed row of ``record`` reaches, by each of ``paths``.

    ``near`` says that the row is itself a contributing one, so its host before and after counts.
    """

    def __init__(
        self, planner: Planner, rules: Sequence[HostRule], record: RecordModel, paths: Sequence[Path], near: bool
    ) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.record = record
        self.paths = tuple(paths)
        self.update = HostUpdate(planner, rules)
        self.collection = rules[0].collection
        self.via = self.collection.via if near else None
        self.reads = frozenset({record.key.name} | ({self.via.name} if self.via else set()))

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        hosts = set()
        for old, new in pairs:
            for image in (old, new):
                if image is not None and self.via is not None:
                    hosts.add(self.via.key_in(image))
            known = new or old
            assert known is not None
            for statement in self._finding:
                found = statement.run(run.tx, {KEY: known[self.record.key.name]}).fetchall()
                hosts |= {self._key(stored) for (stored,) in found}
        self.update.again(run, hosts - {None})

    def _key(self, stored: object) -> object:
        convert = self.planner.schema.dialect.from_db(self.update.host.key.type)
        return stored if convert is None or stored is None else convert(stored)

    @cached_property
    def _finding(self) -> tuple[Prepared, ...]:
        collection = self.collection
        host = Attr(Root(LINK, collection.link), collection.via.name, collection.via.type)
        return tuple(self.planner.statements.reaching(collection.link, path, LINK, [host]) for path in self.paths)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        names = ", ".join(str(rule) for rule in self.rules)
        for statement in self._finding:
            yield Step(statement.sql, f"the hosts whose {names} reads the changed {self.record}")
        yield Step(self.update.count_again.sql, f"{names} is counted again for those hosts")
