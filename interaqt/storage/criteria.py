"""The callbacks of a query as expressions over the record that it is about.

They are traced when they are given, so a mistake is reported from the line that makes it, and a
variable counts with the value that it has there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any
from weakref import WeakSet

from interaqt.core.errors import InvalidQuery, Location
from interaqt.core.expressions import BOOL, Const, Expr, Root
from interaqt.core.model import Model, RecordModel
from interaqt.core.parts import in_tables
from interaqt.core.record import Record, key_of
from interaqt.core.trace_session import Session, tracing
from interaqt.core.tracing import Leaf, Tree, constant_hooks, join, lift, stand_in, trace, trace_value
from interaqt.core.types import Kind, ValueType

__all__ = ["ROOT", "condition", "value"]

#: The root of a query's expressions: one record that it finds.
ROOT = "record"

_model: ContextVar[Model | None] = ContextVar("interaqt_query_model", default=None)
_checked: WeakSet[CodeType] = WeakSet()


def condition(model: Model, record: RecordModel, match: Callable[[Any], bool], location: Location) -> Expr:
    """What ``where(match)`` asks."""
    subject = f"query({record}).where"
    _require_callable(match, subject, location)
    with _records_of(model):
        return trace_value(
            match,
            [stand_in(Root(ROOT, record))],
            BOOL,
            subject=subject,
            location=location,
            allow_collections=True,
            check=_first_time(match),
        )


def value(
    model: Model,
    record: RecordModel,
    of: Callable[[Any], object],
    method: str,
    location: Location,
    expected: ValueType | None = None,
) -> Expr:
    """What ``order_by(of)``, ``sum(of)`` and the like are about; of the type that it has, if none is expected."""
    subject = f"query({record}).{method}"
    _require_callable(of, subject, location)
    with _records_of(model):
        tree = trace(
            of,
            [stand_in(Root(ROOT, record))],
            subject=subject,
            location=location,
            allow_collections=True,
            check=_first_time(of),
        )
        # Texts are lifted as in a run: that is where one with traced values in it is told from a plain one.
        with tracing(Session(allow_collections=True)):
            return in_tables(join(tree, expected or _type_of(tree, subject, location)))


def _type_of(tree: Tree, subject: str, location: Location) -> ValueType:
    types = [lift(leaf.value).type for leaf in _leaves(tree) if leaf.value is not None]
    if not types:
        raise InvalidQuery("it is always None", code="query.value", subject=subject, location=location)
    # Of numbers of several kinds, the one that all of them can be.
    widest = max(types, key=lambda type: _WIDTH.get(type.kind, 0))
    return widest.optional()


_WIDTH = {Kind.BOOL: 1, Kind.INT: 2, Kind.DECIMAL: 3, Kind.FLOAT: 4}


def _leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        yield from _leaves(tree.then)
        yield from _leaves(tree.otherwise)


def _require_callable(given: object, subject: str, location: Location) -> None:
    if not callable(given):
        raise InvalidQuery(
            f"it takes a callback, such as lambda each: each.name, not {given!r}",
            code="query.callback",
            subject=subject,
            location=location,
        )


def _first_time(function: Callable[..., Any]) -> bool:
    """Whether to hold the trace against the callback itself, which is done once for each callback's code."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or code in _checked:
        return False
    _checked.add(code)
    return True


# -- stored records in callbacks -------------------------------------------------------------


@contextmanager
def _records_of(model: Model) -> Iterator[None]:
    token = _model.set(model)
    try:
        yield
    finally:
        _model.reset(token)


def _record_constant(value: Any) -> Const | None:
    """A stored record that a callback compares with: its key."""
    model = _model.get()
    if model is None or not isinstance(value, Record):
        return None
    record = model.record(type(value))
    key = key_of(value)
    if record is None:
        raise InvalidQuery(f"{type(value).__name__} is not among the controller's models", code="query.unknown_record")
    if key is None:
        raise InvalidQuery(f"a {record} that is not stored equals no stored one", code="query.not_stored")
    return Const(key, record.root.type)


# Before the one that knows no model, and so can't tell a record of another class.
constant_hooks.insert(0, _record_constant)
