"""Spreading: a record changed to which contributing records refer, and all their hosts' sums move.

Only the changed record is known as it was and as it is. The expression is cut there: what it
reads of the changed record becomes a given value, old and new, and one statement sums the
difference over the records that refer to it, by host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from interaqt.core.computations import AggregateRule
from interaqt.core.computations.aggregation import LINK
from interaqt.core.evaluate import compile_tuple
from interaqt.core.expressions import Attr, Const, Expr, Op, Root, children, replace
from interaqt.core.model import RecordModel, Reference
from interaqt.runtime.graph import Path
from interaqt.runtime.hosts import HostUpdate
from interaqt.runtime.reaction import NEW, OLD, Pair, Reaction, Step
from interaqt.storage.scope import Image
from interaqt.storage.statements import KEY, Prepared

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Spread", "step_along"]

_FAR = "far"


def step_along(root: Root, path: Path) -> Expr:
    """The record at the end of a path of references."""
    expr: Expr = root
    record: RecordModel = root.record
    for name in path:
        reference = record.attributes[name]
        assert isinstance(reference, Reference)
        expr, record = Attr(expr, name, reference.type), reference.target
    return expr


class Spread(Reaction):
    """Moves the sums of all hosts whose contributing records reach a changed one by ``path``."""

    def __init__(self, planner: Planner, rules: Sequence[AggregateRule], path: Path) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.path = path
        self.update = HostUpdate(planner, rules)
        self.link = Root(LINK, rules[0].collection.link)
        self.far = step_along(self.link, path)
        record = self.far.type.record
        assert record is not None
        self.record = record
        contributions = [self._cut(each.contribution) for each in self.update.sums]
        # What is read of the changed record alone: where none of it changed, nothing did.
        atoms = list(dict.fromkeys(atom for each in contributions for atom in _atoms(each)))
        self._atoms: Callable[[Any], tuple[Any, ...]] = compile_tuple(atoms, ["far"], _source)
        self._images = sorted({name for atom in atoms for name in _names(atom)})
        self._contributions = contributions
        self.reads = frozenset(self._images) | {record.key.name}

    def _cut(self, expr: Expr) -> Expr:
        new = Root(_FAR, self.record)
        return replace(expr, lambda node: new if node == self.far else None)

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        # All differences are taken before any is applied: each sees the others' hosts as they were.
        totals: dict[Any, dict[str, Any]] = {}
        for old, new in pairs:
            assert old is not None, "a record that is referred to is changed, not made or deleted"
            assert new is not None
            if self._atoms(old) == self._atoms(new):
                continue
            given = {KEY: new[self.record.key.name]}
            for name in self._images:
                given[f"{OLD}.{name}"], given[f"{NEW}.{name}"] = old[name], new[name]
            for key, deltas in self.update.read_deltas(self._deltas.run(run.tx, given).fetchall()).items():
                self.update.total(totals, key, deltas)
        self.update.by(run, totals)

    @cached_property
    def _deltas(self) -> Prepared:
        differences = [Op("sub", (_renamed(each, NEW), _renamed(each, OLD)), each.type) for each in self._contributions]
        bindings = {NEW: Image(NEW), OLD: Image(OLD)}
        via = self.update.collection.via
        return self.planner.statements.sums_by(self.link.record, LINK, via, differences, self.path, bindings)

    def produces(self) -> Iterator[tuple[RecordModel, frozenset[str]]]:
        return self.update.produces()

    def steps(self) -> Iterator[Step]:
        names = ", ".join(str(rule) for rule in self.rules)
        condition = f"if what {names} reads of {'.'.join((LINK, *self.path))} changed"
        yield Step(self._deltas.sql, f"{condition}: sum the difference, by host")
        yield from self.update.plan(self.update.move_one, f"{names} moves by it")


def _renamed(expr: Expr, root: str) -> Expr:
    return replace(expr, lambda node: Root(root, node.record) if isinstance(node, Root) and node.name == _FAR else None)


def _atoms(expr: Expr) -> Iterator[Expr]:
    """The largest parts of the expression that read the changed record and nothing else."""
    if _is_far_only(expr):
        if not isinstance(expr, Const):
            yield expr
        return
    for child in children(expr):
        yield from _atoms(child)


def _is_far_only(expr: Expr) -> bool:
    match expr:
        case Const():
            return True
        case Root(name=name):
            return name == _FAR
        case Attr(of=of):
            return isinstance(of, Root) and of.name == _FAR
        case Op(args=args):
            return all(map(_is_far_only, args))
        case _:
            return False


def _names(atom: Expr) -> Iterator[str]:
    match atom:
        case Attr(name=name):
            yield name
        case Root(record=record):
            yield record.key.name
        case _:
            for child in children(atom):
                yield from _names(child)


def _source(expr: Expr) -> str | None:
    match expr:
        case Attr(of=Root(name="far"), name=name):
            return f"far[{name!r}]"
        case Root(name="far", record=record):
            return f"far[{record.key.name!r}]"
    return None
