"""Values worked out anew over a whole table, and why one value is what it is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

import interaqt as iq
from examples import social
from examples.social import CreatePost, Like, LikePost, Post, User
from interaqt import Progress


class Site:
    def __init__(self, database: Any) -> None:
        self.database = database
        system = iq.MonoSystem(database)
        self.app = iq.Controller(system, [social])
        self.app.setup(install=True)
        self.storage = system.storage
        self.users = [self.storage.create(User(name=f"u{i}", email=f"u{i}@example.org")) for i in range(7)]
        made = self.app.dispatch_many([CreatePost(title=f"t{i}", content="") for i in range(5)], user=self.users[0])
        self.posts = [each.created(Post)[0] for each in made]
        self.app.dispatch_many((LikePost(post=post), user) for post in self.posts for user in self.users)

    def spoil(self, sql: str) -> None:
        transaction = self.database.begin()
        transaction.execute(sql, ())
        transaction.commit()


@pytest.fixture
def site(database: Any) -> Site:
    return Site(database)


def test_what_was_spoilt_by_hand_is_found_and_mended(site: Site) -> None:
    site.spoil('UPDATE "post" SET "like_count" = 99, "recent_likes" = -1 WHERE "id" > 2')
    assert len(site.app.verify()) == 6
    assert site.app.rebuild(Post, "like_count") == 5
    assert {each.attribute for each in site.app.verify()} == {"Post.recent_likes"}
    site.app.rebuild(Post)
    assert site.app.verify() == []


def test_a_rebuild_goes_in_batches_and_says_how_far_it_is(site: Site) -> None:
    seen: list[Progress] = []
    site.app.rebuild(User, "likes_given", batch=3, progress=seen.append)
    assert [(each.done, each.total) for each in seen] == [(3, 7), (6, 7), (7, 7)]


def test_what_depends_on_a_rebuilt_value_follows_it(site: Site) -> None:
    site.spoil('UPDATE "user" SET "post_count" = 200 WHERE "id" = 1')
    site.spoil('UPDATE "post" SET "popular__matching" = 1, "popular" = (1 = 1)')
    assert [each.attribute for each in site.app.verify()] == ["User.post_count"]
    site.app.rebuild(User, "post_count")
    assert site.app.verify() == []
    assert not site.storage.get(Post, 1).popular


def test_a_value_that_is_not_derived_is_not_rebuilt(site: Site) -> None:
    with pytest.raises(iq.InvalidQuery, match=r"Post derives no 'title'.*There is: like_count"):
        site.app.rebuild(Post, "title")
    with pytest.raises(iq.InvalidQuery, match="batch is at least 1"):
        site.app.rebuild(Post, batch=0)


def test_a_value_is_explained_by_its_rule_and_the_records_behind_it(site: Site) -> None:
    found = site.app.explain(site.posts[1], "recent_likes")
    assert (found.attribute, found.value) == ("Post.recent_likes", 7)
    assert found.rule.startswith("Count(likes, where=...), declared at ")
    assert found.depends_on == ("Like.at", "Like.user", "Post.likes", "User.name")
    assert [row.record for row in found.rows] == site.storage.query(Like).where(lambda x: x.post == site.posts[1]).all()
    assert {row.adds for row in found.rows} == {(1,)}
    assert "Like#8 adds 1" in str(found)


def test_a_value_that_was_given_is_explained_by_who_changes_it(site: Site) -> None:
    assert "changed by EditPost" in site.app.explain(site.posts[0], "content").rule
    assert site.app.explain(site.posts[0], "title").rows == ()
    with pytest.raises(iq.InvalidQuery, match="Did you mean 'title'"):
        site.app.explain(site.posts[0], "titel")


def test_what_a_computation_keeps_for_itself_is_nobody_elses_to_read(site: Site) -> None:
    with pytest.raises(iq.TraceError) as refused:
        site.storage.query(Post).where(lambda post: post.popular__matching > 0)  # type: ignore[attr-defined]
    assert "Post has no attribute 'popular__matching'" in str(refused.value)
    assert "popular__matching" not in refused.value.hint


def sent(site: Site, *, batch: int | None) -> list[tuple[str, tuple[Any, ...]]]:
    with site.database.recording() as recorder:
        site.app.rebuild(Post, "recent_likes", batch=batch)
    return recorder.statements


def test_what_is_right_is_only_read_by_two_statements_for_each_batch(site: Site) -> None:
    assert len(sent(site, batch=2)) == 1 + 2 * 3
    assert all(sql.startswith("SELECT") and "FOR UPDATE" not in sql for sql, _ in sent(site, batch=2))
    # One more says how many records it is worked out from, and so of how many records a batch is.
    assert len(sent(site, batch=None)) == 2 + 2


def test_a_batch_in_which_something_is_wrong_is_one_transaction_without_a_key_of_its_records(site: Site) -> None:
    site.spoil('UPDATE "post" SET "recent_likes" = -1 WHERE "id" = 3')
    statements = sent(site, batch=2)
    assert site.app.verify() == []
    locks = 1 if site.database.capability.row_locks else 0
    begin_update_commit = 3
    assert len(statements) == 1 + 2 * 3 + begin_update_commit + locks
    (update,) = (values for sql, values in statements if sql.startswith("UPDATE"))
    assert {value for value in update if isinstance(value, int) and value < 100} >= {2, 4}


def test_what_is_done_stays_done_where_a_rebuild_is_broken_off(site: Site) -> None:
    site.spoil('UPDATE "post" SET "recent_likes" = -1')

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.app.rebuild(Post, "recent_likes", batch=2, progress=stop)
    assert [each.key for each in site.app.verify()] == [3, 4, 5]
    site.app.rebuild(Post, "recent_likes")
    assert site.app.verify() == []


def test_verifying_says_how_far_it_is(site: Site) -> None:
    seen: list[Progress] = []
    assert site.app.verify(progress=seen.append) == []
    assert Progress("Post.like_count", 5, 5) in seen
    assert Progress("User.likes_given", 7, 7) in seen


@iq.entity
class Tag:
    id: int = iq.key()
    length: int

    @iq.computed(stored=True)
    def doubled(self) -> int:
        return self.length * 2


@iq.entity
class Token:
    id: uuid.UUID = iq.key()
    length: int

    @iq.computed(stored=True)
    def doubled(self) -> int:
        return self.length * 2


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_keys_of_any_type_are_gone_through_in_their_order(database: Any, size: int) -> None:
    app = iq.Controller(iq.MonoSystem(database), [Tag, Token])
    app.setup(install=True)
    for length in range(6):
        app.system.storage.create(Tag(length=length))
        app.system.storage.create(Token(length=length))
    transaction = database.begin()
    for table in ("tag", "token"):
        transaction.execute(f'UPDATE "{table}" SET "doubled" = -1', ())
    transaction.commit()
    assert len(app.verify()) == 12
    seen: list[Progress] = []
    assert app.rebuild(Tag, batch=size, progress=seen.append) == app.rebuild(Token, batch=size) == 6
    assert [each.done for each in seen] == [*range(size, 6, size), 6]
    assert app.verify() == []


def test_a_table_without_records_is_rebuilt_in_no_time(database: Any) -> None:
    app = iq.Controller(iq.MonoSystem(database), [Tag])
    app.setup(install=True)
    assert app.rebuild(Tag) == 0
