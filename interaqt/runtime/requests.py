"""Requests: what a worker is to compute, asked for in the transaction that changes what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.computations.rule import HOST
from interaqt.core.expressions import TRUE, Root
from interaqt.core.model import RecordModel
from interaqt.core.parts import belongs
from interaqt.runtime.moves import Move
from interaqt.runtime.reaction import Pair, Reaction, Step
from interaqt.storage.inputs import own_of
from interaqt.storage.moment import present
from interaqt.storage.prepared import KEY, PreparedRows

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Forgetting", "Requests"]


class Requests:
    """Asks for the values of one rule: one statement for all hosts that are concerned."""

    needs_key = False

    def __init__(self, planner: Planner, rule: CustomRule | OwnCustomRule) -> None:
        self.planner = planner
        self.rule = rule
        self.host = self.over = rule.record
        owner = rule.property.owner
        self._is_one = belongs(owner, Root(HOST, rule.record))
        # Who is concerned by itself is of the kind, see ``Concern``; whom another record names may be of another one.
        self._surely = self._is_one == TRUE or not isinstance(rule, CustomRule) or rule.via.target.is_a(owner)

    def apply(self, run: Run, moves: Sequence[Move]) -> None:
        """Remember the hosts of records that moved."""
        self.again(run, [each.host for each in moves])

    def again(self, run: Run, keys: Iterable[Any], locked: bool = False) -> None:
        """Remember hosts of which a value is asked for."""
        for key in keys:
            run.later(self)[key] = None

    def bring(self, run: Run, due: Mapping[Any, None]) -> None:
        keys = [key for key in due if not run.is_ending(self.host, key)]
        if self._surely:
            self._request(run, keys)
        else:
            self.request(run, keys)

    def request(self, run: Run, keys: Iterable[Any]) -> None:
        """Write a task for each host that is of the kind whose value it is; one that is there gets another version."""
        if self._is_one == TRUE:
            self._request(run, keys)
            return
        convert = self.planner.schema.dialect.from_db(self.host.key.type)
        found = self._kinds.run(run.tx, [{KEY: key} for key in sorted(keys)]).fetchall()
        self._request(run, [key if convert is None else convert(key) for key, is_one in found if is_one])

    @cached_property
    def _kinds(self) -> PreparedRows:
        return own_of(self.planner.statements, Root(HOST, self.host), [self._is_one])

    def _request(self, run: Run, keys: Iterable[Any]) -> None:
        rows = [{"host": str(key)} for key in sorted(keys)]
        if rows:
            given = {"attribute": str(self.rule), "now": present()}
            self.planner.queue.request.run(run.tx, rows, given)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        yield from ()

    def steps(self) -> Iterator[Step]:
        yield Step(self.planner.queue.request.sql, f"a task for each host, for a worker to compute {self.rule}")


class Forgetting(Reaction):
    """Removes the tasks of records that are gone."""

    def __init__(self, planner: Planner, rules: Sequence[CustomRule | OwnCustomRule]) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self._key = rules[0].record.key.name
        self.reads = frozenset({self._key})

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        hosts = [str(old[self._key]) for old, _ in pairs if old is not None]
        queue = self.planner.queue
        rows = [{"attribute": str(rule), "host": host} for rule in self.rules for host in hosts]
        found = sorted(key for (key,) in queue.found.run(run.tx, rows).fetchall())
        if found:
            queue.forget.run(run.tx, [{KEY: key} for key in found])

    def steps(self) -> Iterator[Step]:
        names = ", ".join(map(str, self.rules))
        yield Step(self.planner.queue.found.sql, f"the tasks that are to compute {names}")
        yield Step(self.planner.queue.forget.sql, "which nobody asks for any more")
