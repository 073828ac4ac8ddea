"""A new user's mistakes, one model each: what is said of it, where, and what to write instead.

The text after ``refuses`` is the whole message. A word for a line is the line that is marked so.
"""

# ruff: noqa: E501 - messages stand here as they are printed

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

import interaqt as iq

Refuses = Callable[..., None]

IMPORTS = """
import datetime as dt
import enum
import random
import uuid
from decimal import Decimal
from typing import Any, Literal

import interaqt as iq
from interaqt import Event, Many
"""

BLOG = """
@iq.entity
class User:
    name: str
    posts: Many[Post] = iq.many(inverse="author")

@iq.entity
class Post:
    title: str
    author: User
    likes: Many[Like] = iq.many(inverse="post")
    {}

@iq.relation
class Like:
    user: User
    post: Post
    at: dt.datetime
    note: str | None = None
    score: int = 0
"""

ORDERS = """
@iq.interaction
class Pay:
    order: Order

@iq.interaction
class Merge:
    one: Order
    other: Order

@iq.interaction
class Remark:
    text: str

@iq.entity
class Order:
    {}
"""

NOTES = """
@iq.interaction
class Make:
    text: str

@iq.interaction
class Drop:
    note: Note

@iq.entity
class User:
    name: str
    note: Note | None

@iq.entity
class Note:
    text: str
    {}
"""

APP = """
@iq.interaction
class Make:
    text: str

@iq.entity  # USER
class User:
    name: str  # NAME
    notes: Many[Note] = iq.many(inverse="author")
    note_count: int = iq.Count(notes)  # COUNT

@iq.entity
class Note:
    text: str
    author: User  # AUTHOR
    made = iq.Transform(Make, lambda e: Note(text=e.payload.text, author=e.user))

def use(app, storage):
    {}
"""


@pytest.fixture
def refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Refuses]:
    """Declares a model in a module ``shop``, makes a controller of it and uses it: one of these is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def refuse(model: str, message: str, *, future: bool = True) -> None:
        source = "from __future__ import annotations\n" * future + IMPORTS + dedent(model)
        lines = {mark: number for number, mark in _marks(source)}
        path = tmp_path / "shop.py"
        path.write_text(re.sub(r"  # [A-Z]+$", "", source, flags=re.MULTILINE), "utf-8")
        with pytest.raises(iq.InteraqtError) as refused:
            _run(path)
        expected = re.sub(r"(?<=shop\.py:)[A-Z]+", lambda found: str(lines[found[0]]), dedent(message).strip())
        assert f"{type(refused.value).__name__}: {refused.value}" == expected

    yield refuse
    sys.modules.pop("shop", None)


def _marks(source: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.splitlines(), 1):
        found = re.search(r"  # ([A-Z]+)$", line)
        if found is not None:
            yield number, found[1]


def _run(path: Path) -> None:
    spec = importlib.util.spec_from_file_location("shop", path)
    assert spec is not None
    assert spec.loader is not None
    shop = sys.modules["shop"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shop)
    app = iq.Controller(iq.MonoSystem(iq.SQLiteDB()), getattr(shop, "MODELS", [shop]))
    app.setup(install=True)
    use: Callable[..., None] | None = getattr(shop, "use", None)
    if use is not None:
        use(app, app.system.storage)


def within(model: str, lines: str) -> str:
    """A model with lines of a mistake put where it has room for them."""
    room = re.search(r"^( *)\{\}$", model, re.MULTILINE)
    assert room is not None
    return model.replace(room[0], indent(dedent(lines).strip("\n"), room[1]))


# -- names --------------------------------------------------------------------------------


def test_a_misspelt_attribute_in_a_condition(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'bots: int = iq.Count(likes, where=lambda like: like.usr.name == "bot")  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.bots: Count(likes, where=...)
          Like has no attribute 'usr'
            in: bots: int = iq.Count(likes, where=lambda like: like.usr.name == "bot")
          Did you mean 'user'?  There is: user, post, at, note, score, id.
        """,
    )


def test_a_misspelt_attribute_is_shown_in_its_own_line(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            bots: int = iq.Count(
                likes,
                where=lambda like: like.user.nam == "bot",  # HERE
            )
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Post.bots: Count(likes, where=...)
          User has no attribute 'nam'
            in: where=lambda like: like.user.nam == "bot",
          Did you mean 'name'?  There is: name, posts, id.
        """,
    )


def test_a_mistake_in_a_function_that_a_callback_calls_is_shown_there(refuses: Refuses) -> None:
    refuses(
        """
        def is_bot(user: User) -> bool:
            return user.nick == "bot"  # HERE

        @iq.entity
        class User:
            name: str

        @iq.entity
        class Post:
            likes: Many[Like] = iq.many(inverse="post")
            bots: int = iq.Count(likes, where=lambda like: is_bot(like.user))

        @iq.relation
        class Like:
            user: User
            post: Post
        """,
        """
        TraceError: [trace]
          shop.py:HERE, Post.bots: Count(likes, where=...)
          User has no attribute 'nick'
            in: return user.nick == "bot"
          There is: name, id.
        """,
    )


def test_a_misspelt_inverse(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'shares: Many[Like] = iq.many(inverse="pst")  # HERE'),
        """
        InvalidAttribute: [attribute.inverse]
          shop.py:HERE, Post.shares
          Like has no reference 'pst' to Post. Did you mean 'post'?  There is: post.
        """,
    )


def test_an_inverse_that_the_other_class_lacks(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'readers: Many[User] = iq.many(inverse="reading")  # HERE'),
        """
        InvalidAttribute: [attribute.inverse]
          shop.py:HERE, Post.readers
          User has no reference 'reading' to Post. There is none.
          declare it in User: reading: Post
        """,
    )


def test_an_inverse_that_is_a_class(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "readers: Many[User] = iq.many(inverse=User)  # HERE"),
        """
        InvalidAttribute: [many.inverse]
          shop.py:HERE, Post.readers
          inverse= takes the name of an attribute, not <class 'shop.User'>
          write inverse="author", for instance
        """,
    )


def test_through_a_collection_that_does_not_exist(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'fans: Many[User] = iq.many(through="lkes")  # HERE'),
        """
        InvalidAttribute: [attribute.through]
          shop.py:HERE, Post.fans
          Post has no collection 'lkes' to go through. Did you mean 'likes'?  There is: likes.
        """,
    )


def test_through_a_relation_that_does_not_lead_there(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'others: Many[Post] = iq.many(through="likes")  # HERE'),
        """
        InvalidAttribute: [attribute.through]
          shop.py:HERE, Post.others
          Like has no reference to Post to go on by
          likes leads to Like, whose other references are: user (User)
        """,
    )


def test_an_unknown_class_in_an_annotation(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "owner: Usr  # HERE"),
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Post.owner
          there is no 'Usr'. Did you mean 'User'?  There is: User, Post, Like, InteractionEvent.
          import it where the class is declared, or give it to the controller with the other models
        """,
    )


def test_an_unknown_class_in_a_quoted_annotation(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.entity
        class Post:
            owner: "Usr"  # HERE
        """,
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Post.owner
          there is no 'Usr'. Did you mean 'User'?  There is: User, Post, InteractionEvent.
          import it where the class is declared, or give it to the controller with the other models
        """,
        future=False,
    )


def test_a_misspelt_builtin_type(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "teaser: strr  # HERE"),
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Post.teaser
          there is no 'strr'. Did you mean 'str'?  There is: User, Post, Like, InteractionEvent.
          import it where the class is declared, or give it to the controller with the other models
        """,
    )


def test_a_type_that_is_no_python(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'teaser: "str |"  # HERE'),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Post.teaser
          the type can't be read: invalid syntax (<string>, line 1)
        """,
    )


def test_a_model_that_the_controller_is_not_given(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str
            posts: Many[Post] = iq.many(inverse="author")

        @iq.entity
        class Post:
            title: str
            author: User
            likes: Many[Like] = iq.many(inverse="post")  # HERE

        @iq.relation
        class Like:
            user: User
            post: Post
            at: dt.datetime
            note: str | None = None
            score: int = 0

        MODELS = [User, Post]
        """,
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Post.likes
          Like is not among the controller's models. There is: User, Post, InteractionEvent.
          give Like to the controller with the other models
        """,
    )


def test_a_class_that_is_not_decorated(refuses: Refuses) -> None:
    refuses(
        """
        class Author:
            name: str

        @iq.entity
        class Post:
            author: Author  # HERE
        """,
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Post.author
          Author is not a type that can be stored
          decorate Author with @iq.entity for records, or with @attrs.frozen for a JSON value
        """,
    )


def test_a_class_that_is_not_decorated_is_given_to_the_controller(refuses: Refuses) -> None:
    refuses(
        """
        class Author:  # HERE
            name: str

        MODELS = [Author]
        """,
        """
        InvalidEntity: [model.not_declared]
          shop.py:HERE, Author
          Author is not declared
          decorate it with @iq.entity, @iq.relation, @iq.view or @iq.interaction
        """,
    )


def test_two_classes_of_one_name(refuses: Refuses) -> None:
    refuses(
        """
        def shop():
            @iq.entity  # THERE
            class Item:
                title: str

            return Item

        def museum():
            @iq.entity  # HERE
            class Item:
                title: str

            return Item

        MODELS = [shop(), museum()]
        """,
        """
        InvalidEntity: [model.duplicate_name]
          shop.py:HERE, Item
          two declarations are named Item; the other is at shop.py:THERE
          rename one of them; one controller knows each of its classes by name
        """,
    )


def test_one_class_for_a_list(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class Post:
            title: str

        MODELS = Post
        """,
        """
        InvalidEntity: [model.not_a_list]
          a controller takes a list of models, not Post
          write [Post, ...]
        """,
    )


def test_the_name_of_a_model(refuses: Refuses) -> None:
    refuses(
        """
        MODELS = ["Post"]
        """,
        """
        InvalidEntity: [model.not_declared]
          'Post' is neither a declared class, a side effect, nor a module of them
        """,
    )


# -- computations -------------------------------------------------------------------------


def test_count_over_a_text(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'like_count: int = iq.Count("likes")  # HERE'),
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Post.like_count: Count(...)
          Count runs over a collection of its own class, not over 'likes'
          write iq.Count(likes), without quotes, below the declaration of likes in the same class
        """,
    )


def test_count_over_a_list(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "like_count: int = iq.Count([1, 2])  # HERE"),
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Post.like_count: Count(...)
          Count runs over a collection of its own class, not over [1, 2]
          declare it in the same class, above: likes: Many[Like] = iq.many(inverse=...), and write iq.Count(likes)
        """,
    )


def test_count_over_another_class_collection(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            posts: Many[Post] = iq.many(inverse="author")

        @iq.entity
        class Post:
            author: User
            siblings: int = iq.Count(User.posts)  # HERE
        """,
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Post.siblings: Count(posts)
          Count runs over a collection of its own class. There is none.
          declare one in Post, above: likes: Many[Like] = iq.many(inverse=...)
        """,
    )


def test_count_over_a_collection_that_stands_outside(refuses: Refuses) -> None:
    refuses(
        """
        comments = iq.many(inverse="post")

        @iq.entity
        class Post:
            title: str
            comment_count: int = iq.Count(comments)  # HERE
        """,
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Post.comment_count: Count(over)
          Count runs over a collection of its own class. There is none.
          declare one in Post, above: likes: Many[Like] = iq.many(inverse=...)
        """,
    )


def test_a_count_that_is_a_text(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "like_count: str = iq.Count(likes)  # HERE"),
        """
        InvalidComputation: [count.type]
          shop.py:HERE, Post.like_count: Count(likes)
          Count gives int, but the attribute is declared str
          write like_count: int = iq.Count(likes)
        """,
    )


def test_a_count_that_may_be_none(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "like_count: int | None = iq.Count(likes)  # HERE"),
        """
        InvalidComputation: [count.type]
          shop.py:HERE, Post.like_count: Count(likes)
          Count gives int, but the attribute is declared int | None
          write like_count: int = iq.Count(likes)
        """,
    )


def test_a_count_without_a_type(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "like_count = iq.Count(likes)  # HERE"),
        """
        InvalidAttribute: [attribute.no_annotation]
          shop.py:HERE, Post.like_count
          like_count has no type; write it as an annotation: like_count: int = ...
        """,
    )


def test_an_average_of_nothing(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "mean: float = iq.Average(likes, lambda like: like.score)  # HERE"),
        """
        InvalidComputation: [average.nothing]
          shop.py:HERE, Post.mean: Average(likes)
          the average of nothing is None, but the attribute is declared float
          write mean: float | None, or give a default=, such as 0.0
        """,
    )


def test_an_average_that_is_an_int(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "mean: int = iq.Average(likes, lambda like: like.score, default=0)  # HERE"),
        """
        InvalidComputation: [average.type]
          shop.py:HERE, Post.mean: Average(likes)
          Average gives float, but the attribute is declared int
          write mean: float = iq.Average(likes)
        """,
    )


def test_a_default_average_that_is_no_number(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'mean: float = iq.Average(likes, lambda like: like.score, default="0")  # HERE'),
        """
        InvalidComputation: [average.default]
          shop.py:HERE, Post.mean: Average(likes)
          the default is '0', not a number
          write default=0.0
        """,
    )


def test_the_sum_of_texts(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "total: int = iq.Summation(likes, lambda like: like.user.name)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.total: Summation(likes)
          it gives User.name, str, but int | None is expected
            in: total: int = iq.Summation(likes, lambda like: like.user.name)
          Summation adds up what its attribute is declared as: answer int
        """,
    )


def test_a_sum_that_is_a_text(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "total: str = iq.Summation(likes, lambda like: like.user.name)  # HERE"),
        """
        InvalidComputation: [summation.type]
          shop.py:HERE, Post.total: Summation(likes)
          Summation gives int or float or Decimal, but the attribute is declared str
          write total: int = iq.Summation(likes)
        """,
    )


def test_the_name_of_what_is_summed(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'total: int = iq.Summation(likes, "score")  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.total: Summation(likes)
          it takes a callback, not 'score'
          write a lambda over a Like, or give a function
        """,
    )


def test_a_cycle(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            posts: Many[Post] = iq.many(inverse="author")
            fame: int = iq.Summation(posts, lambda post: post.echo)  # HERE

        @iq.entity
        class Post:
            author: User
            likes: Many[Like] = iq.many(inverse="post")
            echo: int = iq.Count(likes, where=lambda like: like.user.fame > 3)  # THERE

        @iq.relation
        class Like:
            user: User
            post: Post
        """,
        """
        ComputationCycle: [computation.cycle]
          shop.py:HERE, User.fame
          these follow from one another, so none can be worked out first:
            User.fame  (shop.py:HERE)
            -> Post.echo  (shop.py:THERE)
            -> User.fame  (shop.py:HERE)
          break the circle: let one of them read what the user sets, not what is derived
        """,
    )


# -- callbacks ----------------------------------------------------------------------------


def test_a_condition_that_answers_none(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: None)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          it gives None, but bool is expected
            in: n: int = iq.Count(likes, where=lambda like: None)
          is a `return` missing?
        """,
    )


def test_a_condition_without_a_return(refuses: Refuses) -> None:
    refuses(
        """
        def is_good(like: Like) -> bool:  # HERE
            like.score > 3


        @iq.entity
        class User:
            name: str
            posts: Many[Post] = iq.many(inverse="author")

        @iq.entity
        class Post:
            title: str
            author: User
            likes: Many[Like] = iq.many(inverse="post")
            n: int = iq.Count(likes, where=is_good)

        @iq.relation
        class Like:
            user: User
            post: Post
            at: dt.datetime
            note: str | None = None
            score: int = 0
        """,
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          it gives None, but bool is expected
            in: def is_good(like: Like) -> bool:
          is a `return` missing?
        """,
    )


def test_a_condition_that_answers_a_number(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: like.score)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          it gives Like.score, int, but bool is expected
            in: n: int = iq.Count(likes, where=lambda like: like.score)
          write a condition, such as `x is not None`, `x != 0` or `bool(x)`
        """,
    )


def test_a_condition_that_is_no_callback(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=True)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          it takes a callback, not True
          write a lambda over a Like, or give a function
        """,
    )


def test_a_condition_of_two_arguments(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda post, like: like.score > 3)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          the callback takes (post, like), but is given a Like
            in: n: int = iq.Count(likes, where=lambda post, like: like.score > 3)
          write it over a Like alone
        """,
    )


def test_a_condition_that_reads_a_file(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: open("bots").read() == like.user.name)  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          open() reaches outside, but a callback only says what a value is
            in: n: int = iq.Count(likes, where=lambda like: open("bots").read() == like.user.name)
          iq.side_effect runs after a commit; where a value depends on the outside, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_condition_that_prints(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: print("seen") is None)  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          print() reaches outside, but a callback only says what a value is
            in: n: int = iq.Count(likes, where=lambda like: print("seen") is None)
          iq.side_effect runs after a commit; where a value depends on the outside, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_random_condition(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: random.random() < 0.5)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          random.random() gives another value each time, but a callback is run once, when a controller is made
            in: n: int = iq.Count(likes, where=lambda like: random.random() < 0.5)
          let an interaction's payload or a field's factory= draw the value, and read that
        """,
    )


def test_a_random_condition_in_a_function(refuses: Refuses) -> None:
    refuses(
        """
        def lucky() -> bool:
            return random.random() < 0.5


        @iq.entity
        class User:
            name: str
            posts: Many[Post] = iq.many(inverse="author")

        @iq.entity
        class Post:
            title: str
            author: User
            likes: Many[Like] = iq.many(inverse="post")
            n: int = iq.Count(likes, where=lambda like: lucky())  # HERE

        @iq.relation
        class Like:
            user: User
            post: Post
            at: dt.datetime
            note: str | None = None
            score: int = 0
        """,
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          random.random() gives another value each time, but a callback is run once, when a controller is made
            in: n: int = iq.Count(likes, where=lambda like: lucky())
          let an interaction's payload or a field's factory= draw the value, and read that
        """,
    )


def test_a_condition_that_asks_the_clock(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            "n: int = iq.Count(likes, where=lambda like: like.at > dt.datetime.now(dt.UTC) - dt.timedelta(days=7))  # HERE",
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          datetime.now() in a callback is the moment of its tracing, not of its use
            in: n: int = iq.Count(likes, where=lambda like: like.at > dt.datetime.now(dt.UTC) - dt.timedelta(days=7))
          iq.RealTime(lambda each, now: ...) gives the callback the present moment, and follows it; a query's where() may ask the clock
        """,
    )


def test_a_condition_that_asks_for_today(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: like.at.date() == dt.date.today())  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          date.today() in a callback is the moment of its tracing, not of its use
            in: n: int = iq.Count(likes, where=lambda like: like.at.date() == dt.date.today())
          iq.RealTime(lambda each, now: ...) gives the callback the present moment, and follows it; a query's where() may ask the clock
        """,
    )


def test_membership_in_a_set(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: like.user.name in {"a", "b"})  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          User.name is looked up in a set or dict, which a trace can't see
            in: n: int = iq.Count(likes, where=lambda like: like.user.name in {"a", "b"})
          write a tuple, `x in (...)`, or a chain of `if`; else, iq.Custom runs as Python over declared inputs
        """,
    )


def test_an_f_string_compared(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: f"{like.user.name}!" == "bot!")  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          an f-string is compared, or a method of it called, which a trace can't see
            in: n: int = iq.Count(likes, where=lambda like: f"{like.user.name}!" == "bot!")
          apply the method to the value inside, f'{post.title.lower()}', or compare the values
        """,
    )


def test_int_of_a_text(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: int(like.user.name) > 3)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          int(x) can't be traced
            in: n: int = iq.Count(likes, where=lambda like: int(like.user.name) > 3)
          write math.trunc(x), or round(x)
        """,
    )


def test_a_loop_over_a_collection(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG, 'n: int = iq.Count(likes, where=lambda like: any(p.title == "x" for p in like.user.posts))  # HERE'
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          User.posts is a collection, which a computation can't read as a value
            in: n: int = iq.Count(likes, where=lambda like: any(p.title == "x" for p in like.user.posts))
          declare `posts_count: int = iq.Count(posts)` or `any_posts: bool = iq.Any(posts, ...)` in User and read that
        """,
    )


def test_none_that_is_not_tested(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: like.note.startswith("a"))  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          Like.note may be None here ('NoneType' object has no attribute 'startswith')
            in: n: int = iq.Count(likes, where=lambda like: like.note.startswith("a"))
          test it first: `if x is not None`, or `x or ...`
        """,
    )


def test_a_divisor_that_may_be_zero(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: 10 / like.score > 3)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          the divisor may be 0: Like.score
            in: n: int = iq.Count(likes, where=lambda like: 10 / like.score > 3)
          write `x / score if score else ...` with what it shall be then
        """,
    )


def test_values_of_two_types_compared(refuses: Refuses) -> None:
    refuses(
        within(BLOG, 'n: int = iq.Count(likes, where=lambda like: like.user == "bot")  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          Like.user is a User, and 'bot' is a str: to compare them with == is always False
            in: n: int = iq.Count(likes, where=lambda like: like.user == "bot")
          compare values of one type
        """,
    )


def test_a_function_that_needs_a_real_value(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: str.isdigit(like.user.name))  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          a function that needs a real value is given one that is only known in the database
            in: n: int = iq.Count(likes, where=lambda like: str.isdigit(like.user.name))
          use what values have themselves: operators, comparisons, len(), round(), str and date methods; else, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_time_without_a_zone(refuses: Refuses) -> None:
    refuses(
        within(BLOG, "n: int = iq.Count(likes, where=lambda like: like.at > dt.datetime(2026, 1, 1))  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Post.n: Count(likes, where=...)
          datetime.datetime(2026, 1, 1, 0, 0) has no time zone
            in: n: int = iq.Count(likes, where=lambda like: like.at > dt.datetime(2026, 1, 1))
          write datetime(..., tzinfo=UTC): times are compared by instant
        """,
    )


# -- changes ------------------------------------------------------------------------------


def test_an_unknown_state(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {"new": "payed"}))  # HERE'),
        """
        InvalidComputation: [statemachine.unknown_state]
          shop.py:HERE, Order.status: on(Pay)
          'payed' is not a state. Did you mean 'paid'?  There is: new, paid.
        """,
    )


def test_an_unknown_state_in_its_own_line(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            """
            status: Literal["new", "paid"] = iq.StateMachine(
                "new",
                iq.on(Pay, {"new": "payed"}),  # HERE
            )
            """,
        ),
        """
        InvalidComputation: [statemachine.unknown_state]
          shop.py:HERE, Order.status: on(Pay)
          'payed' is not a state. Did you mean 'paid'?  There is: new, paid.
        """,
    )


def test_an_initial_state_that_is_none(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("nw", iq.on(Pay, {"new": "paid"}))  # HERE'),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Order.status
          the initial state is 'nw', not one of 'new', 'paid'
        """,
    )


def test_a_change_by_a_record(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Pay:
            order: Order

        @iq.interaction
        class Merge:
            one: Order
            other: Order

        @iq.entity
        class Remark:
            text: str

        @iq.entity
        class Order:
            status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Remark, {"new": "paid"}))  # HERE
        """,
        """
        InvalidComputation: [rule.unknown_interaction]
          shop.py:HERE, Order.status: on(Remark)
          Remark is a record; only an interaction changes or ends one. There is: Pay, Merge.
          a value that follows from Remark records is a computation, such as iq.Count
        """,
    )


def test_a_change_by_a_name(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on("Pay", {"new": "paid"}))  # HERE'
        ),
        """
        InvalidComputation: [rule.unknown_interaction]
          shop.py:HERE, Order.status: on(Pay)
          an interaction is named by its class, not by the text 'Pay'
          declare the interaction above and write Pay without quotes
        """,
    )


def test_a_change_of_one_record_of_two(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Merge, {"new": "paid"}))  # HERE'
        ),
        """
        InvalidComputation: [on.record]
          shop.py:HERE, Order.status: on(Merge)
          which Order to change is not clear: Merge has 2 payload items of that type
          say it: record=lambda e: e.payload.one
        """,
    )


def test_a_change_of_no_record(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Remark, {"new": "paid"}))  # HERE'
        ),
        """
        InvalidComputation: [on.record]
          shop.py:HERE, Order.status: on(Remark)
          which Order to change is not clear: Remark has no payload items of that type
          say it: record=lambda e: e.payload.something
        """,
    )


def test_a_change_to_nothing(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay))  # HERE'),
        """
        InvalidComputation: [on.moves_or_set]
          shop.py:HERE, Order.status: on(Pay)
          on() takes either moves, a mapping from present to next value, or set=, a callback over the event
          write iq.on(Pay, {"new": "paid"}), or iq.on(Rename, set=lambda e: e.payload.name)
        """,
    )


def test_moves_that_are_a_list(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, ["new", "paid"]))  # HERE'),
        """
        InvalidComputation: [on.moves]
          shop.py:HERE, Order.status: on(Pay)
          moves are a mapping from present to next value, not ['new', 'paid']
          write iq.on(Pay, {"new": "paid"})
        """,
    )


def test_a_transition_that_is_a_tuple(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, 'status: Literal["new", "paid"] = iq.StateMachine("new", (Pay, {"new": "paid"}))  # HERE'),
        """
        InvalidComputation: [statemachine.transition]
          shop.py:HERE, Order.status: StateMachine('new', ...)
          StateMachine takes its initial state and then iq.on(...), not (<class 'shop.Pay'>, {'new': 'paid'})
          write iq.StateMachine("new", iq.on(Pay, {"new": "paid"}))
        """,
    )


def test_a_misspelt_payload_item_in_record(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            'status: Literal["new", "paid"] = iq.StateMachine("new", iq.on(Pay, {"new": "paid"}, record=lambda e: e.payload.ordr))  # HERE',
        ),
        """
        InvalidComputation: [callback.payload]
          shop.py:HERE, Order.status: on(Pay)
          Pay has no payload item 'ordr'. Did you mean 'order'?  There is: order.
        """,
    )


def test_a_misspelt_payload_item_in_set(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "note: str = iq.field(changes=iq.on(Pay, set=lambda e: e.payload.ordr))  # HERE"),
        """
        InvalidComputation: [callback.payload]
          shop.py:HERE, Order.note: on(Pay)
          Pay has no payload item 'ordr'. Did you mean 'order'?  There is: order.
        """,
    )


def test_changes_that_are_an_interaction(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "note: str = iq.field(changes=Pay)  # HERE"),
        """
        InvalidAttribute: [field.changes]
          shop.py:HERE, Order.note
          changes= takes iq.on(...), or several of them, not <class 'shop.Pay'>
          write changes=iq.on(SomeInteraction, set=lambda e: e.payload.something)
        """,
    )


# -- records that come and go -------------------------------------------------------------


def test_a_transform_of_another_class(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made = iq.Transform(User, lambda user: User(name=user.name))  # HERE"),
        """
        InvalidComputation: [transform.result]
          shop.py:HERE, Note.made: Transform(User)
          it stands in Note, so it answers Note(...), a list of them, or None, not User(...)
        """,
    )


def test_a_transform_from_an_interaction_of_another_class(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Make:
            text: str

        @iq.interaction
        class Drop:
            note: Note

        @iq.entity
        class User:
            name: str
            note: Note | None

        @iq.entity
        class Note:
            text: str
            made = iq.Transform(Make, lambda e: User(name=e.payload.text, note=None))  # HERE

        def use(app, storage):
            app.dispatch(Make(text="x"))
        """,
        """
        DispatchError: [transform.result]
          shop.py:HERE, Note.made: Transform(Make)
          it stands in Note, so it answers new Note(...), a list of them, or None, not User(name='x', note=None)
        """,
    )


def test_a_transform_from_a_class_that_is_not_declared(refuses: Refuses) -> None:
    refuses(
        """
        class Draft:
            text: str

        @iq.interaction
        class Make:
            text: str

        @iq.interaction
        class Drop:
            note: Note

        @iq.entity
        class User:
            name: str
            note: Note | None

        @iq.entity
        class Note:
            text: str
            made = iq.Transform(Draft, lambda draft: Note(text=draft.text))  # HERE
        """,
        """
        InvalidComputation: [transform.source]
          shop.py:HERE, Note.made: Transform(Draft)
          Draft is neither an interaction nor a record of this controller. There is: User, Note, Make, Drop.
          decorate the class, and give it to the controller with the other models
        """,
    )


def test_a_transform_from_a_name(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'made = iq.Transform("Make", lambda e: Note(text=e.payload.text))  # HERE'),
        """
        InvalidComputation: [transform.source]
          shop.py:HERE, Note.made: Transform(...)
          Transform takes the class of an interaction or an entity, not 'Make'
          declare it above and write Make without quotes
        """,
    )


def test_a_transform_with_a_type(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made: Note = iq.Transform(Make, lambda e: Note(text=e.payload.text))  # HERE"),
        """
        InvalidAttribute: [attribute.annotated_rule]
          shop.py:HERE, Note.made
          Transform makes or ends whole records, so it has no type of its own
          write it without an annotation: made = iq.Transform(...)
        """,
    )


def test_a_transform_that_misspells_a_payload_item(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made = iq.Transform(Make, lambda e: Note(text=e.payload.txt))  # HERE"),
        """
        InvalidComputation: [callback.payload]
          shop.py:HERE, Note.made: Transform(Make)
          Make has no payload item 'txt'. Did you mean 'text'?  There is: text.
        """,
    )


def test_a_transform_that_misspells_an_attribute(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made = iq.Transform(User, lambda user: Note(txt=user.name))  # HERE"),
        """
        InvalidComputation: [transform.attribute]
          shop.py:HERE, Note.made: Transform(User)
          Note has no attribute 'txt' to give. Did you mean 'text'?  There is: text, id.
        """,
    )


def test_a_transform_that_leaves_an_attribute_out(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made = iq.Transform(User, lambda user: Note())  # HERE"),
        """
        InvalidComputation: [transform.missing]
          shop.py:HERE, Note.made: Transform(User)
          Note(...) is made without text
          give it, or declare a default: text: ... = iq.field(default=...)
        """,
    )


def test_a_transform_without_a_callback(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "made = iq.Transform(Make, Make)  # HERE"),
        """
        InvalidComputation: [callback]
          shop.py:HERE, Note.made: Transform(Make)
          the callback takes (*, text: 'str') -> None, but is given the event of Make
          write it over the event of Make alone
        """,
    )


def test_a_misspelt_payload_item_in_deleted_by(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.deleted_by(Drop)
            def dropped(self, e: Event[Drop]) -> bool:
                return self == e.payload.nte  # HERE
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Note.dropped: deleted_by(Drop)
          Drop has no attribute 'nte'
            in: return self == e.payload.nte
          Did you mean 'note'?  There is: note.
        """,
    )


def test_deleted_by_a_record(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.deleted_by(User)  # HERE
            def dropped(self, e: Event[User]) -> bool:
                return True
            """,
        ),
        """
        InvalidComputation: [rule.unknown_interaction]
          shop.py:HERE, Note.dropped: deleted_by(User)
          User is a record; only an interaction changes or ends one. There is: Make, Drop.
          a value that follows from User records is a computation, such as iq.Count
        """,
    )


def test_deleted_by_nothing(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.deleted_by  # HERE
            def dropped(self, e: Event[Drop]) -> bool:
                return self == e.payload.note
            """,
        ),
        """
        InvalidComputation: [deleted_by.source]
          shop.py:HERE
          deleted_by takes the class of an interaction, not dropped
          write @iq.deleted_by(SomeInteraction) above the method
        """,
    )


def test_deleted_by_without_its_event(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.deleted_by(Drop)
            def dropped(self) -> bool:  # HERE
                return True
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Note.dropped: deleted_by(Drop)
          the callback takes (self) -> 'bool', but is given a Note and the event
            in: def dropped(self) -> bool:
          write it over a Note and the event alone
        """,
    )


# -- attributes ---------------------------------------------------------------------------


def test_a_default_that_can_change(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "tags: list[str] = []  # HERE"),
        """
        InvalidAttribute: [field.mutable_default]
          shop.py:HERE, Note.tags
          a default that can change would be shared by all records
          write iq.field(factory=list)
        """,
    )


def test_a_default_and_a_factory(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'tags: list[str] = iq.field(default=["a"], factory=list)  # HERE'),
        """
        InvalidAttribute: [field.default_and_factory]
          shop.py:HERE, Note.tags
          a field has a default or a factory, not both
        """,
    )


def test_a_factory_that_is_no_function(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: int = iq.field(factory=3)  # HERE"),
        """
        InvalidAttribute: [field.factory]
          shop.py:HERE, Note.size
          factory= takes a function that makes the value, not 3
          write default=3 for one value, or factory=list for a new list each time
        """,
    )


def test_a_field_without_a_type(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "tags = iq.field(default=3)  # HERE"),
        """
        InvalidAttribute: [attribute.no_annotation]
          shop.py:HERE, Note.tags
          tags has no type; write it as an annotation: tags: int = ...
        """,
    )


def test_two_keys(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            number: int = iq.key()
            code: uuid.UUID = iq.key()  # HERE
            """,
        ),
        """
        InvalidEntity: [entity.several_keys]
          shop.py:HERE, Note
          Note has 2 keys: number, code; a record has one
          for values that are unique together write @iq.entity(unique=[(...)])
        """,
    )


def test_an_id_that_is_not_the_key(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "id: int  # HERE"),
        """
        InvalidEntity: [entity.id_not_key]
          shop.py:HERE, Note.id
          Note.id is not declared as the key
          write id: int = iq.key(), or give another attribute the key
        """,
    )


def test_a_key_that_is_a_text(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "code: str = iq.key()  # HERE"),
        """
        InvalidAttribute: [attribute.key]
          shop.py:HERE, Note.code
          a key is an int or a UUID, not str
          write code: str = iq.field(unique=True); the key is id: int then
        """,
    )


def test_a_reference_and_a_value_in_one_column(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            author: User
            author_id: int  # HERE
            """,
        ),
        """
        InvalidAttribute: [attribute.column_clash]
          shop.py:HERE, Note.author_id
          author_id and author would both be stored in the column 'author_id'
          rename author_id
        """,
    )


def test_a_name_that_is_too_long(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "a_name_that_is_much_longer_than_a_person_would_write_it: int  # HERE"),
        """
        InvalidEntity: [name.too_long]
          shop.py:HERE, Note.a_name_that_is_much_longer_than_a_person_would_write_it
          'a_name_that_is_much_longer_than_a_person_would_write_it' is too long for a name in the database: 55 bytes, of at most 43
          shorten it
        """,
    )


def test_double_underscores(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "author__name: str  # HERE"),
        """
        InvalidAttribute: [attribute.name]
          shop.py:HERE, Note.author__name
          a name with leading or double underscores is kept for the framework
          write author_name
        """,
    )


def test_set_null_of_what_is_required(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'author: User = iq.one(on_delete="set_null")  # HERE'),
        """
        InvalidAttribute: [attribute.on_delete]
          shop.py:HERE, Note.author
          on_delete='set_null' needs a reference that may be None
          write author: User | None = iq.one(on_delete='set_null'), or on_delete='cascade'
        """,
    )


def test_an_unknown_on_delete(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'author: User = iq.one(on_delete="delete")  # HERE'),
        """
        InvalidAttribute: [one.on_delete]
          shop.py:HERE, Note.author
          on_delete='delete' is none of 'restrict', 'cascade', 'set_null'
        """,
    )


def test_a_default_of_another_type(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'size: int = "3"  # HERE'),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Note.size
          the default is str '3', not int
        """,
    )


def test_a_default_none(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: int = None  # HERE"),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Note.size
          the default is None, but int is not optional
          write size: int | None = None, or leave the default out
        """,
    )


def test_a_default_time_without_a_zone(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "at: dt.datetime = dt.datetime(2026, 1, 1)  # HERE"),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Note.at
          the default has no time zone; give an aware datetime
          write dt.datetime(..., tzinfo=dt.UTC)
        """,
    )


def test_a_default_that_is_no_member(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'size: Literal["s", "m"] = "l"  # HERE'),
        """
        InvalidAttribute: [attribute.default]
          shop.py:HERE, Note.size
          the default is 'l', not one of 's', 'm'
        """,
    )


def test_a_collection_from_nowhere(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "users: Many[User]  # HERE"),
        """
        InvalidAttribute: [attribute.many]
          shop.py:HERE, Note.users
          a collection says where it comes from
          write users: Many[User] = iq.many(inverse=...) or iq.many(through=...)
        """,
    )


def test_a_collection_without_arguments(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "users: Many[User] = iq.many()  # HERE"),
        """
        InvalidAttribute: [many.inverse_or_through]
          shop.py:HERE, Note.users
          many() takes the name of a reference back to this class, inverse=, or that of a collection of relation records, through=
          write posts: Many[Post] = iq.many(inverse="author"), where Post has author: User
        """,
    )


def test_a_list_of_records(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "users: list[User]  # HERE"),
        """
        InvalidAttribute: [attribute.many]
          shop.py:HERE, Note.users
          list[shop.User] of records has no column; it is the other side of a reference
          write users: Many[User] = iq.many(inverse=...), with a reference to Note in User
        """,
    )


def test_a_collection_that_is_a_list(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'users: list[User] = iq.many(inverse="note")  # HERE'),
        """
        InvalidAttribute: [attribute.many]
          shop.py:HERE, Note.users
          iq.many() is a collection, but the type is list[shop.User]
          write users: Many[User] = iq.many(...)
        """,
    )


def test_a_collection_of_texts(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'users: Many[str] = iq.many(inverse="note")  # HERE'),
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, Note.users
          str is not among the controller's records. Did you mean 'User'?  There is: User, Note, InteractionEvent.
          name an entity or a relation
        """,
    )


def test_a_reference_to_a_number(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: int = iq.one()  # HERE"),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.size
          iq.one() is a reference to an entity, but the type is int
          write size: int, or name an entity
        """,
    )


def test_the_other_side_of_one_to_one_that_is_required(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'user: User = iq.one(inverse="note")  # HERE'),
        """
        InvalidAttribute: [attribute.mirror]
          shop.py:HERE, Note.user
          there may be none on the other side
          write user: User | None
        """,
    )


def test_a_complex_number(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: complex  # HERE"),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.size
          complex is not a type that can be stored
          types are: bool, int, float, Decimal, str, bytes, date, datetime, timedelta, UUID, Enum, Literal, dict, list, attrs classes, entities
        """,
    )


def test_a_set(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "tags: set[str]  # HERE"),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.tags
          set[str] is not a type that can be stored
          write tags: list[str]
        """,
    )


def test_a_mixed_literal(refuses: Refuses) -> None:
    refuses(
        within(NOTES, 'size: Literal["s", 1]  # HERE'),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.size
          a Literal is stored when its values are all str or all int
          give all of them values of one type, such as their names
        """,
    )


def test_a_union(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: int | str  # HERE"),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.size
          int | str is a union of several types; a column has one (and may be '| None')
          types are: bool, int, float, Decimal, str, bytes, date, datetime, timedelta, UUID, Enum, Literal, dict, list, attrs classes, entities
        """,
    )


def test_anything(refuses: Refuses) -> None:
    refuses(
        within(NOTES, "size: Any  # HERE"),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Note.size
          Any is not a type that can be stored
          types are: bool, int, float, Decimal, str, bytes, date, datetime, timedelta, UUID, Enum, Literal, dict, list, attrs classes, entities
        """,
    )


def test_a_computed_property_without_a_type(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.computed
            def shout(self):  # HERE
                return self.text.upper()
            """,
        ),
        """
        InvalidAttribute: [computed.annotation]
          shop.py:HERE, Note.shout
          a computed property says what it answers: def shout(self) -> str, for instance
        """,
    )


def test_a_computed_property_that_misspells(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.computed
            def shout(self) -> str:
                return self.txt.upper()  # HERE
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Note.shout: computed
          Note has no attribute 'txt'
            in: return self.txt.upper()
          Did you mean 'text'?  There is: text, shout, id.
        """,
    )


def test_a_computed_property_of_another_type(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.computed
            def shout(self) -> int:  # HERE
                return self.text.upper()
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Note.shout: computed
          it gives a str, but int is expected
            in: def shout(self) -> int:
          where it can't be said otherwise, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_computed_property_of_itself(refuses: Refuses) -> None:
    refuses(
        within(
            NOTES,
            """
            @iq.computed
            def shout(self) -> str:
                return self.shout  # HERE
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Note.shout: computed
          Note.shout -> Note.shout: a property can't depend on itself
            in: return self.shout
          where it can't be said otherwise, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_mixed_enum(refuses: Refuses) -> None:
    refuses(
        """
        class Size(enum.Enum):
            SMALL = 1
            LARGE = "l"

        @iq.entity
        class Box:
            size: Size  # HERE
        """,
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Box.size
          Size is stored by its members' values, which must be all str or all int
          give all of them values of one type, such as their names
        """,
    )


# -- entities and relations ---------------------------------------------------------------


def test_an_entity_that_is_a_function(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity  # HERE
        def animal():
            pass
        """,
        """
        InvalidEntity: [entity.invalid]
          shop.py:HERE
          @iq.entity decorates a class, not animal
          write @iq.entity above class animal: with typed attributes
        """,
    )


def test_an_entity_that_is_an_attrs_class(refuses: Refuses) -> None:
    refuses(
        """
        import attrs

        @iq.entity  # HERE
        @attrs.define
        class Animal:
            name: str
        """,
        """
        InvalidEntity: [entity.attrs]
          shop.py:HERE, Animal
          Animal is an attrs class or a dataclass already
          leave the other decorator out: @iq.entity makes it an attrs class
        """,
    )


def test_a_class_name_that_is_too_long(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity  # HERE
        class TheNameOfAnAnimalThatNobodyCouldEverRemember:
            name: str
        """,
        """
        InvalidEntity: [name.too_long]
          shop.py:HERE, TheNameOfAnAnimalThatNobodyCouldEverRemember
          'the_name_of_an_animal_that_nobody_could_ever_remember' is too long for a name in the database: 53 bytes, of at most 43
          shorten it
        """,
    )


def test_a_relation_with_one_end(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.relation  # HERE
        class Friendship:
            one: User
        """,
        """
        InvalidEntity: [relation.ends]
          shop.py:HERE, Friendship
          a relation has two ends, which are its first two references; Friendship has 1
          add the other one, such as user: User, or declare Friendship with @iq.entity
        """,
    )


def test_a_relation_with_an_end_that_may_be_none(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.relation
        class Friendship:
            one: User
            other: User | None  # HERE
        """,
        """
        InvalidEntity: [relation.ends]
          shop.py:HERE, Friendship.other
          other is an end of the relation, which is never None
          write other: User, or declare Friendship with @iq.entity
        """,
    )


def test_unique_that_names_nothing(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity(unique=[("name", "breeed")])  # HERE
        class Animal:
            name: str
            breed: str
        """,
        """
        InvalidEntity: [entity.unique]
          shop.py:HERE, Animal
          unique=('name', 'breeed') names 'breeed', which is not stored. Did you mean 'breed'?  There is: name, breed, id.
        """,
    )


def test_unique_names_in_no_group(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity(unique=["name", "breed"])  # HERE
        class Animal:
            name: str
            breed: str
        """,
        """
        InvalidEntity: [entity.unique]
          shop.py:HERE, Animal
          unique= takes groups of attributes, not ['name', 'breed']
          write unique=[('name', 'breed')] for values that are unique together, or iq.field(unique=True) for one that is by itself
        """,
    )


# -- interactions -------------------------------------------------------------------------


def test_a_guard_that_is_a_plain_function(refuses: Refuses) -> None:
    refuses(
        """
        def is_admin(event):
            return True

        @iq.interaction(guard=is_admin)  # HERE
        class Close:
            reason: str
        """,
        """
        InvalidInteraction: [interaction.guard]
          shop.py:HERE, Close
          guard= takes a condition, not is_admin
          decorate is_admin with @iq.condition
        """,
    )


def test_conditions_joined_by_and(refuses: Refuses) -> None:
    refuses(
        """
        @iq.condition
        def is_admin(event):
            return True

        @iq.condition
        def is_open(event):
            return True

        @iq.interaction(guard=is_admin and is_open)  # HERE
        class Close:
            reason: str
        """,
        """
        InvalidInteraction: [condition.truth]
          shop.py:HERE
          a condition has no truth before there is an event
          combine conditions with &, | and ~, not with and, or and not
        """,
    )


def test_a_condition_joined_with_a_function(refuses: Refuses) -> None:
    refuses(
        """
        @iq.condition
        def is_admin(event):
            return True

        def is_open(event):
            return True

        @iq.interaction(guard=is_admin & is_open)  # HERE
        class Close:
            reason: str
        """,
        """
        InvalidInteraction: [condition.combined]
          shop.py:HERE
          conditions combine with conditions, not with is_open
          decorate is_open with @iq.condition
        """,
    )


def test_a_payload_item_that_is_a_collection(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.interaction
        class Invite:
            users: Many[User] = iq.many(inverse="name")  # HERE
        """,
        """
        InvalidInteraction: [interaction.payload_item]
          shop.py:HERE, Invite.users
          users is a payload item, which is a plain typed attribute or an iq.field(default=, validator=, converter=), not many
        """,
    )


def test_a_payload_item_of_a_type_that_can_not_be_stored(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Invite:
            names: set[str]  # HERE
        """,
        """
        InvalidInteraction: [interaction.type]
          shop.py:HERE, Invite.names
          set[str] is not a type that can be stored
          write names: list[str]
        """,
    )


def test_a_payload_default_of_another_type(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Invite:
            number: int = "3"  # HERE
        """,
        """
        InvalidInteraction: [interaction.default]
          shop.py:HERE, Invite.number
          the default is str '3', not int
        """,
    )


def test_a_transform_in_an_interaction(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.interaction
        class Invite:
            name: str
            made = iq.Transform(User, lambda user: user)  # HERE
        """,
        """
        InvalidInteraction: [interaction.rule]
          shop.py:HERE, Invite.made
          Transform(User) stands in an interaction, which has no records to make or end
          write it in the entity whose records it makes or ends
        """,
    )


def test_a_hook_that_is_no_function(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction(resolve="all")  # HERE
        class Invite:
            name: str
        """,
        """
        InvalidInteraction: [interaction.hook]
          shop.py:HERE, Invite
          resolve= takes a function over the event, not 'all'
        """,
    )


def test_locks_that_are_no_function(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction(locks=["account"])  # HERE
        class Withdraw:
            amount: int
        """,
        """
        InvalidInteraction: [interaction.locks]
          shop.py:HERE, Withdraw
          locks= takes a function over the event, not ['account']
          what is locked is known once there is an event: locks=lambda e: [e.payload.account, e.user]
        """,
    )


def test_locks_of_a_condition_that_are_no_function(refuses: Refuses) -> None:
    refuses(
        """
        @iq.condition(locks="account")  # HERE
        def is_covered(event):
            return True
        """,
        """
        InvalidInteraction: [interaction.locks]
          shop.py:HERE, is_covered
          locks= takes a function over the event, not 'account'
          what is locked is known once there is an event: locks=lambda e: [e.payload.account, e.user]
        """,
    )


def test_locks_that_name_no_item_of_the_payload(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction(locks=lambda e: e.payload.acount)  # HERE
        class Withdraw:
            account: int
        """,
        """
        InvalidComputation: [callback.payload]
          shop.py:HERE, Withdraw: locks=
          Withdraw has no payload item 'acount'. Did you mean 'account'?  There is: account.
        """,
    )


def test_a_side_effect_on_what_does_not_happen(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.side_effect(User, on="creation")  # HERE
        def welcome(change):
            pass
        """,
        """
        InvalidComputation: [side_effect.on]
          shop.py:HERE
          on='creation' is none of the kinds of a mutation. Did you mean 'create'?  There is: create, update, delete.
        """,
    )


def test_a_side_effect_of_nothing(refuses: Refuses) -> None:
    refuses(
        """
        @iq.side_effect  # HERE
        def welcome(change):
            pass
        """,
        """
        InvalidComputation: [side_effect.record]
          shop.py:HERE
          side_effect takes the class of an entity or relation, not welcome
          write @iq.side_effect(SomeEntity) above the function
        """,
    )


def test_a_side_effect_of_a_record_that_the_controller_is_not_given(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.side_effect(User)  # HERE
        def welcome(change):
            pass

        MODELS = [welcome]
        """,
        """
        UnresolvedName: [name.unresolved]
          shop.py:HERE, side effect welcome
          User is not among the controller's models. There is: InteractionEvent.
          give User to the controller with the other models
        """,
    )


# -- running ------------------------------------------------------------------------------


def test_the_dispatch_of_a_record(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch(User(name="Ada"))'),
        """
        DispatchError: [dispatch.unknown_interaction]
          User is not an interaction of this controller. There is: Make.
          records are made by interactions; dispatch one of those
        """,
    )


def test_the_dispatch_of_a_class(refuses: Refuses) -> None:
    refuses(
        within(APP, "app.dispatch(Make)"),
        """
        DispatchError: [dispatch.unknown_interaction]
          type is not an interaction of this controller. There is: Make.
          dispatch an instance, LikePost(post=post), or a class with its payload, LikePost, {...}
        """,
    )


def test_the_dispatch_of_a_misspelt_name(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch("Mke", {"text": "x"})'),
        """
        DispatchError: [dispatch.unknown_interaction]
          Mke is not an interaction of this controller. Did you mean 'Make'?  There is: Make.
        """,
    )


def test_a_misspelt_payload(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch(Make, {"txt": "x"})'),
        """
        PayloadError: [payload.unknown]
          Make
          txt: there is no such item. Did you mean 'text'?  There is: text. [payload.unknown]
          text: is missing [payload.missing]
        """,
    )


def test_a_user_that_nobody_can_be_told_by(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch(Make(text="x"), user={"id": 1})'),
        """
        InvalidValue: [dispatch.user]
          user= is {'id': 1}, which nobody can be told by
          give a stored record, or a text, number or UUID that identifies the user
        """,
    )


def test_a_user_that_is_not_stored(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch(Make(text="x"), user=User(name="Ada"))'),
        """
        InvalidValue: [dispatch.user]
          user= is User(name='Ada'), which nobody can be told by
          give a stored record, or a text, number or UUID that identifies the user
        """,
    )


def test_a_missing_user(refuses: Refuses) -> None:
    refuses(
        within(APP, 'app.dispatch(Make(text="x"))'),
        """
        InvalidValue: [value.type]
          shop.py:AUTHOR, Note.author
          Note.author is None, but User is not optional
          an event has a user where dispatch(..., user=) was given one
        """,
    )


def test_a_dispatch_before_setup(refuses: Refuses) -> None:
    refuses(
        """
        @iq.interaction
        class Make:
            text: str

        iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [Make]).dispatch(Make(text="x"))
        """,
        """
        NotInstalled: [setup.not_installed]
          the controller is not set up
          call controller.setup(), with install=True to create the tables
        """,
    )


def test_a_controller_without_a_system(refuses: Refuses) -> None:
    refuses(
        """
        iq.Controller("app.db", [])
        """,
        """
        SetupError: [setup.system]
          a controller takes a system, not 'app.db'
          write Controller(MonoSystem(SQLiteDB("app.db")), [...])
        """,
    )


def test_a_system_without_a_database(refuses: Refuses) -> None:
    refuses(
        """
        iq.MonoSystem("app.db")
        """,
        """
        SetupError: [setup.database]
          a system takes a database, not 'app.db'
          write MonoSystem(SQLiteDB("app.db"))
        """,
    )


def test_an_attribute_of_a_record_that_is_set(refuses: Refuses) -> None:
    refuses(
        within(APP, 'storage.create(User(name="Ada")).name = "Bea"'),
        """
        InvalidValue: [record.immutable]
          User.name can't be set: a record is a value, and what is stored is changed by interactions
          declare the change: iq.field(changes=iq.on(SomeInteraction, set=lambda e: ...)), or make a changed copy before storing with attrs.evolve(record, ...)
        """,
    )


def test_an_attribute_of_a_record_that_is_deleted(refuses: Refuses) -> None:
    refuses(
        within(APP, 'del User(name="Ada").name'),
        """
        InvalidValue: [record.immutable]
          User.name can't be set: a record is a value, and what is stored is changed by interactions
          declare the change: iq.field(changes=iq.on(SomeInteraction, set=lambda e: ...)), or make a changed copy before storing with attrs.evolve(record, ...)
        """,
    )


def test_a_derived_value_before_it_is_stored(refuses: Refuses) -> None:
    refuses(
        within(APP, 'User(name="Ada").note_count'),
        """
        InvalidValue: [record.not_stored]
          User.note_count has no value before the record is stored
          read it from the record that storage.create() or storage.get() answers
        """,
    )


def test_a_derived_value_that_is_given(refuses: Refuses) -> None:
    refuses(
        within(APP, 'User(name="Ada", note_count=3)'),
        """
        InvalidValue: [record.derived]
          shop.py:COUNT, User.note_count
          note_count is not given: it follows from its Count(notes)
          leave it out
        """,
    )


def test_a_misspelt_attribute_that_is_given(refuses: Refuses) -> None:
    refuses(
        within(APP, 'User(nam="Ada")'),
        """
        InvalidValue: [record.unknown_attribute]
          shop.py:USER, User
          User has no attribute 'nam' to give. Did you mean 'name'?  There is: name.
        """,
    )


def test_an_attribute_that_is_not_given(refuses: Refuses) -> None:
    refuses(
        within(APP, 'Note(text="x")'),
        """
        InvalidValue: [record.missing_attribute]
          shop.py:AUTHOR, Note
          Note is made without author
          give it: Note(author=...)
        """,
    )


def test_attributes_without_their_names(refuses: Refuses) -> None:
    refuses(
        within(APP, 'User("Ada")'),
        """
        InvalidValue: [record.positional]
          User takes its attributes by name
          User(name=...)
        """,
    )


def test_a_value_of_another_type(refuses: Refuses) -> None:
    refuses(
        within(APP, "storage.create(User(name=3))"),
        """
        InvalidValue: [value.type]
          shop.py:NAME, User.name
          User.name is int 3, not str
        """,
    )


def test_a_misspelt_attribute_in_a_query(refuses: Refuses) -> None:
    refuses(
        within(APP, 'storage.query(User).where(lambda user: user.nam == "Ada")  # HERE'),
        """
        TraceError: [trace]
          shop.py:HERE, query(User).where
          User has no attribute 'nam'
            in: storage.query(User).where(lambda user: user.nam == "Ada")
          Did you mean 'name'?  There is: name, notes, note_count, id.
        """,
    )


def test_a_query_of_a_name(refuses: Refuses) -> None:
    refuses(
        within(APP, 'storage.query("User")'),
        """
        InvalidQuery: [query.unknown_record]
          'User' is not among the controller's models. Did you mean 'User'?  There is: InteractionEvent, User, Note.
        """,
    )


# -- dictionaries -------------------------------------------------------------------------


def site(*, post: str = "", user: str = "", totals: str = "", after: str = "") -> str:
    """A model with a dictionary, and a mistake somewhere."""
    return SITE.format(after=dedent(after), post=post, user=user, totals=indent(dedent(totals), "    ").lstrip())


SITE = """
@iq.interaction
class SetLimit:
    limit: int

@iq.dictionary
class Totals:
    limit: int = iq.field(default=3, changes=iq.on(SetLimit, set=lambda e: e.payload.limit))
    {totals}

@iq.entity
class Post:
    title: str
    author: User
    {post}

@iq.entity
class User:
    name: str
    posts: Many[Post] = iq.many(inverse="author")
    {user}
{after}
"""


def test_a_count_of_a_class_in_an_entity(refuses: Refuses) -> None:
    refuses(
        site(user="post_count: int = iq.Count(Post)  # HERE"),
        """
        InvalidComputation: [count.over]
          shop.py:HERE, User.post_count: Count(Post)
          Count runs over a collection of its own class; global counts stand in an @iq.dictionary
          declare a collection above, or move it: @iq.dictionary class Totals: post_count: ... = iq.Count(Post)
        """,
    )


def test_a_count_of_what_is_no_record(refuses: Refuses) -> None:
    refuses(
        site(totals="numbers: int = iq.Count(int)  # HERE"),
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Totals.numbers: Count(...)
          Count runs over a collection of its own class, not over <class 'int'>
          in an @iq.dictionary it runs over the class of an entity or a relation, which int is not
        """,
    )


def test_a_count_of_a_collection_in_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(
            after="""
            posts: Many[Post] = iq.many(inverse="author")

            @iq.dictionary
            class Other:
                post_count: int = iq.Count(posts)  # HERE
            """
        ),
        """
        InvalidComputation: [count.over]
          shop.py:HERE, Other.post_count: Count(over)
          Count runs over a class in a dictionary, not over a collection
          write iq.Count(Post, ...)
        """,
    )


def test_a_collection_in_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(totals='posts: Many[Post] = iq.many(inverse="author")  # HERE'),
        """
        InvalidAttribute: [dictionary.attribute]
          shop.py:HERE, Totals.posts
          a dictionary has no collections
          a computation runs over a class: iq.Count(Post)
        """,
    )


def test_a_key_of_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(totals="number: int = iq.key()  # HERE"),
        """
        InvalidAttribute: [dictionary.attribute]
          shop.py:HERE, Totals.number
          a dictionary has no key: there is one
          leave it out
        """,
    )


def test_a_global_value_named_as_the_key(refuses: Refuses) -> None:
    refuses(
        site(totals="id: int = 3  # HERE"),
        """
        InvalidEntity: [dictionary.key]
          shop.py:HERE, Totals.id
          id is the key of a dictionary's only record
          give the value another name
        """,
    )


def test_a_global_value_that_nobody_gives(refuses: Refuses) -> None:
    refuses(
        site(totals="top: User | None  # HERE"),
        """
        InvalidAttribute: [dictionary.attribute]
          shop.py:HERE, Totals.top
          nobody makes a dictionary, so each of its values says what it is at first
          write top: User | None = None, or give it a default=
        """,
    )


def test_a_dictionary_that_goes_with_what_it_refers_to(refuses: Refuses) -> None:
    refuses(
        site(totals='top: User | None = iq.one(default=None, on_delete="cascade")  # HERE'),
        """
        InvalidAttribute: [dictionary.attribute]
          shop.py:HERE, Totals.top
          a dictionary is not deleted with what it refers to
          write on_delete='set_null'
        """,
    )


def test_the_other_side_of_a_reference_to_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(totals='top: User | None = iq.one(inverse="totals")  # HERE'),
        """
        InvalidAttribute: [dictionary.attribute]
          shop.py:HERE, Totals.top
          nothing refers to a dictionary
          write top: Post | None = iq.one(default=None)
        """,
    )


def test_a_transform_in_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(totals="made = iq.Transform(SetLimit, lambda e: None)  # HERE"),
        """
        InvalidEntity: [dictionary.rule]
          shop.py:HERE, Totals.made
          Transform(SetLimit) stands in a dictionary, of which there is one all the time
          write it in the entity whose records it makes or ends
        """,
    )


def test_which_dictionary_to_change(refuses: Refuses) -> None:
    refuses(
        site(
            totals="""
            top: int = iq.field(
                default=0, changes=iq.on(SetLimit, record=lambda e: None, set=lambda e: 3)  # HERE
            )"""
        ),
        """
        InvalidComputation: [on.record]
          shop.py:HERE, Totals.top: on(SetLimit)
          there is one Totals, so which to change is no question
          leave record= out
        """,
    )


@pytest.mark.parametrize(
    ("model", "subject"),
    [
        (site(post="totals: Totals  # HERE"), "Post.totals"),
        (site(post="totals: Many[Totals] = iq.many(inverse='post')  # HERE"), "Post.totals"),
        (site(after="@iq.interaction\nclass Pay:\n    totals: Totals  # HERE"), "Pay.totals"),
        (site(after="@iq.dictionary\nclass Other:\n    n: int = iq.Count(Totals)  # HERE"), "Other.n: Count(Totals)"),
    ],
    ids=["reference", "collection", "payload", "count"],
)
def test_a_reference_to_a_dictionary(refuses: Refuses, model: str, subject: str) -> None:
    refuses(
        model,
        f"""
        InvalidEntity: [dictionary.reference]
          shop.py:HERE, {subject}
          Totals is a dictionary; there is one of it, so it is neither referred to nor counted
          read its values where they are needed: Totals.some_value
        """,
    )


def test_records_that_follow_from_a_dictionary(refuses: Refuses) -> None:
    refuses(
        site(post='made = iq.Transform(Totals, lambda totals: Post(title="a"))  # HERE'),
        """
        InvalidComputation: [transform.source]
          shop.py:HERE, Post.made: Transform(Totals)
          Totals is a dictionary; records follow from an interaction or from other records
          let them follow from the records that Totals is about, and read Totals.some_value in it
        """,
    )


def test_a_misspelt_global_value(refuses: Refuses) -> None:
    refuses(
        site(user="long: int = iq.Count(posts, where=lambda post: len(post.title) > Totals.limt)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, User.long: Count(posts, where=...)
          Totals has no attribute 'limt'
            in: long: int = iq.Count(posts, where=lambda post: len(post.title) > Totals.limt)
          Did you mean 'limit'?  There is: limit, id.
        """,
    )


def test_a_dictionary_that_the_controller_does_not_know(refuses: Refuses) -> None:
    refuses(
        site(
            user="long: int = iq.Count(posts, where=lambda post: len(post.title) > Totals.limit)  # HERE",
            after="MODELS = [SetLimit, Post, User]",
        ),
        """
        TraceError: [trace]
          shop.py:HERE, User.long: Count(posts, where=...)
          Totals is not among the controller's models
            in: long: int = iq.Count(posts, where=lambda post: len(post.title) > Totals.limit)
          give Totals to the controller with the other models
        """,
    )


def test_a_circle_through_a_global_value(refuses: Refuses) -> None:
    refuses(
        site(
            user="n: int = iq.Count(posts, where=lambda post: Other.sum > 3)  # USER",
            after="@iq.dictionary\nclass Other:\n    sum: int = iq.Summation(User, of=lambda user: user.n)  # SUM",
        ),
        """
        ComputationCycle: [computation.cycle]
          shop.py:USER, User.n
          these follow from one another, so none can be worked out first:
            User.n  (shop.py:USER)
            -> Other.sum  (shop.py:SUM)
            -> User.n  (shop.py:USER)
          break the circle: let one of them read what the user sets, not what is derived
        """,
    )


def test_a_constraint_on_a_global_value(refuses: Refuses) -> None:
    refuses(
        site(
            after="""
            @iq.entity(constraints=[iq.Check(lambda item: item.n < Totals.limit, name="few")])  # HERE
            class Item:
                n: int
            """
        ),
        """
        InvalidEntity: [constraint.condition]
          shop.py:HERE, Item: Check()
          the condition looks at Totals.limit, which is not a value of the Item itself
          a database checks a row by what is in it; a rule over other records is a guard's, or that of a derived value that the record has
        """,
    )


@pytest.mark.parametrize("name", ["activity"])
def test_what_is_not_there_yet_says_what_to_do_until_then(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"iq\.{name} is not there yet; until then: \w"):
        getattr(iq, name)


FRIENDS = """
@iq.entity
class User:
    name: str
    friendships: Many[Friendship] = iq.many(inverse=("one", "other"))

@iq.relation(symmetric=True)
class Friendship:
    one: User
    other: User
"""


def test_a_symmetric_relation_from_one_end(refuses: Refuses) -> None:
    refuses(
        FRIENDS.replace('("one", "other"))', '"one")  # HERE'),
        """
        InvalidAttribute: [attribute.inverse]
          shop.py:HERE, User.friendships
          Friendship is symmetric, so its records are found from both ends, not from one alone
          write friendships: Many[Friendship] = iq.many(inverse=("one", "other"))
        """,
    )


def test_one_reference_back_twice(refuses: Refuses) -> None:
    refuses(
        FRIENDS.replace('("one", "other"))', '("one", "one"))  # HERE'),
        """
        InvalidAttribute: [many.inverse]
          shop.py:HERE, User.friendships
          inverse= takes the name of a reference, or those of two, not ('one', 'one')
          write inverse=("source", "target") for records that either of these references leads from
        """,
    )


def test_a_symmetric_relation_of_two_kinds(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity
        class User:
            name: str

        @iq.entity
        class Club:
            name: str

        @iq.relation(symmetric=True)  # HERE
        class Membership:
            user: User
            club: Club
        """,
        """
        InvalidEntity: [relation.symmetric]
          shop.py:HERE, Membership
          the ends of a symmetric relation are of one kind; user is a User, club a Club
          leave symmetric=True out
        """,
    )


def test_a_symmetric_relation_that_is_known_by_its_ends(refuses: Refuses) -> None:
    refuses(
        FRIENDS.replace("(symmetric=True)", '(symmetric=True, identity=("one", "other"))  # HERE'),
        """
        InvalidEntity: [relation.symmetric_identity]
          shop.py:HERE, Friendship
          a symmetric relation is not known by its ends, of which either may be named first
          leave identity= out: a pair is linked once in any case, and linking it again is refused
        """,
    )


# -- stored computed properties -------------------------------------------------------------


def test_a_stored_value_that_reads_a_collection(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            @iq.computed(stored=True)
            def is_liked(self) -> bool:
                return len(self.likes) > 0  # HERE
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Post.is_liked: computed(stored=True)
          Post.likes is a collection, which a computation can't read as a value
            in: return len(self.likes) > 0
          declare `likes_count: int = iq.Count(likes)` or `any_likes: bool = iq.Any(likes, ...)` in Post and read that
        """,
    )


def test_a_stored_value_that_reads_the_key(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            @iq.computed(stored=True)
            def shard(self) -> int:  # HERE
                return self.id % 16
            """,
        ),
        """
        InvalidAttribute: [computed.stored_key]
          shop.py:HERE, Post.shard: computed(stored=True)
          it reads Post.id, which the database counts when the row is made
          give the record a UUID key, which is made before its row, or leave stored=True out
        """,
    )


def test_stored_values_that_follow_from_one_another(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            like_count: int = iq.Count(likes, where=lambda like: like.score < like.post.rank)  # COUNT

            @iq.computed(stored=True)
            def rank(self) -> int:  # HERE
                return self.like_count * 2
            """,
        ),
        """
        ComputationCycle: [computation.cycle]
          shop.py:COUNT, Post.like_count
          these follow from one another, so none can be worked out first:
            Post.like_count  (shop.py:COUNT)
            -> Post.rank  (shop.py:HERE)
            -> Post.like_count  (shop.py:COUNT)
          break the circle: let one of them read what the user sets, not what is derived
        """,
    )


def test_an_index_of_what_is_not_stored(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            @iq.computed(index=True)  # HERE
            def shout(self) -> str:
                return self.title.upper()
            """,
        ),
        """
        InvalidAttribute: [computed.index]
          shop.py:HERE, Post
          index=True is about a column, and what is computed where it is used has none
          write @iq.computed(stored=True, index=True)
        """,
    )


def test_a_stored_value_of_json(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            tags: list[str] = iq.field(factory=list)

            @iq.computed(stored=True)
            def labels(self) -> list[str]:  # HERE
                return self.tags
            """,
        ),
        """
        InvalidAttribute: [computed.stored_type]
          shop.py:HERE, Post.labels: computed(stored=True)
          a JSON value can't be compared, so that it changes can't be told
          leave stored=True out, or store the part of it that matters
        """,
    )


def test_a_stored_value_of_another_type(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            @iq.computed(stored=True)
            def shout(self) -> int:  # HERE
                return self.title.upper()
            """,
        ),
        """
        TraceError: [trace]
          shop.py:HERE, Post.shout: computed(stored=True)
          it gives a str, but int is expected
            in: def shout(self) -> int:
          where it can't be said otherwise, iq.Custom runs as Python over declared inputs
        """,
    )


def test_a_stored_reference(refuses: Refuses) -> None:
    refuses(
        within(
            BLOG,
            """
            @iq.computed(stored=True)
            def writer(self) -> User:  # HERE
                return self.author
            """,
        ),
        """
        InvalidAttribute: [attribute.type]
          shop.py:HERE, Post.writer
          computed gives no record
          follow the reference where the record is needed
        """,
    )


def test_an_identity_by_a_stored_value(refuses: Refuses) -> None:
    refuses(
        """
        @iq.entity(identity=("address",))  # HERE
        class User:
            email: str

            @iq.computed(stored=True)
            def address(self) -> str:
                return self.email.lower()
        """,
        """
        InvalidEntity: [entity.identity]
          shop.py:HERE, User: identity
          User.address is derived; an identity is what a maker gives
        """,
    )


# -- values that change with the clock ------------------------------------------------------


def test_a_value_that_is_another_at_every_moment(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "at: dt.datetime\nage: dt.timedelta = iq.RealTime(lambda order, now: now - order.at)  # HERE"),
        """
        InvalidComputation: [real_time.every]
          shop.py:HERE, Order.age: RealTime(...)
          a timedelta is another at every moment, so there is no next one at which it changes
          say how old the value may become: every=dt.timedelta(minutes=1); or give what changes now and then: a comparison, now.date(), or whole units, (now - since) // dt.timedelta(minutes=1)
        """,
    )


def test_a_value_that_does_not_read_the_time(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "number: int\nis_large: bool = iq.RealTime(lambda order, now: order.number > 3)  # HERE"),
        """
        InvalidComputation: [real_time.no_time]
          shop.py:HERE, Order.is_large: RealTime(...)
          it is the same at every moment: it does not read the time, its second argument
          write @iq.computed(stored=True) def is_large(self) instead
        """,
    )


def test_a_value_of_the_time_without_the_time(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "at: dt.datetime\nover: bool = iq.RealTime(lambda order: order.at)  # HERE"),
        """
        TraceError: [trace]
          shop.py:HERE, Order.over: RealTime(...)
          the callback takes (order), but is given a Order and the time
            in: over: bool = iq.RealTime(lambda order: order.at)
          write it over a Order and the time alone
        """,
    )


def test_a_period_that_is_none(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            "at: dt.datetime\nage: dt.timedelta = iq.RealTime(lambda order, now: now - order.at, every=60)  # HERE",
        ),
        """
        InvalidComputation: [real_time.every]
          shop.py:HERE, Order.age: RealTime(...)
          every= takes a duration longer than none, not 60
          write every=dt.timedelta(minutes=1)
        """,
    )


def test_a_value_of_the_time_that_reads_the_key(refuses: Refuses) -> None:
    refuses(
        within(ORDERS, "turn: bool = iq.RealTime(lambda order, now: now.hour == order.id % 24)  # HERE"),
        """
        InvalidComputation: [real_time.key]
          shop.py:HERE, Order.turn: RealTime(...)
          it reads Order.id, which the database counts when the row is made
          give the record a UUID key, which is made before its row
        """,
    )


def test_a_value_of_the_time_of_json(refuses: Refuses) -> None:
    refuses(
        within(
            ORDERS,
            "at: dt.datetime\ntags: list[str]\n"
            "shown: list[str] = iq.RealTime(lambda order, now: order.tags if now > order.at else [])  # HERE",
        ),
        """
        InvalidComputation: [real_time.type]
          shop.py:HERE, Order.shown: RealTime(...)
          a JSON value can't be compared, so that it changes can't be told
          give a part of it
        """,
    )
