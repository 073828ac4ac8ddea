"""What a database or a driver's arguments are the matter with is told in the framework's words, and with a code."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import interaqt as iq
from interaqt.drivers.mysql import MySQLDB
from interaqt.storage.database import Database

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda: iq.SQLiteDB(3), "database.argument", "a path is a str or a Path, not 3"),  # type: ignore[arg-type]
        (lambda: iq.SQLiteDB("a\0b"), "database.argument", "a path is a str or a Path"),
        (lambda: iq.SQLiteDB(synchronous="SOME"), "database.argument", "one of OFF, NORMAL, FULL, EXTRA, not 'SOME'"),
        (lambda: iq.SQLiteDB(timeout="x"), "database.argument", "timeout= takes a number of seconds"),  # type: ignore[arg-type]
        (lambda: iq.PostgreSQLDB(3), "database.argument", "a connection string is a str, not of type int"),  # type: ignore[arg-type]
        (lambda: iq.PostgreSQLDB("nonsense"), "database.dsn", "can't be read"),
        (lambda: iq.PostgreSQLDB("postgresql://h/x?zz=1"), "database.dsn", "zz"),
        (lambda: iq.PostgreSQLDB(f"mysql://root:{SECRET}@h/x"), "database.dsn", "not mysql://"),
        (lambda: iq.PostgreSQLDB("host=h", pool_size=0), "database.argument", "pool_size= takes an int from 1, not 0"),
        (lambda: iq.CockroachDB("nonsense"), "database.dsn", "can't be read"),
        (lambda: iq.MySQLDB(3), "database.argument", "a connection string is a str"),  # type: ignore[arg-type]
        (lambda: iq.MySQLDB(f"postgresql://root:{SECRET}@h/x"), "database.dsn", "begins with mysql://"),
        (lambda: iq.MySQLDB("mysql://h:99999999/x"), "database.dsn", "Port out of range"),
        (lambda: iq.MySQLDB(), "database.argument", "which database"),
        (lambda: iq.MySQLDB(database="x", pasword="y"), "database.argument", "no argument pasword="),
        (lambda: iq.MySQLDB(database="x", flavor="Maria"), "database.argument", "MariaDB, MySQL, not 'Maria'"),
        (lambda: iq.EmbeddedPostgreSQLDB(3), "database.argument", "a path is a str or a Path, not 3"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_told_where_the_driver_is_made(make: Callable[[], Database], code: str, words: str) -> None:
    with pytest.raises(iq.SetupError) as caught:
        make()
    assert (caught.value.code, words in caught.value.message) == (code, True), str(caught.value)
    assert SECRET not in str(caught.value)
    assert iq.has_error_code(caught.value, code)


def test_the_nearest_argument_is_named() -> None:
    with pytest.raises(iq.SetupError) as caught:
        iq.MySQLDB(database="x", pasword="y")
    assert caught.value.hint.startswith("Did you mean 'password'?")


def told(database: Database) -> iq.DatabaseError:
    with pytest.raises(iq.DatabaseError) as caught:
        database.begin()
    assert caught.value.__cause__ is not None
    assert caught.value.hint
    assert not database.is_retryable(caught.value)
    with pytest.raises(iq.DatabaseError):
        iq.Controller(iq.MonoSystem(database), []).setup(install=True)
    database.close()
    return caught.value


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"host": "nowhere.invalid"}, "database.unreachable"),
        ({"host": "127.0.0.1", "port": "1"}, "database.unreachable"),
        ({"dbname": "no_such_database"}, "database.missing"),
        ({"user": "no_such_user"}, "database.access_denied"),
    ],
)
def test_why_postgresql_is_not_reached(postgresql_dsn: str, options: dict[str, str], code: str) -> None:
    dsn = make_conninfo(postgresql_dsn, **{**conninfo_to_dict(postgresql_dsn), **options})
    assert told(iq.PostgreSQLDB(dsn)).code == code


@pytest.mark.mysql
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"host": "nowhere.invalid"}, "database.unreachable"),
        ({"port": 1}, "database.unreachable"),
        ({"database": "no_such_database"}, "database.missing"),
        ({"user": "no_such_user", "password": "x"}, "database.access_denied"),
    ],
)
def test_why_mysql_is_not_reached(mysql_db: MySQLDB, options: dict[str, Any], code: str) -> None:
    arguments = {"unix_socket": None, **mysql_db.arguments, **options}
    assert told(iq.MySQLDB(**{name: value for name, value in arguments.items() if value is not None})).code == code


def test_why_a_file_is_not_opened(tmp_path: Path) -> None:
    missing = told(iq.SQLiteDB(tmp_path / "no" / "shop.db"))
    assert (missing.code, missing.hint) == ("database.missing", f"there is no directory '{tmp_path}/no': make it")
    assert told(iq.SQLiteDB(tmp_path)).hint == "it is a directory; name a file in it"
    text = tmp_path / "text.db"
    text.write_text("this is no database, " * 100)
    assert told(iq.SQLiteDB(text)).code == "database.unreachable"


# -- statements --------------------------------------------------------------------------------


@iq.interaction
class Add:
    n: int


@iq.entity
class Number:
    id: int = iq.key()
    n: int
    made = iq.Transform(Add, lambda e: Number(n=e.payload.n))


@iq.dictionary
class Totals:
    total: int = iq.Summation(Number, of=lambda number: number.n)


def test_a_statement_that_the_database_does_not_take_is_told(database: Database) -> None:
    app = iq.Controller(iq.MonoSystem(database), [Add, Number, Totals])
    app.setup(install=True)
    app.dispatch(Add(n=2**62))
    before = app.system.storage.query(Number).count()
    with pytest.raises(iq.StorageError) as caught:
        app.dispatch(Add(n=2**62))  # the sum is one too large for 64 bits
    assert iq.has_error_code(caught.value, caught.value.code)
    assert caught.value.code in ("database.statement", "constraint.check")
    assert app.system.storage.query(Number).count() == before
    assert app.verify() == []


def test_a_condition_that_is_nested_too_deeply_is_told(sqlite_db: iq.SQLiteDB) -> None:
    app = iq.Controller(iq.MonoSystem(sqlite_db), [Add, Number])
    app.setup(install=True)
    storage = app.system.storage

    def nested(depth: int) -> Callable[[Any], Any]:
        return lambda number: reduce(lambda left, _: 1 - left, range(depth), number.n) == 1

    with pytest.raises(iq.DatabaseError) as caught:
        storage.query(Number).where(nested(150)).all()
    assert caught.value.code == "database.too_deep"
    assert iq.find_error(caught.value, "database.too_deep") is caught.value
    assert caught.value.hint == "ask for less at once: nest the condition less deeply"
    very: Callable[[Any], Any] = lambda number: reduce(lambda left, _: 1 - left, range(400), number.n) == 1  # noqa: E731
    with pytest.raises(iq.TraceError, match="nested more deeply than Python can compile") as refused:
        storage.query(Number).where(very).all()
    assert refused.value.code == "trace.too_deep"


# -- finding an error among those that led to another one -----------------------------------------


def test_an_error_is_found_through_causes_contexts_and_groups_even_in_a_circle() -> None:
    inner = iq.ConstraintViolationError("taken", kind="unique", code="EMAIL_TAKEN")
    outer, middle = RuntimeError("outer"), ValueError("middle")
    outer.__cause__, middle.__context__, inner.__cause__ = middle, inner, outer
    for each in (outer, middle, inner, ExceptionGroup("several", [KeyError("x"), outer])):
        assert iq.find_error(each, "EMAIL_TAKEN") is inner
        assert iq.has_error_code(each, "EMAIL_TAKEN")
        assert iq.find_constraint_violation_error(each) is inner
        assert iq.find_error(each, "other") is None
    assert iq.find_error(None, "EMAIL_TAKEN") is None


def test_exhausted_attempts_are_told_with_their_level(sqlite_db: iq.SQLiteDB) -> None:
    app = iq.Controller(iq.MonoSystem(sqlite_db), [Add, Number])
    app.setup(install=True)
    sqlite_db.timeout = 0.01
    other = iq.SQLiteDB(sqlite_db.path)
    holding = other.begin()
    with pytest.raises(iq.TransactionRetryExhaustedError) as caught:
        app.transact(lambda tx: tx.dispatch(Add(n=1)), attempts=2)
    holding.rollback()
    other.close()
    assert (caught.value.attempts, caught.value.isolation) == (2, "SERIALIZABLE")
    assert iq.has_error_code(RuntimeError("x").with_traceback(None), "transaction.retry_exhausted") is False
    assert iq.find_error(caught.value, "transaction.retry_exhausted") is caught.value
