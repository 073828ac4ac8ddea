"""Inputs: what a callback reads, to be given as values to Python that is not traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import Expr
from interaqt.core.lift import lift
from interaqt.core.parts import in_tables
from interaqt.core.trace_session import CUSTOM, refuse
from interaqt.core.trace_tree import Branch, Leaf, Tree
from interaqt.core.tracing import join, trace
from interaqt.core.types import Kind, ValueType

__all__ = ["Inputs", "traced_inputs"]


@attrs.frozen(eq=False)
class Inputs:
    """The expressions of a callback that answers a tuple of values, or one value alone (``is_one``)."""

    exprs: tuple[Expr, ...]
    is_one: bool

    def given(self, values: Sequence[Any]) -> Any:
        """The values of the expressions as the callback would answer them."""
        return values[0] if self.is_one else tuple(values)


def traced_inputs(
    function: Callable[..., Any], arguments: Sequence[Expr], name: str, subject: str, location: Location
) -> Inputs:
    """What the callback ``name=`` answers, each value by itself."""
    try:
        tree = trace(function, arguments, subject=subject, location=location)
    except TraceError as error:
        error.hint = error.hint.replace(CUSTOM, f"let {name}= answer the value itself, and compute= go on from there")
        raise
    try:
        leaves = list(_leaves(tree))
        lengths = {len(each) if isinstance(each, list) else None for each in leaves}
        if len(lengths) > 1:
            refuse(f"{name}= answers tuples of different lengths", "answer None in the place of what is not there")
        (length,) = lengths
        if length is None:
            return Inputs((_joined(tree, name),), True)
        if not length:
            refuse(f"{name}= answers nothing", "answer the values that are needed, as a tuple")
        return Inputs(tuple(_joined(_part(tree, place), name) for place in range(length)), False)
    except TraceError as error:
        raise error.at(subject, Location.of_function(function) or location) from None


def _leaves(tree: Tree) -> Iterator[Any]:
    if isinstance(tree, Branch):
        yield from _leaves(tree.then)
        yield from _leaves(tree.otherwise)
    else:
        yield tree.value


def _part(tree: Tree, place: int) -> Tree:
    if isinstance(tree, Branch):
        return Branch(tree.condition, _part(tree.then, place), _part(tree.otherwise, place))
    assert isinstance(tree.value, list)
    return Leaf(tree.value[place])


_WIDER = (Kind.INT, Kind.DECIMAL, Kind.FLOAT)


def _joined(tree: Tree, name: str) -> Expr:
    types = [None if value is None else lift(value).type for value in _leaves(tree)]
    found = [each for each in types if each is not None]
    if not found:
        refuse(f"a value of {name}= is always None", "leave it out")
    record = next((each.record for each in found if each.kind is Kind.RECORD), None)
    if record is not None:
        refuse(
            f"a value of {name}= is a {record}, of which more could be read than is declared",
            f"answer what is needed of it, such as its {record.key.name}",
        )
    widest = max(found, key=lambda each: _WIDER.index(each.kind) if each.kind in _WIDER else 0)
    bare = widest if widest.kind in (Kind.ENUM, Kind.JSON) else ValueType(widest.kind)
    nullable = len(found) < len(types) or any(each.nullable for each in found)
    return in_tables(join(tree, bare.optional(nullable)))
