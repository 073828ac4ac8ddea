"""Locking whom a row contributes to before the row is written, where a reference alone holds its target.

On MySQL and MariaDB whoever inserts a like holds its post against every change, together with all
others who do the same at that moment; then each of them wants to change it, and waits for the
others for ever. So the post is locked first, by a statement whose answer nobody waits for. What the
like's contribution is read of, such as its user, comes before that: who changes the user goes from
there to the posts of the likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import Rule
from interaqt.core.model import Constant, RecordModel, Reference
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Executor
from interaqt.storage.prepared import KEY

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner

__all__ = ["HostLocks"]


class HostLocks:
    """Locks the hosts of one record's rows, in the order in which what follows from a row changes them."""

    def __init__(self, planner: Planner, record: RecordModel) -> None:
        record = record.root
        rules = [rule for reaction in planner.created(record) for rule in reaction.rules]
        self._via = tuple(dict.fromkeys(each.via for each in rules if each.via is not None and each.source is record))
        hosts = {each.target.root for each in self._via}
        self._read = tuple(each for each in _read_of(planner, rules, record) if each.target.root not in hosts)
        self._keep = {each.target.root: planner.statements.keep_rows(each.target.root) for each in self._read}
        self._one = {host: planner.statements.read(host, (host.key,), lock=True) for host in hosts}
        self._several = {host: planner.statements.read_rows(host, (host.key,)) for host in hosts}

    def lock(self, executor: Executor, column: Callable[[str], Iterable[Any]]) -> None:
        """Lock those that rows name, of which ``column`` answers the values of an attribute."""
        for read, keys in sorted(_named(self._read, column).items(), key=lambda each: each[0].table):
            if keys:
                self._keep[read].run(executor, [{KEY: key} for key in sorted(keys)])
        for host, keys in _named(self._via, column).items():
            if len(keys) == 1:
                self._one[host].run(executor, {KEY: keys.pop()})
            elif keys:
                self._several[host].run(executor, [{KEY: key} for key in sorted(keys)])

    def steps(self) -> Iterator[Step]:
        for record, statement in sorted(self._keep.items(), key=lambda each: each[0].table):
            yield Step(statement.sql, f"the {record} that what it contributes is read of, kept as it is")
        for host, locking in self._one.items():
            yield Step(locking.sql, f"the {host} that it contributes to, locked")


def _named(references: Iterable[Reference], column: Callable[[str], Iterable[Any]]) -> dict[RecordModel, set[Any]]:
    """The keys of those that rows name, by table."""
    found: dict[RecordModel, set[Any]] = {}
    for reference in references:
        keys = found.setdefault(reference.target.root, set())
        keys.update(key for key in column(reference.name) if key is not None)
    return found


def _read_of(planner: Planner, rules: Iterable[Rule], record: RecordModel) -> Iterator[Reference]:
    """By which references of a row something is read that it contributes."""
    seen: set[str] = set()
    for rule in rules:
        for read in planner.graph.reads[rule] if rule.source is record else ():
            if read.path and read.path[0] not in seen:
                seen.add(read.path[0])
                step = record.attributes[read.path[0]]
                if isinstance(step, Reference) and not isinstance(step, Constant):
                    yield step
