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
from interaqt.core.model import Constant, RecordModel, Reference
from interaqt.runtime.graph import Path, path_from
from interaqt.runtime.reaction import NEW, OLD, Pair, Reaction, Step
from interaqt.runtime.sums import SumUpdate
from interaqt.storage.prepared import KEY, Image, Prepared
from interaqt.storage.scope import Image as ImageBinding

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Cut", "Spread", "step_along"]

_FAR = "far"


def step_along(root: Root, path: Path) -> Expr:
    """The record at the end of a path of references."""
    expr: Expr = root
    record: RecordModel = root.record
    for name in path:
        reference = record.attributes[name]
        assert isinstance(reference, Reference)
        # A callback may have asked of which kind a record is, and gone on by a reference of that kind.
        expr, record = Attr(expr, name, reference.type), reference.target.root
    return expr


class Cut:
    """Expressions over one record, cut where they reach a changed one by ``path``."""

    def __init__(self, root: Root, path: Path, exprs: Sequence[Expr]) -> None:
        far = step_along(root, path)
        record = far.type.record
        assert record is not None
        self.record = record
        """The model of the changed record."""
        new = Root(_FAR, record)
        self._exprs = [
            replace(each, lambda node: new if path_from(node, root.name) == path else None) for each in exprs
        ]
        # What is read of the changed record alone: where none of it changed, nothing did.
        atoms = list(dict.fromkeys(atom for each in self._exprs for atom in _atoms(each)))
        self._values: Callable[[Any], tuple[Any, ...]] = compile_tuple(atoms, ["far"], _source)
        self._images = sorted({name for atom in atoms for name in _names(atom)})
        self.reads = frozenset(self._images) | {record.key.name}

    def under(self, root: str) -> list[Expr]:
        """The expressions with the changed record as ``Root(root)``."""
        return [_renamed(each, root) for each in self._exprs]

    def given(self, old: Image, new: Image) -> dict[str, Any] | None:
        """What a statement needs of a changed record; None where what is read of it is as it was."""
        if self._same(old, new):
            return None
        given = {KEY: new[self.record.key.name]}
        for name in self._images:
            given[f"{OLD}.{name}"], given[f"{NEW}.{name}"] = old[name], new[name]
        return given

    def _same(self, old: Image, new: Image) -> bool:
        try:
            return self._values(old) == self._values(new)
        except (TypeError, AttributeError, ValueError, ArithmeticError):
            # A part may have no value where another one, about another record, keeps it from being asked.
            return all(old[name] == new[name] for name in self._images)


class Spread(Reaction):
    """Moves the sums of all hosts whose contributing records reach a changed one by ``path``."""

    def __init__(self, planner: Planner, rules: Sequence[AggregateRule], path: Path) -> None:
        self.planner = planner
        self.rules = tuple(rules)
        self.path = path
        self.update = SumUpdate(planner, rules)
        self.link = rules[0].collection.link
        self._cut = Cut(Root(LINK, self.link), path, [each.contribution for rule in rules for each in rule.sums])
        self.reads = self._cut.reads

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        # All differences are taken before any is applied: each sees the others' hosts as they were.
        totals: dict[Any, dict[str, Any]] = {}
        for old, new in pairs:
            assert old is not None, "a record that is referred to is changed, not made or deleted"
            assert new is not None
            given = self._cut.given(old, new)
            if given is None:
                continue
            for key, deltas in self.update.read_deltas(self._deltas.run(run.tx, given).fetchall()).items():
                self.update.total(totals, key, deltas)
        if totals:
            self.update.by(run, totals)

    @cached_property
    def _deltas(self) -> Prepared:
        states = zip(self._cut.under(NEW), self._cut.under(OLD), strict=True)
        differences = [Op("sub", (new, old), new.type) for new, old in states]
        bindings = {NEW: ImageBinding(NEW), OLD: ImageBinding(OLD)}
        via = self.update.collection.via
        return self.planner.statements.sums_by(self.link, LINK, via, differences, self.path, bindings)

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
        case Attr(of=Root(name=name, record=record)):
            # From every record there is the same step to a dictionary, which no row has.
            return name == _FAR and not isinstance(record.attribute(expr.name), Constant)
        case Attr():
            return False
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
