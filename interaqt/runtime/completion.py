"""Completing a write of a row: what follows from the row itself is written by the same statement.

So at no moment does a row say one thing and what follows from it another, and what depends on
either is told of both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from interaqt.core.computations import CustomRule, OwnCustomRule, OwnRule
from interaqt.core.computations.rule import HOST
from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Expr, Root, replace
from interaqt.core.model import Property, RecordModel
from interaqt.core.moments import NOW
from interaqt.core.next_change import depends_on_time
from interaqt.runtime.adjust import image_source, is_local, read_images
from interaqt.runtime.graph import Graph
from interaqt.storage.moment import present
from interaqt.storage.prepared import Image

__all__ = ["Completion", "put", "row_source"]


class Completion:
    """The own values of one record, in the order in which they follow from one another."""

    def __init__(self, graph: Graph, record: RecordModel) -> None:
        self.record = record
        found = [each for each in record.rules if isinstance(each, OwnRule)]
        self.rules = tuple(sorted(found, key=graph.level))
        asked = [each for each in record.rules if isinstance(each, CustomRule | OwnCustomRule) and each.is_asked]
        self.asked = tuple(sorted(asked, key=graph.level))
        """What Python is asked of a row before it is made."""
        self._reads = {rule: {r.name for r in graph.reads[rule] if not r.path} for rule in self.rules}

    def following(self, names: Iterable[str]) -> tuple[Property, ...]:
        """What changes with the named attributes, without those."""
        return tuple(rule.property for rule in self._following(set(names))) if self.rules else ()

    def _following(self, names: set[str]) -> Iterator[OwnRule]:
        changed = set(names)
        for rule in self.rules:
            if self._reads[rule] & changed:
                changed.add(rule.name)
                if rule.name not in names:
                    yield rule

    def completed(self, assignments: Mapping[Any, Expr]) -> dict[Any, Expr]:
        """The assignments to a row, over ``Root(HOST)`` as it is, with what follows from them.

        One of an own value may be its expression: what it reads that is assigned is put in its place.
        """
        if not self.rules:
            return dict(assignments)
        found = dict(assignments)
        own = {each for rule in self.rules for each in rule.kept}
        fresh = {each.name: expr for each, expr in assignments.items() if each not in own}
        following = set(self._following({each.name for each in assignments}))
        for rule in self.rules:
            if rule.property in found or rule in following:
                worked = {each: put(rule.recomputed(each), fresh) for each in rule.kept}
                found |= worked
                fresh |= {each.name: expr for each, expr in worked.items()}
        return found

    @cached_property
    def properties(self) -> frozenset[Property]:
        """All that follows from a row when it is made."""
        return frozenset(rule.property for rule in (*self.rules, *self.asked))

    def expanded(self, expr: Expr) -> Expr:
        """The expression over ``Root(HOST)`` with own values in their place."""
        return put(expr, {each.name: whole for each, whole in self._whole.items()})

    # -- what is worked out here, and what by the database

    @cached_property
    def _whole(self) -> dict[Property, Expr]:
        """Each rule's expression, own values that it reads put in their place."""
        known: dict[str, Expr] = {}
        whole: dict[Property, Expr] = {}
        for rule in self.rules:
            worked = {each: put(rule.recomputed(each), known) for each in rule.kept}
            whole |= worked
            known |= {each.name: expr for each, expr in worked.items()}
        return whole

    @cached_property
    def local(self) -> frozenset[Property]:
        """The values that the row alone says."""
        return frozenset(
            each for rule in self.rules if all(is_local(self._whole[kept]) for kept in rule.kept) for each in rule.kept
        )

    @cached_property
    def timed(self) -> frozenset[Property]:
        """The values that are not the same at every moment."""
        return frozenset(each for each, expr in self._whole.items() if depends_on_time(expr))

    def remote(self, initial: Mapping[str, Expr]) -> dict[Property, Expr]:
        """The values that the database works out as a row is made, over ``Root(HOST)``, but for what is ``initial``."""
        return {each: put(expr, initial) for each, expr in self._whole.items() if each not in self.local}

    def inputs(self, properties: Iterable[Any]) -> frozenset[str]:
        """What of a row says its local values among these, but for other own values."""
        return frozenset(
            name for each in properties if each in self.local for _, name in read_images(self._whole[each])
        )

    def complete(self, image: Image, properties: Iterable[Any] | None = None) -> None:
        """Work out local values, all or those among these, from the rest of a row."""
        functions = self._functions if properties is None else self._functions_of(properties)
        for name, function in functions:
            image[name] = function(image)

    @cached_property
    def _functions(self) -> list[tuple[str, Callable[[Image], Any]]]:
        return [
            (each.name, compile_function(expr, [HOST], row_source, given={"present": present}))
            for each, expr in self._whole.items()
            if each in self.local
        ]

    def _functions_of(self, properties: Iterable[Any]) -> Iterator[tuple[str, Callable[[Image], Any]]]:
        names = {each.name for each in properties}
        return (each for each in self._functions if each[0] in names)


def row_source(expr: Expr) -> str | None:
    """The Python of what is read of a row, and of the present moment."""
    return "present()" if expr == NOW else image_source(expr)


def put(expr: Expr, fresh: Mapping[str, Expr]) -> Expr:
    """The expression with other ones in the place of attributes of ``Root(HOST)``."""

    def swap(node: Expr) -> Expr | None:
        if isinstance(node, Attr) and isinstance(node.of, Root) and node.of.name == HOST:
            return fresh.get(node.name)
        return None

    return replace(expr, swap)
