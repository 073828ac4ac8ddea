"""Mistakes in the use of a model that a type checker finds: each marked line, and no other, is an error in mypy."""

from __future__ import annotations

from typing import assert_type

import interaqt as iq
from interaqt import Many


@iq.interaction
class Write:
    text: str
    title: str | None = None


@iq.entity
class User:
    id: int = iq.key()
    name: str
    nick: str = iq.field(default="")
    posts: Many[Post] = iq.many(inverse="author")
    post_count: int = iq.Count(posts)

    @iq.computed
    def shout(self) -> str:
        return self.name.upper()

    @iq.computed(stored=True)
    def is_prolific(self) -> bool:
        return self.post_count > 10


@iq.entity
class Post:
    text: str
    author: User


def run(app: iq.Controller, storage: iq.Storage, user: User) -> None:
    User()  # E: call-arg
    User(name=3)  # E: arg-type
    User("Ada")  # E: call-arg
    User(name="Ada", post_count=3)  # E: call-arg
    User(name="Ada", posts=[])  # E: call-arg
    User(name="Ada", is_prolific=True)  # E: call-arg
    User(name="Ada", id=1)  # E: call-arg
    Post(text="a", author=1)  # E: arg-type
    Write()  # E: call-arg
    Write(text=3)  # E: arg-type
    Write(txt="a")  # E: call-arg

    user.name = "Bea"  # E: misc
    user.post_count = 3  # E: misc
    user.shout = "BEA"  # E: assignment
    Write(text="a").text = "b"  # E: misc
    print(user.posts[0].authr)  # E: attr-defined
    user.posts.append(Post(text="a", author=user))  # E: attr-defined
    assert_type(user.shout, int)  # E: assert-type
    assert_type(user.is_prolific, int)  # E: assert-type
    user.is_prolific = True  # E: assignment
    assert_type(user.post_count, str)  # E: assert-type

    result = app.dispatch(Write(text="a"), user=user)
    assert_type(result.created(Post), list[User])  # E: assert-type
    print(result.created(Post)[0].txt)  # E: attr-defined
    result.created("Post")  # E: arg-type
    app.dispatch(Write, ["a"])  # E: arg-type
    app.tick("now")  # E: arg-type
    storage.query(Post, at="now")  # E: arg-type
    iq.Controller(app.system, [], clock=lambda: "now")  # E: arg-type

    storage.query(Post).where(lambda post: post.txt == "a")  # E: attr-defined
    storage.query(Post).where(lambda post: post.text)  # E: arg-type
    storage.query(User).where(lambda user: user.is_prolific + "")  # E: operator
    storage.query(Post).order_by(lambda post: post.author.nam)  # E: attr-defined
    storage.query(Post).include(lambda post: post.autor)  # E: attr-defined
    storage.query(Post).sum(lambda post: post.text)  # E: type-var
    storage.query(Post).limit("3")  # E: arg-type
    assert_type(storage.query(Post).one(), User)  # E: assert-type
    assert_type(storage.get(Post, 1), User)  # E: assert-type
    print(storage.get(Post, 1).txt)  # E: attr-defined
    print(storage.find(Post, 1).text)  # E: union-attr
    print(storage.create(Post(text="a", author=user)).txt)  # E: attr-defined


@iq.entity
class Content:
    id: int = iq.key()
    title: str


@iq.entity
class Article(Content):
    body: str


@iq.interaction
class Rewrite:
    article: Article


def kinds(storage: iq.Storage, content: Content) -> None:
    Article(title="t")  # E: call-arg
    Rewrite(article=content)  # E: arg-type
    print(content.body)  # E: attr-defined
    storage.query(Content).where(lambda each: each.body != "")  # E: attr-defined


@iq.entity
class Ticket:
    user: User = iq.one()
    number: str = iq.ScopedSequence(user)  # E: assignment
    place: int = iq.ScopedSequence(user, start="1")  # E: call-overload
    code: int = iq.ScopedSequence(user, default=1)  # E: call-overload
    total: int = iq.ScopedSequence()


def numbers(app: iq.Controller, user: User) -> None:
    Ticket(user=user, total=3)  # E: call-arg
    app.reserve(Ticket.total)  # E: call-arg
    app.reserve("Ticket.total", count=3)  # E: arg-type
