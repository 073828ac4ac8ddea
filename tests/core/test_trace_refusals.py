"""What can't be traced is refused where it is declared, with what to write instead."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from interaqt.core.errors import TraceError
from interaqt.core.expressions import Root
from interaqt.core.tracing import trace_value
from interaqt.core.types import Kind, ValueType, value_type
from tests.core.traced_model import HERE, ROW, USER, Status

B, I, F, D, S = (ValueType(kind) for kind in (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR))
SPAN, TIME = ValueType(Kind.TIMEDELTA), ValueType(Kind.DATETIME)

MANY = {n: n for n in range(3)}
ONES = {1, 2}


def many_paths(p: Any) -> int:
    return sum(1 for n in range(10) if p.score > n or p.rank > n)


CASES: dict[str, tuple[ValueType, Callable[[Any], Any], str]] = {
    # None
    "attribute of None": (S, lambda p: p.reviewer.name, "Post.reviewer may be None here"),
    "None in arithmetic": (I, lambda p: p.likes_limit + 1, "Post.likes_limit may be None here"),
    "None in a comparison": (B, lambda p: p.likes_limit > 1, "test it first"),
    "None as the value": (I, lambda p: p.likes_limit, "gives None where Post.likes_limit is None, but int is expected"),
    # numbers
    "a divisor that may be 0": (F, lambda p: p.rank / p.score, "write `x / score if score else ...`"),
    "a divisor of 0": (F, lambda p: p.rank / 0, "the divisor is 0"),
    "a guard that does not exclude 0": (I, lambda p: p.rank % p.score if p.score > -2 else 0, "the divisor may be 0"),
    "Decimal quotient": (D, lambda p: p.price / 2, "no two databases round a Decimal quotient alike"),
    "float remainder": (F, lambda p: p.rating % 2, "% on float can't be traced"),
    "round a float": (F, lambda p: round(p.rating, 1), "declare the attribute as Decimal"),
    "float with Decimal": (D, lambda p: p.price * 0.5, "write the constant as Decimal('0.5')"),
    "float compared with Decimal": (B, lambda p: p.price > 0.5, "write the constant as Decimal('0.5')"),
    "large power": (I, lambda p: p.score**9, "only a constant exponent from 1 to 8"),
    "int()": (I, lambda p: int(p.rating), "write math.trunc(x)"),
    "float()": (F, lambda p: float(p.score), "write `x * 1.0`"),
    "math.sqrt": (F, lambda p: math.sqrt(p.rating), "such as math.sqrt"),
    "range": (I, lambda p: sum(range(p.score)), "used as an index or in range()"),
    "too large": (B, lambda p: p.score > 2**64, "does not fit into 64 bits"),
    "not a number": (B, lambda p: p.rating > math.inf, "not a finite number"),
    # comparisons that are never true
    "str with int": (B, lambda p: p.title == 3, "Post.title is a str, and 3 is an int: to compare them with == is always"),
    "str less than int": (B, lambda p: p.score < "3", "is a TypeError"),
    "date with datetime": (B, lambda p: p.due == p.at, "`at.date()`"),
    "not a member": (B, lambda p: p.status == "liv", "Did you mean 'Status.LIVE'"),
    "value of a member": (B, lambda p: p.status == "live", "Did you mean 'Status.LIVE'"),
    "not a literal": (B, lambda p: p.lang == "eng", "Post.lang is never 'eng'"),
    "other record": (B, lambda p: p == p.author, "they are never equal"),
    "Enum order": (B, lambda p: p.status < Status.LIVE, "no order that all databases share"),
    "naive datetime": (B, lambda p: p.at > dt.datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001
    "now": (B, lambda p: p.at > dt.datetime.now(dt.UTC), "iq.RealTime is a value that changes with time"),
    # text
    "method of an f-string": (S, lambda p: f"{p.title}!".lower(), "apply the method to the value inside"),
    "comparison of an f-string": (B, lambda p: f"{p.title}!" == "x!", "an f-string is compared"),
    "length of an f-string": (I, lambda p: len(f"{p.title}!"), "gives"),
    "number in an f-string": (S, lambda p: f"{p.score}", "only a str can be put into a text"),
    "format": (S, lambda p: f"{p.title:>10}", "the format '>10' can't be traced"),
    "slice": (S, lambda p: p.title[:3], "Post.title[...] can't be traced"),
    "loop": (I, lambda p: sum(1 for _ in p.title), "a loop over Post.title can't be traced"),
    "strip of letters": (S, lambda p: p.title.strip("x"), ".strip() with arguments can't be traced"),
    "unknown method": (S, lambda p: p.title.casefold(), "There is: lower, upper"),
    "replace of nothing": (S, lambda p: p.title.replace("", "x"), "non-empty `old`"),
    # Python that a stand-in can't see
    "set": (B, lambda p: p.score in ONES, "write a tuple, `x in (...)`"),
    "dict": (I, lambda p: MANY[p.score], "looked up in a set or dict"),
    "is True": (B, lambda p: p.live is True, "on a sample the callback gives"),
    "isinstance": (B, lambda p: isinstance(p.title, str), "on a sample the callback gives True in Python"),
    "type": (B, lambda p: type(p.title) is str, "on a sample the callback gives"),
    "setting": (B, lambda p: setattr(p, "title", "x"), "a callback can't set .title"),
    "bitwise": (I, lambda p: p.score & 1, "for a condition, write `and`"),
    "invert": (B, lambda p: ~p.live, "write `not`"),
    "an error": (I, lambda p: [][0] if p.live else 1, "the callback raises IndexError"),
    "many paths": (I, many_paths, "more than 256 paths"),
    # records
    "misspelt": (S, lambda p: p.auther.name, "Did you mean 'author'?"),
    "collection": (I, lambda p: len(p.likes), "declare `likes_count: int = iq.Count(likes)`"),
    "collection as a value": (B, lambda p: p.likes, "Post.likes is a collection"),
    "mirror": (B, lambda p: p.author.reviewed is None, "Post.reviewer holds the reference"),
    "a property of itself": (S, lambda p: p.loop, "Post.loop -> Post.loop: a property can't depend on itself"),
    # the value
    "another type": (I, lambda p: p.title, "it gives Post.title, str, but int is expected"),
    "float for int": (I, lambda p: p.rating, "write round(x)"),
    "value for a condition": (B, lambda p: p.title, "write a condition"),
    "no constant": (S, lambda p: object(), "which can't be in an expression"),
    "another member": (value_type(Literal["a", "b"]), lambda p: "c", "it gives 'c'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_what_to_write_instead(name: str) -> None:
    expected, callback, message = CASES[name]
    with pytest.raises(TraceError) as refused:
        trace_value(callback, [ROW], expected)
    assert message in str(refused.value)


def test_a_refusal_names_the_declaration_the_line_and_the_way_out() -> None:
    def shown(p: Any) -> str:
        number = p.title
        return number.zfill(3)  # type: ignore[no-any-return]

    with pytest.raises(TraceError) as refused:
        trace_value(shown, [ROW], S, subject="Post.shown: computed", location=HERE)
    error = refused.value
    assert error.subject == "Post.shown: computed"
    assert error.location == HERE
    assert "in: return number.zfill(3)" in str(error)
    assert Path(__file__).name in str(error)
    assert "iq.Custom runs as Python over declared inputs" in str(error)


def test_values_kept_past_their_trace_can_not_be_tested() -> None:
    kept: list[Any] = []
    trace_value(lambda p: kept.append(p.live) is None, [ROW], B)
    with pytest.raises(TraceError, match="after its callback had returned"):
        bool(kept[0])


def test_users_are_records_too() -> None:
    assert trace_value(lambda u: u.older_than(3), [Root("u", USER)], B)
