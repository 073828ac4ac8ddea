"""Connection strings: ``mysql://user:password@host:3306/name?ssl_ca=/path``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql

from interaqt.core.errors import did_you_mean
from interaqt.drivers.arguments import require_text, wrong

__all__ = ["connection_arguments"]

_EXAMPLE = "mysql://user:password@host:3306/name"
#: What ``pymysql.connect`` takes.
_KNOWN = tuple(name for name in inspect.signature(pymysql.Connection).parameters if name != "self")
_SCHEMES = ("mysql", "mariadb")
_NUMBERS = frozenset({"connect_timeout", "read_timeout", "write_timeout"})
_TEXTS = frozenset({"unix_socket", "bind_address", "program_name", "ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password"})
_TRUTHS = frozenset({"ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"})


def connection_arguments(dsn: str | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``pymysql.connect``: those of the string, and above them those given by name."""
    found: dict[str, Any] = {}
    if dsn is not None:
        try:
            found = _parsed(require_text(dsn, "MySQLDB", "mysql://user@host/name"))
        except ValueError as error:
            raise wrong("MySQLDB", str(error), f"write {_EXAMPLE}", code="database.dsn") from None
    unknown = [name for name in arguments if name not in _KNOWN]
    if unknown:
        raise wrong("MySQLDB", f"there is no argument {unknown[0]}=", did_you_mean(unknown[0], _KNOWN))
    found |= arguments
    if not found.get("database"):
        raise wrong("MySQLDB", "it does not say which database", f"write {_EXAMPLE} or MySQLDB(database='name')")
    return found


def _parsed(dsn: str) -> dict[str, Any]:
    parts = urlsplit(dsn)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"a connection string begins with mysql:// or mariadb://, not {parts.scheme!r}")
    found: dict[str, Any] = {"host": parts.hostname or "localhost", "database": unquote(parts.path.lstrip("/"))}
    if parts.port is not None:
        found["port"] = parts.port
    if parts.username is not None:
        found["user"] = unquote(parts.username)
    if parts.password is not None:
        found["password"] = unquote(parts.password)
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _TEXTS:
            found[name] = value
        elif name in _NUMBERS:
            found[name] = int(value)
        elif name in _TRUTHS:
            found[name] = value.lower() in ("1", "true", "yes")
        else:
            known = ", ".join(sorted(_TEXTS | _NUMBERS | _TRUTHS))
            raise ValueError(f"a connection string has no {name!r}; it has {known}")
    return found
