"""Writing the values of host records, and telling what depends on them.

Every write of derived values goes through here, so here is where what depends on them is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import ValueRule
from interaqt.core.computations.aggregation import HOST
from interaqt.core.expressions import Attr, Expr, Root, replace
from interaqt.core.model import Property, RecordModel
from interaqt.runtime.effects import Mutation
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Result
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["HostUpdate", "assigned", "stored"]


def assigned(rules: Iterable[ValueRule], fresh_of: Callable[[Property], Expr]) -> dict[Property, Expr]:
    """What each property becomes when ``fresh_of`` says what those become that are kept; what stays is left out."""
    assigned: dict[Property, Expr] = {}
    for rule in rules:
        fresh = {each.name: fresh_of(each) for each in rule.kept}
        changed = [each for each in rule.kept if fresh[each.name] != stored(each)]
        assigned |= {each: fresh[each.name] for each in changed}
        if rule.value is not None and changed:
            assigned[rule.property] = replace(rule.value, lambda node, fresh=fresh: _fresh(node, fresh))  # type: ignore[misc]
    return assigned


def stored(kept: Property) -> Attr:
    """A kept property as its host has it."""
    return Attr(Root(HOST, kept.record), kept.name, kept.type)


def _fresh(node: Expr, fresh: Mapping[str, Expr]) -> Expr | None:
    if isinstance(node, Attr) and isinstance(node.of, Root) and node.of.name == HOST:
        return fresh.get(node.name)
    return None


class HostUpdate:
    """The statements that write one group of rules' values on their host, and what follows of it."""

    def __init__(self, planner: Planner, rules: Sequence[ValueRule]) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.host = rules[0].property.record
        self.kept = tuple(each for rule in rules for each in rule.kept)
        self.completion = planner.completion(self.host)
        own = [rule.property for rule in rules]
        self.values = (*own, *self.completion.following(each.name for each in own))
        """What changes: the rules' values, and what follows from them in the row itself."""
        self.names = frozenset(each.name for each in self.values)

    def assignments(self, fresh: Mapping[Property, Expr]) -> dict[Property, Expr]:
        """All that is assigned where the given ones are."""
        return self.completion.completed(fresh)

    @cached_property
    def watched(self) -> tuple[Stored, ...]:
        """The values among these on which something else depends."""
        return tuple(each for each in self.values if self.planner.is_watched(each))

    @cached_property
    def returning(self) -> tuple[Stored, ...]:
        """What must be known of a host for what depends on the watched values, if there are any."""
        if not self.watched:
            return ()
        needed = self.planner.needed(self.host, frozenset(each.name for each in self.watched))
        return (self.host.key, *(each for each in needed if each is not self.host.key))

    @cached_property
    def rewriting(self) -> tuple[Stored, ...]:
        """What must be known of a host that is worked out anew: it is told of where any of the values is another."""
        if not self.watched:
            return (self.host.key,)
        return tuple(dict.fromkeys((*self.returning, *self.values)))

    # -- one host

    def moving(self, statement: Prepared) -> Callable[[Run, Mapping[str, Any]], None]:
        """Like :meth:`one`, for one statement: made at setup, for most of what a dispatch does is to move a host."""
        if self.watched:
            return lambda run, given: self.one(run, statement, given)
        write, cls, names = statement.run, self.host.cls, self.names

        def move(run: Run, given: Mapping[str, Any]) -> None:
            write(run.tx, given)
            run.mutations.append(Mutation("update", cls, given[KEY], names))

        return move

    def one(self, run: Run, statement: Prepared, given: Mapping[str, Any]) -> None:
        """Run a statement that changes one host, whose key is among the given values."""
        if not self.watched:
            statement.run(run.tx, given)
            run.touched(self.host, given[KEY], self.names)
            return
        old = self._rows_of(self._read_one.run(run.tx, given))
        moved = statement.run(run.tx, given)
        self._tell(run, map(self._reader.image, old()), map(self._reader.image, moved.fetchall()))

    # -- several hosts

    def again(self, run: Run, keys: Iterable[Any], locked: bool = False) -> None:
        """Work the values of the hosts out from the records that they have now; ``locked`` says that they are."""
        hosts = sorted(set(keys))
        if hosts:
            rows = [{KEY: key} for key in hosts]
            if not locked and not self.watched:
                # What others do to the same hosts is seen by a statement that begins once they are done.
                self.lock(run, hosts)
            self.several(run, hosts, lambda: self.count_again.run(run.tx, rows), locked=True)

    @cached_property
    def count_again(self) -> PreparedRows:
        return self._worked_out(self.returning)

    @cached_property
    def _rewritten(self) -> PreparedRows:
        return self._worked_out(self.rewriting if self.watched else ())

    def _worked_out(self, returning: Sequence[Stored]) -> PreparedRows:
        recomputed = {each: rule.recomputed(each) for rule in self.rules for each in rule.kept}
        assignments = self.assignments(assigned(self.rules, recomputed.__getitem__))
        return self.planner.statements.assign_rows(self.host, HOST, assignments, returning)

    def several(self, run: Run, keys: Sequence[Any], write: Callable[[], Result], locked: bool = False) -> None:
        """Change the hosts by ``write``, which answers what they are afterwards if anything depends on it."""
        if not self.watched:
            if not locked and len(keys) > 1:
                self.lock(run, keys)
            write()
            run.all_touched(self.host, keys, self.names)
            return
        old = self._rows_of(self._read_rows.run(run.tx, [{KEY: key} for key in keys]))
        moved = write()
        self._tell(run, map(self._reader.image, old()), map(self._reader.image, moved.fetchall()))

    def rewrite(self, run: Run, found: Sequence[Image]) -> None:
        """Work the values out anew for hosts that are locked and known, as far as :attr:`rewriting`, as they were."""
        name = self.host.key.name
        moved = self._rewritten.run(run.tx, [{KEY: image[name]} for image in found])
        if self.watched:
            reader = Reader(self.planner.schema, self.rewriting)
            written = {image[name]: image for image in map(reader.image, moved.fetchall())}
            differing = [old for old in found if any(old[each] != written[old[name]][each] for each in self.names)]
            self._tell(run, differing, written.values())
        else:
            run.all_touched(self.host, [image[name] for image in found], self.names)

    def lock(self, run: Run, keys: Iterable[Any]) -> None:
        """Lock hosts in the order of their keys, whatever order a statement finds them in.

        Two dispatches that change the same hosts would otherwise wait for each other.
        """
        if self.planner.schema.dialect.for_update:
            self._lock.run_columns(run.tx, {KEY: list(keys)})

    # -- what follows

    def _rows_of(self, result: Result) -> Callable[[], Sequence[Any]]:
        """What a statement found before the next one writes.

        On a pipeline both are sent before either is read, in one round trip. Elsewhere the rows
        are fetched now: a cursor that is still open would go on in what is written by then.
        """
        if self.planner.schema.database.capability.pipeline:
            return result.fetchall
        rows = result.fetchall()
        return lambda: rows

    @cached_property
    def _read_one(self) -> Prepared:
        return self.planner.statements.read(self.host, self.returning, lock=True)

    @cached_property
    def _read_rows(self) -> PreparedRows:
        return self.planner.statements.read_rows(self.host, self.returning)

    @cached_property
    def _lock(self) -> PreparedRows:
        return self.planner.statements.read_rows(self.host, (self.host.key,))

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.planner.schema, self.returning)

    def _tell(self, run: Run, old: Iterable[Image], new: Iterable[Image]) -> None:
        """Tell what depends on the values of those hosts whose values did change."""
        key = self.host.key.name
        after = {image[key]: image for image in new}
        pairs = [(image, after[image[key]]) for image in old if image[key] in after]
        run.updated(self.host, pairs, self._watched_names, self.names)

    @cached_property
    def _watched_names(self) -> frozenset[str]:
        return frozenset(each.name for each in self.watched)

    def plan(self, statement: Prepared, why: str) -> Iterator[Step]:
        """The statements in the order in which they run, for ``explain``."""
        if self.watched:
            told = ", ".join(str(each) for each in self.watched)
            yield Step(self._read_one.sql, f"{told} as it was, since other values depend on it")
        yield Step(statement.sql, why)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        if self.watched:
            yield self.host, self._watched_names
