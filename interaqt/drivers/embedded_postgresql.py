"""PostgreSQL without a server to install: it comes as a package, and runs for as long as somebody uses it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from interaqt.drivers.arguments import require_path
from interaqt.drivers.embedded_server import EmbeddedServer
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.drivers.postgresql_dialect import PostgreSQLDialect
from interaqt.drivers.postgresql_session import Session

__all__ = ["EmbeddedPostgreSQLDB"]

_TRIES = 5
_NAME = "EmbeddedPostgreSQLDB"


class EmbeddedPostgreSQLDB(PostgreSQLDB):
    """``EmbeddedPostgreSQLDB("data/")``, or ``EmbeddedPostgreSQLDB()`` for one that lives as long as this process.

    A PostgreSQL server with its files in the directory. It is started when it is first needed,
    shared by all processes that name the directory, and stopped when the last of them ends or
    has closed it, even if it is killed. Nobody reaches it over a network.

    ``binaries`` is the directory of another PostgreSQL's programs than those of the package.
    ``durable=False`` is faster, and survives every crash but that of the machine. PostgreSQL
    refuses to run as root: there it runs as ``user``, by default ``postgres`` or ``nobody``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        binaries: str | os.PathLike[str] | None = None,
        user: str | None = None,
        durable: bool | None = None,
        temporary: bool | None = None,
        pool_size: int = 10,
        pipeline: bool = True,
        timeout: float = 30.0,
    ) -> None:
        directory = Path(tempfile.mkdtemp(prefix="interaqt-") if path is None else require_path(path, _NAME))
        self.server = EmbeddedServer(
            directory,
            binaries=None if binaries is None else Path(require_path(binaries, _NAME)),
            user=user,
            durable=path is not None if durable is None else durable,
            temporary=path is None if temporary is None else temporary,
        )
        dsn = make_conninfo(host=str(self.server.socket), user="postgres", dbname="postgres")
        super().__init__(dsn, pool_size=pool_size, pipeline=pipeline, timeout=timeout)

    def _dialect(self) -> PostgreSQLDialect:
        # The package is built without ICU, and since 18 PostgreSQL knows full case mapping by itself.
        return PostgreSQLDialect(case="pg_unicode_fast") if self.server.version >= 18 else PostgreSQLDialect()

    def _connect(self) -> Session:
        for _ in range(_TRIES - 1):
            self.server.use()
            with contextlib.suppress(psycopg.OperationalError):  # it died meanwhile, and is started anew
                return super()._connect()
            time.sleep(0.05)
        self.server.use()
        return super()._connect()

    def close(self) -> None:
        """Close what is idle, and let go of the server."""
        super().close()
        self.server.release()
