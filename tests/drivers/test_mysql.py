"""What is MySQL's and MariaDB's own: its modes, its limits, and what is done instead of what it lacks."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import peewee
import pymysql
import pytest

import interaqt as iq
from interaqt.core.errors import CommitUnknown, DatabaseError, InvalidValue, SetupError, StorageError
from interaqt.core.expressions import Attr, Const, Expr, Op, Param
from interaqt.core.types import Kind, ValueType
from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.mysql_case import DIFFERENT
from interaqt.drivers.mysql_dialect import MySQLDialect
from interaqt.drivers.mysql_dsn import connection_arguments
from interaqt.drivers.mysql_session import Session
from interaqt.drivers.mysql_update import MySQLUpdate
from interaqt.drivers.mysql_values import literal
from interaqt.storage.prepared import KEY
from interaqt.storage.sql import binder, compile_statement, converters_of, render
from interaqt.storage.statements import Statements
from tests.core.expression_strategies import ROOT
from tests.databases import fresh_mysql
from tests.oracle.test_stateful import run
from tests.runtime.test_identity import Magazine, Reader
from tests.storage.library import Book, book_id, stocked

TABLE = "CREATE TABLE `t` (`id` BIGINT PRIMARY KEY, `n` BIGINT, `m` BIGINT, `s` VARCHAR(255)) "
ADD, MOVE = "INSERT INTO `t` (`id`, `n`) VALUES (%s, %s)", "UPDATE `t` SET `n` = `n` + %s WHERE `id` = %s"


@pytest.fixture
def db(mysql_db: MySQLDB) -> MySQLDB:
    mysql_db.run_ddl([TABLE + mysql_db.dialect.table_options])
    return mysql_db


def rows(db: MySQLDB, sql: str = "SELECT `id`, `n` FROM `t` ORDER BY `id`", *values: Any) -> list[Any]:
    with db.reading() as reading:
        return reading.execute(sql, values).fetchall()


# -- the pipeline ------------------------------------------------------------------------------


def test_a_transaction_that_reads_nothing_is_one_round_trip(db: MySQLDB) -> None:
    with db.recording() as recorder:
        transaction = db.begin()
        transaction.execute(ADD, (1, 10))
        transaction.execute(MOVE, (5, 1))
        transaction.commit()
    assert [sql for sql, _ in recorder.statements] == ["BEGIN", ADD, MOVE, "COMMIT"]
    assert recorder.round_trips == 1
    assert rows(db) == [(1, 15)]


def test_where_a_server_takes_one_statement_at_a_time_the_commit_waits_for_those_before(db: MySQLDB) -> None:
    with db.recording() as recorder:
        transaction = db.begin()
        transaction.session._joins = False  # type: ignore[attr-defined]
        transaction.execute(ADD, (1, 10))
        transaction.commit()
    assert recorder.round_trips == 2
    assert rows(db) == [(1, 10)]


def test_a_commit_on_its_way_is_left_out_where_a_statement_before_it_fails(db: MySQLDB) -> None:
    transaction = db.begin()
    added = transaction.execute(ADD, (1, 10))
    again = transaction.execute(ADD, (1, 11))
    moved = transaction.execute(MOVE, (5, 1))
    with pytest.raises(pymysql.IntegrityError) as refused:
        transaction.commit()
    assert refused.value.statement == ADD  # type: ignore[attr-defined]
    assert added.rowcount == 1
    for result in (again, moved):
        with pytest.raises(pymysql.IntegrityError):
            _ = result.rowcount
    transaction.rollback()
    assert rows(db) == []


def test_no_text_holds_several_statements_but_the_one_that_commits(db: MySQLDB) -> None:
    for _ in range(2):
        transaction = db.begin()
        with pytest.raises(pymysql.ProgrammingError):
            transaction.execute("SELECT 1; SELECT 2", ()).fetchall()
        transaction.rollback()
        transaction = db.begin()
        transaction.execute(ADD, (1, 1))
        transaction.execute("DELETE FROM `t`", ())
        transaction.commit()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_commit_of_which_the_answers_do_not_all_come_is_unknown(db: MySQLDB, at: int) -> None:
    transaction = db.begin()
    transaction.execute(ADD, (1, 10))
    session = transaction.session  # type: ignore[attr-defined]
    well = b"\x07\0\0\x01\0\x01\0\x03\0\0\0"
    session._file = io.BytesIO(well * at)
    with pytest.raises(CommitUnknown) as caught:
        transaction.commit()
    transaction.rollback()
    assert not db.is_retryable(caught.value)
    assert len(rows(db)) in (0, 1)


def test_what_follows_a_statement_that_failed_is_undone_and_answers_nothing(db: MySQLDB) -> None:
    transaction = db.begin()
    transaction.execute(ADD, (1, 10))
    first = transaction.execute(ADD, (1, 11))
    second = transaction.execute(ADD, (2, 20))
    for result in (first, second):
        with pytest.raises(pymysql.IntegrityError):
            _ = result.rowcount
    with pytest.raises(pymysql.IntegrityError):
        transaction.commit()
    transaction.rollback()
    assert rows(db) == []


def test_what_follows_a_deadlock_is_undone_too(db: MySQLDB) -> None:
    """The server has ended the transaction by itself then, and the rest was on its way already."""
    setup = db.begin()
    setup.execute_many(ADD, [(1, 0), (2, 0), (3, 0)])
    setup.commit()
    barrier = threading.Barrier(2)
    outcomes: list[bool] = []

    def work(first: int, second: int) -> None:
        transaction = db.begin()
        try:
            _ = transaction.execute(MOVE, (1, first)).rowcount
            barrier.wait(10)
            transaction.execute(MOVE, (1, second))
            transaction.execute(MOVE, (1, 3))
            transaction.commit()
            outcomes.append(True)
        except pymysql.OperationalError as error:
            transaction.rollback()
            outcomes.append(not db.is_retryable(error))

    threads = [threading.Thread(target=work, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [False, True]
    assert rows(db) == [(1, 1), (2, 1), (3, 1)]


def test_more_than_the_buffers_hold_is_sent_in_pieces(db: MySQLDB) -> None:
    transaction = db.begin()
    results = [transaction.execute("SELECT %s", (letter * 20_000,)) for letter in "abcdefghij" * 20]
    transaction.commit()
    assert [result.fetchall()[0][0][0] for result in results] == list("abcdefghij" * 20)
    assert len(rows(db, "SELECT %s", "x" * 9_000_000)[0][0]) == 9_000_000


def test_statements_may_be_run_while_rows_are_streamed(db: MySQLDB) -> None:
    transaction = db.begin()
    transaction.execute_many(ADD, [(n, n) for n in range(3000)])
    seen = []
    for (key,) in transaction.stream("SELECT `id` FROM `t` ORDER BY `id`", (), 100):
        seen.append(key)
        if key == 500:
            assert transaction.execute("SELECT COUNT(*) FROM `t`", ()).fetchone() == (3000,)
    transaction.commit()
    assert seen == list(range(3000))


_KILLED = b"\xff" + (1927).to_bytes(2, "little") + b"#70100Connection was killed"


@pytest.mark.parametrize("answer", [b"", len(_KILLED).to_bytes(3, "little") + b"\0" + _KILLED], ids=["none", "killed"])
def test_a_commit_to_which_the_connection_ends_is_unknown(db: MySQLDB, answer: bytes) -> None:
    transaction = db.begin()
    transaction.execute(ADD, (1, 10))
    session = transaction.session  # type: ignore[attr-defined]
    session.sync()
    session._file = io.BytesIO(answer)
    with pytest.raises(CommitUnknown) as caught:
        transaction.commit()
    transaction.rollback()
    assert not db.is_retryable(caught.value)
    assert len(rows(db)) in (0, 1)


def test_without_the_pipeline_each_statement_waits(db: MySQLDB) -> None:
    plain = MySQLDB(**db.arguments, pipeline=False)
    with plain.recording() as recorder:
        transaction = plain.begin()
        transaction.execute(ADD, (1, 10))
        transaction.commit()
    assert recorder.round_trips == 3
    plain.close()


# -- locks and snapshots -----------------------------------------------------------------------


def test_a_row_that_stays_locked_is_given_up_after_a_time_and_tried_again(db: MySQLDB) -> None:
    impatient = MySQLDB(**db.arguments, lock_timeout=1)
    holder, waiting = db.begin(), impatient.begin()
    assert holder.execute(ADD, (1, 10)).rowcount == 1
    with pytest.raises(pymysql.OperationalError, match="Lock wait timeout") as caught:
        _ = waiting.execute(ADD, (1, 11)).rowcount
    assert impatient.is_retryable(caught.value)
    waiting.rollback()
    holder.rollback()
    impatient.close()


def test_a_limit_to_waiting_ends_with_its_transaction(db: MySQLDB) -> None:
    setting = "SELECT @@innodb_lock_wait_timeout"
    ((usual,),) = rows(db, setting)
    transaction = db.begin()
    db.limit_waiting(transaction, timedelta(milliseconds=1))
    assert transaction.execute(setting, ()).fetchone() == (1,)
    db.limit_waiting(transaction, None)
    assert transaction.execute(setting, ()).fetchone() == (usual,)
    db.limit_waiting(transaction, timedelta(seconds=2))
    transaction.rollback()
    assert rows(db, setting) == [(usual,)]


def test_a_snapshot_does_not_overwrite_what_it_does_not_see(db: MySQLDB) -> None:
    if not rows(db, "SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
        pytest.skip("this server loses updates of REPEATABLE READ")
    setup = db.begin()
    setup.execute(ADD, (1, 0))
    setup.commit()
    ours, theirs = db.begin("REPEATABLE READ"), db.begin()
    assert ours.execute("SELECT `n` FROM `t`", ()).fetchall() == [(0,)]
    theirs.execute(MOVE, (1, 1))
    theirs.commit()
    with pytest.raises(pymysql.OperationalError) as caught:
        _ = ours.execute(MOVE, (1, 1)).rowcount
    ours.rollback()
    assert db.is_retryable(caught.value)


def test_a_pool_that_is_used_up_says_so(db: MySQLDB) -> None:
    small = MySQLDB(**db.arguments, pool_size=1, timeout=0.05)
    transaction = small.begin()
    with pytest.raises(StorageError, match="became free"):
        small.begin()
    transaction.rollback()
    small.begin().rollback()
    small.close()


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    database = MySQLDB("mysql://root@127.0.0.1:1/nothing?connect_timeout=2")
    with pytest.raises(DatabaseError, match="connect") as caught:
        database.begin()
    assert caught.value.code == "database.unreachable"
    assert isinstance(caught.value.__cause__, pymysql.OperationalError)
    database.close()


# -- assignments -------------------------------------------------------------------------------


@pytest.mark.parametrize("simultaneous", [True, False], ids=["as MariaDB can", "in turn, as MySQL does"])
@pytest.mark.parametrize("joined", [False, True], ids=["one", "joined"])
@pytest.mark.parametrize("circle", [False, True], ids=["a line", "a circle"])
def test_an_assignment_reads_what_was_there_before(db: MySQLDB, simultaneous: bool, joined: bool, circle: bool) -> None:
    transaction = db.begin()
    if not simultaneous:
        transaction.execute("SET SESSION sql_mode = replace(@@sql_mode, 'SIMULTANEOUS_ASSIGNMENT', '')", ())
    transaction.execute("INSERT INTO `t` (`id`, `n`, `m`) VALUES (1, 2, 3), (2, 0, 0)", ())
    assert transaction.execute(swap(db, simultaneous, joined, circle), ()).rowcount == 1
    found = transaction.execute("SELECT `n`, `m` FROM `t` ORDER BY `id`", ()).fetchall()
    assert found == [(4 if circle else 9, 12), (0, 0)]
    transaction.rollback()
    db.close()  # the connection has another mode now


def swap(db: MySQLDB, simultaneous: bool, joined: bool, circle: bool) -> str:
    table = peewee.Table("t")
    key, n, m = (peewee.Column(table, name) for name in ("id", "n", "m"))
    # In the order of their names m would come first; what reads it must not see the new one.
    assignments = [(m, n + peewee.SQL("10")), (n, m + peewee.SQL("1"))]
    if not circle:
        assignments = [(m, m + peewee.SQL("9")), (n, m * peewee.SQL("3"))]
    source = peewee.Select([peewee.SQL("DUAL")], [peewee.SQL("1").alias("k")]).alias("d") if joined else None
    where = key == (peewee.Column(source, "k") if source is not None else peewee.SQL("1"))
    update = MySQLUpdate(table, key, assignments, where, source, db.peewee, simultaneous)
    return compile_statement(update, db.dialect).sql


@pytest.mark.parametrize("joined", [False, True], ids=["one", "joined"])
def test_assignments_in_a_circle_lose_no_update(db: MySQLDB, joined: bool) -> None:
    setup = db.begin()
    setup.execute("INSERT INTO `t` (`id`, `n`, `m`) VALUES (1, 0, 0)", ())
    setup.commit()
    sql = swap(db, False, joined, True)

    def work() -> None:
        for _ in range(25):
            transaction = db.begin()
            transaction.execute(sql, ())
            transaction.commit()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # Every two turns add 11 to each.
    assert rows(db, "SELECT `n`, `m` FROM `t`") == [(550, 550)]


# -- values ------------------------------------------------------------------------------------


def test_a_text_is_no_sql() -> None:
    assert literal("'; DROP TABLE t; -- \\") == "'''; DROP TABLE t; -- \\'"
    assert literal(1.0) == "1.0e0"
    assert literal(Decimal(7)) == "7.0"


def test_spaces_at_the_end_count(db: MySQLDB) -> None:
    assert rows(db, "SELECT 'a' = 'a ', 'a' < 'a ', 'a' = 'A'") == [(0, 1, 0)]
    with db.reading() as reading:
        assert reading.execute_many("INSERT INTO `t` (`id`, `s`) VALUES (%s, %s)", [(1, "a"), (2, "a ")]) == 2
    assert rows(db, "SELECT `id` FROM `t` WHERE `s` = %s", "a") == [(1,)]


def test_a_decimal_has_its_limits() -> None:
    convert = MySQLDialect().to_db(ValueType(Kind.DECIMAL))
    assert convert is not None
    for fits in ("9" * 35 + "." + "9" * 30, "-1E+34", "1E-30", "0"):
        assert convert(Decimal(fits)) == Decimal(fits)
    for large in ("1E+35", "1E-31", "0." + "1" * 31):
        with pytest.raises(InvalidValue, match="35 digits before"):
            convert(Decimal(large))


def test_a_text_too_long_for_its_index_is_refused(db: MySQLDB) -> None:
    transaction = db.begin()
    with pytest.raises(pymysql.DataError) as caught:
        _ = transaction.execute("INSERT INTO `t` (`id`, `s`) VALUES (1, %s)", ("x" * 256,)).rowcount
    transaction.rollback()
    found = db.violation(caught.value)
    assert found is not None
    assert (found.kind, found.table, found.columns) == ("check", "t", ("s",))


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("truediv", Kind.FLOAT, (1.0, 0.0)),
        ("floordiv", Kind.INT, (1, 0)),
        ("mod", Kind.INT, (1, 0)),
        ("floordiv", Kind.DECIMAL, (Decimal(1), Decimal(0))),
        ("mod", Kind.DECIMAL, (Decimal(1), Decimal(0))),
        ("floor", Kind.FLOAT, (1e300,)),
        ("round", Kind.FLOAT, (-1e19,)),
        ("floor", Kind.DECIMAL, (Decimal("1E+25"),)),
    ],
)
def test_what_has_no_value_is_an_error_also_where_it_is_only_read(
    db: MySQLDB, name: str, kind: Kind, values: tuple[Any, ...]
) -> None:
    type = ValueType(kind)
    columns = [Attr(ROOT, f"c{index}", type) for index in range(len(values))]
    table = peewee.Table("u").alias("u")

    def leaf(expr: Expr) -> peewee.Node | None:
        return peewee.Column(table, expr.name) if isinstance(expr, Attr) else None

    places = ", ".join(f"`{each.name}` {db.dialect.column_type(type)}" for each in columns)
    db.run_ddl([f"CREATE TABLE `u` ({places})"])
    sql = compile_statement(table.select(render(Op(name, tuple(columns), type), db.dialect, leaf)), db.dialect).sql
    assert rows(db, sql) == []
    with db.reading() as reading:
        reading.execute(f"INSERT INTO `u` VALUES ({', '.join(['%s'] * len(values))})", values)
        with pytest.raises(pymysql.MySQLError, match="out of range"):
            reading.execute(sql, ()).fetchall()
    constant = Op(name, tuple(Const(value, type) for value in values), type)
    sql = compile_statement(peewee.Select([], [render(constant, db.dialect, leaf)]), db.dialect).sql
    assert sql


def test_upper_and_lower_differ_from_python_where_it_is_known_and_nowhere_else(db: MySQLDB) -> None:
    """What the server's own tables lack is listed, so that more or less of it is seen."""
    type = ValueType(Kind.STR)
    points = [chr(point) for point in range(1, 0x20000) if not 0xD800 <= point <= 0xDFFF and point != 0x0A]

    for name, python in (("upper", str.upper), ("lower", str.lower)):
        expr = Op(name, (Param("text", type),), type)
        statement = compile_statement(peewee.Select([], [render(expr, db.dialect, lambda _: None)]), db.dialect)
        bind = binder(statement, converters_of([statement], db.dialect))
        different = set()
        for start in range(0, len(points), 4000):
            some = points[start : start + 4000]
            # A digit between them, so that none is at the end of a word.
            ((found,),) = rows(db, statement.sql, *bind({"text": "\n0".join(some)}))
            cased = zip(some, found.split("\n0"), strict=True)
            different |= {ord(letter) for letter, there in cased if there != python(letter)}
        known = {point for first, last in DIFFERENT for point in range(first, last + 1)}
        assert different <= known, f"{name}: {sorted(map(hex, different - known))}"
        assert ord("\u10d0") in different or name == "lower", (
            "Georgian has upper case now: tell it to the documentation"
        )


# -- connection strings ------------------------------------------------------------------------


def test_a_connection_string_says_what_arguments_would() -> None:
    assert connection_arguments("mysql://ann:s%40fe@db.example:3307/shop?connect_timeout=3&ssl_ca=/ca.pem", {}) == {
        "host": "db.example", "port": 3307, "user": "ann", "password": "s@fe", "database": "shop",
        "connect_timeout": 3, "ssl_ca": "/ca.pem",
    }  # fmt: skip
    assert connection_arguments("mariadb://h/a", {"database": "b"}) == {"host": "h", "database": "b"}


@pytest.mark.parametrize("wrong", ["postgresql://h/a", "mysql://h", "mysql://h/a?colour=red"])
def test_a_wrong_connection_string_is_refused(wrong: str) -> None:
    with pytest.raises(SetupError, match=r"begins with|which database|has no 'colour'"):
        MySQLDB(wrong)


# -- statements as MySQL needs them ------------------------------------------------------------


@contextmanager
def as_mysql() -> Iterator[MySQLDB]:
    """A database that is spoken to as if it were MySQL: no RETURNING, and assignments that take turns."""
    with fresh_mysql() as database:
        dialect, known = MySQLDialect("MySQL"), MySQLDialect("MariaDB").collation
        dialect.column_types = {
            kind: words.replace(dialect.collation, known) for kind, words in dialect.column_types.items()
        }
        dialect.table_options = dialect.table_options.replace(dialect.collation, known)
        database.__dict__["dialect"] = dialect
        connect = database._connect

        def plainer() -> Session:
            session = connect()
            session.execute_now("SET SESSION sql_mode = replace(@@sql_mode, 'SIMULTANEOUS_ASSIGNMENT', '')")
            return session

        database._connect = plainer  # type: ignore[method-assign]
        yield database


def test_nothing_drifts_where_no_statement_answers() -> None:
    seen: set[str] = set()

    @contextmanager
    def recorded() -> Iterator[MySQLDB]:
        with as_mysql() as database, database.recording() as recorder:
            yield database
        seen.update(sql for sql, _ in recorder.statements)

    run(recorded, 5, 30)
    assert not [sql for sql in seen if " RETURNING " in sql]
    assert any("last_insert_id" in sql.lower() for sql in seen)


@pytest.mark.parametrize("database", ["as MariaDB", "as MySQL"])
def test_what_is_there_already_is_found_and_not_made_again(database: str) -> None:
    with as_mysql() if database == "as MySQL" else fresh_mysql() as found:
        magazine = Magazine(found)
        first = magazine.subscribe("ann", "news", "1")
        again = magazine.subscribe("ann", "news", "2")
        assert (len(first.created(Reader)), len(again.created(Reader))) == (1, 0)
        assert magazine.count(Reader) == 1


@iq.interaction
class Print:
    series: list[str]


@iq.entity
class Coupon:
    id: int = iq.key()
    series: str = iq.field()
    number: int = iq.ScopedSequence(series)
    place: int = iq.ScopedSequence(start=100)
    printed = iq.Transform(Print, lambda e: [Coupon(series=series) for series in e.payload.series])


@pytest.mark.parametrize("database", ["as MariaDB", "as MySQL"])
def test_numbers_are_taken_whether_or_not_the_database_answers(database: str) -> None:
    with as_mysql() if database == "as MySQL" else fresh_mysql() as found:
        app = iq.Controller(iq.MonoSystem(found), [Coupon, Print])
        app.setup(install=True)
        app.dispatch(Print(series=["a", "b", "a"]))
        app.dispatch_many([Print(series=["b"]), Print(series=["a", "c"])])
        assert app.reserve(Coupon.number, "a", count=4) == range(4, 8)
        assert app.reserve(Coupon.place, count=1) == range(106, 107)
        coupons = app.system.storage.query(Coupon).order_by(lambda coupon: coupon.id).all()
        assert [(each.series, each.number, each.place) for each in coupons] == [
            ("a", 1, 100), ("b", 1, 101), ("a", 2, 102), ("b", 2, 103), ("a", 3, 104), ("c", 1, 105)
        ]  # fmt: skip
        app.rebuild(Coupon)
        assert app.verify() == []


def test_rows_that_are_given_are_found_by_their_keys_and_no_other_is_locked(mysql_db: MySQLDB) -> None:
    storage = stocked(mysql_db)
    record = storage.record_of(Book)
    statements = Statements(storage.schema)
    transaction = mysql_db.begin()
    for prepared in (statements.read_rows(record, [record.key]), statements.delete_rows(record)):
        with mysql_db.recording() as recorder:
            other = mysql_db.begin()
            prepared.run(other, [{KEY: book_id(1)}, {KEY: book_id(2)}])
            other.rollback()
        (sql, values) = next(each for each in recorder.statements if "JSON_TABLE" in each[0])
        plan = transaction.execute(f"EXPLAIN {sql}", values).fetchall()
        assert [row[3] for row in plan if row[2] in ("book", "t1", "t2")] == ["eq_ref"], plan
    transaction.rollback()
