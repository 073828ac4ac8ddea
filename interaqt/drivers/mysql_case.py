"""Upper and lower case as Python has them, where the tables of MySQL and MariaDB are one letter to one and old.

The letters that become several, and the sigma that is another at the end of a word, are taken
care of here. What else differs are scripts that came later: see ``DIFFERENT``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import peewee

from interaqt.core.expressions import Op
from interaqt.core.types import Kind
from interaqt.storage.sql import template

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["DIFFERENT", "lower", "upper"]

#: Letters that change case in Python and do not there, by ranges: scripts, and letters of phonetic
#: and historical use, whose case came into Unicode after 2009. Georgian is the one in daily use.
DIFFERENT = (
    (0x25C, 0x29E), (0x37F, 0x37F), (0x3F3, 0x3F3), (0x526, 0x52F), (0x10A0, 0x10FF), (0x13A0, 0x13FF),
    (0x1C80, 0x1CBF), (0x1D8E, 0x1D8E), (0x2C2F, 0x2C2F), (0x2C5F, 0x2C5F), (0x2CF2, 0x2CF3), (0x2D27, 0x2D2D),
    (0xA660, 0xA661), (0xA698, 0xA69B), (0xA78D, 0xA7FF), (0xAB53, 0xABBF), (0x10400, 0x1FFFF),
)  # fmt: skip

_TABLES = {"MariaDB": "utf8mb4_unicode_520_ci", "MySQL": "utf8mb4_0900_ai_ci"}

_CASED = r"\p{Lu}\p{Ll}\p{Lt}"
_IGNORED = r"\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}'.:\x{B7}\x{387}\x{55F}\x{5F4}\x{2018}\x{2019}\x{2024}\x{2027}"
_FINAL_SIGMA = f"([{_CASED}][{_IGNORED}]*)Σ(?![{_IGNORED}]*[{_CASED}])"


def upper(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    whole, letters = _expanding()
    return template(
        f"CASE WHEN {{0}} REGEXP '[{letters}]' THEN {_cased('upper', whole, dialect)}"
        f" ELSE {_cased('upper', '{0}', dialect)} END",
        nodes[0],
    )


def lower(dialect: Dialect, op: Op, nodes: Sequence[peewee.Node]) -> peewee.Node:
    group = r"\1" if dialect.name == "MariaDB" else "$1"
    pattern = peewee.Value(_FINAL_SIGMA, converter=False)
    whole = f"regexp_replace(replace({{0}}, 'İ', 'i\u0307'), {{1}}, '{group}ς')"
    return template(
        f"CASE WHEN {{0}} REGEXP '[İΣ]' THEN {_cased('lower', whole, dialect)}"
        f" ELSE {_cased('lower', '{0}', dialect)} END",
        nodes[0],
        pattern,
    )


def _cased(function: str, text: str, dialect: Dialect) -> str:
    collation = dialect.column_types[Kind.STR].partition(" COLLATE ")[2]
    return f"({function}({text} COLLATE {_TABLES[dialect.name]}) COLLATE {collation})"


@cache
def _expanding() -> tuple[str, str]:
    """A text with every letter that becomes several replaced by them, and those letters."""
    letters = [letter for letter in map(chr, range(0x80, 0xFFFF)) if len(letter.upper()) > 1]
    text = "{0}"
    for letter in letters:
        text = f"replace({text}, '{letter}', '{letter.upper()}')"
    return text, "".join(letters)
