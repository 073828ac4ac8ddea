"""The next change of an expression over the present moment: before it, the value is one and the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Const, Expr, Op, all_of, any_of, case, negate
from interaqt.core.moments import NOW, microseconds, moment
from interaqt.core.next_change import ChangesAlways, next_change
from interaqt.core.types import Kind, ValueType
from tests.core.expression_strategies import ROOT

BOOL, INT, DATE, TIME, SPAN = (
    ValueType(each) for each in (Kind.BOOL, Kind.INT, Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA)
)
MICROSECOND = dt.timedelta(microseconds=1)
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)

Row = dict[str, Any]


def attr(name: str, type: ValueType) -> Attr:
    return Attr(ROOT, name, type)


def op(name: str, *args: Expr, type: ValueType = BOOL) -> Op:
    return Op(name, args, type)


def const(value: Any, type: ValueType = INT) -> Const:
    return Const(value, type)


AT, UNTIL, SINCE = attr("at", TIME), attr("until", TIME), attr("maybe", TIME.optional())
ON, LONG, COUNT, FLAG = attr("on", DATE), attr("long", SPAN), attr("count", INT), attr("flag", BOOL)


def compiled(expr: Expr) -> Callable[[dt.datetime, Row], Any]:
    def leaf(node: Expr) -> str | None:
        if node == NOW:
            return "now"
        return f"row[{node.name!r}]" if isinstance(node, Attr) else None

    return compile_function(expr, ["now", "row"], leaf)


def after(expr: Expr, now: dt.datetime, row: Row, every: dt.timedelta | None = None) -> dt.datetime | None:
    """When it changes next."""
    found = compiled(next_change(expr, every))(now, row)
    return None if found is None else moment(found)


# -- random expressions --------------------------------------------------------------------------

SPANS = st.sampled_from([dt.timedelta(0), DAY, -DAY, HOUR, 90 * MINUTE, MICROSECOND, -HOUR - MICROSECOND, 30 * DAY])
UNITS = st.sampled_from([MINUTE, HOUR, DAY, 7 * DAY, 25 * HOUR, dt.timedelta(microseconds=7)])
BASE = dt.datetime(2024, 2, 28, tzinfo=dt.UTC)
#: Near one another, and near what months and years begin with.
TIMES = st.one_of(
    st.integers(-400, 400).map(lambda hours: BASE + hours * HOUR),
    st.integers(-3 * 86_400_000_000, 3 * 86_400_000_000).map(lambda micros: BASE + micros * MICROSECOND),
    st.integers(-1000, 1000).map(lambda days: BASE + days * DAY),
)
ROWS = st.fixed_dictionaries(
    {
        "at": TIMES,
        "until": TIMES,
        "maybe": st.none() | TIMES,
        "on": TIMES.map(lambda time: time.date()),
        "long": SPANS | st.timedeltas(dt.timedelta(-100), dt.timedelta(100)),
        "count": st.integers(-40, 40) | st.sampled_from([2**62, -(2**62)]),
        "flag": st.booleans(),
    }
)

SMALL = st.integers(-9, 9).map(const)
STILL: dict[Kind, st.SearchStrategy[Expr]] = {
    Kind.DATETIME: st.sampled_from([AT, UNTIL]) | TIMES.map(lambda time: const(time, TIME)),
    Kind.DATE: st.just(ON) | TIMES.map(lambda time: const(time.date(), DATE)),
    Kind.TIMEDELTA: st.one_of(
        st.just(LONG),
        SPANS.map(lambda span: const(span, SPAN)),
        st.just(op("sub", AT, UNTIL, type=SPAN)),
    ),
    Kind.INT: st.just(COUNT) | SMALL,
}


@st.composite
def lines(draw: st.DrawFn, kind: Kind) -> Expr:
    """What moves by a microsecond with each."""
    still_time, still_span = draw(STILL[Kind.DATETIME]), draw(STILL[Kind.TIMEDELTA])
    if kind is Kind.DATETIME:
        return draw(
            st.sampled_from(
                [
                    NOW,
                    op("add", NOW, still_span, type=TIME),
                    op("sub", NOW, still_span, type=TIME),
                    op("add", still_time, op("sub", NOW, AT, type=SPAN), type=TIME),
                    op("sub", still_time, op("sub", NOW, AT, type=SPAN), type=TIME),
                ]
            )
        )
    return draw(
        st.sampled_from(
            [
                op("sub", NOW, still_time, type=SPAN),
                op("sub", still_time, NOW, type=SPAN),
                op("neg", op("sub", NOW, still_time, type=SPAN), type=SPAN),
                op("add", op("sub", NOW, still_time, type=SPAN), still_span, type=SPAN),
                op("sub", still_span, op("sub", NOW, still_time, type=SPAN), type=SPAN),
                op("mul", op("sub", NOW, still_time, type=SPAN), const(draw(st.integers(-3, 3))), type=SPAN),
                op("sub", op("sub", still_time, NOW, type=SPAN), op("sub", NOW, AT, type=SPAN), type=SPAN),
            ]
        )
    )


@st.composite
def dates(draw: st.DrawFn) -> Expr:
    found: Expr = op("date", draw(lines(Kind.DATETIME)), type=DATE)
    if draw(st.booleans()):
        name = draw(st.sampled_from(["add", "sub"]))
        found = op(name, found, draw(STILL[Kind.TIMEDELTA]), type=DATE)
    return found


@st.composite
def numbers(draw: st.DrawFn) -> Expr:
    """What counts."""
    of_date = [
        op("sub", draw(dates()), draw(STILL[Kind.DATE]), type=SPAN),
        op("sub", draw(STILL[Kind.DATE]), draw(dates()), type=SPAN),
    ]
    unit = const(draw(UNITS), SPAN)
    parts = [op(name, draw(dates()), type=INT) for name in ("year", "month", "day", "weekday", "isoweekday")]
    parts += [
        op(name, draw(lines(Kind.DATETIME)), type=INT)
        for name in ("year", "month", "day", "hour", "minute", "second", "weekday")
    ]
    found = draw(
        st.sampled_from(
            [
                op("days", draw(lines(Kind.TIMEDELTA)), type=INT),
                op("floordiv", draw(lines(Kind.TIMEDELTA)), unit, type=INT),
                *(op("days", each, type=INT) for each in of_date),
                *parts,
            ]
        )
    )
    for _ in range(draw(st.integers(0, 2))):
        other = draw(SMALL)
        found = draw(
            st.sampled_from(
                [
                    op("neg", found, type=INT),
                    op("add", found, other, type=INT),
                    op("sub", other, found, type=INT),
                    op("mul", found, other, type=INT),
                    op("mod", found, const(3), type=INT),
                ]
            )
        )
    return found


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Expr:
    name = draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
    kind = draw(st.sampled_from([Kind.DATETIME, Kind.TIMEDELTA, Kind.DATE, Kind.INT]))
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        moving = {
            Kind.DATETIME: lambda: draw(lines(Kind.DATETIME)),
            Kind.TIMEDELTA: lambda: draw(lines(Kind.TIMEDELTA)),
            Kind.DATE: lambda: draw(dates()),
            Kind.INT: lambda: draw(numbers()),
        }[kind]
        one, other = moving(), draw(st.one_of(STILL[kind], STILL[kind], st.builds(moving)))
        if kind is Kind.TIMEDELTA and draw(st.booleans()):
            one, other = op("abs", one, type=SPAN), draw(STILL[kind])
        if draw(st.booleans()):
            one, other = other, one
        if kind is Kind.INT and name == "eq" and draw(st.booleans()):
            return op("in", draw(numbers()), const(1), const(5), const(-2))
        return op(name, one, other)
    inner = conditions(depth - 1)
    is_null = op("is_null", SINCE)
    return draw(
        st.sampled_from(
            [
                all_of(draw(inner), draw(inner)),
                any_of(draw(inner), draw(inner)),
                negate(draw(inner)),
                all_of(negate(is_null), op(name, NOW, SINCE)),
                any_of(is_null, draw(inner), op("lt", SINCE, NOW)),
                case(draw(inner), draw(inner), FLAG),
            ]
        )
    )


@st.composite
def values(draw: st.DrawFn) -> Expr:
    if draw(st.booleans()):
        return draw(conditions())
    return case(draw(conditions(1)), draw(numbers()), case(draw(conditions(0)), COUNT, draw(numbers())))


@given(values(), ROWS, TIMES, st.lists(st.integers(0, 10**15), max_size=5), st.lists(st.integers(0, 10**9), max_size=5))
def test_between_now_and_the_next_change_it_is_the_same(
    expr: Expr, row: Row, now: dt.datetime, far: list[int], near: list[int]
) -> None:
    try:
        change = after(expr, now, row)
    except ChangesAlways:
        return
    value = compiled(expr)
    held = value(now, row)
    assert change is None or change > now
    moments = [now + each * MICROSECOND for each in (*far, *near)]
    if change is not None:
        length = (change - now) // MICROSECOND
        moments = [now + (each % length) * MICROSECOND for each in (*far, *near)] + [change - MICROSECOND]
    for each in moments:
        assert value(each, row) == held, each


@given(lines(Kind.DATETIME), STILL[Kind.DATETIME], st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), ROWS, TIMES)
def test_a_comparison_is_turned_when_it_changes(line: Expr, other: Expr, name: str, row: Row, now: dt.datetime) -> None:
    expr = op(name, line, other)
    change = after(expr, now, row)
    value = compiled(expr)
    if change is not None:
        assert value(change, row) != value(now, row)


@given(dates(), STILL[Kind.DATE], st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]), ROWS, TIMES)
def test_a_comparison_of_days_is_turned_when_it_changes(
    day: Expr, other: Expr, name: str, row: Row, now: dt.datetime
) -> None:
    expr = op(name, day, other)
    change = after(expr, now, row)
    value = compiled(expr)
    if change is not None:
        assert value(change, row) != value(now, row)


@given(lines(Kind.TIMEDELTA), UNITS, SMALL, st.sampled_from(["lt", "le", "gt", "ge"]), ROWS, TIMES)
def test_a_comparison_of_whole_units_is_turned_when_it_changes(
    line: Expr, unit: dt.timedelta, other: Expr, name: str, row: Row, now: dt.datetime
) -> None:
    counted = op("floordiv", line, const(unit, SPAN), type=INT)
    for number in (counted, op("sub", other, counted, type=INT), op("days", line, type=INT)):
        expr = op(name, number, COUNT)
        change = after(expr, now, row)
        value = compiled(expr)
        if change is not None:
            assert value(change, row) != value(now, row)


# -- one by one ----------------------------------------------------------------------------------


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]


END = utc(2026, 3, 1, 12)
EMPTY: Row = {"at": END, "until": END, "on": dt.date(2026, 3, 1), "long": 2 * HOUR, "count": 3, "maybe": None}
BEFORE, LATER = utc(2026, 2, 28, 7, 30, 15), utc(2026, 3, 5)
YEARS = op("year", NOW, type=INT)
SPENT = op("sub", NOW, AT, type=SPAN)
LEFT = op("sub", AT, NOW, type=SPAN)
TWICE = op("mul", SPENT, const(2), type=SPAN)
SHIFTED = op("add", NOW, const(MINUTE / 2, SPAN), type=TIME)
FLOAT = ValueType(Kind.FLOAT)
TODAY = op("date", NOW, type=DATE)


@pytest.mark.parametrize(
    ("expr", "now", "expected"),
    [
        (op("ge", NOW, AT), BEFORE, END),
        (op("gt", NOW, AT), BEFORE, END + MICROSECOND),
        (op("gt", NOW, AT), END, END + MICROSECOND),
        (op("ge", NOW, AT), END, None),
        (op("ge", NOW, AT), LATER, None),
        (op("eq", NOW, AT), BEFORE, END),
        (op("eq", NOW, AT), END, END + MICROSECOND),
        (op("eq", NOW, AT), LATER, None),
        (op("gt", SPENT, LONG), BEFORE, END + 2 * HOUR + MICROSECOND),
        (op("lt", op("abs", SPENT, type=SPAN), LONG), BEFORE, END - 2 * HOUR + MICROSECOND),
        (op("lt", op("abs", SPENT, type=SPAN), LONG), END, END + 2 * HOUR),
        (op("lt", op("abs", SPENT, type=SPAN), LONG), LATER, None),
        (op("gt", TODAY, ON), BEFORE, utc(2026, 3, 2)),
        (op("ge", TODAY, ON), BEFORE, utc(2026, 3, 1)),
        (op("eq", TODAY, ON), BEFORE, utc(2026, 3, 1)),
        (op("eq", TODAY, ON), END, utc(2026, 3, 2)),
        (TODAY, BEFORE, utc(2026, 3, 1)),
        (op("gt", op("days", SPENT, type=INT), COUNT), BEFORE, END + 4 * DAY),
        (op("days", SPENT, type=INT), END, END + DAY),
        (op("floordiv", LEFT, const(MINUTE, SPAN), type=INT), BEFORE, utc(2026, 2, 28, 7, 31) + MICROSECOND),
        (op("days", op("sub", ON, TODAY, type=SPAN), type=INT), BEFORE, utc(2026, 3, 1)),
        (op("lt", op("days", op("sub", ON, TODAY, type=SPAN), type=INT), const(-2)), BEFORE, utc(2026, 3, 4)),
        (YEARS, BEFORE, utc(2027, 1, 1)),
        (op("ge", YEARS, const(2030)), BEFORE, utc(2030, 1, 1)),
        (op("eq", YEARS, const(2030)), utc(2030, 6, 1), utc(2031, 1, 1)),
        (op("gt", YEARS, const(9999)), BEFORE, None),
        (op("month", NOW, type=INT), BEFORE, utc(2026, 3, 1)),
        (op("month", NOW, type=INT), utc(2026, 12, 31, 23), utc(2027, 1, 1)),
        (op("month", NOW, type=INT), utc(2024, 2, 1), utc(2024, 3, 1)),
        (op("hour", NOW, type=INT), BEFORE, utc(2026, 2, 28, 8)),
        (op("weekday", NOW, type=INT), BEFORE, utc(2026, 3, 1)),
        (op("minute", SHIFTED, type=INT), BEFORE, utc(2026, 2, 28, 7, 30, 30)),
        (op("gt", NOW, op("sub", NOW, LONG, type=TIME)), BEFORE, None),
        (op("gt", LEFT, SPENT), BEFORE, END),
        (op("ge", LEFT, SPENT), END, END + MICROSECOND),
        (op("gt", TWICE, const(3 * MICROSECOND, SPAN)), BEFORE, END + 2 * MICROSECOND),
        (op("gt", TWICE, const(4 * MICROSECOND, SPAN)), BEFORE, END + 3 * MICROSECOND),
        (op("floordiv", TWICE, const(HOUR, SPAN), type=INT), END, END + HOUR / 2),
        (SPENT, BEFORE, "always"),
        (NOW, BEFORE, "always"),
        (op("microsecond", NOW, type=INT), BEFORE, "always"),
        (op("gt", op("total_seconds", SPENT, type=FLOAT), const(1.0, FLOAT)), BEFORE, "always"),
        (case(op("lt", NOW, AT), op("floordiv", LEFT, const(HOUR, SPAN), type=INT), const(0)), LATER, None),
        (all_of(FLAG, op("ge", NOW, AT)), BEFORE, END),
        (op("ge", AT, UNTIL), BEFORE, None),
    ],
    ids=lambda value: value.strftime("%Y-%m-%d %H:%M") if isinstance(value, dt.datetime) else None,
)  # fmt: skip
def test_when(expr: Expr, now: dt.datetime, expected: dt.datetime | str | None) -> None:
    row = {**EMPTY, "flag": True}
    if expected == "always":
        with pytest.raises(ChangesAlways):
            after(expr, now, row)
        assert after(expr, now, row, HOUR) == now + HOUR
    else:
        assert after(expr, now, row) == expected


def test_what_is_not_asked_of_a_row_has_no_part_in_it() -> None:
    expr = all_of(negate(op("is_null", SINCE)), op("ge", NOW, SINCE))
    assert after(expr, BEFORE, {"maybe": None}) is None
    assert after(expr, BEFORE, {"maybe": END}) == END


def test_a_duration_without_end_never_ends() -> None:
    expr = op("gt", SPENT, LONG)
    change = compiled(next_change(expr))(BEFORE, {**EMPTY, "long": dt.timedelta.max})
    assert moment(change) is None
    assert change < 2**62
    assert microseconds(dt.timedelta.max) == 10**18
