"""The parts of MySQL's client protocol that a session needs: commands, packets, numbers, errors."""

from __future__ import annotations

from typing import BinaryIO

import pymysql
from pymysql.err import raise_mysql_exception

from interaqt.drivers.pipeline import ConnectionLost

__all__ = ["JOINING_OFF", "JOINING_ON", "command", "length_at", "mysql_error", "packet_from"]

_COM_QUERY = b"\x03"

#: COM_SET_OPTION: whether a text may hold several statements, of which one that fails ends all.
JOINING_ON, JOINING_OFF = (b"\x03\x00\x00\x00\x1b" + option + b"\x00" for option in (b"\x00", b"\x01"))
_LARGEST = 0xFFFFFF


def command(text: bytes) -> bytes:
    """A statement as the packets that ask for it."""
    payload = _COM_QUERY + text
    packets: list[bytes] = []
    while True:
        piece, payload = payload[:_LARGEST], payload[_LARGEST:]
        packets += (len(piece).to_bytes(3, "little"), bytes((len(packets) // 3 & 0xFF,)), piece)
        if len(piece) < _LARGEST:
            return b"".join(packets)


def packet_from(file: BinaryIO) -> bytes:
    """The next packet, however many pieces it comes in."""
    whole = b""
    while True:
        header = file.read(4)
        size = int.from_bytes(header[:3], "little")
        body = file.read(size)
        if len(header) < 4 or len(body) < size:
            raise ConnectionLost("the connection was closed by the server")
        whole = whole + body if whole else body
        if size < _LARGEST:
            return whole


def length_at(packet: bytes, at: int) -> int:
    """A number in the protocol's notation of variable length."""
    first = packet[at]
    if first < 0xFB:
        return first
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : at + 1 + width], "little")


def mysql_error(packet: bytes, sql: str) -> pymysql.MySQLError:
    """The exception that PyMySQL has for an error; it knows the statement, which the message often does not."""
    try:
        raise_mysql_exception(packet)
    except pymysql.MySQLError as error:
        error.statement = sql  # type: ignore[attr-defined]
        return error
    raise AssertionError("an error packet raises")
