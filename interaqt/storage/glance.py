"""A glance at a value: the test, as Python source, that most values pass and that costs no call.

What passes is in its plainest form already, so checking it would answer it as it is. What does not
is looked at properly, by the check itself; so a test may be narrower than the check, never wider.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.storage.convert import Convert

__all__ = ["Glance", "glance_at", "glance_of", "with_glance"]

_TESTS: Final[Mapping[Kind, str]] = {
    Kind.BOOL: "{0} is True or {0} is False",
    Kind.INT: f"{{0}}.__class__ is int and {-(2**63)} <= {{0}} <= {2**63 - 1}",
    Kind.STR: "{0}.__class__ is str and {0}.isascii() and '\\0' not in {0}",
    Kind.DATE: "{0}.__class__ is _date",
    Kind.DATETIME: "{0}.__class__ is _datetime and {0}.tzinfo is _UTC",
    Kind.TIMEDELTA: "{0}.__class__ is _timedelta",
    Kind.UUID: "{0}.__class__ is _UUID",
}

_NAMES: Final[Mapping[str, Any]] = {
    "_date": dt.date,
    "_datetime": dt.datetime,
    "_timedelta": dt.timedelta,
    "_UTC": dt.UTC,
    "_UUID": uuid.UUID,
}

#: On a conversion: the glance that may spare it.
_GLANCE = "__iq_glance__"


@attrs.frozen
class Glance:
    """A test with ``{0}`` for the value; what passes it, unless it is None, needs no more than its ``form``."""

    test: str
    nullable: bool
    form: Convert | None = None
    names: Mapping[str, Any] = _NAMES
    """What the test knows by name."""


def glance_at(type: ValueType, form: Convert | None = None) -> Glance | None:
    """The glance at values of a type; None where none says enough."""
    test = _TESTS.get(type.kind)
    if test is None:
        return Glance("{0} is None", True, form) if type.nullable else None
    if type.members:
        members = repr(tuple(type.members)).replace("{", "{{").replace("}", "}}")
        test = f"{test} and {{0}} in {members}"
    return Glance(f"{{0}} is None or {test}" if type.nullable else test, type.nullable, form)


def with_glance(convert: Convert, type: ValueType, form: Convert | None = None) -> Convert:
    """The conversion, in which whoever generates code finds the glance that may spare it.

    It is written into the function itself: where several types share one, they share the glance.
    """
    glance = glance_at(type, form)
    if glance is not None:
        setattr(convert, _GLANCE, glance)
    return convert


def glance_of(convert: Convert) -> Glance | None:
    """The glance that may spare a conversion, if there is one."""
    found: Glance | None = getattr(convert, _GLANCE, None)
    return found
