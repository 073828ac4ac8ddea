"""Everybody moves the same counters: one row, the rows behind it, and both in either order."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class LikePost:
    post: Post


@iq.interaction
class UnlikePost:
    post: Post


@iq.interaction
class LikeBoth:
    first: Post
    second: Post


@iq.entity
class User:
    id: int = iq.key()
    name: str
    likes: Many[Like] = iq.many(inverse="user")

    likes_given: int = iq.Count(likes)


@iq.entity
class Site:
    id: int = iq.key()
    posts: Many[Post] = iq.many(inverse="site")

    like_count: int = iq.Summation(posts, of=lambda post: post.like_count)
    best: int | None = iq.Maximum(posts, of=lambda post: post.like_count)
    all_liked: bool = iq.Every(posts, where=lambda post: post.like_count > 0)


@iq.entity
class Post:
    id: int = iq.key()
    site: Site
    likes: Many[Like] = iq.many(inverse="post")

    like_count: int = iq.Count(likes)
    weight: float | None = iq.Average(likes, of=lambda like: like.user.id)
    famous: bool = iq.Any(likes, where=lambda like: like.user.likes_given > 3)


@iq.relation
class Like:
    user: User
    post: Post

    liked = iq.Transform(LikePost, lambda e: Like(user=e.user, post=e.payload.post))
    liked_both = iq.Transform(
        LikeBoth, lambda e: [Like(user=e.user, post=post) for post in (e.payload.first, e.payload.second)]
    )

    @iq.deleted_by(UnlikePost)
    def unliked(self, e: Event[UnlikePost]) -> bool:
        return self.user == e.user and self.post == e.payload.post


def site(at_once: AtOnce, posts: int) -> iq.Controller:
    """A site with posts, a user for each process and one more."""
    app = at_once.app(User, Site, Post, Like, LikePost, UnlikePost, LikeBoth)
    storage = app.system.storage
    place = storage.create(Site())
    for _ in range(posts):
        storage.create(Post(site=place))
    for number in range(1 + PROCESSES):
        storage.create(User(name=str(number)))
    return app


def likes_and_unlikes(me: Me) -> None:
    """Of the same post, as a user of one's own and as one that all are."""
    (post,), users = me.all(Post), me.all(User)
    for _ in range(25):
        user = users[0] if me.chance.random() < 0.3 else users[1 + me.number]
        interaction = LikePost if me.chance.random() < 0.6 else UnlikePost
        me.dispatch(interaction(post=post), user)


def test_likes_and_unlikes_of_one_post(at_once: AtOnce) -> None:
    storage = site(at_once, posts=1).system.storage

    report = at_once(likes_and_unlikes)

    # Who likes what he likes already is told so by the relation's own rule, not by a conflict.
    assert set(report.outcomes) <= {"done", "constraint.unique"}
    likes = storage.query(Like).count()
    assert storage.query(Post).one().like_count == storage.query(Site).one().like_count == likes
    assert sum(user.likes_given for user in storage.query(User)) == likes
    assert storage.query(iq.InteractionEvent).count() == report.outcomes["done"]


def likes_of_two(me: Me) -> None:
    """Both at once, some in the one order and some in the other."""
    posts, user = me.all(Post), me.all(User)[me.number]
    for each in range(10):
        first, second = posts if (each + me.number) % 2 else reversed(posts)
        me.dispatch(LikeBoth(first=first, second=second), user)
        me.dispatch(UnlikePost(post=first), user)
        me.dispatch(UnlikePost(post=second), user)


def test_two_posts_liked_in_either_order(at_once: AtOnce) -> None:
    storage = site(at_once, posts=2).system.storage

    assert at_once(likes_of_two).outcomes == {"done": PROCESSES * 30}

    assert [post.like_count for post in storage.query(Post)] == [0, 0]
    assert storage.query(Like).count() == storage.query(Site).one().like_count == 0


def batches_and_singles(me: Me) -> None:
    """Many likes in one transaction, by some, while others like one post after the other."""
    posts, user = me.all(Post), me.all(User)[me.number]
    for _ in range(3):
        requests = [LikePost(post=post) for post in me.chance.sample(posts, len(posts))]
        if me.number % 2:
            me.attempt(lambda: me.app.dispatch_many(requests, user=user))  # noqa: B023 - called at once
        else:
            for each in requests:
                me.dispatch(each, user)
        me.attempt(lambda: me.app.dispatch_many([UnlikePost(post=post) for post in posts], user=user))


def test_batches_beside_singles(at_once: AtOnce) -> None:
    storage = site(at_once, posts=6).system.storage

    assert set(at_once(batches_and_singles).outcomes) == {"done"}

    assert storage.query(iq.InteractionEvent).count() == PROCESSES * 3 * 2 * 6
    assert storage.query(Like).count() == storage.query(Site).one().like_count == 0


def rebuilding_meanwhile(me: Me) -> None:
    """One works all values out anew, again and again, while the others move them."""
    posts, user = me.all(Post), me.all(User)[me.number]
    for _ in range(8):
        if me.number == 0:
            for cls in (Post, Site, User):
                me.attempt(lambda cls=cls: me.app.rebuild(cls, batch=4))  # type: ignore[misc]
        else:
            post = me.chance.choice(posts)
            me.dispatch(LikePost(post=post), user)
            me.dispatch(UnlikePost(post=post), user)


def test_values_are_rebuilt_while_they_move(at_once: AtOnce) -> None:
    storage = site(at_once, posts=6).system.storage

    assert set(at_once(rebuilding_meanwhile).outcomes) == {"done"}

    assert storage.query(Site).one().like_count == 0
