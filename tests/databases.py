"""Databases for tests, each empty at first and gone afterwards.

``database`` runs a test on every database; ``sqlite_db``, ``postgresql_db``, ``mysql_db`` and ``embedded_db`` on one. A
test that needs a server is skipped where none answers, and fails there in CI; the embedded one comes with the packages
that tests need, so it must start everywhere.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pymysql
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interaqt.drivers.cockroachdb import CockroachDB
from interaqt.drivers.embedded_postgresql import EmbeddedPostgreSQLDB
from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.mysql_dsn import connection_arguments
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.drivers.sqlite import SQLiteDB
from interaqt.storage.database import Database
from tests.cockroachdb import COCKROACHDB, fresh_cockroachdb

__all__ = [
    "ON_EACH",
    "ON_EACH_DRIVER",
    "ON_SERVERS",
    "cockroachdb_db",
    "database",
    "embedded_db",
    "embedded_directory",
    "fresh",
    "fresh_embedded",
    "fresh_mysql",
    "fresh_postgresql",
    "fresh_sqlite",
    "mysql_db",
    "opened",
    "postgresql_db",
    "postgresql_schema",
    "server",
    "sqlite_db",
    "url_of",
]

MYSQL = os.environ.get("INTERAQT_TEST_MYSQL", "mysql://root@127.0.0.1:3306/mysql")
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

#: The parameters of a fixture that is to be had on each database behind a network, with rows locked one by one.
ON_SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mysql", marks=pytest.mark.mysql),
]
#: Those of one that is to be had on each kind of database.
ON_EACH = ["sqlite", *ON_SERVERS]
#: The embedded server is a PostgreSQL: what a driver promises is held against it, and random models; all other tests
#: only where ``INTERAQT_TEST_EMBEDDED`` asks for them.
ON_EACH_DRIVER = [*ON_EACH, "embedded"]
if os.environ.get("INTERAQT_TEST_EMBEDDED"):
    ON_EACH = ON_EACH_DRIVER
#: A PostgreSQL in the place of CockroachDB: some tests are always run on it, all others where it is asked for.
if COCKROACHDB:
    ON_EACH = [*ON_EACH, "cockroachdb"]


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


@contextmanager
def fresh_mysql() -> Iterator[MySQLDB]:
    """An empty database on the MySQL or MariaDB server; skips the test where none answers."""
    arguments = connection_arguments(MYSQL, {})
    try:
        server = pymysql.connect(**arguments, connect_timeout=5, autocommit=True)
    except pymysql.OperationalError as error:
        (pytest.fail if IN_CI else pytest.skip)(f"no MySQL server answers at {MYSQL}: {error.args[-1]}")
    name = f"interaqt_test_{uuid.uuid4().hex[:12]}"
    with server, server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        database = MySQLDB(**{**arguments, "database": name})
        try:
            yield database
        finally:
            database.close()
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def embedded_directory(testrun_uid: str) -> Iterator[Path]:
    """An embedded server for all tests of a run, in whichever process; it is gone with the last of them."""
    directory = Path(tempfile.gettempdir()) / f"interaqt-test-{testrun_uid}"
    database = _embedded(directory)
    try:
        with database.reading():
            yield directory
    finally:
        database.close()


def _embedded(directory: Path) -> EmbeddedPostgreSQLDB:
    return EmbeddedPostgreSQLDB(directory, durable=False, temporary=True)


@contextmanager
def fresh_embedded(directory: Path) -> Iterator[EmbeddedPostgreSQLDB]:
    """An empty schema in the embedded server of the directory."""
    database = _embedded(directory)
    with postgresql_schema(database.dsn) as own:
        database.dsn = own
        try:
            yield database
        finally:
            database.close()


def url_of(database: Database, options: str = "") -> str:
    """What another process opens the same database by, on PostgreSQL with more options of its own."""
    if isinstance(database, PostgreSQLDB):
        known = conninfo_to_dict(database.dsn).get("options") or ""
        dsn = make_conninfo(database.dsn, options=f"{known} {options}".strip())
        is_embedded = isinstance(database, EmbeddedPostgreSQLDB)
        return f"embedded:{database.server.directory}:{dsn}" if is_embedded else dsn
    if isinstance(database, MySQLDB):
        return urlunsplit(urlsplit(MYSQL)._replace(path=f"/{database.arguments['database']}"))
    assert isinstance(database, SQLiteDB)
    return database.path


def opened(url: str, patience: int = 10) -> Database:
    """The database that another process knows by a URL; ``patience`` is how many seconds one waits for a lock."""
    if url.startswith("mysql"):
        return MySQLDB(url, lock_timeout=patience)
    if not url.startswith("postgresql") and "=" not in url:
        return SQLiteDB(url, timeout=patience)
    kind, directory, dsn = url.split(":", 2) if url.startswith("embedded:") else ("", "", url)
    options = conninfo_to_dict(dsn).get("options") or ""
    patient = make_conninfo(dsn, options=f"{options} -c lock_timeout={patience}s".strip())
    if not kind:
        return PostgreSQLDB(patient)
    database = _embedded(Path(directory))
    database.dsn = patient
    return database


@contextmanager
def fresh(kind: str, request: pytest.FixtureRequest, directory: Path) -> Iterator[Database]:
    """An empty database of the kind, for a fixture that lives longer than one test."""
    match kind:
        case "sqlite":
            with fresh_sqlite(directory) as sqlite:
                yield sqlite
        case "postgresql":
            with fresh_postgresql(request.getfixturevalue("postgresql_dsn")) as postgresql:
                yield postgresql
        case "embedded":
            with fresh_embedded(request.getfixturevalue("embedded_directory")) as embedded:
                yield embedded
        case "cockroachdb":
            with fresh_cockroachdb(request.getfixturevalue("postgresql_dsn")) as cockroachdb:
                yield cockroachdb
        case _:
            with fresh_mysql() as mysql:
                yield mysql


@pytest.fixture
def sqlite_db(tmp_path: Path) -> Iterator[SQLiteDB]:
    with fresh_sqlite(tmp_path) as database:
        yield database


@pytest.fixture
def postgresql_db(postgresql_dsn: str) -> Iterator[PostgreSQLDB]:
    with fresh_postgresql(postgresql_dsn) as database:
        yield database


@pytest.fixture
def mysql_db() -> Iterator[MySQLDB]:
    with fresh_mysql() as database:
        yield database


@pytest.fixture
def cockroachdb_db(postgresql_dsn: str) -> Iterator[CockroachDB]:
    with fresh_cockroachdb(postgresql_dsn) as database:
        yield database


@pytest.fixture
def embedded_db(embedded_directory: Path) -> Iterator[EmbeddedPostgreSQLDB]:
    with fresh_embedded(embedded_directory) as database:
        yield database


@pytest.fixture(params=ON_SERVERS)
def server(request: pytest.FixtureRequest) -> Database:
    """Each database behind a network in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found


@pytest.fixture(params=ON_EACH)
def database(request: pytest.FixtureRequest) -> Database:
    """Each database in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_db")
    return found
