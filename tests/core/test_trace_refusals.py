"""What can't be traced is refused where it is declared, with what to write instead."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, Literal

import pytest

from interaqt.core.errors import Location, TraceError
from interaqt.core.expressions import Root
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind, ValueType, value_type
from tests.core.traced_model import HERE, ROW, USER, Status

BOOL, INT, FLOAT, DECIMAL, STR = (ValueType(kind) for kind in (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR))
SPAN, TIME = ValueType(Kind.TIMEDELTA), ValueType(Kind.DATETIME)

MANY = {n: n for n in range(3)}
ONES = {1, 2}


def shouted(p: Any) -> str:
    return f"{p.title}!".upper()


def endless(p: Any) -> int:
    while p.score > 0:
        pass
    return 1


def many_paths(p: Any) -> int:
    return sum(1 for n in range(10) if p.score > n or p.rank > n)


CASES: dict[str, tuple[ValueType, Callable[[Any], Any], str]] = {
    # None
    "attribute of None": (STR, lambda p: p.reviewer.name, "Post.reviewer may be None here"),
    "None in arithmetic": (INT, lambda p: p.likes_limit + 1, "Post.likes_limit may be None here"),
    "None in a comparison": (BOOL, lambda p: p.likes_limit > 1, "test it first"),
    "None as the value": (INT, lambda p: p.likes_limit, "None where Post.likes_limit is None, but int is expected"),
    # numbers
    "a divisor that may be 0": (FLOAT, lambda p: p.rank / p.score, "write `x / score if score else ...`"),
    "a divisor of 0": (FLOAT, lambda p: p.rank / 0, "the divisor is 0"),
    "a guard that does not exclude 0": (INT, lambda p: p.rank % p.score if p.score > -2 else 0, "the divisor may be 0"),
    "Decimal quotient": (DECIMAL, lambda p: p.price / 2, "no two databases round a Decimal quotient alike"),
    "float remainder": (FLOAT, lambda p: p.rating % 2, "% on float can't be traced"),
    "round a float": (FLOAT, lambda p: round(p.rating, 1), "declare the attribute as Decimal"),
    "float with Decimal": (DECIMAL, lambda p: p.price * 0.5, "write the constant as Decimal('0.5')"),
    "float compared with Decimal": (BOOL, lambda p: p.price > 0.5, "write the constant as Decimal('0.5')"),
    "large power": (INT, lambda p: p.score**9, "only a constant exponent from 1 to 8"),
    "int()": (INT, lambda p: int(p.rating), "write math.trunc(x)"),
    "float()": (FLOAT, lambda p: float(p.score), "write `x * 1.0`"),
    "math.sqrt": (FLOAT, lambda p: math.sqrt(p.rating), "such as math.sqrt"),
    "range": (INT, lambda p: sum(range(p.score)), "used as an index or in range()"),
    "too large": (BOOL, lambda p: p.score > 2**64, "does not fit into 64 bits"),
    "not a number": (BOOL, lambda p: p.rating > math.inf, "not a finite number"),
    # comparisons that are never true
    "str with int": (BOOL, lambda p: p.title == 3, "Post.title is a str, and 3 is an int: to compare"),
    "str less than int": (BOOL, lambda p: p.score < "3", "is a TypeError"),
    "date with datetime": (BOOL, lambda p: p.due == p.at, "`at.date()`"),
    "not a member": (BOOL, lambda p: p.status == "liv", "Did you mean 'Status.LIVE'"),
    "value of a member": (BOOL, lambda p: p.status == "live", "Did you mean 'Status.LIVE'"),
    "not a literal": (BOOL, lambda p: p.lang == "eng", "Post.lang is never 'eng'"),
    "other record": (BOOL, lambda p: p == p.author, "they are never equal"),
    "Enum order": (BOOL, lambda p: p.status < Status.LIVE, "no order that all databases share"),
    "naive datetime": (BOOL, lambda p: p.at > dt.datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001
    "now": (BOOL, lambda p: p.at > dt.datetime.now(dt.UTC), "iq.RealTime(lambda each, now: ...) gives"),
    # text
    "method of an f-string": (STR, lambda p: f"{p.title}!".lower(), "apply the method to the value inside"),
    "comparison of an f-string": (BOOL, lambda p: f"{p.title}!" == "x!", "an f-string is compared"),
    "length of an f-string": (INT, lambda p: len(f"{p.title}!"), "which a trace can't see"),
    "comparison of formatted text": (BOOL, lambda p: f"{p.title}".__eq__("x"), "which a trace can't see"),
    "method of a text in a helper": (STR, lambda p: shouted(p), "an f-string of traced values was cut or changed"),
    "comparison in a helper": (BOOL, lambda p: shouted(p) == "X!", "which a trace can't see"),
    "endless loop": (INT, endless, "loops without end"),
    "number in an f-string": (STR, lambda p: f"{p.score}", "only a str can be put into a text"),
    "format": (STR, lambda p: f"{p.title:>10}", "the format '>10' can't be traced"),
    "slice": (STR, lambda p: p.title[:3], "Post.title[...] can't be traced"),
    "loop": (INT, lambda p: sum(1 for _ in p.title), "a loop over Post.title can't be traced"),
    "strip of letters": (STR, lambda p: p.title.strip("x"), ".strip() with arguments can't be traced"),
    "unknown method": (STR, lambda p: p.title.casefold(), "There is: lower, upper"),
    "replace of nothing": (STR, lambda p: p.title.replace("", "x"), "non-empty `old`"),
    # Python that a stand-in can't see
    "set": (BOOL, lambda p: p.score in ONES, "write a tuple, `x in (...)`"),
    "dict": (INT, lambda p: MANY[p.score], "looked up in a set or dict"),
    "is True": (BOOL, lambda p: p.live is True, "on a sample the callback gives"),
    "isinstance": (BOOL, lambda p: isinstance(p.title, str), "on a sample the callback gives True in Python"),
    "type": (BOOL, lambda p: type(p.title) is str, "on a sample the callback gives"),
    "setting": (BOOL, lambda p: setattr(p, "title", "x"), "a callback can't set .title"),
    "bitwise": (INT, lambda p: p.score & 1, "for a condition, write `and`"),
    "invert": (BOOL, lambda p: ~p.live, "write `not`"),
    "an error": (INT, lambda p: dict[str, int]()["x"] if p.live else 1, "the callback raises KeyError"),
    "many paths": (INT, many_paths, "more than 256 paths"),
    # records
    "misspelt": (STR, lambda p: p.auther.name, "Did you mean 'author'?"),
    "collection": (INT, lambda p: len(p.likes), "declare `likes_count: int = iq.Count(likes)`"),
    "collection as a value": (BOOL, lambda p: p.likes, "Post.likes is a collection"),
    "mirror": (BOOL, lambda p: p.author.reviewed is None, "Post.reviewer holds the reference"),
    "a property of itself": (STR, lambda p: p.loop, "Post.loop -> Post.loop: a property can't depend on itself"),
    # the value
    "another type": (INT, lambda p: p.title, "it gives Post.title, str, but int is expected"),
    "float for int": (INT, lambda p: p.rating, "write round(x)"),
    "value for a condition": (BOOL, lambda p: p.title, "write a condition"),
    "no constant": (STR, lambda p: object(), "which can't be in an expression"),
    "another member": (value_type(Literal["a", "b"]), lambda p: "c", "it gives 'c'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_what_to_write_instead(name: str) -> None:
    expected, callback, message = CASES[name]
    with pytest.raises(TraceError) as refused:
        trace_value(callback, [ROW], expected)
    assert message in str(refused.value)


def test_a_refusal_names_the_attribute_the_line_and_the_way_out() -> None:
    def shown(p: Any) -> str:
        number = p.title
        return number.zfill(3)  # type: ignore[no-any-return]

    with pytest.raises(TraceError) as refused:
        trace_value(shown, [ROW], STR, subject="Post.shown: computed", location=HERE)
    error = refused.value
    assert error.subject == "Post.shown: computed"
    assert error.location == Location(__file__, shown.__code__.co_firstlineno + 2)
    assert "in: return number.zfill(3)" in str(error)
    assert "iq.Custom runs as Python over declared inputs" in str(error)


def test_values_kept_past_their_trace_can_not_be_tested() -> None:
    kept: list[Any] = []

    def keeping(p: Any) -> bool:
        kept.append(p.live)
        return True

    trace_value(keeping, [ROW], BOOL)
    with pytest.raises(TraceError, match="after its callback had returned"):
        bool(kept[0])


def test_users_are_records_too() -> None:
    assert trace_value(lambda u: u.older_than(3), [Root("u", USER)], BOOL)
