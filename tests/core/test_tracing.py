"""A traced callback means what it means in Python."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import pytest

from interaqt.core.expressions import FALSE, TRUE, Aggregate, Attr, Const, Op, Param, Root, all_of
from interaqt.core.tracing import Branch, Construction, Fields, Leaf, lift, stand_in, trace, trace_value, tracing_active
from interaqt.core.types import Kind, ValueType, value_type
from tests.core.traced_model import POST, ROW, USER, Level, Post, Status, User, evaluate

POSTS = [
    Post(),
    Post(title="", score=0, rank=-2, rating=-0.5, price=Decimal("-1.25"), live=False, pinned=True, status=Status.DRAFT),
    Post(title=" Straße ", score=-7, rank=3, rating=3.5, level=Level.HIGH, lang="de", span=-dt.timedelta(hours=5)),
    Post(likes_limit=0, reviewer=User(2, "bot", 5, "b"), at=dt.datetime(1999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
    Post(likes_limit=12, reviewer=User(1, "Ada"), score=12, rank=1, status=Status.GONE, due=dt.date(2024, 2, 29)),
    Post(title="a%b_c", author=User(3, "Zoë", 17, "z"), reviewer=User(3, "Zoë", 17, "z"), blob=b"", pinned=True),
]


def returning_early(p: Post) -> str:
    if not p.live:
        return "hidden"
    if p.score > 5:
        return "hot"
    for word in ("a%", "Hel"):
        if p.title.startswith(word):
            return word
    return p.title


def bucket(score: int) -> int:
    return 0 if score < 0 else 1 if score < 10 else 2


def reviewer_name(p: Post) -> str:
    reviewer = p.reviewer
    if reviewer is None:
        return "nobody"
    return reviewer.nick or reviewer.name


BOOL, INT, FLOAT, DECIMAL, STR = (ValueType(kind) for kind in (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.STR))
DATE, TIME, SPAN = (ValueType(kind) for kind in (Kind.DATE, Kind.DATETIME, Kind.TIMEDELTA))

CASES: dict[str, tuple[ValueType, Callable[[Any], Any]]] = {
    "and": (BOOL, lambda p: p.live and p.pinned),
    "and of comparisons": (BOOL, lambda p: p.at.year >= 2026 and p.author.name != "bot"),
    "or": (BOOL, lambda p: p.live or p.score > 3),
    "either of two": (BOOL, lambda p: (p.live and p.score > 3) or (p.pinned and p.rank == 1)),
    "one of a class": (BOOL, lambda p: isinstance(p.author, User) and not isinstance(p, User)),
    "not": (BOOL, lambda p: not p.live),
    "mixed": (BOOL, lambda p: not (p.live and p.score > 2) or p.title == ""),
    "ternary": (INT, lambda p: 1 if p.live else p.score),
    "if and early returns": (STR, returning_early),
    "chained comparison": (BOOL, lambda p: 0 < p.score <= 3),
    "chained comparison of two": (BOOL, lambda p: p.rank < p.score < 5),
    "in a tuple": (BOOL, lambda p: p.score in (0, 3, 12)),
    "not in a tuple": (BOOL, lambda p: p.title not in ("", "Hello")),
    "in a list of members": (BOOL, lambda p: p.status in [Status.DRAFT, Status.GONE]),
    "in and another": (BOOL, lambda p: p.score in (3, 12) and p.live),
    "in a text": (BOOL, lambda p: "%b" in p.title),
    "truth of an int": (BOOL, lambda p: bool(p.score)),
    "truth of a str": (BOOL, lambda p: not p.title),
    "truth of bytes": (BOOL, lambda p: bool(p.blob)),
    "truth of a record": (BOOL, lambda p: bool(p.author)),
    "truth of a span": (BOOL, lambda p: bool(p.span)),
    "or of values": (STR, lambda p: p.title or "untitled"),
    "and of values": (INT, lambda p: p.score and p.rank),
    "is None": (BOOL, lambda p: p.reviewer is None),
    "is not None": (BOOL, lambda p: p.reviewer is not None and p.reviewer.age > 6),
    "== None": (BOOL, lambda p: p.likes_limit == None),  # noqa: E711
    "None or a default": (INT, lambda p: p.likes_limit or 5),
    "None or a default, but not 0": (INT, lambda p: p.likes_limit if p.likes_limit is not None else 5),
    "None through a helper": (STR, reviewer_name),
    "None from a reference": (STR.optional(), lambda p: p.reviewer.name if p.reviewer else None),
    "None compared": (BOOL, lambda p: p.likes_limit == 12),
    "nullable as it is": (INT.optional(), lambda p: p.likes_limit),
    "nullable of nullable": (STR.optional(), lambda p: p.reviewer and p.reviewer.nick),
    "sum and product": (INT, lambda p: 2 * p.score + p.rank * p.rank - 1),
    "reflected": (INT, lambda p: 10 - p.score),
    "int and float": (FLOAT, lambda p: p.score + p.rating),
    "int as float": (FLOAT, lambda p: p.score),
    "int and Decimal": (DECIMAL, lambda p: p.score * p.price),
    "int as Decimal": (DECIMAL, lambda p: p.score),
    "bool as int": (INT, lambda p: p.live),
    "bool in a sum": (INT, lambda p: p.live + p.pinned),
    "sum of generator": (INT, lambda p: sum(each > 0 for each in (p.score, p.rank))),
    "true division": (FLOAT, lambda p: p.score / 4),
    "true division, guarded": (FLOAT, lambda p: p.rank / p.score if p.score else 0),
    "guarded by !=": (FLOAT, lambda p: p.rank / p.score if p.score != 0 else 0),
    "guarded by >": (INT, lambda p: p.rank // p.score if p.score > 0 else -1),
    "guarded by max": (INT, lambda p: p.rank // max(p.score, 1)),
    "floor division": (INT, lambda p: p.score // 2),
    "remainder": (INT, lambda p: p.score % -4),
    "divmod": (INT, lambda p: sum(divmod(p.score, 5))),
    "Decimal remainder": (DECIMAL, lambda p: p.price % 2),
    "power": (INT, lambda p: p.score**3),
    "neg, pos, abs": (INT, lambda p: -p.score + +p.rank + abs(p.score)),
    "min and max": (INT, lambda p: max(p.score, p.rank, 1) - min(p.score, 2)),
    "round": (INT, lambda p: round(p.rating)),
    "round to places": (DECIMAL, lambda p: round(p.price, 1)),
    "floor, ceil, trunc": (INT, lambda p: math.floor(p.rating) + math.ceil(p.price) * 10 + math.trunc(p.rating) * 100),
    "len": (INT, lambda p: len(p.title)),
    "len in a helper": (INT, lambda p: sum(map(lambda x: len(x), (p.title, p.author.name)))),  # noqa: C417
    "len of bytes": (INT, lambda p: len(p.blob)),
    "lower, upper, strip": (STR, lambda p: p.title.strip().lower() + p.title.upper()),
    "lstrip, rstrip": (STR, lambda p: p.title.lstrip() + "|" + p.title.rstrip()),
    "startswith": (BOOL, lambda p: p.title.startswith("He")),
    "startswith of several": (BOOL, lambda p: p.title.startswith(("He", "a"))),
    "endswith": (BOOL, lambda p: p.title.endswith("_c")),
    "replace": (STR, lambda p: p.title.replace("l", "--")),
    "f-string": (STR, lambda p: f"<{p.title}> by {p.author.name}: {p.title}"),
    "f-string of one": (STR, lambda p: f"{p.title}"),
    "f-string with a method inside": (STR, lambda p: f"{p.title.upper()}ä"),
    "str": (STR, lambda p: str(p.title) + "x"),
    "str of a StrEnum": (STR, lambda p: f"level {p.level}"),
    "join": (STR, lambda p: ", ".join([str(p.title), str(p.author.name)])),
    "date parts": (INT, lambda p: p.at.year + p.at.month + p.at.day + p.at.hour + p.at.minute + p.at.second),
    "microsecond": (INT, lambda p: p.at.microsecond),
    "weekday": (INT, lambda p: p.at.weekday() * 10 + p.due.isoweekday()),
    "date of": (DATE, lambda p: p.at.date()),
    "dates compared": (BOOL, lambda p: p.at.date() < p.due),
    "date and span": (DATE, lambda p: p.due + p.span),
    "date less span": (DATE, lambda p: p.due - p.span),
    "moment and span": (TIME, lambda p: p.at + p.span * 2),
    "moment less constant": (TIME, lambda p: p.at - dt.timedelta(days=1)),
    "moments apart": (SPAN, lambda p: p.at - dt.datetime(2025, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    "days": (INT, lambda p: p.span.days),
    "total seconds": (FLOAT, lambda p: p.span.total_seconds() / 60),
    "Enum member": (BOOL, lambda p: p.status == Status.LIVE),
    "Enum as it is": (value_type(Status), lambda p: p.status if p.live else Status.GONE),
    "Enum value": (STR, lambda p: p.status.value),
    "Enum name": (STR, lambda p: p.status.name.lower()),
    "StrEnum by its text": (BOOL, lambda p: p.level == "low"),
    "Literal": (value_type(Literal["en", "de"]), lambda p: p.lang),
    "Literal compared": (BOOL, lambda p: p.lang != "de"),
    "helper": (INT, lambda p: bucket(p.score) + bucket(p.rank)),
    "another computed property": (STR, lambda p: p.full),
    "more of a computed property": (STR, lambda p: p.full.lower()),
    "property of the class": (STR, lambda p: p.author.shout),
    "method of the class": (BOOL, lambda p: p.is_hot(above=3) or p.author.older_than(17)),
    "constant of the class": (BOOL, lambda p: p.score > p.MAXIMUM),
    "same record": (BOOL, lambda p: p.author == p.reviewer),
    "any and all": (BOOL, lambda p: any((p.live, p.pinned)) and all([p.score < 20, p.rank < 3])),
    "sorted": (INT, lambda p: sorted((p.score, p.rank, 1))[1]),
    "bitwise on bools": (BOOL, lambda p: (p.score > 1) & p.live | p.pinned),
    "equality of bools": (BOOL, lambda p: (p.score > 1) == p.live),
    "bool compared": (BOOL, lambda p: p.live == False),  # noqa: E712
    "local variable and loop": (INT, lambda p: sum(p.score * n for n in range(4))),
    "constant": (INT, lambda p: 7),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_trace_gives_what_the_callback_gives(name: str) -> None:
    expected, callback = CASES[name]
    expr = trace_value(callback, [stand_in(ROW)], expected)
    for post in POSTS:
        wanted = callback(post)
        found = evaluate(expr, post)
        assert found == wanted
        assert expected.kind is not Kind.BOOL or type(found) is type(wanted)


def value(callback: Callable[[Any], Any], expected: ValueType = BOOL) -> Any:
    return trace_value(callback, [ROW], expected)


def attr(name: str) -> Attr:
    return Attr(ROW, name, POST.attributes[name].type)  # type: ignore[attr-defined]


# -- the shape of the expression ------------------------------------------------------------


def test_and_joins_into_one_and() -> None:
    assert value(lambda p: p.live and p.pinned) == all_of(attr("live"), attr("pinned"))


def test_or_of_equalities_becomes_in() -> None:
    among = Op("in", (attr("score"), Const(1, INT), Const(2, INT), Const(3, INT)), BOOL)
    assert value(lambda p: p.score in (1, 2, 3)) == among
    assert value(lambda p: p.score == 1 or p.score == 2 or p.score == 3) == among
    assert value(lambda p: p.score not in (1, 2, 3)) == Op("not", (among,), BOOL)


def test_either_of_two_becomes_an_or_that_an_index_finds() -> None:
    expr = trace_value(lambda p: (p.live and p.score > 3) or (p.pinned and p.rank == 1), [ROW], BOOL)
    assert isinstance(expr, Op)
    assert expr.name == "or"
    assert [each.name for each in expr.args if isinstance(each, Op)] == ["and", "and"]


def test_a_nullable_attribute_returned_as_it_is_stays_a_plain_attribute() -> None:
    assert value(lambda p: p.likes_limit, INT.optional()) == attr("likes_limit")
    assert value(lambda p: p.reviewer, ValueType(Kind.RECORD, True, record=USER)) == attr("reviewer")


def test_a_default_for_none_is_a_case_that_is_never_null() -> None:
    expr = value(lambda p: p.likes_limit if p.likes_limit is not None else 0, INT)
    limit = attr("likes_limit")
    assert expr == Op("case", (Op("is_null", (limit,), BOOL), Const(0, INT), limit), INT)


def test_what_a_path_has_decided_is_not_asked_again() -> None:
    assert value(lambda p: p.live and p.live) == attr("live")
    assert value(lambda p: p.score == 1 and p.score == 2) == FALSE
    assert value(lambda p: p.score >= 3 or p.score < 3) == TRUE


def test_a_nullable_param_is_none_on_one_path() -> None:
    param = Param("user.nick", STR.optional())
    expr = trace_value(lambda p, nick: nick is not None and p.title == nick, [ROW, param], BOOL)
    is_null = Op("is_null", (param,), BOOL)
    assert expr == all_of(Op("not", (is_null,), BOOL), Op("eq", (attr("title"), param), BOOL))


def test_the_parts_of_an_event_are_params() -> None:
    title, record = Param("payload.title", STR), Param("payload.post", POST.type)
    event = Fields("event", {"payload": Fields("payload", {"title": title, "post": record}), "at": Param("at", TIME)})
    expr = trace_value(lambda p, e: p == e.payload.post and e.payload.title != "", [ROW, event], BOOL)
    assert expr == all_of(Op("eq", (ROW, record), BOOL), Op("ne", (title, Const("", STR)), BOOL))


def test_constructions_stay_at_the_leaves() -> None:
    class Made(type):
        def __call__(cls, **values: Any) -> Any:
            return Construction(cls, values) if tracing_active() else super().__call__(**values)

    class Copy(metaclass=Made):
        def __init__(self, title: str, score: int) -> None: ...

    def make(p: Any) -> Any:
        if p.live:
            return Copy(title=f"copy of {p.title}", score=p.score + 1)
        return [Copy(title="", score=0), Copy(title=p.title, score=1)] if p.pinned else None

    tree = trace(make, [ROW])
    assert isinstance(tree, Branch)
    assert tree.condition == attr("live")
    assert isinstance(tree.then, Leaf)
    made = tree.then.value
    assert isinstance(made, Construction)
    assert made.record_class is Copy
    assert lift(made.values["title"]) == Op("concat", (Const("copy of ", STR), attr("title")), STR)
    assert isinstance(tree.otherwise, Branch)
    assert tree.otherwise.otherwise == Leaf(None)
    assert not tracing_active()


def test_a_query_may_ask_a_collection_for_its_size_and_its_members() -> None:
    user = Root("me", USER)
    likes, liked_by = POST.attributes["likes"], POST.attributes["liked_by"]
    count = trace_value(lambda p: len(p.likes) > 3, [ROW], BOOL, allow_collections=True)
    assert isinstance(count, Op)
    assert count.args[0] == Aggregate("count", ROW, likes, count.args[0].root, None, INT)  # type: ignore[union-attr, arg-type]
    assert isinstance(trace_value(lambda p: bool(p.likes), [ROW], BOOL, allow_collections=True), Aggregate)
    member = trace_value(lambda p, me: me in p.liked_by, [ROW, user], BOOL, allow_collections=True)
    assert isinstance(member, Aggregate)
    assert member.collection is liked_by
    assert member.where == Op("eq", (Attr(member.root, "user", USER.type), user), BOOL)


def test_len_is_the_builtin_again_after_a_trace() -> None:
    import builtins

    before = builtins.len
    value(lambda p: len(p.title) > 3)
    assert builtins.len is before


def test_a_trace_with_its_check_is_fast() -> None:
    started = time.perf_counter()
    for _ in range(50):
        value(lambda p: p.at.year >= 2026 and p.author.name != "bot")
    assert (time.perf_counter() - started) / 50 < 0.01
