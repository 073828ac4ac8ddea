"""Databases for tests, each empty at first and gone afterwards.

``database`` runs a test on every database, ``sqlite_db`` and ``postgresql_db`` on one. A test that needs PostgreSQL
is skipped where no server answers, and fails there in CI.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.database import Database

__all__ = ["database", "fresh_postgresql", "fresh_sqlite", "postgresql_db", "postgresql_schema", "sqlite_db"]


@contextmanager
def fresh_sqlite(directory: Path) -> Iterator[SQLiteDB]:
    """A database in a new file of the directory."""
    database = SQLiteDB(directory / f"{uuid.uuid4().hex[:8]}.db")
    try:
        yield database
    finally:
        database.close()


@contextmanager
def postgresql_schema(dsn: str) -> Iterator[str]:
    """A connection string that leads to a schema of its own in the database of ``dsn``."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        options = str(conninfo_to_dict(dsn).get("options") or "")
        try:
            yield make_conninfo(dsn, options=f"{options} -c search_path={name}".strip())
        finally:
            server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def fresh_postgresql(dsn: str) -> Iterator[PostgreSQLDB]:
    """An empty schema in the database of ``dsn``."""
    with postgresql_schema(dsn) as own:
        database = PostgreSQLDB(own)
        try:
            yield database
        finally:
            database.close()


@pytest.fixture
def sqlite_db(tmp_path: Path) -> Iterator[SQLiteDB]:
    with fresh_sqlite(tmp_path) as database:
        yield database


@pytest.fixture
def postgresql_db(postgresql_dsn: str) -> Iterator[PostgreSQLDB]:
    with fresh_postgresql(postgresql_dsn) as database:
        yield database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """Each database in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found
