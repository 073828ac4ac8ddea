"""What each database lets happen at each level: the table in docs/databases.md, cell by cell, as it really is."""

from __future__ import annotations

from pathlib import Path

import pytest

from interaqt.core.errors import TransactionCapabilityError
from interaqt.drivers.mysql import MySQLDB
from interaqt.storage.capability import Anomaly
from interaqt.storage.database import Database
from interaqt.testing.play import Bench
from interaqt.testing.schedules import OUTCOMES, SCHEDULES, outcome_of
from tests.drivers.waiting import bench_of

PAGE = Path(__file__).parents[2] / "docs" / "databases.md"
LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


@pytest.fixture
def seats(database: Database) -> Bench:
    bench = bench_of(database)
    bench.new_seats()
    return bench


def written(heading: str) -> dict[str, dict[str, str]]:
    """The table under a heading of the page, by the first cell of a row and the title of a column."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    titles, _, *rest = rows
    return {row[0]: dict(zip(titles[1:], row[1:], strict=True)) for row in rest}


@pytest.mark.parametrize("anomaly", list(SCHEDULES))
@pytest.mark.parametrize("level", LEVELS)
def test_two_transactions(seats: Bench, level: str, anomaly: Anomaly) -> None:
    database = seats.database
    if level not in database.capability.isolation:
        with pytest.raises(TransactionCapabilityError, match="isolation level"):
            database.begin(level)
        return
    play = seats.play(level)
    found = outcome_of(play, SCHEDULES[anomaly](play))

    table = written("What transactions see of each other")[anomaly]
    name = "MariaDB" if isinstance(database, MySQLDB) else database.dialect.name
    assert found == table["SQLite" if name == "SQLite" else f"{name}, {level}"]
    assert (anomaly in database.capability.isolation[level]) == (found == "possible")


@pytest.mark.parametrize("anomaly", ["non-repeatable read", "read skew", "phantom"])
def test_one_that_only_reads(seats: Bench, anomaly: Anomaly) -> None:
    """It sees one state all along, and nobody waits for it."""
    play = seats.play(read_only=True)
    assert outcome_of(play, SCHEDULES[anomaly](play)) == "not seen"
    assert play.both_committed


def test_every_cell_is_an_outcome_that_is_proven() -> None:
    table = written("What transactions see of each other")
    assert list(table) == list(SCHEDULES)
    columns = ["SQLite", *(f"{server}, {level}" for server in ("PostgreSQL", "MariaDB") for level in LEVELS)]
    for row in table.values():
        assert list(row) == columns
        assert set(row.values()) <= set(OUTCOMES)
