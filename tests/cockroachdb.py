"""CockroachDB for tests, or a PostgreSQL that stands in for it.

``INTERAQT_TEST_COCKROACHDB`` has all tests run on it that run on each database: on the server that it names by a
connection string, or, whatever else it says, on the stand-in. That runs what is written for CockroachDB, and shows
that it is well-formed and means what it should to PostgreSQL; what is only so on the other it can't show.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from interaqt.drivers.cockroachdb import CockroachDB

__all__ = ["COCKROACHDB", "StandIn", "fresh_cockroachdb"]

COCKROACHDB = os.environ.get("INTERAQT_TEST_COCKROACHDB", "")

#: What CockroachDB has and PostgreSQL has not.
_OPERATORS = """
CREATE FUNCTION floordiv(BIGINT, BIGINT) RETURNS BIGINT IMMUTABLE LANGUAGE sql AS 'SELECT $1 / $2';
CREATE OPERATOR // (LEFTARG = BIGINT, RIGHTARG = BIGINT, FUNCTION = floordiv);
"""


class StandIn(CockroachDB):
    """PostgreSQL in the place of CockroachDB."""

    def _require_server(self, connection: psycopg.Connection[Any]) -> None:
        pass


@contextmanager
def fresh_cockroachdb(postgresql: str) -> Iterator[CockroachDB]:
    """An empty database on CockroachDB, or on the PostgreSQL server that stands in for it."""
    is_real = "=" in COCKROACHDB or COCKROACHDB.startswith("postgres")
    server = COCKROACHDB if is_real else postgresql
    name = f"interaqt_test_{uuid.uuid4().hex[:12]}"
    # Texts are in the order of their bytes there, whatever the server's own order is.
    order = "" if is_real else " LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}{order}".encode())
        try:
            own = make_conninfo(server, dbname=name)
            if not is_real:
                with psycopg.connect(own, autocommit=True) as made:
                    made.execute(_OPERATORS.encode())
            database = CockroachDB(own) if is_real else StandIn(own)
            try:
                yield database
            finally:
                database.close()
        finally:
            admin.execute(f"DROP DATABASE {name} {'CASCADE' if is_real else 'WITH (FORCE)'}".encode())
