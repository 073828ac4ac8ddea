"""Expressions as generated Python."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interaqt.core.evaluate import compile_function, compile_tuple, python_source
from interaqt.core.expressions import OPERATIONS, Attr, Const, Expr, Op, Param, Root, case
from interaqt.core.types import Kind, ValueType, value_type
from tests.core.expression_strategies import COLUMNS, KINDS, RECORD, ROOT, Colour, attribute, expressions, rows

PYTHON = {
    Kind.BOOL: bool, Kind.INT: int, Kind.FLOAT: float, Kind.DECIMAL: Decimal, Kind.STR: str, Kind.BYTES: bytes,
    Kind.DATE: dt.date, Kind.DATETIME: dt.datetime, Kind.TIMEDELTA: dt.timedelta, Kind.UUID: UUID, Kind.ENUM: Colour,
}  # fmt: skip

BOOL, INT, FLOAT, DECIMAL, STR, SPAN, DATE = (
    ValueType(kind)
    for kind in (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR, Kind.TIMEDELTA, Kind.DATE)
)  # fmt: skip


def leaf(expr: Expr) -> str | None:
    return f'row["{expr.name}"]' if isinstance(expr, Attr) else None


def of(name: str) -> Attr:
    return attribute(next(column for column in COLUMNS if column.name == name))


def op(name: str, *args: object, type: ValueType = BOOL) -> Op:
    return Op(name, tuple(arg if isinstance(arg, Expr) else constant(arg) for arg in args), type)


def constant(value: Any) -> Const:
    return Const(value, value_type(type(value)))


def run(expr: Expr) -> Any:
    return compile_function(expr, [], lambda _: None)()


@given(st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), expressions(kind))), rows())
@settings(deadline=None)
def test_every_expression_has_a_value_of_its_own_kind_on_every_row(
    made: tuple[Kind, Expr], table: list[dict[str, Any]]
) -> None:
    kind, expr = made
    function = compile_function(expr, ["row"], leaf)
    for row in table:
        assert type(function(row)) is PYTHON[kind]


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        (op("floordiv", -7, 2, type=INT), -4),
        (op("mod", -7, 2, type=INT), 1),
        (op("floordiv", Decimal(-7), Decimal(2), type=DECIMAL), Decimal(-3)),
        (op("mod", Decimal(-7), Decimal(2), type=DECIMAL), Decimal(-1)),
        (op("truediv", 1.0, 4.0, type=FLOAT), 0.25),
        (op("neg", -1, type=INT), 1),
        (op("to_int", True, type=INT), 1),
        (op("to_float", 3, type=FLOAT), 3.0),
        (op("to_decimal", 3, type=DECIMAL), Decimal(3)),
        (op("round", 2.5, type=INT), 2),
        (op("round_to", Decimal("2.345"), 2, type=DECIMAL), Decimal("2.34")),
        (op("floor", -1.5, type=INT), -2),
        (op("ceil", -1.5, type=INT), -1),
        (op("trunc", Decimal("-1.5"), type=INT), -1),
        (op("upper", "ß", type=STR), "SS"),
        (op("strip", "\u00a0 a\n", type=STR), "a"),
        (op("contains", "50%", "%"), True),
        (op("concat", "a", "b", "c", type=STR), "abc"),
        (op("length", "😀é", type=INT), 2),
        (op("in", Colour.RED, Colour.RED, Colour.BLUE), True),
        (op("eq", Colour.RED, Colour.BLUE), False),
        (op("add", dt.date(2026, 1, 1), dt.timedelta(days=-1, seconds=1), type=DATE), dt.date(2025, 12, 31)),
        (op("days", dt.timedelta(seconds=-1), type=INT), -1),
        (op("total_seconds", dt.timedelta(minutes=1), type=FLOAT), 60.0),
        (case(op("lt", "B", "a"), constant(1), constant(2)), 1),
        (op("not", False), True),
        (Const(None, INT.optional()), None),
    ],
)
def test_operations_mean_what_they_mean_in_python(expr: Expr, value: object) -> None:
    found = run(expr)
    assert found == value
    assert type(found) is type(value)


def test_every_operation_has_its_python() -> None:
    arguments = tuple(Attr(ROOT, name, INT) for name in "abc")
    for name in OPERATIONS:
        count = {"case": 3, "in": 3, "replace": 3}.get(name, 2)
        args = (arguments[0], Const(1, INT)) if name == "in" else arguments[:count]
        compile(python_source(Op(name, args, INT), leaf, {}), name, "eval")


def test_the_source_is_kept_and_reads_as_it_would_be_written() -> None:
    expr = op("and", op("gt", of("a_int"), 3), op("eq", of("a_str"), "x"))
    function = compile_function(expr, ["row"], leaf)
    assert function.__source__ == (  # type: ignore[attr-defined]
        """def evaluate(row):\n    return ((row["a_int"] > (3)) and (row["a_str"] == 'x'))\n"""
    )


def test_a_tuple_of_expressions_is_one_function() -> None:
    function = compile_tuple([of("a_int"), op("add", of("a_int"), of("b_int"), type=INT)], ["row"], leaf)
    assert function({"a_int": 1, "b_int": 2}) == (1, 3)
    assert compile_tuple([], [], leaf)() == ()
    assert compile_tuple([constant(1)], [], leaf)() == (1,)


def test_leaf_is_asked_before_anything_else() -> None:
    expr = op("add", of("a_int"), 1, type=INT)
    function = compile_function(expr, ["known"], lambda node: "known" if node == expr else None)
    assert function(7) == 7


def test_names_that_the_text_of_leaf_uses_are_given() -> None:
    function = compile_function(Param("x", INT), ["row"], lambda _: "read(row)", given={"read": len})
    assert function("abc") == 3


def test_what_nothing_binds_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing says what Root"):
        compile_function(Root("other", RECORD), [], lambda _: None)
