"""What all tests share: how long Hypothesis looks, and a PostgreSQL database of their own.

``INTERAQT_TEST_POSTGRESQL`` names another server than the local one. Without a server the tests
that need one are skipped and say so; where ``CI`` is set they fail, so that a green run there
means that they ran.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import timedelta

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

#: The databases that tests run on are fixtures of all of them.
pytest_plugins = ("tests.databases",)

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
POSTGRESQL = os.environ.get("INTERAQT_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")

# The same examples on each run and a bounded time in CI; a wider search at the desk.
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("dev", max_examples=100, stateful_step_count=30, deadline=timedelta(seconds=10))
hypothesis.settings.register_profile("long", max_examples=5000, stateful_step_count=100, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--oracle", type=int, default=300, help="how many random models tests/oracle tries")


@pytest.fixture(scope="session")
def postgresql_dsn() -> Iterator[str]:
    """A new, empty database on the PostgreSQL server; dropped when the tests of this process end."""
    server, reason = connect()
    if server is None:
        (pytest.fail if IN_CI else pytest.skip)(reason)
    name = f"interaqt_test_{uuid.uuid4().hex[:12]}"
    with server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(POSTGRESQL, dbname=name)
        finally:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def connect() -> tuple[psycopg.Connection | None, str]:
    """A connection to the server, or why there is none."""
    try:
        return psycopg.connect(POSTGRESQL, autocommit=True, connect_timeout=5), ""
    except psycopg.OperationalError as error:
        return None, f"no PostgreSQL server answers at {POSTGRESQL}: {str(error).strip().splitlines()[0]}"
