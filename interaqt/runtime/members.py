"""Members: which records came into a view and left it, where somebody wants to be told.

A view is not stored, so what is told follows from its condition alone: whether it held for a row
before a write, and whether it holds after. Nothing depends on that, so it is asked first of all,
while everything else is as it was when the write happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from interaqt.core.expressions import BOOL, Expr, Op, Param, Root, case, replace, walk
from interaqt.core.model import RecordModel
from interaqt.core.parts import MEMBER, belongs
from interaqt.runtime.adjust import read_images
from interaqt.runtime.effects import Membership
from interaqt.runtime.graph import Path, path_from
from interaqt.runtime.reaction import OLD, Pair, Reaction, Step
from interaqt.runtime.row_states import RowStates
from interaqt.storage.prepared import KEY, Image, Prepared
from interaqt.storage.scope import Image as ImageBinding
from interaqt.storage.states import standing

if TYPE_CHECKING:
    from interaqt.runtime.planner import Planner
    from interaqt.runtime.run import Run

__all__ = ["Members", "MembersBeyond"]


class Members(Reaction):
    """Tells what the rows of a view's own table were to it, and are."""

    def __init__(self, planner: Planner, view: RecordModel) -> None:
        self.rules = ()
        self.view = view
        self.key = view.key.name
        self.states = RowStates(planner, Root(MEMBER, view.root), belongs(view, Root(MEMBER, view.root)))
        self.reads = self.states.reads | {*view.root.telling}

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        held = iter(self.states.of(run, [image for pair in pairs for image in pair]))
        for old, new in pairs:
            was, now = (state is not None for state in (next(held), next(held)))
            _tell(run, self.view, was, now, old, new)

    def steps(self) -> Iterator[Step]:
        if not self.states.local:
            yield Step(self.states.select.sql, f"whether the record was in {self.view}, and is")


class MembersBeyond(Reaction):
    """Tells whose references along any of ``paths`` lead to a changed row, and so came in or went.

    ``near`` says that the changed row is one of the view's own table besides.
    """

    def __init__(self, planner: Planner, view: RecordModel, record: RecordModel, paths: Sequence[Path], near: bool):
        self.planner = planner
        self.rules = ()
        self.view = view
        self.record = record
        self.near = near
        root = Root(MEMBER, view.root)
        self.paths = tuple(paths)
        self._now = belongs(view, root)
        ways = _ways(self._now, sorted({*paths, *([()] if near else [])}, key=len))
        self._was = _before(self._now, ways, Root(OLD, record))
        self._images = sorted({name for state, name in read_images(self._was) if state == OLD})
        self.reads = frozenset(self._images) | {*record.telling}

    def run(self, run: Run, pairs: Sequence[Pair]) -> None:
        convert = self.planner.schema.dialect.from_db(self.view.key.type)
        for old, new in pairs:
            assert old is not None, "a record that is referred to is changed, not made or deleted"
            assert new is not None
            changed = new[self.record.key.name]
            if not self.near and all(old[name] == new[name] for name in self._images):
                continue
            given = {KEY: changed, **{f"{OLD}.{name}": old[name] for name in self._images}}
            told = False
            for stored, was, now in self._select.run(run.tx, given).fetchall():
                key = stored if convert is None else convert(stored)
                if self.near and key == changed:
                    told = True
                    _tell(run, self.view, bool(was), bool(now), old, new)
                else:
                    run.mutations.append(Membership(self.view.cls, key, bool(was), bool(now)))
            assert told or not self.near, "a row that was changed is there"

    @cached_property
    def _select(self) -> Prepared:
        root = Root(MEMBER, self.view.root)
        return standing(
            self.planner.statements, root, self._was, self._now, self.paths, {OLD: ImageBinding(OLD)}, self.near
        )

    def steps(self) -> Iterator[Step]:
        yield Step(self._select.sql, f"which {self.view.root} records came into {self.view} or left it")


def _tell(run: Run, view: RecordModel, was: bool, now: bool, old: Image | None, new: Image | None) -> None:
    known = new or old
    assert known is not None
    if was or now:
        run.mutations.append(Membership(view.cls, known[view.key.name], was, now, _names(old, new), new, old))


def _names(old: Image | None, new: Image | None) -> frozenset[str]:
    if old is None or new is None:
        return frozenset()
    return frozenset(name for name, value in new.items() if name in old and old[name] != value)


def _ways(condition: Expr, paths: Sequence[Path]) -> list[Expr]:
    """What in the condition lies at the end of each path."""
    found = {path: node for node in walk(condition) if (path := path_from(node, MEMBER)) is not None}
    return [found[path] for path in paths if path in found]


def _before(condition: Expr, ways: Sequence[Expr], old: Root) -> Expr:
    """The condition as it was before the row ``old`` changed, to which each of ``ways`` may lead."""
    if not ways:
        return condition
    first, *rest = ways

    def swapped(expr: Expr) -> Expr:
        return replace(expr, lambda node: old if node == first else None)

    leads = Op("eq", (first, Param(KEY, first.type.optional(False))), BOOL)
    through = _before(swapped(condition), [swapped(each) for each in rest], old)
    return case(leads, through, _before(condition, rest, old))
