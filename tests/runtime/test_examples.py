"""The example applications: they run on each database, and no dispatch of theirs scans a table."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import examples
import interaqt as iq
from interaqt.storage.database import Database
from tests.runtime.test_statements import scans

EXAMPLES = sorted(path.stem for path in Path(examples.__path__[0]).glob("[!_]*.py"))


def dispatched(statements: list[tuple[str, tuple[Any, ...]]]) -> dict[str, tuple[Any, ...]]:
    """What dispatches send, each text once with some values: transactions that write an event."""
    found: dict[str, tuple[Any, ...]] = {}
    transaction: dict[str, tuple[Any, ...]] = {}
    for sql, values in statements:
        if sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            if any(re.match(r"INSERT INTO .interaction_event", each) for each in transaction):
                found |= transaction
            transaction = {}
        else:
            transaction[sql] = values
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_on_each_database(
    name: str, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(iq, "SQLiteDB", lambda *_: database)
    importlib.import_module(f"examples.{name}").main()
    assert capsys.readouterr().out


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_dispatch_of_an_example_scans_a_table(
    name: str, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    database: Database = request.getfixturevalue(f"{kind}_db")
    monkeypatch.setattr(iq, "SQLiteDB", lambda *_: database)
    with database.recording() as recorder:
        importlib.import_module(f"examples.{name}").main()
    sent = dispatched(recorder.statements)
    assert sent
    assert [sql for sql, values in sent.items() if scans(database, sql, values)] == []
