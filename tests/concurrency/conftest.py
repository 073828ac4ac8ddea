"""The processes of these tests, and the one place where all of them are held to the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from interaqt.storage.database import Database
from tests.concurrency.processes import AtOnce, Processes
from tests.databases import url_of

#: Where deadlocks are met on purpose, nobody waits a second until the server looks for one.
_SOON = "-c deadlock_timeout=20ms"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one worker: two of these at once would only measure each other."""
    for item in items:
        if item.path.parent.name == "concurrency":
            item.add_marker(pytest.mark.xdist_group("concurrency"))


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


@pytest.fixture
def at_once(
    database: Database, processes: Processes, record_property: Callable[[str, object], None]
) -> Iterator[AtOnce]:
    """Has eight processes do the same work at once.

    Afterwards every derived value is what its declaration says, and no conflict was left to the caller.
    """
    found = AtOnce(database, url_of(database, _SOON), processes)
    yield found
    for name, report in found.reports.items():
        record_property(name, str(report))
        print(f"{database.dialect.name}, {name}: {report}")
        assert "transaction.retry_exhausted" not in report.outcomes
    assert found.controller.verify() == []
