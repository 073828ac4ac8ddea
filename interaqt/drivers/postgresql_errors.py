"""What the errors of PostgreSQL mean that are no conflict, and about no constraint; connection strings, too."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from interaqt.core.errors import DatabaseError
from interaqt.drivers.arguments import require_text, wrong

__all__ = ["readable", "told", "unreachable"]

_DENIED = ("authentication failed", "no pg_hba.conf entry", "no password", 'FATAL:  role "')
_TOO_DEEP = "54001"  # statement_too_complex


def readable(dsn: object, driver: str) -> str:
    """A connection string that libpq can read; of one that it can't, no password is shown."""
    text = require_text(dsn, driver, "postgresql://user@host/name")
    hint = "write postgresql://user:password@host:5432/name, or host=... user=... dbname=..."
    scheme, is_url, _ = text.partition("://")
    if is_url and scheme.isalnum() and scheme not in ("postgresql", "postgres"):
        message = f"a connection string begins with postgresql://, not {scheme}://"
        raise wrong(driver, message, hint, code="database.dsn")
    try:
        conninfo_to_dict(text)
    except psycopg.ProgrammingError as error:
        raise wrong(
            driver, f"the connection string can't be read: {_first_line(error)}", hint, code="database.dsn"
        ) from None
    return text


def told(error: BaseException) -> DatabaseError | None:
    """An error of the client library in the framework's words."""
    if not isinstance(error, psycopg.Error):
        return None
    message = f"the database does not take the statement: {_first_line(error)}"
    if error.sqlstate == _TOO_DEEP:
        return DatabaseError(
            message, code="database.too_deep", hint="ask for less at once: nest the condition less deeply"
        )
    return DatabaseError(message)


def unreachable(error: Exception) -> DatabaseError | None:
    """Why there is no connection."""
    if not isinstance(error, psycopg.Error | OSError):
        return None
    message = f"there is no connection to the database: {_first_line(error)}"
    text = str(error)
    # While there is no connection libpq knows no state, only the server's sentence.
    if any(
        words in text for words in ("authentication failed", "no pg_hba.conf entry", "no password", 'FATAL:  role "')
    ):
        return DatabaseError(message, code="database.access_denied", hint="the user or the password is another one")
    if 'FATAL:  database "' in text:
        return DatabaseError(message, code="database.missing", hint="create it: createdb NAME")
    return DatabaseError(
        message, code="database.unreachable", hint="is the server running, and are host and port those of it?"
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
