"""Where it is measured: a file of SQLite, a PostgreSQL server, a MariaDB or MySQL server; each time a new database."""

from __future__ import annotations

import os
import sqlite3
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs
import psycopg
import pymysql
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import interaqt as iq
from benchmarks.hand import (
    Hand,
    MySQLHand,
    MySQLPipelined,
    PostgreSQLHand,
    PostgreSQLPipelined,
    SQLiteHand,
    mysql_connection,
)
from interaqt.drivers.mysql_dsn import connection_arguments

__all__ = ["MySQLPlace", "Place", "PostgreSQLPlace", "SQLitePlace", "Unreachable", "Where"]


class Unreachable(Exception):
    """A server does not answer; the message says which, and why."""


@attrs.frozen
class Where:
    """One new database: by what interaqt and handwritten code open it, in whatever process."""

    kind: type[Place]
    url: str

    def open(self) -> Any:
        """As interaqt's driver opens it."""
        return self.kind.open(self.url)

    def hand(self) -> Hand:
        return self.kind.hand(self.url)

    def pipelined(self) -> Hand | None:
        return self.kind.pipelined(self.url)

    def at_port(self, port: int) -> Where:
        """The same database behind another port of this machine."""
        return attrs.evolve(self, url=self.kind.at_port(self.url, port))


class Place(ABC):
    """A kind of database, on which new ones are made and dropped."""

    name: str

    @property
    def port(self) -> int | None:
        """Where its server listens on this machine, if it does."""
        return None

    @abstractmethod
    def describe(self) -> str:
        """What it is, for the heading of a table; raises :class:`Unreachable` where it is not there."""

    @abstractmethod
    def fresh(self) -> Any:
        """A context: a new database, gone at its end."""

    @staticmethod
    @abstractmethod
    def open(url: str) -> Any: ...

    @staticmethod
    @abstractmethod
    def hand(url: str) -> Hand: ...

    @staticmethod
    def pipelined(url: str) -> Hand | None:
        return None

    @staticmethod
    def at_port(url: str, port: int) -> str:
        raise NotImplementedError("it has no port")

    @staticmethod
    @abstractmethod
    def settle(hand: Hand, tables: list[str], much: bool = True) -> None:
        """Once tables are filled: keys go on from there, and the database knows how much there is.

        Where it is ``much``, what is still to be written is written now, and not while others are measured.
        """


class SQLitePlace(Place):
    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def describe(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}, a file, WAL, synchronous=NORMAL"

    @contextmanager
    def fresh(self) -> Iterator[Where]:
        path = self.folder / f"{uuid.uuid4().hex[:12]}.db"
        yield Where(SQLitePlace, str(path))
        for each in self.folder.glob(f"{path.name}*"):
            os.unlink(each)

    @staticmethod
    def open(url: str) -> Any:
        return iq.SQLiteDB(url, timeout=30)

    @staticmethod
    def hand(url: str) -> Hand:
        return SQLiteHand(url)

    @staticmethod
    def settle(hand: Hand, tables: list[str], much: bool = True) -> None:
        hand.rows("ANALYZE")
        hand.rows("PRAGMA wal_checkpoint(TRUNCATE)")


class PostgreSQLPlace(Place):
    name = "PostgreSQL"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    @property
    def port(self) -> int | None:
        parts = conninfo_to_dict(self.dsn)
        return int(parts.get("port") or 5432) if parts.get("host") in ("127.0.0.1", "localhost") else None

    def describe(self) -> str:
        with self._server() as server:
            version = server.info.server_version
            (fsync,) = server.execute("SELECT current_setting('fsync')").fetchone() or ("?",)
        return f"PostgreSQL {version // 10000}.{version % 10000}, fsync={fsync}"

    def _server(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(self.dsn, autocommit=True, connect_timeout=5)
        except psycopg.OperationalError as error:
            raise Unreachable(str(error).strip().splitlines()[0]) from None

    @contextmanager
    def fresh(self) -> Iterator[Where]:
        # A schema is made in no time; a database is copied.
        name = f"interaqt_benchmark_{uuid.uuid4().hex[:12]}"
        with self._server() as server:
            server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        options = conninfo_to_dict(self.dsn).get("options") or ""
        try:
            yield Where(PostgreSQLPlace, make_conninfo(self.dsn, options=f"{options} -c search_path={name}".strip()))
        finally:
            # It may have taken longer than an idle connection lives.
            with self._server() as server:
                server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))

    @staticmethod
    def open(url: str) -> Any:
        return iq.PostgreSQLDB(url)

    @staticmethod
    def hand(url: str) -> Hand:
        return PostgreSQLHand(url)

    @staticmethod
    def pipelined(url: str) -> Hand | None:
        return PostgreSQLPipelined(url)

    @staticmethod
    def at_port(url: str, port: int) -> str:
        return make_conninfo(url, host="127.0.0.1", port=port)

    @staticmethod
    def settle(hand: Hand, tables: list[str], much: bool = True) -> None:
        assert isinstance(hand, PostgreSQLHand)
        connection = hand.connection
        connection.autocommit = True
        for table in tables:
            name, literal = sql.Identifier(table), sql.Literal(f'"{table}"')
            connection.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(literal, name)
            )
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(name))
        if much:
            connection.execute("CHECKPOINT")
        connection.autocommit = False


class MySQLPlace(Place):
    name = "MariaDB"

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def port(self) -> int | None:
        parts = urlsplit(self.url)
        return parts.port or 3306 if parts.hostname in ("127.0.0.1", "localhost") else None

    def describe(self) -> str:
        with self._server() as server, server.cursor() as cursor:
            cursor.execute("SELECT version(), @@innodb_flush_log_at_trx_commit")
            version, flush = cursor.fetchone()
        return f"MariaDB or MySQL {version}, innodb_flush_log_at_trx_commit={flush}"

    def _server(self) -> Any:
        try:
            return mysql_connection(connection_arguments(self.url, {}), connect_timeout=5)
        except pymysql.OperationalError as error:
            raise Unreachable(str(error.args[-1])) from None

    @contextmanager
    def fresh(self) -> Iterator[Where]:
        name = f"interaqt_benchmark_{uuid.uuid4().hex[:12]}"
        with self._server() as server, server.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield Where(MySQLPlace, urlunsplit(urlsplit(self.url)._replace(path=f"/{name}")))
        finally:
            with self._server() as server, server.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")

    @staticmethod
    def open(url: str) -> Any:
        return iq.MySQLDB(url)

    @staticmethod
    def hand(url: str) -> Hand:
        return MySQLHand(connection_arguments(url, {}))

    @staticmethod
    def pipelined(url: str) -> Hand | None:
        return MySQLPipelined(connection_arguments(url, {}))

    @staticmethod
    def at_port(url: str, port: int) -> str:
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}"))

    @staticmethod
    def settle(hand: Hand, tables: list[str], much: bool = True) -> None:
        for table in tables:
            hand.rows(f'ANALYZE TABLE "{table}"')
