"""Moving the sums of host records: by deltas, or by counting again.

Every write of derived values goes through here, so here is where what depends on them is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import AggregateRule, Sum
from interaqt.core.computations.aggregation import HOST, LINK
from interaqt.core.decimals import adder, subtracter
from interaqt.core.expressions import Attr, Const, Expr, Op, Param, Root, replace
from interaqt.core.model import Property, RecordModel
from interaqt.core.types import Kind
from interaqt.runtime.reaction import Step
from interaqt.storage.database import Result
from interaqt.storage.schema import column
from interaqt.storage.statements import KEY, Image, Prepared, PreparedRows, Reader, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["HostUpdate", "assigned", "delta_param", "moved"]


def delta_param(each: Sum) -> Param:
    return Param(f"delta.{each.property.name}", each.property.type)


def moved(rules: Iterable[AggregateRule], deltas: Callable[[Sum], Expr]) -> dict[Property, Expr]:
    """What each kept property becomes when its sums move by ``deltas``; those that stay are left out."""
    return assigned(rules, lambda each: _plus(_read(each), deltas(each)))


def assigned(rules: Iterable[AggregateRule], fresh_of: Callable[[Sum], Expr]) -> dict[Property, Expr]:
    """What each kept property becomes when ``fresh_of`` says what its sums become."""
    assigned: dict[Property, Expr] = {}
    for rule in rules:
        fresh = {each.property.name: fresh_of(each) for each in rule.sums}
        changed = [each for each in rule.sums if fresh[each.property.name] != _read(each)]
        assigned |= {each.property: fresh[each.property.name] for each in changed}
        if rule.value is not None and changed:
            assigned[rule.property] = replace(rule.value, lambda node, fresh=fresh: _fresh(node, fresh))  # type: ignore[misc]
    return assigned


def _fresh(node: Expr, fresh: Mapping[str, Expr]) -> Expr | None:
    if isinstance(node, Attr) and isinstance(node.of, Root) and node.of.name == HOST:
        return fresh.get(node.name)
    return None


def _read(each: Sum) -> Expr:
    return Attr(Root(HOST, each.property.record), each.property.name, each.property.type)


def _plus(value: Expr, delta: Expr) -> Expr:
    return value if isinstance(delta, Const) and not delta.value else Op("add", (value, delta), value.type)


class HostUpdate:
    """The statements that write one group of rules' values on their host, and what follows of it."""

    def __init__(self, planner: Planner, rules: Sequence[AggregateRule]) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.host = rules[0].property.record
        self.collection = rules[0].collection
        self.sums = tuple(each for rule in rules for each in rule.sums)
        self.names = frozenset(rule.property.name for rule in rules)

    @cached_property
    def watched(self) -> tuple[Stored, ...]:
        """The values among these on which something else depends."""
        return tuple(rule.property for rule in self.rules if self.planner.is_watched(rule.property))

    @cached_property
    def returning(self) -> tuple[Stored, ...]:
        """What must be known of a host for what depends on the watched values, if there are any."""
        if not self.watched:
            return ()
        needed = self.planner.needed(self.host, frozenset(each.name for each in self.watched))
        return (self.host.key, *(each for each in needed if each is not self.host.key))

    @cached_property
    def _reversible(self) -> bool:
        """Whether the watched values before follow from those after and the deltas: sums that add exactly."""
        exact = {each.property for each in self.sums if each.property.type.kind is not Kind.FLOAT}
        return all(each in exact for each in self.watched)

    # -- by deltas

    def by(self, run: Run, deltas: Mapping[Any, Mapping[str, Any]]) -> None:
        """Move the sums of the hosts named by key; the deltas are named as :func:`delta_param` does."""
        if not deltas:
            return
        if len(deltas) == 1:
            ((key, given),) = deltas.items()
            self.one(run, self.move_one, {KEY: key, **given}, given)
        else:
            rows = [{KEY: key, **given} for key, given in sorted(deltas.items())]
            self._many(run, list(deltas), lambda: self._rows.run(run.tx, rows), deltas)

    def one(
        self, run: Run, statement: Prepared, given: Mapping[str, Any], deltas: Mapping[str, Any] | None = None
    ) -> None:
        """Run a statement of :meth:`statement` for one host; ``deltas`` are those of all sums, if they are known."""
        key = given[KEY]
        if not self.watched:
            statement.run(run.tx, given)
            run.touched(self.host, key, self.names)
        elif deltas is not None and self._reversible:
            new = [self._reader.image(row) for row in statement.run(run.tx, given).fetchall()]
            self._tell(run, [self._undone(image, deltas) for image in new], new)
        else:
            old = self._rows_of(self._read_one.run(run.tx, given))
            moved = statement.run(run.tx, given)
            self._tell(run, map(self._reader.image, old()), map(self._reader.image, moved.fetchall()))

    def _undone(self, image: Image, deltas: Mapping[str, Any]) -> Image:
        before = {
            each.name: subtracter(each.type.kind)(image[each.name], deltas[f"delta.{each.name}"])
            for each in self.watched
        }
        return {**image, **before}

    def statement(self, deltas: Callable[[Sum], Expr], bindings: Mapping[str, Any]) -> Prepared:
        return self.planner.statements.adjust(self.host, HOST, moved(self.rules, deltas), bindings, self.returning)

    @cached_property
    def move_one(self) -> Prepared:
        return self.statement(delta_param, {})

    @cached_property
    def _rows(self) -> PreparedRows:
        columns = [(KEY, self.host.key.type), *((delta_param(each).name, each.property.type) for each in self.sums)]
        assignments = moved(self.rules, delta_param)
        return self.planner.statements.adjust_rows(self.host, HOST, assignments, columns, self.returning)

    def total(self, totals: dict[Any, dict[str, Any]], key: Any, deltas: Mapping[str, Any]) -> None:
        """Add the deltas of one host to those it has so far."""
        known = totals.get(key)
        if known is None:
            totals[key] = dict(deltas)
        else:
            for each in self.sums:
                name = delta_param(each).name
                known[name] = adder(each.property.type.kind)(known[name], deltas[name])

    def read_deltas(self, rows: Iterable[Sequence[Any]]) -> dict[Any, dict[str, Any]]:
        """Selected rows of a host's key and one delta for each sum, without those that move nothing."""
        deltas: dict[Any, dict[str, Any]] = {}
        for stored in rows:
            key, *moves = (
                value if convert is None or value is None else convert(value)
                for convert, value in zip(self._delta_converters, stored, strict=True)
            )
            if key is not None and any(moves):
                deltas[key] = {delta_param(each).name: move for each, move in zip(self.sums, moves, strict=True)}
        return deltas

    @cached_property
    def _delta_converters(self) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        return [from_db(self.host.key.type), *(from_db(each.property.type) for each in self.sums)]

    # -- by counting again

    def again(self, run: Run, keys: Iterable[Any]) -> None:
        """Work the values of the hosts out from the records that they have now."""
        hosts = sorted(set(keys))
        if hosts:
            rows = [{KEY: key} for key in hosts]
            self._many(run, hosts, lambda: self.count_again.run(run.tx, rows))

    @cached_property
    def count_again(self) -> PreparedRows:
        statements = self.planner.statements
        table = statements.schema.table(self.host)
        link, via = self.collection.link, self.collection.via
        counted = {
            f"again.{each.property.name}": statements.sum_over(
                link, LINK, each.contribution, via, column(table, self.host.key)
            )
            for each in self.sums
        }
        assignments = assigned(self.rules, lambda each: Param(f"again.{each.property.name}", each.property.type))
        return statements.assign_rows(self.host, HOST, assignments, counted, self.returning)

    # -- what follows

    def _many(
        self,
        run: Run,
        keys: Sequence[Any],
        write: Callable[[], Result],
        deltas: Mapping[Any, Mapping[str, Any]] | None = None,
    ) -> None:
        if not self.watched:
            write()
            for key in keys:
                run.touched(self.host, key, self.names)
        elif deltas is not None and self._reversible:
            new = [self._reader.image(row) for row in write().fetchall()]
            self._tell(run, [self._undone(image, deltas[image[self.host.key.name]]) for image in new], new)
        else:
            old = self._rows_of(self._read_rows.run(run.tx, [{KEY: key} for key in keys]))
            moved = write()
            self._tell(run, map(self._reader.image, old()), map(self._reader.image, moved.fetchall()))

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

    def plan(self, statement: Prepared, why: str, known: bool = True) -> Iterator[Step]:
        """The statements in the order in which they run, for ``explain``; ``known`` says that the deltas are."""
        if self.watched and not (known and self._reversible):
            told = ", ".join(str(each) for each in self.watched)
            yield Step(self._read_one.sql, f"{told} as it was, since other values depend on it")
        yield Step(statement.sql, why)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        if self.watched:
            yield self.host, self._watched_names
