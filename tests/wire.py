"""A line between a client and its server that tests can cut, at a moment and in a direction of their choice."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interaqt.drivers.mysql import MySQLDB
from interaqt.drivers.postgresql import PostgreSQLDB
from interaqt.storage.database import Database

__all__ = ["Fault", "Wire", "behind_a_wire"]

#: What happens to what the client sends next: the server gets it, and the client never hears of it; the server
#: does not get it, and both find the line cut; the client finds it cut, and the server waits for more.
Fault = Literal["answer lost", "request lost", "server left waiting"]

#: PostgreSQL's last word after all that it was asked: it is ready, and in no transaction.
_READY = b"Z\x00\x00\x00\x05I"


class Wire:
    """Listens on a port of this machine, and passes on what it hears."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.fault: Fault | None = None
        """What happens next; it happens once."""
        self.last = False
        """Whether nobody answers any more after it."""
        self._open: list[socket.socket] = []
        self._left: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                line = _Line()
                for pump in (self._forward, self._backward):
                    threading.Thread(target=pump, args=(client, server, line), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, line: _Line) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(65_536):
                if self.fault is not None and line.fault is None:
                    line.fault, self.fault = self.fault, None
                    if self.last:
                        _close(self._listening)
                if line.fault is None or line.fault == "answer lost":
                    server.sendall(piece)
                elif line.fault == "request lost":
                    break
                else:
                    self._left.append(server)
                    _close(client)
                    return
        _close(client, server)

    def _backward(self, client: socket.socket, server: socket.socket, line: _Line) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(65_536):
                if line.fault is None:
                    client.sendall(piece)
                    continue
                line.lost += piece
                # Whatever MariaDB answers to a COMMIT that it was sent alone says that it has done it.
                if line.fault == "answer lost" and (not line.lost.startswith(_LETTERS) or line.lost.endswith(_READY)):
                    break
        if line.fault != "server left waiting":
            _close(client, server)

    def release(self) -> None:
        """Let servers that were left waiting know that nobody is there."""
        _close(*self._left)

    def close(self) -> None:
        _close(self._listening, *self._open)


class _Line:
    """One connection: what befell it, and what the server said that its client did not hear."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.lost = b""


#: What messages of PostgreSQL begin with; a packet of MariaDB begins with its length, 7 for that answer.
_LETTERS = tuple(bytes([letter]) for letter in range(ord("1"), ord("z") + 1))


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            each.close()


@contextmanager
def behind_a_wire(database: Database) -> Iterator[tuple[Any, Wire]]:
    """The same database as it is seen through a line that can be cut."""
    if isinstance(database, PostgreSQLDB):
        options = conninfo_to_dict(database.dsn)
        wire = Wire(str(options.get("host") or "127.0.0.1"), int(options.get("port") or 5432))
        seen: Database = PostgreSQLDB(
            make_conninfo(database.dsn, host="127.0.0.1", port=wire.port, sslmode="disable", gssencmode="disable")
        )
    else:
        assert isinstance(database, MySQLDB)
        arguments = database.arguments
        wire = Wire(arguments.get("host", "127.0.0.1"), arguments.get("port", 3306))
        seen = MySQLDB(**{**arguments, "host": "127.0.0.1", "port": wire.port})
    try:
        yield seen, wire
    finally:
        seen.close()
        wire.close()
