"""Names are found however a model is written: in any order, in any module, with or without strings."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import interaqt as iq

Write = Callable[[str, str], None]

USER = """
@iq.entity
class User:
    name: str
    posts: Many["Post"] = iq.many(inverse="author")
    post_count: int = iq.Count(posts)
"""

POST = """
@iq.entity
class Post:
    title: str
    author: "User"
"""

PUBLISH = """
@iq.interaction
class Publish:
    title: str
    author: "User"
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module that can be imported while the test runs."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: list[str] = []

    def write(name: str, source: str) -> None:
        names.append(name)
        (tmp_path / f"{name}.py").write_text(dedent(source), "utf-8")

    yield write
    for name in names:
        sys.modules.pop(name, None)


def imported(name: str) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(name)


def set_up(models: object) -> iq.Storage:
    system = iq.MonoSystem(iq.SQLiteDB())
    iq.Controller(system, models).setup(install=True)  # type: ignore[arg-type]
    return system.storage


def counts(storage: iq.Storage, user: type, post: type) -> int:
    """One post of one user, and what the user's count is then."""
    ada = storage.create(user(name="Ada"))
    storage.create(post(title="a", author=ada))
    found: int = storage.get(user, ada.id).post_count
    return found


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"], ids=["strings", "future"])
@pytest.mark.parametrize("order", list(itertools.permutations([USER, POST, PUBLISH])), ids=lambda order: "")
def test_classes_may_be_declared_in_any_order(write: Write, order: tuple[str, ...], future: str) -> None:
    write("blog", f"{future}import interaqt as iq\nfrom interaqt import Many\n{''.join(order)}")
    blog = imported("blog")
    assert counts(set_up([blog]), blog.User, blog.Post) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["User", "Post", "Publish"])), ids="-".join)
def test_classes_may_be_given_in_any_order(write: Write, order: tuple[str, ...]) -> None:
    write("blog", f"import interaqt as iq\nfrom interaqt import Many\n{USER}{POST}{PUBLISH}")
    blog = imported("blog")
    assert counts(set_up([getattr(blog, name) for name in order]), blog.User, blog.Post) == 1


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"], ids=["strings", "future"])
def test_modules_may_know_each_other_for_the_type_checker_alone(write: Write, future: str) -> None:
    head = f"{future}from typing import TYPE_CHECKING\nimport interaqt as iq\nfrom interaqt import Many\n"
    write("users", f"{head}if TYPE_CHECKING:\n    from posts import Post\n{USER}")
    write("posts", f"{head}if TYPE_CHECKING:\n    from users import User\n{POST}")
    users, posts = imported("users"), imported("posts")
    assert counts(set_up([users, posts]), users.User, posts.Post) == 1


def test_a_class_may_be_known_under_another_name_in_its_module(write: Write) -> None:
    write("users", f"import interaqt as iq\nfrom interaqt import Many\n{USER}")
    write("posts", f"import interaqt as iq\nfrom users import User as Author\n{POST.replace('User', 'Author')}")
    users, posts = imported("users"), imported("posts")
    assert counts(set_up([users, posts]), users.User, posts.Post) == 1


def test_a_module_of_models_stands_for_those_that_it_declares(write: Write) -> None:
    write("users", f"import interaqt as iq\nfrom interaqt import Many\n{USER}")
    write("posts", f"import interaqt as iq\nfrom users import User\n{POST}")
    users, posts = imported("users"), imported("posts")
    assert counts(set_up([posts, users]), users.User, posts.Post) == 1
    with pytest.raises(iq.UnresolvedName, match="User is not among the controller's models"):
        set_up([posts])


def test_classes_may_be_declared_in_a_function() -> None:
    @iq.entity
    class User:
        name: str
        posts: iq.Many[Post] = iq.many(inverse="author")
        post_count: int = iq.Count(posts)

    @iq.entity
    class Post:
        title: str
        author: User

    assert counts(set_up([User, Post]), User, Post) == 1


def application(table: str) -> tuple[type, type]:
    @iq.entity
    class User:
        name: str
        posts: iq.Many[Post] = iq.many(inverse="author")
        post_count: int = iq.Count(posts, where=lambda post: post.title == table)

    @iq.entity
    class Post:
        title: str
        author: User

    return User, Post


def test_two_applications_with_the_same_names_do_not_see_each_other() -> None:
    mine, theirs = application("a"), application("b")
    my_storage, their_storage = set_up(mine), set_up(theirs)
    assert counts(my_storage, *mine) == 1
    assert counts(their_storage, *theirs) == 0
    with pytest.raises(iq.InvalidQuery, match="not among the controller's models"):
        my_storage.query(theirs[0])


def test_one_class_may_be_in_two_applications() -> None:
    user, post = application("a")
    one, other = set_up([user, post]), set_up([post, user])
    assert counts(one, user, post) == 1
    assert other.query(user).count() == 0


def test_a_class_that_is_given_twice_is_one() -> None:
    user, post = application("a")
    assert counts(set_up([user, post, user]), user, post) == 1


def test_an_entity_may_refer_to_itself() -> None:
    @iq.entity
    class Folder:
        name: str
        parent: Folder | None = None
        children: iq.Many[Folder] = iq.many(inverse="parent")
        child_count: int = iq.Count(children)

    storage = set_up([Folder])
    root = storage.create(Folder(name="root"))
    storage.create(Folder(name="etc", parent=root))
    assert storage.get(Folder, 1).child_count == 1
    assert [child.name for child in storage.get(Folder, 1).children] == ["etc"]


def test_an_entity_may_collect_its_own_kind_above_the_reference() -> None:
    @iq.entity
    class Folder:
        children: iq.Many[Folder] = iq.many(inverse="parent")
        deepest: int = iq.Maximum(children, of=lambda child: child.level, default=0)
        level: int
        parent: Folder | None = None

    storage = set_up([Folder])
    root = storage.create(Folder(level=1))
    storage.create(Folder(level=2, parent=root))
    assert storage.get(Folder, 1).deepest == 2


def test_a_relation_may_join_an_entity_with_itself() -> None:
    @iq.entity
    class Person:
        name: str
        followings: iq.Many[Following] = iq.many(inverse="follower")
        followed: iq.Many[Following] = iq.many(inverse="leader")
        leaders: iq.Many[Person] = iq.many(through="followings")
        follower_count: int = iq.Count(followed)

    @iq.relation
    class Following:
        follower: Person
        leader: Person

    storage = set_up([Person, Following])
    ada, bea = storage.create(Person(name="Ada")), storage.create(Person(name="Bea"))
    storage.create(Following(follower=ada, leader=bea))
    assert storage.get(Person, 2).follower_count == 1
    assert [leader.name for leader in storage.get(Person, 1).leaders] == ["Bea"]


def test_the_other_side_of_one_to_one_is_a_record_or_none() -> None:
    @iq.entity
    class Person:
        name: str
        passport: Passport | None = iq.one(inverse="holder")

    @iq.entity
    class Passport:
        number: str
        holder: Person = iq.one(unique=True)

    storage = set_up([Person, Passport])
    ada, bea = storage.create(Person(name="Ada")), storage.create(Person(name="Bea"))
    storage.create(Passport(number="1", holder=ada))
    found = [storage.get(Person, person.id).passport for person in (ada, bea)]
    assert [passport and passport.number for passport in found] == ["1", None]


def test_names_of_the_enclosing_function_come_before_those_of_the_module() -> None:
    @iq.entity
    class Path:
        text: str

    @iq.entity
    class Page:
        path: Path

    storage = set_up([Path, Page])
    storage.create(Page(path=storage.create(Path(text="/"))))
    assert storage.query(Page).one().path.text == "/"
