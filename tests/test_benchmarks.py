"""The benchmarks run, and interaqt leaves the same rows as the code written by hand."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

import interaqt as iq
from benchmarks.__main__ import main
from benchmarks.handwritten_sqlite import HandwrittenSQLite
from benchmarks.ours import Ours

SMALL = ["--rounds", "2", "--batch", "6", "--likes", "5", "10"]
NO_SERVER = "postgresql://postgres@127.0.0.1:1/postgres"


def test_sqlite_is_measured_and_a_missing_server_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"

    main([*SMALL, "--postgresql", NO_SERVER, "--json", str(report)])

    out = capsys.readouterr().out
    assert "# PostgreSQL left out: " in out
    rows = [line.split("|")[1:4] for line in out.splitlines() if line.startswith("|")][2:]
    assert [[cell.strip() for cell in row] for row in rows] == [
        [operation, likes, "SQLite"]
        for operation in ("like_post", "create_post", "change_state")
        for likes in ("5", "10")
    ]
    measured = json.loads(report.read_text("utf-8"))["measurements"]
    assert len(measured) == 3 * 2 * 2
    assert {(each["side"], each["runs"]) for each in measured} == {("handwritten", 12), ("ours", 12)}


@pytest.mark.postgresql
def test_postgresql_is_measured(postgresql_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "--postgresql", postgresql_dsn])

    assert capsys.readouterr().out.count("| PostgreSQL |") == 3 * 2


def test_the_handwritten_tables_are_those_of_interaqt(tmp_path: Path) -> None:
    HandwrittenSQLite(tmp_path / "theirs.db").close()
    Ours(iq.SQLiteDB(str(tmp_path / "ours.db"))).close()

    assert shape_of(tmp_path / "theirs.db") == shape_of(tmp_path / "ours.db")


def shape_of(path: Path) -> dict[str, object]:
    """Columns, what is unique or indexed, and what refers to what, by table."""
    connection = sqlite3.connect(path)

    def pragma(name: str, argument: str) -> list[tuple[object, ...]]:
        return connection.execute(f"SELECT * FROM pragma_{name}(?)", (argument,)).fetchall()

    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    # The ledger of idempotency keys: no dispatch of these has one.
    tables = [table for table in tables if table != "idempotent_request"]
    shape: dict[str, object] = {}
    for table in tables:
        columns = {row[1:4] for row in pragma("table_info", table)}
        indexes = {
            (row[2], *[each[2] for each in pragma("index_info", str(row[1]))]) for row in pragma("index_list", table)
        }
        references = {row[2:7] for row in pragma("foreign_key_list", table)}
        shape[table] = (columns, indexes, references)
    connection.close()
    return shape
