"""What a database is seen to do: each function tries one thing, and answers in the terms of a capability.

What no driver may do, whatever it says, fails an assertion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from interaqt.core.errors import TransactionCapabilityError
from interaqt.storage.capability import RowLock
from interaqt.storage.database import Transaction
from interaqt.testing.play import Bench
from interaqt.testing.schedules import SCHEDULES, outcome_of, read, write

__all__ = [
    "concurrent_writers",
    "levels",
    "pipeline",
    "read_only_snapshot",
    "returning",
    "row_locks",
    "savepoints",
    "transactional_schema",
    "transactions",
]

#: What the standard knows, and what nobody does.
_LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT", "SOMETIMES", "")


@contextmanager
def _undone(bench: Bench) -> Iterator[Transaction]:
    tx = bench.database.begin()
    try:
        yield tx
    finally:
        tx.rollback()


def _run(tx: Transaction, sql: str) -> int:
    """Run a statement and wait for it."""
    return tx.execute(sql, ()).rowcount


def _fails(step: Callable[[], object]) -> bool:
    try:
        step()
    except Exception:
        return True
    return False


def _is_refused(tx: Transaction, sql: str) -> bool:
    return _fails(lambda: tx.execute(sql, ()).fetchall())


def transactions(bench: Bench) -> bool:
    database = bench.database
    try:
        database.begin().rollback()
    except TransactionCapabilityError:
        return False
    bench.new_seats()
    taken = 'UPDATE "seat" SET "taken" = 1'
    # What is taken back, and what an error ended, is as if it had never been.
    with _undone(bench) as tx:
        _run(tx, taken)
        _run(tx, 'INSERT INTO "seat" ("id", "taken") VALUES (3, 0)')
    with _undone(bench) as tx:
        _run(tx, taken)
        assert _is_refused(tx, 'INSERT INTO "seat" ("id", "taken") VALUES (1, 0)'), "two rows have the same key"
        if tx.failure is not None:
            # Some databases would go on, and commit the rest.
            assert _fails(tx.commit), "a commit after an error says nothing"
    with database.reading() as reading:
        rows = reading.execute('SELECT "id", "taken" FROM "seat" ORDER BY "id"', ()).fetchall()
    if [tuple(row) for row in rows] != [(1, 0), (2, 0)]:
        return False
    tx = database.begin()
    _run(tx, taken)
    tx.commit()
    assert _fails(lambda: _run(tx, taken)), "what was committed runs further statements"
    return (bench.value(1), bench.value(2)) == (1, 1)


def levels(bench: Bench) -> frozenset[str]:
    offered = set()
    for level in _LEVELS:
        # More often than a pool has connections: a refusal must not keep one.
        refusals = [_refusal_of(bench, level) for _ in range(20)]
        if None in refusals:
            offered.add(level)
        for refusal in filter(None, refusals):
            assert refusal.requested == level, f"the error speaks of {refusal.requested!r}, not of {level!r}"
            assert refusal.capability == bench.database.capability, "the error carries another capability"
    return frozenset(offered)


def _refusal_of(bench: Bench, level: str) -> TransactionCapabilityError | None:
    try:
        bench.database.begin(level).rollback()
    except TransactionCapabilityError as error:
        return error
    return None


def concurrent_writers(bench: Bench) -> bool:
    bench.new_seats()
    play = bench.play()
    play.first(write(1, lambda: 1))
    play.second(write(2, lambda: 1))
    at_once = not play.waited
    play.end()
    assert play.both_committed, f"two that write different rows are not both committed: {play.errors}"
    assert (play.value(1), play.value(2)) == (1, 1), "what was committed is not there"
    return at_once


def row_locks(bench: Bench) -> frozenset[RowLock]:
    bench.new_seats()
    dialect = bench.database.dialect
    found: set[RowLock] = set()
    of_all: dict[RowLock, str] = {"update": dialect.for_change, "share": dialect.share_lock or "FOR SHARE"}
    select = 'SELECT "taken" FROM "seat" WHERE "id" = 1'
    for kind, words in of_all.items():
        with _undone(bench) as tx:
            if _is_refused(tx, f"{select} {words}"):
                continue
        locked = _reads(f"{select} {words}")
        changes = _has_to_wait(bench, locked, write(1, lambda: 1))
        same = _has_to_wait(bench, locked, locked)
        free = _has_to_wait(bench, locked, read(1))
        other = _has_to_wait(bench, locked, write(2, lambda: 1))
        if changes and same == (kind == "update") and not free and not other:
            found.add(kind)
    return frozenset(found)


def _reads(sql: str) -> Callable[[Transaction], object]:
    return lambda tx: tx.execute(sql, ()).fetchall()


def _has_to_wait(bench: Bench, held: Callable[[Transaction], object], step: Callable[[Transaction], object]) -> bool:
    """Whether a step of the second has to wait, and goes on when the first is over."""
    play = bench.play()
    play.first(held)
    play.second(step)
    waited = play.waited
    play.end()
    assert play.both_committed, f"who waited for a lock does not go on: {play.errors}"
    return waited


def savepoints(bench: Bench) -> bool:
    bench.new_seats()
    with _undone(bench) as tx:
        if _is_refused(tx, "SAVEPOINT a"):
            return False
    tx = bench.database.begin()
    try:
        _run(tx, 'UPDATE "seat" SET "taken" = 1 WHERE "id" = 1')
        tx.execute("SAVEPOINT a", ())
        _run(tx, 'UPDATE "seat" SET "taken" = 2 WHERE "id" = 1')
        tx.execute("SAVEPOINT b", ())
        _run(tx, 'UPDATE "seat" SET "taken" = 3 WHERE "id" = 1')
        assert _is_refused(tx, 'INSERT INTO "seat" ("id", "taken") VALUES (1, 0)'), "two rows have the same key"
        tx.execute("ROLLBACK TO SAVEPOINT b", ())
        if read(1)(tx) != 2:
            return False
        tx.execute("RELEASE SAVEPOINT b", ())
        tx.execute("ROLLBACK TO SAVEPOINT a", ())
        _run(tx, 'UPDATE "seat" SET "taken" = 4 WHERE "id" = 2')
        tx.commit()
    finally:
        tx.rollback()
    return (bench.value(1), bench.value(2)) == (1, 4)


def transactional_schema(bench: Bench) -> bool:
    database = bench.database
    before = database.tables()
    with _undone(bench) as tx:
        tx.execute('CREATE TABLE "made" ("id" BIGINT NOT NULL PRIMARY KEY)', ())
        tx.flush()
    taken_back = database.tables() == before
    if not taken_back:
        database.run_ddl(['DROP TABLE "made"'])
    # Where the database can't, the driver drops what it made before an error.
    twice = ['CREATE TABLE "half" ("id" BIGINT NOT NULL PRIMARY KEY)', 'CREATE TABLE "half" ("id" BIGINT)']
    assert _fails(lambda: database.run_ddl(twice)), "two tables have the same name"
    assert database.tables() == before, "schema statements that fail leave a table behind"
    return taken_back


def read_only_snapshot(bench: Bench) -> bool:
    free = True
    for anomaly in ("non-repeatable read", "read skew", "phantom"):
        bench.new_seats()
        play = bench.play(read_only=True)
        outcome = outcome_of(play, SCHEDULES[anomaly](play))
        assert outcome in ("not seen", "waits"), f"who only reads has a {anomaly}: {outcome}"
        assert play.both_committed, f"who only reads, or who writes meanwhile, is refused: {play.errors}"
        free = free and outcome == "not seen"
    return free


def pipeline(bench: Bench) -> bool:
    """What fails is only known to who waits for it, if nobody has waited before."""
    bench.new_seats()
    with _undone(bench) as tx:
        try:
            tx.execute('INSERT INTO "seat" ("id", "taken") VALUES (1, 0)', ())
        except Exception:
            return False
        assert _fails(tx.flush), "nobody ever hears of a statement that failed"
    return True


def returning(bench: Bench) -> bool:
    bench.new_seats()
    sql = 'UPDATE "seat" SET "taken" = "taken" + 1 WHERE "id" = 1 RETURNING "id", "taken"'
    with _undone(bench) as tx:
        try:
            rows = tx.execute(sql, ()).fetchall()
        except Exception:
            return False
    return [tuple(row) for row in rows] == [(1, 1)]
