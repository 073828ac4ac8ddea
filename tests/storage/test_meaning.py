"""One expression, one meaning: in Python, on SQLite and on PostgreSQL.

Each case is computed by the generated Python function and by each database, there once over the
columns of a real table and once over bound parameters, and all answers are the same.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import peewee
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interaqt.core.decimals import EXACT
from interaqt.core.errors import InvalidValue
from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Const, Expr, Op, Param, all_of, any_of, case, negate
from interaqt.core.types import Kind, ValueType, value_type
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.database import Database
from interaqt.storage.dialect import WHITE_SPACE
from interaqt.storage.sql import binder, compile_statement, converters_of, render
from tests.core.expression_strategies import COLUMNS, KINDS, ROOT, expressions, rows
from tests.databases import ON_EACH, fresh

BOOL, INT, FLOAT, DECIMAL, STR = (ValueType(k) for k in (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR))
BYTES, DATE, DATETIME, SPAN, UUID = (
    ValueType(k) for k in (Kind.BYTES, Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA, Kind.UUID)
)
TYPES = {
    bool: BOOL, int: INT, float: FLOAT, Decimal: DECIMAL, str: STR, bytes: BYTES,
    dt.date: DATE, dt.datetime: DATETIME, dt.timedelta: SPAN, uuid.UUID: UUID,
}  # fmt: skip


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "it's 100% large"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = -5


def type_of(value: Any) -> ValueType:
    return value_type(type(value)) if isinstance(value, enum.Enum) else TYPES[type(value)]


@attrs.frozen
class Case:
    """An operation over values, which become columns, parameters and Python arguments."""

    operation: str
    values: tuple[Any, ...]
    result: ValueType
    constants: tuple[Any, ...] = ()

    def expr(self, make: type[Attr] | type[Param]) -> Expr:
        args: list[Expr] = []
        for index, value in enumerate(self.values):
            name = f"c{index}"
            args.append(Attr(ROOT, name, type_of(value)) if make is Attr else Param(name, type_of(value)))
        args += [Const(value, type_of(value)) for value in self.constants]
        return Op(self.operation, tuple(args), self.result)

    def __str__(self) -> str:
        return f"{self.operation}({', '.join(map(repr, self.values + self.constants))})"


def over(operation: str, type: ValueType, *values: Any, constants: tuple[Any, ...] = ()) -> list[Case]:
    """A case for each of ``values``, a tuple of arguments or a single one."""
    return [Case(operation, value if isinstance(value, tuple) else (value,), type, constants) for value in values]


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]


D = Decimal
BIG, MOST, LEAST = 2**53 + 1, 2**63 - 1, -(2**63)
INTS = [(a, b) for a in (7, -7, 0, 6, MOST, LEAST + 1) for b in (3, -3, 7, 1, MOST)]
NUMBERS = [D("0"), D("-0.0"), D("1.10"), D("-7.25"), D("0.000000000000000000000001"), D("1E+3")]
NUMBERS += [D("123456789012345678901234567890.123456789"), D("-99999999999999999999999999999999.5")]
PAIRS = [(a, b) for a in NUMBERS for b in (D("3"), D("-0.7"), D("2.50"), D("100000000000000000000.01"))]
HALVES = [D("0.5"), D("1.5"), D("2.5"), D("-0.5"), D("-1.5"), D("-2.5"), D("2.4999"), D("2.5001"), D("7"), D("0")]
FLOATS = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4999999, -0.1, 7.0, 0.0, 1e15 + 0.5]
TEXTS = ["", "a", "A", "Straße", "İstanbul", "ΟΔΥΣΣΕΥΣ", "ΑΣ ΒΣ", "ŒUVRE", "ǅ", "ﬁn", "日本", "😀", "Ångström", "i̇"]
WILD = ["", "%", "_", "100%", "a_b", "axb", "\\", "\\%", "a\\", "[a]", "*", "?", "A", "a", "é", "e\u0301", "😀b"]
SPACED = [
    "",
    " ",
    "a",
    f"{WHITE_SPACE}a b{WHITE_SPACE}",
    "\u200ba\u200b",
    "\ufeffa",
    "\u180ea",
    "\x1fa\x85",
    "\x00a"[1:],
]
DATES = [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29), dt.date(1900, 2, 28), dt.date(2023, 12, 31)]
DATES += [dt.date(2026, 1, 1), dt.date(1969, 12, 31), dt.date(2025, 3, 30)]
TIMES = [utc(1, 1, 1), utc(9999, 12, 31, 23, 59, 59, 999999), utc(2024, 2, 29, 12), utc(1969, 12, 31, 23, 59, 59, 1)]
TIMES += [utc(2025, 3, 30, 1, 0, 0), utc(2025, 10, 26, 0, 59, 59, 999999), utc(2000, 1, 1, 0, 0, 0, 500)]
TIMES += [dt.datetime(2025, 6, 1, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=45)))]
SPANS = [dt.timedelta(0), dt.timedelta(hours=-1), dt.timedelta(days=-1, microseconds=1), dt.timedelta(days=1.5)]
SPANS += [dt.timedelta(days=400, seconds=86399, microseconds=999999), dt.timedelta(microseconds=-1)]
LONG = [dt.timedelta(days=999_999, microseconds=1), dt.timedelta(days=-999_999, hours=23, microseconds=999_999)]
FAR = [dt.timedelta(days=20_000_000), dt.timedelta(days=-20_000_000)]
SHIFTS = [(t, s) for t in TIMES[2:] for s in SPANS]
IDS = [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID("0a000000-0000-4000-8000-00000000000b")]


def comparisons(*values: Any) -> list[Case]:
    return [
        found
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
        for found in over(name, BOOL, *((a, b) for a in values for b in values))
    ]


CASES: list[Case] = [
    *comparisons(False, True),
    *comparisons(-1, 0, BIG, BIG + 1, LEAST, MOST),
    *comparisons(-1.5, 0.0, 0.1, 0.30000000000000004, 1e300, 5e-324),
    *comparisons(D("9"), D("10"), D("1.50"), D("1.5"), D("-2"), D("0"), D("-0"), D("1E+30"), D("1E-30")),
    *comparisons("", "a", "B", "é", "Z", "z", "日", "😀", "\uffee", " "),
    *comparisons(b"", b"\x00", b"\xff", b"\x00\x01"),
    *comparisons(*DATES[:4]),
    *comparisons(*TIMES[:4]),
    *comparisons(*SPANS, *LONG),
    *comparisons(*IDS),
    *over("eq", BOOL, (Size.SMALL, Size.SMALL), (Size.SMALL, Size.LARGE), (Level.HIGH, Level.LOW)),
    *over("in", BOOL, 1, 2, constants=(1, 3)),
    *over("in", BOOL, "a", "%", "it's", constants=("%", "it's")),
    *over("in", BOOL, Size.SMALL, Size.LARGE, constants=(Size.LARGE,)),
    *over("in", BOOL, D("1.50"), constants=(D("1.5"), D("7"))),
    *over("add", INT, (1, 2), (BIG, 1), (LEAST, MOST)),
    *over("sub", INT, (1, 2), (-BIG, 1), (-1, MOST)),
    *over("mul", INT, (-3, 7), (BIG, -3)),
    *over("floordiv", INT, *INTS),
    *over("mod", INT, *INTS, (LEAST, MOST), (LEAST, -1)),
    *over("neg", INT, 5, -5, MOST),
    *over("abs", INT, 5, -5, LEAST + 1),
    *over("to_float", FLOAT, 1, BIG, MOST, LEAST, D("0.1"), D("-123456789.987654321"), D("1E-30"), D("2E+30")),
    *over("to_decimal", DECIMAL, 0, -7, LEAST),
    *over("to_decimal", DECIMAL, 0.1, -2.5, 1e16, 1 / 3, 1e-30, 5e-31, 1.2345678901234565e-14, 0.0),
    *over("to_int", INT, True, False),
    *over("add", FLOAT, (0.1, 0.2), (1e16, 1.0)),
    *over("sub", FLOAT, (0.3, 0.1)),
    *over("mul", FLOAT, (0.1, 3.0)),
    *over("truediv", FLOAT, (1.0, 3.0), (-7.0, 2.0), (1.0, 1e-300)),
    *over("neg", FLOAT, 0.0, 1.5),
    *over("abs", FLOAT, -1.5, 1.5),
    *over("add", DECIMAL, *PAIRS),
    *over("sub", DECIMAL, *PAIRS),
    *over("mul", DECIMAL, *PAIRS),
    *over("floordiv", DECIMAL, *PAIRS),
    *over("mod", DECIMAL, *PAIRS),
    *over("neg", DECIMAL, *NUMBERS),
    *over("abs", DECIMAL, *NUMBERS),
    *[each for name in ("floor", "ceil", "trunc", "round") for each in over(name, INT, *HALVES, *FLOATS)],
    *[
        each
        for places in (0, 1, 2, 5, -1)
        for each in over("round_to", DECIMAL, *HALVES, D("0.125"), D("0.135"), D("15"), D("25.0"), constants=(places,))
    ],
    *over("lower", STR, *TEXTS),
    *over("upper", STR, *TEXTS),
    *[each for name in ("strip", "lstrip", "rstrip") for each in over(name, STR, *SPACED)],
    *[
        each
        for name in ("startswith", "endswith", "contains")
        for each in over(name, BOOL, *((a, b) for a in WILD for b in WILD))
    ],
    *over("replace", STR, "a%b%", "", "%%", constants=("%", "\\_")),
    *over("concat", STR, ("a", "", "é"), ("%s", "%%", "'")),
    *over("length", INT, *TEXTS, b"", b"\x00\xff\x00"),
    *[each for name in ("year", "month", "day", "weekday", "isoweekday") for each in over(name, INT, *DATES, *TIMES)],
    *[each for name in ("hour", "minute", "second", "microsecond") for each in over(name, INT, *TIMES)],
    *over("date", DATE, *TIMES),
    *over("add", DATETIME, *SHIFTS),
    *over("sub", DATETIME, *SHIFTS),
    *over("sub", SPAN, *((a, b) for a in TIMES for b in TIMES)),
    *over("add", DATE, *((d, s) for d in DATES[2:] for s in SPANS)),
    *over("sub", DATE, *((d, s) for d in DATES[2:] for s in SPANS)),
    *over("sub", SPAN, *((a, b) for a in DATES for b in DATES)),
    *over("add", SPAN, *((a, b) for a in SPANS for b in SPANS + LONG)),
    *over("sub", SPAN, *((a, b) for a in SPANS for b in SPANS + LONG)),
    *over("mul", SPAN, *((a, n) for a in SPANS for n in (0, 1, -1, 3, -7, 1000))),
    *over("neg", SPAN, *SPANS, *LONG),
    *over("floordiv", INT, *((a, b) for a in SPANS + LONG for b in SPANS[1:] + LONG)),
    *over("microseconds", INT, *DATES, *TIMES, *SPANS, *LONG, *FAR),
    *over("earliest", INT, (3, 1, 2), (-1, LEAST), (7, MOST - 1)),
    *over("abs", SPAN, *SPANS, *LONG),
    *over("days", INT, *SPANS, *LONG),
    *over("total_seconds", FLOAT, *SPANS, *LONG),
]


# -- running ---------------------------------------------------------------------------------


def python(expr: Expr, values: Mapping[str, Any]) -> Any:
    """The answer of the generated function, where decimals are as exact as a database's are."""

    def leaf(node: Expr) -> str | None:
        return f"given[{node.name!r}]" if isinstance(node, Attr | Param) else None

    with decimal.localcontext(EXACT):
        return compile_function(expr, ["given"], leaf)(in_utc(values))


def in_utc(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for name, value in values.items()
    }


#: A table has no order of its own.
POSITION = ("position", INT)


def create(database: Database, table: str, columns: Sequence[tuple[str, ValueType]]) -> None:
    dialect = database.dialect
    texts = [f"{dialect.quote(name)} {dialect.column_type(type)}" for name, type in (*columns, POSITION)]
    database.run_ddl([f"CREATE TABLE {dialect.quote(table)} ({', '.join(texts)}) {dialect.table_options}"])


def answers(
    database: Database,
    exprs: Sequence[Expr],
    columns: Sequence[tuple[str, ValueType]],
    given_rows: Sequence[Mapping[str, Any]],
) -> list[tuple[Any, ...]]:
    """The values of the expressions for each row, computed over a table that holds the rows."""
    dialect = database.dialect
    columns = (*columns, POSITION)
    given_rows = [{**row, "position": position} for position, row in enumerate(given_rows)]
    table = peewee.Table("given").alias("g")

    def leaf(node: Expr) -> peewee.Node | None:
        return peewee.Column(table, node.name) if isinstance(node, Attr) else None

    converts = {name: dialect.to_db(type) for name, type in columns}
    source = dialect.rows_source("r", columns)
    insert = compile_statement(
        peewee.Insert(
            peewee.Table("given"),
            peewee.Select([source.source], [peewee.Column(source.source, name) for name, _ in columns]),
            columns=[peewee.Entity(name) for name, _ in columns],
        ),
        dialect,
    )
    stored = [
        [convert(row[name]) if convert else row[name] for name, convert in converts.items()] for row in given_rows
    ]
    queries = [
        table.select(peewee.Alias(render(expr, dialect, leaf), "x")).order_by(table.c.position) for expr in exprs
    ]
    texts = [compile_statement(query, dialect) for query in queries]
    reads = [dialect.from_db(expr.type) for expr in exprs]
    transaction = database.begin()
    try:
        transaction.execute(insert.sql, binder(insert)(source.values(stored)))
        results = []
        for text, read, expr in zip(texts, reads, exprs, strict=True):
            assert not text.slots, expr
            values = [row[0] for row in transaction.execute(text.sql, binder(text)({})).fetchall()]
            results.append([read(value) if read else value for value in values])
        return list(zip(*results, strict=True))
    finally:
        transaction.rollback()


def answer_of_parameters(database: Database, expr: Expr, values: Mapping[str, Any]) -> Any:
    dialect = database.dialect
    query = peewee.Select([], [peewee.Alias(render(expr, dialect, lambda node: None), "x")])
    statement = compile_statement(query, dialect)
    read = dialect.from_db(expr.type)
    with database.reading() as connection:
        bound = binder(statement, converters_of([statement], dialect))(values)
        value = connection.execute(statement.sql, bound).fetchall()[0][0]
        return read(value) if read else value


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def signature(case: Case) -> tuple[ValueType, ...]:
    return tuple(type_of(value) for value in case.values)


SIGNATURES = list(dict.fromkeys(map(signature, CASES)))


@pytest.mark.parametrize("types", SIGNATURES, ids=lambda types: "-".join(map(str, types)))
def test_an_operation_over_columns_means_what_it_means_in_python(
    database: Database,
    types: tuple[ValueType, ...],
) -> None:
    cases = [each for each in CASES if signature(each) == types]
    columns = [(f"c{index}", type) for index, type in enumerate(types)]
    create(database, "given", columns)
    wrong = []
    for each in cases:
        values = {name: value for (name, _), value in zip(columns, each.values, strict=True)}
        expected = python(each.expr(Attr), values)
        [(found,)] = answers(database, [each.expr(Attr)], columns, [values])
        if not same(found, expected):
            wrong.append(f"{each}: {expected!r} in Python, {found!r} in {database.dialect.name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("types", SIGNATURES, ids=lambda types: "-".join(map(str, types)))
def test_an_operation_over_parameters_means_what_it_means_in_python(
    database: Database,
    types: tuple[ValueType, ...],
) -> None:
    wrong = []
    for each in CASES:
        if signature(each) != types:
            continue
        values = {f"c{index}": value for index, value in enumerate(each.values)}
        expected = python(each.expr(Param), values)
        found = answer_of_parameters(database, each.expr(Param), values)
        if not same(found, expected):
            wrong.append(f"{each}: {expected!r} in Python, {found!r} in {database.dialect.name}")
    assert not wrong, "\n".join(wrong)


# -- logic, NULL and what must not be evaluated --------------------------------------------------

MAYBE_INT, MAYBE_STR = INT.optional(), STR.optional()
N, S = Attr(ROOT, "n", MAYBE_INT), Attr(ROOT, "s", MAYBE_STR)
N_NULL, S_NULL = Op("is_null", (N,), BOOL), Op("is_null", (S,), BOOL)
ZERO = Const(0, INT)


def op(name: str, *args: Expr, type: ValueType = BOOL) -> Op:
    return Op(name, args, type)


LOGIC: list[Expr] = [
    N_NULL,
    negate(N_NULL),
    case(N_NULL, Const(-1, INT), N),
    case(S_NULL, Const("none", STR), op("upper", S, type=STR)),
    all_of(negate(N_NULL), op("gt", N, ZERO)),
    any_of(N_NULL, op("lt", N, ZERO)),
    negate(all_of(negate(N_NULL), op("gt", N, ZERO))),
    case(N_NULL, Const(None, MAYBE_STR), S),
    # A divisor of 0 is behind the guard before it.
    all_of(negate(N_NULL), op("ne", N, ZERO), op("eq", op("mod", Const(10, INT), N, type=INT), ZERO)),
    any_of(N_NULL, op("eq", N, ZERO), op("gt", op("floordiv", Const(10, INT), N, type=INT), Const(3, INT))),
    op("eq", N, Const(None, MAYBE_INT)),
    op("eq", S, op("case", N_NULL, S, Const("", STR), type=MAYBE_STR)),
    op("ne", N, Const(3, INT)),
    op("earliest", N, ZERO, type=MAYBE_INT),
    op(
        "earliest",
        Const(None, MAYBE_INT),
        op("case", N_NULL, N, op("neg", N, type=INT), type=MAYBE_INT),
        N,
        type=MAYBE_INT,
    ),
]


def test_none_and_guards_mean_what_they_mean_in_python(database: Database) -> None:
    columns = [("n", MAYBE_INT), ("s", MAYBE_STR)]
    create(database, "given", columns)
    given_rows = [{"n": n, "s": s} for n in (None, 0, 5, -5, 3) for s in (None, "", "x")]
    found = answers(database, LOGIC, columns, given_rows)
    expected = [tuple(python(expr, row) for expr in LOGIC) for row in given_rows]
    assert found == expected


# -- any expression at all -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=ON_EACH)
def sampled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with fresh(request.param, request, tmp_path_factory.mktemp("meaning")) as database:
        create(database, "given", [(column.name, column.type) for column in COLUMNS])
        yield database


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_expression_means_what_it_means_in_python(sampled: Database, kind: Kind, data: st.DataObject) -> None:
    expr = data.draw(expressions(kind))
    given_rows = data.draw(rows())
    found = answers(sampled, [expr], [(column.name, column.type) for column in COLUMNS], given_rows)
    for row, (value,) in zip(given_rows, found, strict=True):
        expected = python(expr, row)
        assert same(value, expected), f"{value!r} in {sampled.dialect.name}, {expected!r} in Python: {expr}, {row}"


# -- values --------------------------------------------------------------------------------------


@attrs.frozen
class Place:
    name: str
    at: dt.datetime
    price: Decimal


ROUND_TRIPS: list[tuple[Any, Any]] = [
    (bool, True), (int, MOST), (int, LEAST), (float, 5e-324), (float, 0.1), (Decimal, D("1.10")), (Decimal, D("1E+40")),
    (str, "'; DROP TABLE x; -- %s \\ \" 😀"), (bytes, bytes(range(256))), (dt.date, DATES[0]), (dt.datetime, TIMES[1]),
    (dt.datetime, TIMES[-1]), (dt.timedelta, SPANS[2]), (dt.timedelta, LONG[1]), (uuid.UUID, IDS[2]),
    (Size, Size.LARGE), (Level, Level.HIGH), (dict[str, int], {"%s": 1, "é": -2}), (list[str], ["", "a\\", '"']),
    (Place, Place("x", TIMES[2], D("1.10"))), (list[Place], [Place("y", TIMES[3], D(0))]), (tuple[int, ...], (1, 2)),
    (dict, {"a": [1, 2.5, None, {"b": True}]}), (int | None, None), (Size | None, None), (list[int] | None, None),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=str)
def test_a_value_comes_back_as_it_went_in(database: Database, annotation: Any, value: Any) -> None:
    type = value_type(annotation)
    if value == D("1E+40") and database.dialect.name in ("MariaDB", "MySQL"):
        with pytest.raises(InvalidValue, match="35 digits before"):  # all that its DECIMAL has
            database.dialect.to_db(type)(value)  # type: ignore[misc]
        return
    create(database, "given", [("v", type)])
    [(found,)] = answers(database, [Attr(ROOT, "v", type)], [("v", type)], [{"v": value}])
    assert found == value
    if isinstance(value, dt.datetime):
        assert found.tzinfo is dt.UTC


REFUSED: list[tuple[Any, Any]] = [
    (bool, 1), (int, True), (int, "5"), (int, 2**63), (int, -(2**63) - 1), (int, 1.0), (float, "1"),
    (float, float("nan")), (float, float("inf")), (float, 10**400), (Decimal, D("NaN")), (Decimal, D("Infinity")),
    (Decimal, 1.5), (Decimal, D("1E+200000")), (Decimal, D("1E-20000")), (str, b"x"), (str, "a\0b"), (str, "\ud800"),
    (bytes, "x"), (dt.date, TIMES[0]), (dt.datetime, DATES[0]), (dt.datetime, dt.datetime(2025, 1, 1)),  # noqa: DTZ001
    (dt.datetime, dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))), (dt.timedelta, 5),
    (uuid.UUID, str(IDS[0])), (Size, "small"), (Size, Level.LOW), (int, None), (str, None),
    (dict[str, str], {"a": "\0"}), (dict[str, float], {"a": float("nan")}), (dict[str, str], {"a": "\udfff"}),
    (list[Place], [1]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), REFUSED, ids=lambda value: ascii(value)[:40])
def test_what_could_not_come_back_is_refused(database: Database, annotation: Any, value: Any) -> None:
    convert = database.dialect.to_db(value_type(annotation))
    assert convert is not None
    with pytest.raises(InvalidValue):
        convert(value)


def test_the_white_space_that_is_stripped_is_all_there_is() -> None:
    assert set(WHITE_SPACE) == {chr(point) for point in range(sys.maxunicode + 1) if chr(point).isspace()}


@pytest.mark.parametrize(
    ("type", "values", "total"),
    [
        (INT, [1, MOST - 1], MOST),
        (DECIMAL, [D("1E+30"), D("0.1"), D("0.2"), D("-1E+30")], D("0.3")),
        (FLOAT, [0.5, 0.25], 0.75),
        (SPAN, [SPANS[1], SPANS[3], SPANS[5]], SPANS[1] + SPANS[3] + SPANS[5]),
    ],
    ids=str,
)
def test_a_sum_is_exact_and_that_of_no_rows_is_zero(
    database: Database,
    type: ValueType,
    values: list[Any],
    total: Any,
) -> None:
    create(database, "given", [("v", type)])
    dialect = database.dialect
    table = peewee.Table("given")
    query = compile_statement(peewee.Select([table], [dialect.sum(table.c.v, type)]), dialect)
    insert = compile_statement(table.insert({table.c.v: peewee.Value(None)}), dialect)
    convert, read = dialect.to_db(type), dialect.from_db(type)
    transaction = database.begin()

    def found() -> Any:
        [(value,)] = transaction.execute(query.sql, ()).fetchall()
        return read(value) if read else value

    assert same(found(), total - total)
    for value in values:
        transaction.execute(insert.sql, (convert(value) if convert else value,))
    assert same(found(), total)
    transaction.rollback()


def test_decimals_are_ordered_as_numbers_though_they_are_texts(sqlite_db: SQLiteDB) -> None:
    dialect = sqlite_db.dialect
    create(sqlite_db, "given", [("v", DECIMAL)])
    with sqlite_db.reading() as connection:
        connection.execute("INSERT INTO given (v) VALUES ('9'), ('10'), ('-1'), ('9.5')", ())
        table = peewee.Table("given")
        order = dialect.ordering(table.c.v, DECIMAL)
        query = compile_statement(table.select(table.c.v).order_by(order), dialect)
        assert [row[0] for row in connection.execute(query.sql, ()).fetchall()] == ["-1", "9", "9.5", "10"]
        most = compile_statement(peewee.Select([table], [peewee.fn.MAX(order)]), dialect)
        assert connection.execute(most.sql, ()).fetchone() == ("10",)
