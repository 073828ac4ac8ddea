"""Random expressions, over columns of every type, and rows to run them on.

``expressions(kind)`` only builds what the tracer could have built: a nullable column is read
under an ``is_null`` guard, a divisor is known not to be 0, and no integer can leave 53 bits
(so that it is exact as a float too). One expression must mean the same everywhere.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st

from interaqt.core.errors import Location
from interaqt.core.expressions import Attr, Const, Expr, Op, Root, all_of, any_of, case, negate
from interaqt.core.model import RecordModel
from interaqt.core.types import Kind, ValueType, value_type

__all__ = ["ALPHABET", "COLUMNS", "KINDS", "RECORD", "ROOT", "Colour", "Column", "attribute", "expressions", "rows"]


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


@attrs.frozen
class Column:
    """A column of the table that the expressions are about."""

    name: str
    type: ValueType


def _columns() -> tuple[Column, ...]:
    types: tuple[Any, ...] = (
        bool, int, float, Decimal, str, bytes, dt.date, dt.datetime, dt.timedelta, uuid.UUID, Colour,
    )  # fmt: skip
    columns = []
    for annotation in types:
        name = annotation.__name__.lower()
        columns.append(Column(f"a_{name}", value_type(annotation)))
        columns.append(Column(f"maybe_{name}", value_type(annotation | None)))
    columns += [Column("b_int", value_type(int)), Column("b_str", value_type(str))]
    return tuple(columns)


COLUMNS = _columns()
KINDS = tuple(dict.fromkeys(column.type.kind for column in COLUMNS))
RECORD = RecordModel(name="Sample", cls=object, table="sample", kind="entity", location=Location(__file__, 1))
ROOT = Root("row", RECORD)

#: No NUL and no surrogates (no database takes them); wild cards, quotes, white space, cases
#: that change length, and characters outside the basic plane.
ALPHABET = "abzABZ019 \t\n\u00a0%_\\'\"-äÄßéÉøØжЖ日本😀"

_LIMIT = 2**53


def attribute(column: Column) -> Attr:
    return Attr(ROOT, column.name, column.type)


# -- values and rows ----------------------------------------------------------------------

_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOL: st.booleans(),
    Kind.INT: st.integers(-1000, 1000),
    # Eighths are exact, so a sum does not depend on its order.
    Kind.FLOAT: st.integers(-8000, 8000).map(lambda n: n / 8),
    Kind.DECIMAL: st.integers(-100_000, 100_000).map(lambda n: Decimal(n) / 100),
    Kind.STR: st.text(ALPHABET, max_size=6),
    Kind.BYTES: st.binary(max_size=6),
    Kind.DATE: st.dates(dt.date(1971, 1, 1), dt.date(2100, 1, 1)),
    Kind.DATETIME: st.dates(dt.date(1971, 1, 1), dt.date(2100, 1, 1)).flatmap(
        lambda day: st.times().map(lambda time: dt.datetime.combine(day, time, dt.UTC))
    ),
    Kind.TIMEDELTA: st.timedeltas(dt.timedelta(-1000), dt.timedelta(1000)),
    Kind.UUID: st.uuids(),
    Kind.ENUM: st.sampled_from(Colour),
}  # fmt: skip


def rows(columns: Sequence[Column] = COLUMNS, *, max_size: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows as mappings of column name to Python value; a nullable column is None now and then."""
    fields = {
        column.name: st.none() | _VALUES[column.type.kind] if column.type.nullable else _VALUES[column.type.kind]
        for column in columns
    }
    return st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=max_size)


# -- expressions --------------------------------------------------------------------------


def _type(kind: Kind) -> ValueType:
    return value_type(Colour) if kind is Kind.ENUM else ValueType(kind)


def _op(name: str, *args: Expr, kind: Kind = Kind.BOOL) -> Op:
    return Op(name, args, _type(kind))


def _constants(kind: Kind) -> st.SearchStrategy[Const]:
    return _VALUES[kind].map(lambda value: Const(value, _type(kind)))


def expressions(kind: Kind, columns: Sequence[Column] = COLUMNS, *, depth: int = 3) -> st.SearchStrategy[Expr]:
    """Expressions of one kind, never None, over ``columns`` of :data:`ROOT`."""
    return st.deferred(lambda: _expressions(kind, tuple(columns), depth))


@st.composite
def _expressions(draw: st.DrawFn, kind: Kind, columns: tuple[Column, ...], depth: int) -> Expr:
    def some(of: Kind) -> Expr:
        return draw(_expressions(of, columns, depth - 1))

    if depth <= 0 or draw(st.integers(0, 4)) == 0:
        return draw(_leaf(kind, columns))
    rules: list[Callable[[], Expr]] = [*_rules(draw, some, columns).get(kind, []), lambda: _choice(draw, some, kind)]
    return draw(st.sampled_from(rules))()


@st.composite
def _leaf(draw: st.DrawFn, kind: Kind, columns: tuple[Column, ...]) -> Expr:
    here = [column for column in columns if column.type.kind is kind]
    if not here or draw(st.integers(0, 3)) == 0:
        return draw(_constants(kind))
    column = draw(st.sampled_from(here))
    read = attribute(column)
    return case(_op("is_null", read), draw(_constants(kind)), read) if column.type.nullable else read


def _choice(draw: st.DrawFn, some: Callable[[Kind], Expr], kind: Kind) -> Expr:
    return case(some(Kind.BOOL), some(kind), some(kind))


def _rules(
    draw: st.DrawFn, some: Callable[[Kind], Expr], columns: tuple[Column, ...]
) -> dict[Kind, list[Callable[[], Expr]]]:
    """For each kind, the ways to make an expression of it out of others."""
    b, i, f, d, s = Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR
    date, time, span = Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA

    def compare() -> Expr:
        of = draw(st.sampled_from(KINDS))
        names = ["eq", "ne"] if of in (Kind.UUID, Kind.ENUM) else ["eq", "ne", "lt", "le", "gt", "ge"]
        return _op(draw(st.sampled_from(names)), some(of), some(of))

    def one_of() -> Expr:
        of = draw(st.sampled_from([i, s, Kind.ENUM, Kind.UUID, date]))
        return _op("in", some(of), *draw(st.lists(_constants(of), min_size=2, max_size=4, unique=True)))

    def maybe_null() -> Expr:
        nullable = [column for column in columns if column.type.nullable]
        return _op("is_null", attribute(draw(st.sampled_from(nullable)))) if nullable else some(b)

    def number(kind: Kind) -> Expr:
        name = draw(st.sampled_from(["add", "sub", "mul", "neg", "abs"]))
        left = some(kind)
        made = _op(name, left, kind=kind) if name in ("neg", "abs") else _op(name, left, some(kind), kind=kind)
        return made if _fits(made) else left

    def divided(name: str, kind: Kind) -> Expr:
        left, right = some(kind), draw(_leaf(kind, columns))
        zero = Const({i: 0, f: 0.0, d: Decimal(0)}[kind], _type(kind))
        made = case(_op("eq", right, zero), draw(_constants(kind)), _op(name, left, right, kind=kind))
        return made if _fits(made) else left

    def one(name: str, of: Kind, to: Kind) -> Callable[[], Expr]:
        return lambda: _op(name, some(of), kind=to)

    def two(name: str, left: Kind, right: Kind, to: Kind) -> Callable[[], Expr]:
        return lambda: _op(name, some(left), some(right), kind=to)

    def whole(name: str) -> Expr:
        return _op(name, some(draw(st.sampled_from([f, d]))), kind=i)

    def rounded() -> Expr:
        return _op("round_to", some(d), Const(draw(st.integers(0, 3)), ValueType(i)), kind=d)

    def swapped() -> Expr:
        old = Const(draw(st.text(ALPHABET, min_size=1, max_size=2)), ValueType(s))
        return _op("replace", some(s), old, draw(_constants(s)), kind=s)

    def how_often() -> Expr:
        other = Const(draw(_VALUES[span].filter(bool)), ValueType(span))
        return _op("floordiv", some(span), other, kind=i)

    def times() -> Expr:
        return _op("mul", draw(_leaf(span, columns)), Const(draw(st.integers(-9, 9)), ValueType(i)), kind=span)

    parts = [one(part, of, i) for of in (date, time) for part in ("year", "month", "day", "weekday", "isoweekday")]
    parts += [one(part, time, i) for part in ("hour", "minute", "second", "microsecond")]
    return {
        b: [compare, compare, one_of, maybe_null,
            lambda: all_of(some(b), some(b)), lambda: any_of(some(b), some(b)), lambda: negate(some(b)),
            two("startswith", s, s, b), two("endswith", s, s, b), two("contains", s, s, b)],
        i: [lambda: number(i), lambda: number(i), lambda: divided("floordiv", i), lambda: divided("mod", i),
            one("to_int", b, i), lambda: whole("floor"), lambda: whole("ceil"), lambda: whole("trunc"),
            lambda: whole("round"), one("length", s, i), one("length", Kind.BYTES, i), one("days", span, i), how_often,
            *parts],
        f: [lambda: number(f), lambda: divided("truediv", f), one("to_float", i, f), one("to_float", d, f),
            one("total_seconds", span, f)],
        d: [lambda: number(d), lambda: divided("floordiv", d), lambda: divided("mod", d), one("to_decimal", i, d),
            rounded],
        s: [one("lower", s, s), one("upper", s, s), one("strip", s, s), one("lstrip", s, s), one("rstrip", s, s),
            two("concat", s, s, s), swapped],
        date: [one("date", time, date), two("add", date, span, date), two("sub", date, span, date)],
        time: [two("add", time, span, time), two("sub", time, span, time)],
        span: [two("add", span, span, span), two("sub", span, span, span), one("neg", span, span),
               one("abs", span, span), two("sub", time, time, span), two("sub", date, date, span), times],
    }  # fmt: skip


def _fits(expr: Expr) -> bool:
    """Whether the number can't leave 53 bits, nor (a DECIMAL) need more than 12 places."""
    return _bound(expr) < _LIMIT and _places(expr) <= 12


def _bound(expr: Expr) -> int:
    """How large a number can become."""
    if not isinstance(expr, Op):
        return 100_000 if expr.type.kind is Kind.TIMEDELTA else 1001
    inner = [_bound(arg) for arg in expr.args]
    match expr.name:
        case "add" | "sub":
            return inner[0] + inner[1]
        case "mul":
            return inner[0] * inner[1]
        case "truediv":
            return inner[0] * 8
        case "floordiv" | "mod":
            # A DECIMAL divisor may be as small as 0.01.
            return max(inner[0], inner[1]) * 100
        case "total_seconds":
            return 10**10
        case "floordiv" if expr.args[0].type.kind is Kind.TIMEDELTA:
            return 10**15
        case "year" | "length" | "days" | "microsecond":
            return 10**6
        case "case":
            return max(inner[1::2] + inner[-1:])
        case _:
            return max([*inner, 100])


def _places(expr: Expr) -> int:
    if not isinstance(expr, Op):
        return 2
    inner = [_places(arg) for arg in expr.args]
    return sum(inner) if expr.name == "mul" else max(inner)
