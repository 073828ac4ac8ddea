"""Names of constraints and indexes: legible at a SQL prompt, stable, and short enough for every database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["LONGEST", "object_name"]

LONGEST = 63
"""Bytes of an identifier that PostgreSQL keeps; it cuts off the rest without a word."""


def object_name(table: str, columns: Iterable[str], suffix: str, *, distinct: bool = False) -> str:
    """``<table>_<columns>_<suffix>``.

    One that is too long, or that would be that of another object (``distinct``), has a hash of
    all its parts in it: the same in every process, and changed by nothing but the parts.
    """
    parts = (table, *columns)
    name = "_".join((*parts, suffix))
    if len(name.encode()) <= LONGEST and not distinct:
        return name
    mark = f"_{hashlib.blake2s(chr(0).join(parts).encode(), digest_size=4).hexdigest()}_{suffix}"
    start = "_".join(parts).encode()[: LONGEST - len(mark.encode())]
    return start.decode(errors="ignore") + mark
