"""The self-check: a trace must give what the callback itself gives in plain Python.

Python lets a callback do things that no stand-in can see: ``x is True``, ``isinstance``, a
comparison of formatted text. Rather than go silently wrong, each callback is also run on a few
sample records, and what it gives there is compared with what its expression gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Aggregate, Attr, Const, Expr, walk
from interaqt.core.global_values import ReadGlobal, reading_globals
from interaqt.core.lift import expression_of
from interaqt.core.samples import Sample, Samples
from interaqt.core.stand_in import Fields, constant_of, root_of
from interaqt.core.trace_session import CUSTOM, refuse, tracing
from interaqt.core.trace_tree import Branch, Construction, Tree
from interaqt.core.types import Kind

__all__ = ["check_expression", "check_tree"]

TURNS = 6

Sources = Sequence[Expr | Fields]


def check_expression(function: Callable[..., Any], sources: Sources, expr: Expr) -> None:
    """Refuse the callback if ``expr`` differs from it on a sample."""
    evaluator = _Evaluator(sources)
    if not _has_samples(expr):
        return
    compiled = evaluator.compile(expr)
    if compiled is not None:
        _compare(function, sources, [expr], lambda samples: compiled(*samples))


def check_tree(function: Callable[..., Any], sources: Sources, tree: Tree) -> None:
    """Refuse the callback if the tree of its values differs from it on a sample."""
    evaluator = _Evaluator(sources)
    exprs = list(_expressions_in(tree))
    if all(_has_samples(expr) and evaluator.compile(expr) is not None for expr in exprs):
        _compare(function, sources, exprs, lambda samples: evaluator.leaf(tree, samples))


def _compare(
    function: Callable[..., Any],
    sources: Sources,
    exprs: Sequence[Expr],
    traced: Callable[[Sequence[Any]], Any],
) -> None:
    pools = _constants(exprs)
    # A text that the callback compares formatted text with leads down the other path.
    code = getattr(function, "__code__", None)
    named = tuple(each for each in code.co_consts if type(each) is str and len(each) < 40) if code is not None else ()
    pools[Kind.STR] = (*pools.get(Kind.STR, ()), *named[:4])
    for turn in range(TURNS):
        samples = Samples(turn, pools)
        values = [samples.source(str(place), source) for place, source in enumerate(sources)]
        with tracing(None), reading_globals(_sampled_globals(sources, samples)):
            try:
                wanted = function(*values)
            except Exception:
                continue
            found = traced(values)
        if not _same(wanted, found):
            _differs(wanted, found)


def _sampled_globals(sources: Sources, samples: Samples) -> ReadGlobal:
    def read(dictionary: type, name: str) -> Any:
        root = next(root for source in sources if (root := root_of(source)) is not None)
        record = root.record if root.record.cls is dictionary else constant_of(root.record, dictionary).target
        return getattr(samples.only(record), name)

    return read


def _differs(wanted: object, found: object) -> None:
    given, traced = ("a record" if isinstance(each, Sample) else repr(each) for each in (wanted, found))
    refuse(
        f"on a sample the callback gives {given} in Python, but its trace gives {traced}: "
        "something in it can't be traced",
        "`is` with anything but None, isinstance, sets, dicts, closures that change, or formatted text "
        f"can be the reason; where it can't be said otherwise, {CUSTOM}",
    )


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Construction) and isinstance(found, Construction):
        return (
            wanted.record_class is found.record_class
            and wanted.values.keys() == found.values.keys()
            and all(_same(value, found.values[name]) for name, value in wanted.values.items())
        )
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, float) and isinstance(found, float):
        return wanted == found or wanted != wanted
    return bool(wanted == found)


def _has_samples(expr: Expr) -> bool:
    """Collections and stored records have none."""
    return not any(
        isinstance(each, Aggregate) or (isinstance(each, Const) and each.type.kind is Kind.RECORD and each.value)
        for each in walk(expr)
    )


def _constants(exprs: Sequence[Expr]) -> dict[Kind, tuple[Any, ...]]:
    pools: dict[Kind, tuple[Any, ...]] = {}
    for expr in exprs:
        for each in walk(expr):
            if isinstance(each, Const) and each.value is not None:
                pools[each.type.kind] = (*pools.get(each.type.kind, ()), each.value)
    return pools


def _expressions_in(tree: Tree) -> list[Expr]:
    if isinstance(tree, Branch):
        return [tree.condition, *_expressions_in(tree.then), *_expressions_in(tree.otherwise)]
    return _expressions_of(tree.value)


def _expressions_of(value: object) -> list[Expr]:
    if isinstance(value, list | tuple):
        return [expr for each in value for expr in _expressions_of(each)]
    if isinstance(value, Construction):
        return [expr for each in value.values.values() for expr in _expressions_of(each)]
    expr = expression_of(value)
    return [] if expr is None else [expr]


class _Evaluator:
    """Evaluates expressions on samples of the callback's arguments."""

    def __init__(self, sources: Sources) -> None:
        self._parameters = [f"a{place}" for place in range(len(sources))]
        self._bound: dict[Expr, str] = {}
        self._compiled: dict[Expr, Callable[..., Any] | None] = {}
        for name, source in zip(self._parameters, sources, strict=True):
            self._bind(name, source)

    def _bind(self, text: str, source: Expr | Fields) -> None:
        if isinstance(source, Fields):
            for part, inner in source.parts.items():
                self._bind(f"{text}.{part}", inner)
        else:
            self._bound[source] = text

    def compile(self, expr: Expr) -> Callable[..., Any] | None:
        """None where the expression reads something that is no argument of the callback."""
        if expr not in self._compiled:
            try:
                self._compiled[expr] = compile_function(expr, self._parameters, self._leaf)
            except ValueError:
                self._compiled[expr] = None
        return self._compiled[expr]

    def _leaf(self, expr: Expr) -> str | None:
        found = self._bound.get(expr)
        if found is None and isinstance(expr, Attr):
            of = self._leaf(expr.of)
            if of is None or expr.name.isidentifier():
                return of and f"{of}.{expr.name}"
            return f"getattr({of}, {expr.name!r})"
        return found

    def evaluate(self, expr: Expr, samples: Sequence[Any]) -> Any:
        compiled = self.compile(expr)
        if compiled is None:
            raise LookupError(str(expr))
        return compiled(*samples)

    def leaf(self, tree: Tree, samples: Sequence[Any]) -> Any:
        while isinstance(tree, Branch):
            tree = tree.then if self.evaluate(tree.condition, samples) else tree.otherwise
        return self._value(tree.value, samples)

    def _value(self, value: object, samples: Sequence[Any]) -> Any:
        if isinstance(value, list | tuple):
            return [self._value(each, samples) for each in value]
        if isinstance(value, Construction):
            values = {name: self._value(each, samples) for name, each in value.values.items()}
            return Construction(value.record_class, values)
        expr = expression_of(value)
        return value if expr is None else self.evaluate(expr, samples)
