"""Statements whose text is made once, and the values that go into it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import peewee
import pytest

from interaqt.core.expressions import Attr, Const, Expr, Op, Param
from interaqt.core.types import Kind, ValueType, value_type
from interaqt.drivers.postgresql_dialect import PostgreSQLDialect
from interaqt.drivers.sqlite_dialect import SQLiteDialect
from interaqt.storage.database import Database
from interaqt.storage.dialect import Dialect
from interaqt.storage.sql import Slot, binder, compile_statement, converters_of, inline, render, template
from tests.core.expression_strategies import ROOT, Colour

INT, STR, BOOL = ValueType(Kind.INT), ValueType(Kind.STR), ValueType(Kind.BOOL)
TABLE = peewee.Table("odd % table").alias("t")


def columns(expr: Expr) -> peewee.Node | None:
    return peewee.Column(TABLE, expr.name) if isinstance(expr, Attr) else None


def select(expr: Expr, dialect: Dialect) -> peewee.Select:
    return peewee.Select([TABLE], [TABLE.c.id]).where(render(expr, dialect, columns))


def test_values_given_are_slots_and_constants_of_text_are_bound() -> None:
    of_name = Op("eq", (Attr(ROOT, "name", STR), Param("name", STR)), BOOL)
    of_mark = Op("contains", (Attr(ROOT, "name", STR), Const("%", STR)), BOOL)
    expr = Op("and", (of_name, of_mark, Op("gt", (Attr(ROOT, "n", INT), Const(-1, INT)), BOOL)), BOOL)
    sqlite = compile_statement(select(expr, SQLiteDialect()), SQLiteDialect())
    assert sqlite.sql == (
        'SELECT "t"."id" FROM "odd % table" AS "t"'
        ' WHERE (("t"."name" = ?) AND (instr("t"."name", ?) > 0) AND ("t"."n" > -1))'
    )
    assert sqlite.values == (Slot("name"), "%")
    postgresql = compile_statement(select(expr, PostgreSQLDialect()), PostgreSQLDialect())
    assert postgresql.sql == (
        'SELECT "t"."id" FROM "odd %% table" AS "t" WHERE (("t"."name" = CAST(%s AS TEXT))'
        """ AND (strpos("t"."name", CAST(%s AS TEXT)) > 0) AND ("t"."n" > CAST('-1' AS BIGINT)))"""
    )
    assert postgresql.slots == ("name",)


def test_a_binder_puts_values_in_order_and_converts_them() -> None:
    dialect = SQLiteDialect()
    price = ValueType(Kind.DECIMAL)
    expr = Op("add", (Param("a", price), Op("mul", (Param("b", price), Param("a", price)), price)), price)
    statement = compile_statement(render(expr, dialect, columns), dialect)
    assert binder(statement)({"a": 1, "b": 2}) == (1, 2, 1)
    assert binder(statement, names=("b", "other", "a"))((2, None, 1)) == (1, 2, 1)
    converting = binder(statement, converters_of([statement], dialect))
    assert converting({"a": Decimal("1.50"), "b": Decimal(2)}) == ("1.5", "2", "1.5")


def test_a_part_that_may_fail_runs_only_after_the_part_that_guards_it() -> None:
    n = Attr(ROOT, "n", INT)
    guard = Op("ne", (n, Const(0, INT)), BOOL)
    expr = Op("and", (guard, Op("eq", (Op("mod", (Const(8, INT), n), INT), Const(0, INT)), BOOL)), BOOL)
    for dialect in (SQLiteDialect(), PostgreSQLDialect()):
        sql = compile_statement(render(expr, dialect, columns), dialect).sql
        assert sql.startswith("CASE WHEN")
        assert sql.endswith("ELSE FALSE END")


def test_an_operation_that_a_kind_does_not_have_is_an_error() -> None:
    expr = Op("floordiv", (Param("a", ValueType(Kind.FLOAT)), Param("b", ValueType(Kind.FLOAT))), INT)
    with pytest.raises(TypeError, match=r"SQLite has no SQL for floordiv\(float, float\)"):
        render(expr, SQLiteDialect(), columns)


def test_a_node_that_nothing_gives_is_an_error() -> None:
    with pytest.raises(TypeError, match="nothing gives the SQL"):
        render(Attr(ROOT, "name", STR), SQLiteDialect(), lambda expr: None)


def test_a_select_inside_an_expression_stands_in_parentheses() -> None:
    dialect = SQLiteDialect()
    other = peewee.Table("other").alias("o")
    count = peewee.Select([other], [peewee.fn.COUNT(peewee.SQL("*"))]).where(other.c.t == TABLE.c.id)
    query = peewee.Select([TABLE], [peewee.Alias(template("({0} + {1})", TABLE.c.n, count), "x")])
    assert compile_statement(query, dialect).sql == (
        'SELECT ("t"."n" + (SELECT COUNT(*) FROM "other" AS "o" WHERE ("o"."t" = "t"."id"))) AS "x"'
        ' FROM "odd % table" AS "t"'
    )


SAMPLES: list[tuple[Any, Any]] = [
    (str, "it's 100% \\ ? %s \" x'"),
    (bool, True),
    (bool, False),
    (int, -(2**63)),
    (float, -0.5),
    (bytes, b"\x00'\xff"),
    (Decimal, Decimal("-1.50")),
    (dt.datetime, dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=dt.UTC)),
    (Colour, Colour.RED),
    (uuid.UUID, uuid.UUID(int=7)),
    (dt.timedelta, dt.timedelta(days=-1, microseconds=1)),
    (dt.date, dt.date(1, 1, 1)),
    (list[str], ["'", "\\"]),
]


@pytest.mark.parametrize(("annotation", "value"), SAMPLES, ids=ascii)
def test_a_constant_in_schema_text_is_the_value_itself(database: Database, annotation: Any, value: Any) -> None:
    dialect = database.dialect
    type = value_type(annotation)
    text = inline(render(Const(value, type), dialect, columns), dialect)
    with database.reading() as connection:
        # Schema statements have no placeholders, so a percent sign there is not doubled.
        text = text.replace("%", "%%") if dialect.name != "SQLite" else text
        [(found,)] = connection.execute(f"SELECT {text}", ()).fetchall()
    read = dialect.from_db(type)
    assert (read(found) if read else found) == value


def test_rows_of_any_number_are_one_statement(database: Database) -> None:
    dialect = database.dialect
    types = [("n", INT.optional()), ("s", STR), ("f", ValueType(Kind.FLOAT)), ("b", ValueType(Kind.BYTES))]
    given = dialect.rows_source("given", types)
    statement = compile_statement(
        peewee.Select([given.source], [peewee.Column(given.source, name) for name, _ in types]), dialect
    )
    bind = binder(statement)
    for rows in ([], [(None, "", 0.1, b"")], [(n, f"\\{n}\"',{{}}é", n / 3, bytes([n, 0])) for n in range(200)]):
        with database.reading() as connection:
            assert connection.execute(statement.sql, bind(given.values(rows))).fetchall() == rows


def test_a_check_holds_a_column_to_its_members(database: Database) -> None:
    dialect = database.dialect
    check = dialect.check(value_type(Colour), "colour")
    database.run_ddl([f'CREATE TABLE "t" ("colour" {dialect.column_type(value_type(Colour))} CHECK ({check}))'])
    transaction = database.begin()
    transaction.execute("INSERT INTO \"t\" VALUES ('red')", ())
    with pytest.raises(Exception) as caught:  # noqa: PT011
        _ = transaction.execute("INSERT INTO \"t\" VALUES ('mauve')", ()).rowcount
    transaction.rollback()
    found = database.violation(caught.value)
    assert found is not None
    assert found.kind == "check"
