"""What a class body may say, and what its instances are: ordinary attrs classes that can't be changed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import pytest

import interaqt as iq
from interaqt import Many


class Stamped:
    """A plain class that entities share."""

    created_at: dt.datetime = iq.field(factory=lambda: dt.datetime.now(dt.UTC))
    kinds: ClassVar[dict[str, str]] = {"a": "article"}

    def age(self, now: dt.datetime) -> dt.timedelta:
        return now - self.created_at

    def label(self) -> str:
        return "stamped"


@iq.entity
class Author:
    name: str
    posts: Many[Post] = iq.many(inverse="author")
    post_count: int = iq.Count(posts)


@iq.entity
class Post(Stamped):
    """A post."""

    LIMIT: ClassVar[int] = 10
    ROLES = ("reader", "writer")

    title: str = iq.field(converter=str.strip, validator=attrs.validators.min_len(1))
    code: uuid.UUID = iq.key()
    tags: list[str] = iq.field(factory=list)
    stars: int = 3
    author: Author | None = None

    @iq.computed
    def shout(self) -> str:
        return self.title.upper() + "!"

    @property
    def short(self) -> str:
        return self.title[: self.LIMIT]

    def label(self) -> str:
        return f"{super().label()} {self.title}"

    @classmethod
    def draft(cls) -> Post:
        return cls(title="Draft")

    @staticmethod
    def fits(title: str) -> bool:
        return len(title) <= Post.LIMIT

    def same_class(self, other: object) -> bool:
        return isinstance(other, __class__)  # type: ignore[name-defined]


@pytest.fixture
def storage() -> iq.Storage:
    system = iq.MonoSystem(iq.SQLiteDB())
    iq.Controller(system, [Author, Post]).setup(install=True)
    return system.storage


def test_the_class_keeps_its_name_module_and_docstring() -> None:
    assert (Post.__name__, Post.__qualname__, Post.__module__, Post.__doc__) == ("Post", "Post", __name__, "A post.")


def test_defaults_and_factories_are_each_records_own() -> None:
    one, other = Post(title="a"), Post(title="b")
    one.tags.append("x")
    assert (one.tags, other.tags, one.stars) == (["x"], [], 3)


def test_converters_and_validators_run_when_a_record_is_made() -> None:
    assert Post(title="  a ").title == "a"
    with pytest.raises(ValueError, match="Length of 'title' must be >= 1"):
        Post(title="  ")


def test_a_uuid_key_is_there_before_a_record_is_stored(storage: iq.Storage) -> None:
    post = Post(title="a")
    assert isinstance(post.code, uuid.UUID)
    assert post.code != Post(title="a").code
    assert storage.create(post).code == post.code


def test_methods_properties_class_methods_and_super_are_pythons() -> None:
    post = Post.draft()
    assert post.label() == "stamped Draft"
    assert post.short == "Draft"
    assert Post.fits("short")
    assert post.age(post.created_at) == dt.timedelta(0)
    assert post.same_class(Post.draft())


def test_class_variables_are_no_attributes_of_records() -> None:
    assert (Post.LIMIT, Post.ROLES, Post.kinds) == (10, ("reader", "writer"), {"a": "article"})
    assert {each.name for each in attrs.fields(Post)} == {"title", "code", "tags", "stars", "author", "created_at"}  # type: ignore[arg-type]


def test_computed_properties_are_worked_out_in_python_where_they_are_read() -> None:
    assert Post(title="hey").shout == "HEY!"


def test_a_computed_property_is_a_value_in_queries_too(storage: iq.Storage) -> None:
    storage.create(Post(title="hey"))
    assert storage.query(Post).where(lambda post: post.shout == "HEY!").one().title == "hey"


def test_plain_classes_are_bases_as_ever() -> None:
    post = Post(title="a")
    assert isinstance(post, Post)
    assert isinstance(post, Stamped)
    assert issubclass(Post, Stamped)


@pytest.mark.parametrize(
    "change",
    [
        lambda post: setattr(post, "title", "b"),
        lambda post: setattr(post, "other", 1),
        lambda post: delattr(post, "title"),
    ],
)
def test_records_can_not_be_changed(change: Callable[[Post], None], storage: iq.Storage) -> None:
    for post in (Post(title="a"), storage.create(Post(title="a"))):
        with pytest.raises(iq.InvalidValue, match="can't be set"):
            change(post)
        assert post.title == "a"


def test_evolve_makes_a_changed_copy_of_an_unsaved_record() -> None:
    author = Author(name="Ada")
    assert attrs.evolve(author, name="Bea").name == "Bea"
    assert author.name == "Ada"


def test_stored_records_are_equal_by_their_key(storage: iq.Storage) -> None:
    ada = storage.create(Author(name="Ada"))
    again: Any = storage.get(Author, 1)
    bea = storage.create(Author(name="Ada"))
    assert ada == again
    assert ada is not again
    assert hash(ada) == hash(again)
    assert ada != bea
    assert {ada, again, bea} == {ada, bea}


def test_unsaved_records_are_equal_to_themselves_alone() -> None:
    ada = Author(name="Ada")
    assert ada == ada
    assert ada != Author(name="Ada")
    assert len({ada, Author(name="Ada")}) == 2


def test_records_of_two_classes_are_never_equal(storage: iq.Storage) -> None:
    @iq.entity
    class Other:
        name: str

    system = iq.MonoSystem(iq.SQLiteDB())
    iq.Controller(system, [Other]).setup(install=True)
    assert storage.create(Author(name="Ada")) != system.storage.create(Other(name="Ada"))


def test_repr_shows_what_is_known_and_references_by_their_key(storage: iq.Storage) -> None:
    assert repr(Author(name="Ada")) == "Author(name='Ada')"
    ada = storage.create(Author(name="Ada"))
    assert repr(storage.get(Author, 1)) == "Author(name='Ada', post_count=0, id=1)"
    code = "12345678-1234-5678-1234-567812345678"
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    post = attrs.evolve(Post(title="a", author=ada, created_at=moment))
    assert repr(post).replace(str(post.code), code) == (
        "Post(created_at=datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), "
        f"title='a', code=UUID('{code}'), tags=[], stars=3, author=Author#1)"
    )


def test_interactions_are_frozen_attrs_classes_whose_optional_items_may_be_left_out() -> None:
    @iq.interaction
    class Ask:
        text: str
        note: str | None
        size: int = 3

    assert Ask(text="a") == Ask(text="a", note=None, size=3)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Ask(text="a").text = "b"  # type: ignore[misc]


def test_a_decorator_with_and_without_arguments_is_the_same() -> None:
    @iq.entity()
    class One:
        name: str

    @iq.entity
    class Other:
        name: str

    assert repr(One(name="a")) == "One(name='a')"
    assert repr(Other(name="a")) == "Other(name='a')"
