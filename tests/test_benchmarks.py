"""The benchmarks run, and interaqt leaves the same rows as the code written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main

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
