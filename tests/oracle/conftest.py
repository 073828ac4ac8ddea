"""What the tests with random models share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg.conninfo import make_conninfo

import interaqt as iq
from interaqt.storage.database import Database


@contextmanager
def memory() -> Iterator[Database]:
    """A database that nothing is left of."""
    database = iq.SQLiteDB()
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def hasty_postgresql(postgresql_dsn: str) -> str:
    """A server for many small models: commits don't wait for the disk."""
    return make_conninfo(postgresql_dsn, options="-c synchronous_commit=off")


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many random models the run is to try: ``--oracle=N``."""
    return int(request.config.getoption("--oracle"))
