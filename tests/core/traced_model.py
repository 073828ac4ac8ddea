"""A small model, built by hand, whose callbacks the tracing tests trace."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Literal

import attrs

from interaqt.core.errors import Location
from interaqt.core.evaluate import compile_function
from interaqt.core.expressions import Attr, Expr, Root
from interaqt.core.model import Collection, ComputedProperty, Mirror, Property, RecordModel, Reference
from interaqt.core.types import Kind, ValueType, value_type

HERE = Location(__file__, 1)


TOKEN = uuid.UUID(int=7)


class Status(enum.Enum):
    DRAFT = "draft"
    LIVE = "live"
    GONE = "gone"


class Level(enum.StrEnum):
    LOW = "low"
    HIGH = "high"


@attrs.frozen
class User:
    id: int = 1
    name: str = "Ada"
    age: int = 36
    nick: str | None = None

    @property
    def shout(self) -> str:
        return self.name.upper() + "!"

    def older_than(self, years: int) -> bool:
        return self.age > years


@attrs.frozen
class Post:
    id: int = 1
    title: str = "Hello"
    likes_limit: int | None = None
    score: int = 3
    rank: int = 2
    rating: float = 2.5
    price: Decimal = Decimal("9.95")
    live: bool = True
    pinned: bool = False
    at: dt.datetime = dt.datetime(2026, 3, 4, 5, 6, 7, 8, dt.UTC)
    due: dt.date = dt.date(2026, 3, 5)
    span: dt.timedelta = dt.timedelta(days=1, hours=6)
    status: Status = Status.LIVE
    level: Level = Level.LOW
    lang: Literal["en", "de"] = "en"
    blob: bytes = b"abc"
    token: uuid.UUID = TOKEN
    author: User = User()
    reviewer: User | None = None

    MAXIMUM = 10

    @property
    def full(self) -> str:
        return full(self)

    def is_hot(self, above: int = 2) -> bool:
        return self.live and self.score > above


def full(post: Any) -> str:
    return f"{post.title} by {post.author.name}"


def build() -> tuple[RecordModel, RecordModel]:
    user = RecordModel(name="User", cls=User, table="user", kind="entity", location=HERE)
    post = RecordModel(name="Post", cls=Post, table="post", kind="entity", location=HERE)
    like = RecordModel(name="Like", cls=object, table="like", kind="relation", location=HERE)
    of_user: dict[str, Any] = {"id": int, "name": str, "age": int, "nick": str | None}
    of_post: dict[str, Any] = {
        "id": int, "title": str, "likes_limit": int | None, "score": int, "rank": int, "rating": float,
        "price": Decimal, "live": bool, "pinned": bool, "at": dt.datetime, "due": dt.date, "span": dt.timedelta,
        "status": Status, "level": Level, "lang": Literal["en", "de"], "blob": bytes, "token": uuid.UUID,
    }  # fmt: skip
    for record, types in ((user, of_user), (post, of_post)):
        for name, annotation in types.items():
            _property(record, name, annotation)
    _reference(post, "author", user)
    reviewer = _reference(post, "reviewer", user, nullable=True)
    liker, liked = _reference(like, "user", user), _reference(like, "post", post)
    text = ValueType(Kind.STR)
    post.attributes["full"] = ComputedProperty(record=post, name="full", location=HERE, type=text, function=full)
    post.attributes["loop"] = ComputedProperty(
        record=post, name="loop", location=HERE, type=text, function=lambda post: post.loop
    )
    for name, far in (("likes", None), ("liked_by", liker)):
        post.attributes[name] = Collection(record=post, name=name, location=HERE, link=like, via=liked, far=far)
    user.attributes["reviewed"] = Mirror(
        record=user, name="reviewed", location=HERE, type=ValueType(Kind.RECORD, True, record=post),
        target=post, via=reviewer,
    )  # fmt: skip
    return user, post


def _property(record: RecordModel, name: str, annotation: Any) -> None:
    record.attributes[name] = Property(
        record=record, name=name, location=HERE, type=value_type(annotation), column=name, key=name == "id"
    )


def _reference(record: RecordModel, name: str, target: RecordModel, nullable: bool = False) -> Reference:
    made = record.attributes[name] = Reference(
        record=record, name=name, location=HERE, type=ValueType(Kind.RECORD, nullable, record=target),
        column=f"{name}_id", target=target,
    )  # fmt: skip
    return made


USER, POST = build()
ROW = Root("row", POST)


def evaluate(expr: Expr, post: Post) -> Any:
    """The expression on a real object: attributes are read from it."""

    def leaf(node: Expr) -> str | None:
        if isinstance(node, Root):
            return "row"
        return f"{leaf(node.of)}.{node.name}" if isinstance(node, Attr) else None

    return compile_function(expr, ["row"], leaf)(post)
