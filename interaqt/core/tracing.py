"""Tracing: a callback in plain Python, run against stand-ins, becomes an expression.

Where the callback tests a traced value for truth, or reads one that may be None, the run forks:
the callback is run again for each outcome, depth first. The leaves of all runs form a tree,
which is joined into one expression, so ``and``, ``if`` and ``x in (...)`` keep Python's meaning.
"""

from __future__ import annotations

import builtins
import dis
import linecache
import sysconfig
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import attrs

from interaqt.core.callbacks import refuse_outside, require_callback
from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import Expr, Op, Param, case
from interaqt.core.global_values import reading_globals
from interaqt.core.lift import coerce, constant_hooks, expression_of, lift
from interaqt.core.parts import in_tables
from interaqt.core.self_check import check_expression, check_tree
from interaqt.core.stand_in import Fields, TracedFields, TracedMany, present, stand_in, traced_globals
from interaqt.core.trace_session import CANDO, CUSTOM, Session, describe, refuse, tracing, tracing_active
from interaqt.core.trace_tree import Branch, Construction, Leaf, Tree
from interaqt.core.traced import Traced
from interaqt.core.types import Kind, ValueType

__all__ = [
    "Branch",
    "Construction",
    "Fields",
    "Leaf",
    "Tree",
    "coerce",
    "constant_hooks",
    "join",
    "lift",
    "place_in",
    "stand_in",
    "trace",
    "trace_value",
    "tracing_active",
]

#: More runs than this mean a callback that branches beyond what SQL should be asked to do.
MOST_PATHS = 256


def trace_value(
    function: Callable[..., Any],
    arguments: Sequence[object],
    expected: ValueType | Callable[[Tree], ValueType],
    *,
    subject: str = "",
    location: Location | None = None,
    allow_collections: bool = False,
    check: bool = True,
) -> Expr:
    """The callback's value as one expression of the expected type, which may depend on what it answers.

    What it is about are rows of tables, where the arguments were parts of them.
    ``arguments`` are expressions and :class:`Fields`; one that is nullable is None on some paths.
    ``check`` compares it with what the callback gives in plain Python on a few sample records.
    """
    sources = [_source(argument) for argument in arguments]
    with _errors_at(function, subject, location):
        require_callback(function, [describe_source(source) for source in sources])
        if check and not allow_collections:
            refuse_outside(function)
        tree = _trace(function, sources, allow_collections)
        wanted = expected if isinstance(expected, ValueType) else expected(tree)
        if tree == Leaf(None) and not wanted.nullable:
            refuse(f"it gives None, but {wanted} is expected", "is a `return` missing?")
        expr = join(tree, wanted)
        if check:
            check_expression(function, sources, expr)
        return in_tables(expr)


def trace(
    function: Callable[..., Any],
    arguments: Sequence[object],
    *,
    subject: str = "",
    location: Location | None = None,
    allow_collections: bool = False,
    check: bool = True,
) -> Tree:
    """The callback's values on all its paths; see :func:`lift` for what a leaf means."""
    sources = [_source(argument) for argument in arguments]
    with _errors_at(function, subject, location):
        require_callback(function, [describe_source(source) for source in sources])
        if check and not allow_collections:
            refuse_outside(function)
        tree = _trace(function, sources, allow_collections)
        if check:
            check_tree(function, sources, tree)
        return tree


def join(tree: Tree, expected: ValueType) -> Expr:
    """The one expression that a tree of values is, each converted to the expected kind."""
    return _join(tree, expected, None)[0]


def _join(tree: Tree, expected: ValueType, null: Expr | None) -> tuple[Expr, bool]:
    """The expression and whether it may be None; ``null`` is the attribute that is None on this path."""
    if isinstance(tree, Leaf):
        if tree.value is None and not expected.nullable and null is not None:
            refuse(
                f"it gives None where {describe(null)} is None, but {expected} is expected",
                "say what it shall be then: `x if x is not None else ...`",
            )
        return coerce(tree.value, expected), tree.value is None
    is_null = isinstance(tree.condition, Op) and tree.condition.name == "is_null"
    then, none = _join(tree.then, expected, tree.condition.args[0] if is_null else null)  # type: ignore[union-attr]
    otherwise, other = _join(tree.otherwise, expected, null)
    made = case(tree.condition, then, otherwise)
    nullable = none or other
    if isinstance(made, Op) and made.name == "case":
        # A nullable attribute that was found to exist is not None here.
        made = attrs.evolve(made, type=expected.optional(nullable))
    return made, nullable


# -- the runs -----------------------------------------------------------------------------


def _source(argument: object) -> Expr | Fields:
    """What an argument stands for: it may be given as such, or as a stand-in."""
    if isinstance(argument, TracedFields):
        return argument._iq_fields
    if isinstance(argument, Traced):
        return argument._iq_expr
    if isinstance(argument, Expr | Fields):
        return argument
    raise TypeError(f"a callback is traced over expressions and Fields, not {argument!r}")


def describe_source(source: Expr | Fields) -> str:
    return source.name if isinstance(source, Fields | Param) else f"a {describe(source)}"


def _trace(function: Callable[..., Any], sources: Sequence[Expr | Fields], allow_collections: bool) -> Tree:
    _refuse_changed_texts(function)
    paths: list[tuple[list[tuple[Expr, bool]], object]] = []
    script: list[bool] = []
    texts: dict[Expr, bool] = {}
    with _traced_len():
        while True:
            session = Session(script, allow_collections=allow_collections)
            paths.append((session.decisions, _run(function, sources, session)))
            for text, seen in session.texts.items():
                texts[text] = seen or texts.get(text, False)
            if len(paths) > MOST_PATHS:
                refuse(f"the callback has more than {MOST_PATHS} paths", f"simplify it; else, {CUSTOM}")
            script = [truth for _, truth in session.decisions]
            while script and not script[-1]:
                script.pop()
            if not script:
                _refuse_lost_texts(texts)
                return _tree(paths, 0)
            script[-1] = False


def _run(function: Callable[..., Any], sources: Sequence[Expr | Fields], session: Session) -> object:
    with tracing(session), reading_globals(traced_globals(sources)):
        try:
            value = function(*(present(source) for source in sources))
            return _leaf(value, session)
        except TraceError:
            raise
        except RecursionError:
            refuse("the callback calls itself without end", CUSTOM)
        except Exception as error:
            nulls = session.nulls()
            if nulls and isinstance(error, TypeError | AttributeError) and "None" in str(error):
                names = " or ".join(dict.fromkeys(map(describe, nulls)))
                raise TraceError(
                    f"{names} may be None here ({error})", hint="test it first: `if x is not None`, or `x or ...`"
                ).with_traceback(error.__traceback__) from error
            if isinstance(error, TypeError) and "Traced" in str(error):
                raise TraceError(
                    "a function that needs a real value is given one that is only known in the database",
                    hint=f"use what {CANDO}; else, {CUSTOM}",
                ).with_traceback(error.__traceback__) from error
            raise TraceError(
                f"the callback raises {type(error).__name__}: {error}", hint=f"if it must: {CUSTOM}"
            ).with_traceback(error.__traceback__) from error


def _leaf(value: object, session: Session) -> object:
    """The value of a run, with what its path has decided put in place, and texts lifted."""
    if isinstance(value, list | tuple):
        return [_leaf(each, session) for each in value]
    if isinstance(value, Construction):
        return Construction(value.record_class, {name: _leaf(each, session) for name, each in value.values.items()})
    if isinstance(value, TracedMany):
        value._iq_aggregate("exists")
        refuse("a collection can't be a value", "ask len(), bool() or `record in` of it")
    if type(value) is str:
        found = lift(value)
        return Traced(found) if found.type.kind is Kind.STR and isinstance(found, Op) else _plain(found, value)
    expr = expression_of(value)
    if expr is not None and expr.type.kind is Kind.BOOL:
        known = session.known(expr)
        return value if known is None else known
    return value


def _plain(found: Expr, value: str) -> object:
    return value if getattr(found, "value", None) == value else Traced(found)


def _tree(paths: list[tuple[list[tuple[Expr, bool]], object]], depth: int) -> Tree:
    decisions, value = paths[0]
    if len(decisions) == depth:
        return Leaf(value)
    condition = decisions[depth][0]
    if any(len(other) <= depth or other[depth][0] != condition for other, _ in paths):
        refuse(
            "the callback is not the same each time it is run", f"a callback has no effects of its own; else, {CUSTOM}"
        )
    held = [path for path in paths if path[0][depth][1]]
    failed = [path for path in paths if not path[0][depth][1]]
    return Branch(condition, _tree(held, depth + 1), _tree(failed, depth + 1))


# -- len ----------------------------------------------------------------------------------

_len = builtins.len
_lock = threading.Lock()
_depth = 0


def _answer_len(value: Any, /) -> Any:
    return value._iq_length() if isinstance(value, Traced | TracedMany) and tracing_active() else _len(value)


@contextmanager
def _traced_len() -> Iterator[None]:
    """``__len__`` must answer an int, so while anything is traced the builtin answers for stand-ins."""
    global _depth
    with _lock:
        _depth += 1
        builtins.len = _answer_len
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                builtins.len = _len


# -- what is wrong and where --------------------------------------------------------------

_MAKES_TEXT = {"BUILD_STRING", "FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC"}
_CHANGED_TEXT = (
    "an f-string is compared, or a method of it called, which a trace can't see",
    "apply the method to the value inside, f'{post.title.lower()}', or compare the values",
)
_TEXT_CODES = {dis.opmap[name] for name in _MAKES_TEXT if name in dis.opmap}
_CHANGES_TEXT = {"LOAD_ATTR", "LOAD_METHOD", "BINARY_SUBSCR", "BINARY_SLICE"}
_COMPARES = {"COMPARE_OP", "CONTAINS_OP"}


def _refuse_changed_texts(function: Callable[..., Any]) -> None:
    """An f-string is plain text to Python, so a method of it or a comparison would not be seen."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or _TEXT_CODES.isdisjoint(code.co_code[::2]):
        return
    names = [each.opname for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG")]
    for place, name in enumerate(names):
        if name not in _MAKES_TEXT:
            continue
        after = names[place + 1 :]
        compared = [each for each in after[:4] if not each.startswith(("LOAD_", "PUSH_"))][:1]
        if after[0] in _CHANGES_TEXT or after[0] in _COMPARES or (compared and compared[0] in _COMPARES):
            refuse(*_CHANGED_TEXT)


def _refuse_lost_texts(texts: dict[Expr, bool]) -> None:
    """What was put into a text that then is in no value was compared or measured as plain text."""
    if not all(texts.values()):
        refuse(*_CHANGED_TEXT)


@contextmanager
def _errors_at(function: Callable[..., Any], subject: str, location: Location | None) -> Iterator[None]:
    try:
        yield
    except TraceError as error:
        place = place_in(function, error.__traceback__)
        if place is not None:
            text = linecache.getline(place.file, place.line).strip()
            if text and text not in error.message:
                error.message = f"{error.message}\n  in: {text}"
                error.args = (error.message,)
            location = place
        if CUSTOM not in error.hint and not error.hint:
            error.hint = f"where it can't be said otherwise, {CUSTOM}"
        raise error.at(subject, location) from error.__cause__


def place_in(function: Callable[..., Any], traceback: TracebackType | None) -> Location | None:
    """The line of the user's that was running, in the callback or in what it calls, else where it begins."""
    place = Location.of_function(function)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_NOT_THE_USERS) and "<" not in code.co_filename:
            place = Location(code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


#: Where lines are not the user's own: this package, Python's library, and what is installed.
_NOT_THE_USERS = (
    str(Path(__file__).parent.parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)
