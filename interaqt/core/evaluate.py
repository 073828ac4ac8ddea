"""Expressions as Python: each is turned into source text once, and compiled to a function.

Interpreting a tree for each row would cost more than the work itself, so the functions are
generated, as attrs generates ``__init__``: plain code, shown by ``function.__source__``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from interaqt.core.decimals import EXACT, from_float
from interaqt.core.expressions import Const, Expr, Op
from interaqt.core.generated import generated
from interaqt.core.moments import earliest, microseconds
from interaqt.core.types import Kind

__all__ = ["GLOBALS", "Leaf", "compile_function", "compile_tuple", "python_source"]

#: Gives the source text of a node that it binds, such as ``row["at"]`` for an Attr of the Root.
Leaf = Callable[[Expr], str | None]

_INFIX = {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
    "and": "and", "or": "or", "concat": "+",
}  # fmt: skip

_TEMPLATES = {
    "not": "not {0}",
    "is_null": "{0} is None",
    "contains": "{1} in {0}",
    "neg": "-{0}",
    "abs": "abs({0})",
    "to_float": "float({0})",
    "to_decimal": "_Decimal({0})",
    "to_int": "int({0})",
    "floor": "_floor({0})",
    "ceil": "_ceil({0})",
    "trunc": "_trunc({0})",
    "round": "round({0})",
    "round_to": "round({0}, {1})",
    "length": "len({0})",
    **{name: f"{{0}}.{name}()" for name in ("lower", "upper", "strip", "lstrip", "rstrip")},
    **{name: f"{{0}}.{name}()" for name in ("weekday", "isoweekday", "date", "total_seconds")},
    **{name: f"{{0}}.{name}" for name in ("year", "month", "day", "hour", "minute", "second", "microsecond", "days")},
    "startswith": "{0}.startswith({1})",
    "endswith": "{0}.endswith({1})",
    "replace": "{0}.replace({1}, {2})",
    "microseconds": "_microseconds({0})",
}

#: Decimals by a context that keeps every digit, as the databases do.
_EXACTLY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "floordiv": "divide_int", "mod": "remainder",
    "neg": "minus", "abs": "abs",
}  # fmt: skip

#: Parts of a moment are those that it has in UTC, wherever it was given.
_IN_UTC = {"year", "month", "day", "hour", "minute", "second", "microsecond", "weekday", "isoweekday", "date"}

#: What the text of :func:`python_source` knows by name, besides its constants.
GLOBALS: dict[str, Any] = {
    "_UTC": dt.UTC,
    "_EXACT": EXACT,
    "_Decimal": Decimal,
    "_from_float": from_float,
    "_floor": math.floor,
    "_ceil": math.ceil,
    "_trunc": math.trunc,
    "_microseconds": microseconds,
    "_earliest": earliest,
}


def python_source(expr: Expr, leaf: Leaf, names: dict[str, Any]) -> str:
    """The Python that computes ``expr``; ``names`` receives the constants that have no literal.

    ``leaf`` is asked first, for every node; what it leaves must be an operation or a constant.
    """
    bound = leaf(expr)
    if bound is not None:
        return bound
    match expr:
        case Const(value=value):
            return _constant(value, names)
        case Op(name="case", args=args):
            sources = [python_source(arg, leaf, names) for arg in args]
            choices = [f"{then} if {when} else " for when, then in zip(sources[:-1:2], sources[1::2], strict=True)]
            return f"({''.join(choices)}{sources[-1]})"
        case Op(name="earliest", args=args):
            return f"_earliest({', '.join(python_source(arg, leaf, names) for arg in args)})"
        case Op(name="in", args=(value, *constants)):
            among = tuple(constant.value for constant in constants if isinstance(constant, Const))
            return f"({python_source(value, leaf, names)} in {_constant(among, names)})"
        case Op(name=name, args=args):
            sources = [python_source(arg, leaf, names) for arg in args]
            if name in _EXACTLY and args[0].type.kind is Kind.DECIMAL:
                return f"_EXACT.{_EXACTLY[name]}({', '.join(sources)})"
            if name in _IN_UTC and args[0].type.kind is Kind.DATETIME:
                sources[0] = f"{sources[0]}.astimezone(_UTC)"
            if name == "to_decimal" and args[0].type.kind is Kind.FLOAT:
                return f"_from_float({sources[0]})"
            infix = _INFIX.get(name)
            return f"({f' {infix} '.join(sources)})" if infix else f"({_TEMPLATES[name].format(*sources)})"
        case _:
            raise ValueError(f"nothing says what {type(expr).__name__} {expr} is here")


def _constant(value: object, names: dict[str, Any]) -> str:
    literal = type(value) in (bool, int, str, bytes, type(None)) or (type(value) is float and math.isfinite(value))
    if literal:
        # In parentheses, for -1 .real and 1 .real are not what they seem.
        return f"({value!r})" if isinstance(value, int | float) else repr(value)
    for name, known in names.items():
        if known is value:
            return name
    name = f"_constant{len(names)}"
    names[name] = value
    return name


def compile_function(
    expr: Expr, parameters: Sequence[str], leaf: Leaf, *, given: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """A function of ``parameters`` that answers the value of ``expr``.

    ``given`` are further names that the text of ``leaf`` uses.
    """
    names = dict(given or {})
    return _function(parameters, python_source(expr, leaf, names), names)


def compile_tuple(
    exprs: Sequence[Expr], parameters: Sequence[str], leaf: Leaf, *, given: Mapping[str, Any] | None = None
) -> Callable[..., tuple[Any, ...]]:
    """A function of ``parameters`` that answers the values of all ``exprs``, as one tuple."""
    names = dict(given or {})
    values = "".join(f"{python_source(expr, leaf, names)}, " for expr in exprs)
    return _function(parameters, f"({values.rstrip()})", names)


def _function(parameters: Sequence[str], body: str, names: dict[str, Any]) -> Callable[..., Any]:
    source = f"def evaluate({', '.join(parameters)}):\n    return {body}\n"
    return generated("evaluate", source, GLOBALS | names, "expression")
