"""Moving the values of host records by deltas, which are added in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import HostRule
from interaqt.core.computations.aggregation import HOST
from interaqt.core.decimals import adder, subtracter
from interaqt.core.expressions import Const, Expr, Op, Param
from interaqt.core.model import Property
from interaqt.core.types import Kind
from interaqt.runtime.hosts import HostUpdate, assigned, stored
from interaqt.runtime.reaction import Step
from interaqt.storage.prepared import KEY, Image, Prepared, PreparedRows, Stored

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["SumUpdate", "delta_param"]


def delta_param(kept: Property) -> Param:
    return Param(f"delta.{kept.name}", kept.type)


def _plus(value: Expr, delta: Expr) -> Expr:
    return value if isinstance(delta, Const) and not delta.value else Op("add", (value, delta), value.type)


class SumUpdate(HostUpdate):
    """Moves what one group of rules keeps on their hosts; deltas are named as :func:`delta_param` does."""

    def __init__(self, planner: Planner, rules: Sequence[HostRule]) -> None:
        super().__init__(planner, rules)
        self.collection = rules[0].collection

    @cached_property
    def _reversible(self) -> bool:
        """Whether the watched values before follow from those after and the deltas.

        So do sums that add exactly, and what follows in the row from them and from what stays; not
        what follows from the time, too.
        """
        exact = {each.name for each in self.kept if each.type.kind is not Kind.FLOAT}
        own = [each for each in self.watched if each.name not in exact]
        moving = self.completion.inputs(own) & self.names
        undone = self.completion.local - self.completion.timed
        return moving <= exact and all(each in undone for each in own)

    @cached_property
    def returning(self) -> tuple[Stored, ...]:
        found = super().returning
        if not found or not self._reversible:
            return found
        inputs = self.completion.inputs(self.watched) - {each.name for each in found}
        return (*found, *self.planner.attributes(self.host, inputs))

    def by(self, run: Run, deltas: Mapping[Any, Mapping[str, Any]], locked: bool = False) -> None:
        """Move the hosts named by key; ``locked`` says that they are."""
        if not deltas:
            return
        if len(deltas) == 1:
            ((key, given),) = deltas.items()
            self.move(run, {KEY: key, **given})
            return
        keys = sorted(deltas)
        moves = [deltas[key] for key in keys]
        columns = {KEY: keys, **{name: [move[name] for move in moves] for name in self._delta_names}}
        if self.undoes:
            if not locked:
                self.lock(run, deltas)
            new = [self._reader.image(row) for row in self._rows.run_columns(run.tx, columns).fetchall()]
            self._tell(run, [self._undone(image, deltas[image[self.host.key.name]]) for image in new], new)
        else:
            self.several(run, keys, lambda: self._rows.run_columns(run.tx, columns), locked)

    def move(self, run: Run, given: Mapping[str, Any]) -> None:
        """Move one host by deltas that are all known."""
        self._move(run, given)

    @cached_property
    def _move(self) -> Callable[[Run, Mapping[str, Any]], None]:
        return self.undoing(self.move_one, {}) if self.undoes else self.moving(self.move_one)

    @cached_property
    def undoes(self) -> bool:
        """Whether hosts need not be read before, since what they were follows from what they are and the deltas."""
        return bool(self.watched) and self._reversible

    def undoing(self, statement: Prepared, constants: Mapping[str, Any]) -> Callable[[Run, Mapping[str, Any]], None]:
        """Like :meth:`moving`, for a statement of :meth:`statement`, and works out what the host was.

        The deltas are those given and the ``constants``.
        """
        write, read, undone = statement.run, self._reader.image, self._undone
        host, watched, names = self.host, self._watched_names, self.names

        def move(run: Run, given: Mapping[str, Any]) -> None:
            pairs = []
            for row in write(run.tx, given).fetchall():
                new = read(row)
                pairs.append((undone(new, {**constants, **given}), new))
            run.updated(host, pairs, watched, names)

        return move

    def _undone(self, image: Image, deltas: Mapping[str, Any]) -> Image:
        before = dict(image)
        for name, delta, subtract in self._undoing:
            before[name] = subtract(image[name], deltas[delta])
        if self._following:
            self.completion.complete(before, self._following)
        return before

    @cached_property
    def _undoing(self) -> list[tuple[str, str, Callable[[Any, Any], Any]]]:
        returned = {each.name for each in self.returning}
        return [
            (each.name, f"delta.{each.name}", subtracter(each.type.kind)) for each in self.kept if each.name in returned
        ]

    @cached_property
    def _following(self) -> list[Stored]:
        return [each for each in self.watched if each not in self.kept]

    def statement(self, deltas: Callable[[Property], Expr], bindings: Mapping[str, Any]) -> Prepared:
        return self.planner.statements.adjust(self.host, HOST, self._moved(deltas), bindings, self.returning)

    @cached_property
    def _delta_names(self) -> tuple[str, ...]:
        return tuple(delta_param(each).name for each in self.kept)

    def _moved(self, deltas: Callable[[Property], Expr]) -> dict[Property, Expr]:
        """What each property becomes when those kept move by ``deltas``; those that stay are left out."""
        return self.assignments(assigned(self.rules, lambda each: _plus(stored(each), deltas(each))))

    @cached_property
    def move_one(self) -> Prepared:
        return self.statement(delta_param, {})

    @cached_property
    def _rows(self) -> PreparedRows:
        columns = [(KEY, self.host.key.type), *((delta_param(each).name, each.type) for each in self.kept)]
        assignments = self._moved(delta_param)
        return self.planner.statements.adjust_rows(self.host, HOST, assignments, columns, self.returning)

    def total(self, totals: dict[Any, dict[str, Any]], key: Any, deltas: Mapping[str, Any]) -> None:
        """Add the deltas of one host to those it has so far."""
        known = totals.get(key)
        if known is None:
            totals[key] = dict(deltas)
        else:
            for each in self.kept:
                name = delta_param(each).name
                known[name] = adder(each.type.kind)(known[name], deltas[name])

    def read_deltas(self, rows: Iterable[Sequence[Any]]) -> dict[Any, dict[str, Any]]:
        """Selected rows of a host's key and one delta for each kept value, without those that move nothing."""
        deltas: dict[Any, dict[str, Any]] = {}
        for cells in rows:
            key, *moves = (
                value if convert is None or value is None else convert(value)
                for convert, value in zip(self._delta_converters, cells, strict=True)
            )
            if key is not None and any(moves):
                deltas[key] = {delta_param(each).name: move for each, move in zip(self.kept, moves, strict=True)}
        return deltas

    @cached_property
    def _delta_converters(self) -> list[Any]:
        from_db = self.planner.schema.dialect.from_db
        return [from_db(self.host.key.type), *(from_db(each.type) for each in self.kept)]

    def plan(self, statement: Prepared, why: str, known: bool = True) -> Iterator[Step]:
        """The statements in the order in which they run; ``known`` says that the deltas are."""
        if known and self._reversible:
            yield Step(statement.sql, why)
        else:
            yield from super().plan(statement, why)
