"""Completing a write of a row: what follows from the row itself is written by the same statement.

So at no moment does a row say one thing and what follows from it another, and what depends on
either is told of both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from interaqt.core.computations import OwnRule
from interaqt.core.computations.rule import HOST
from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Expr, Root, replace
from interaqt.core.model import Property, RecordModel
from interaqt.runtime.adjust import image_source, is_local
from interaqt.runtime.graph import Graph
from interaqt.storage.prepared import Image

__all__ = ["Completion", "put"]


class Completion:
    """The own values of one record, in the order in which they follow from one another."""

    def __init__(self, graph: Graph, record: RecordModel) -> None:
        self.record = record
        found = [each for each in record.rules if isinstance(each, OwnRule)]
        self.rules = tuple(sorted(found, key=graph.level))
        self._reads = {rule: {r.name for r in graph.reads[rule] if not r.path} for rule in self.rules}

    def following(self, names: Iterable[str]) -> tuple[Property, ...]:
        """What changes with the named attributes, without those."""
        return tuple(rule.property for rule in self._following(set(names)))

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
        found = {each.name: (each, expr) for each, expr in assignments.items()}
        own = {rule.name for rule in self.rules}
        fresh = {name: expr for name, (_, expr) in found.items() if name not in own}
        following = {rule.name for rule in self._following({each.name for each in assignments})}
        for rule in self.rules:
            if rule.name in found or rule.name in following:
                fresh[rule.name] = put(rule.expr, fresh)
                found[rule.name] = (rule.property, fresh[rule.name])
        return dict(found.values())

    # -- rows that are made

    @cached_property
    def _whole(self) -> dict[OwnRule, Expr]:
        """Each rule's expression, own values that it reads put in their place."""
        known: dict[str, Expr] = {}
        whole: dict[OwnRule, Expr] = {}
        for rule in self.rules:
            known[rule.name] = whole[rule] = put(rule.expr, known)
        return whole

    @cached_property
    def local(self) -> tuple[Property, ...]:
        """The values that the row alone says: they are worked out before it is made."""
        return tuple(rule.property for rule in self.rules if is_local(self._whole[rule]))

    def remote(self, initial: Mapping[str, Expr]) -> dict[Property, Expr]:
        """The values that the database works out as a row is made, over ``Root(HOST)``, but for what is ``initial``."""
        local = set(self.local)
        return {rule.property: put(self._whole[rule], initial) for rule in self.rules if rule.property not in local}

    def complete(self, image: Image) -> None:
        """Add the local values to those of a row."""
        for name, function in self._functions:
            image[name] = function(image)

    @cached_property
    def _functions(self) -> list[tuple[str, Callable[[Image], Any]]]:
        local = {each.name for each in self.local}
        return [
            (rule.name, compile_function(rule.expr, [HOST], image_source)) for rule in self.rules if rule.name in local
        ]


def put(expr: Expr, fresh: Mapping[str, Expr]) -> Expr:
    """The expression with other ones in the place of attributes of ``Root(HOST)``."""

    def swap(node: Expr) -> Expr | None:
        if isinstance(node, Attr) and isinstance(node.of, Root) and node.of.name == HOST:
            return fresh.get(node.name)
        return None

    return replace(expr, swap)
