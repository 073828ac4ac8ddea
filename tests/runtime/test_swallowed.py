"""An error of the database that a callback takes no notice of decides all the same: it is never a denial."""

from __future__ import annotations

from typing import Any

import psycopg
import pymysql
import pytest

import interaqt as iq
from interaqt import Event
from interaqt.storage.database import Database
from tests.databases import ON_EACH

SIGNALS = {
    "PostgreSQL": "DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40P01'; END $$",
    "MariaDB": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'conflict'",
}
#: A statement that fails for no conflict.
NONSENSE = "SELECT * FROM nowhere"


@pytest.fixture
def gate(server: Database) -> Gate:
    return Gate(server)


@pytest.fixture(params=ON_EACH[1:])
def server(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


class Gate:
    """An interaction whose condition runs a statement, at its first attempt, and takes no notice of its error."""

    def __init__(self, database: Database) -> None:
        self.statement = SIGNALS[database.dialect.name]
        self.attempts = 0
        self.answer = False

        @iq.condition
        def heedless(event: Event[Any]) -> bool:
            self.attempts += 1
            if self.attempts > 1:
                return True
            try:
                with self.app.system.storage.executor() as executor:
                    executor.execute(self.statement, ()).fetchall()
            except Exception:
                return self.answer
            return True

        @iq.interaction(guard=heedless)
        class Enter:
            pass

        self.enter = Enter
        self.app = iq.Controller(iq.MonoSystem(database), [Enter])
        self.app.setup(install=True)


@pytest.mark.parametrize("answer", [True, False])
def test_a_conflict_that_a_condition_swallows_is_no_denial_either(gate: Gate, answer: bool) -> None:
    gate.answer = answer
    gate.app.dispatch(gate.enter())
    assert gate.attempts == 2
    assert gate.app.system.storage.query(iq.InteractionEvent).count() == 1


@pytest.mark.parametrize("answer", [True, False])
def test_nor_is_an_error_that_no_retry_heals(gate: Gate, answer: bool) -> None:
    gate.statement, gate.answer = NONSENSE, answer
    with pytest.raises(iq.DatabaseError, match="nowhere") as caught:
        gate.app.dispatch(gate.enter())
    assert caught.value.code == "database.statement"
    assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedTable | pymysql.err.ProgrammingError)
    assert gate.attempts == 1
    assert gate.app.system.storage.query(iq.InteractionEvent).count() == 0


def test_what_a_savepoint_took_back_is_forgotten(gate: Gate) -> None:
    gate.statement = NONSENSE

    @iq.condition
    def careful(event: Event[Any]) -> bool:
        with gate.app.system.storage.executor() as executor:
            executor.execute("SAVEPOINT s", ())
            try:
                executor.execute(NONSENSE, ()).fetchall()
            except Exception:
                executor.execute("ROLLBACK TO SAVEPOINT s", ())
        return False

    gate.enter.__iq_interaction__.guard = careful
    gate.app = iq.Controller(gate.app.system, [gate.enter])
    gate.app.setup()
    with pytest.raises(iq.ConditionRejected):
        gate.app.dispatch(gate.enter())
