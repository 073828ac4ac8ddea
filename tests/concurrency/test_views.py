"""Posts enter and leave a view, by their own doing and by their authors', while what is in it is counted."""

from __future__ import annotations

from typing import Literal

import interaqt as iq
from interaqt import Many
from tests.concurrency.processes import AtOnce, Me


@iq.interaction
class Publish:
    post: Post


@iq.interaction
class Retract:
    post: Post


@iq.interaction
class Suspend:
    author: Author
    active: bool


@iq.interaction
class Praise:
    post: LivePost


@iq.entity
class Author:
    id: int = iq.key()
    active: bool = iq.field(default=True, changes=iq.on(Suspend, set=lambda e: e.payload.active))
    live_posts: Many[LivePost] = iq.many(inverse="author")

    live_count: int = iq.Count(live_posts)
    praise: int = iq.Summation(live_posts, of=lambda post: post.praise_count)


@iq.entity
class Post:
    id: int = iq.key()
    author: Author
    status: Literal["draft", "live"] = iq.StateMachine(
        "draft", iq.on(Publish, {"draft": "live"}), iq.on(Retract, {"live": "draft"})
    )
    praises: Many[Praising] = iq.many(inverse="post")

    praise_count: int = iq.Count(praises)


@iq.view(Post, where=lambda post: post.status == "live" and post.author.active)
class LivePost(Post):
    """What everybody can see."""


@iq.entity
class Praising:
    id: int = iq.key()
    post: Post

    made = iq.Transform(Praise, lambda e: Praising(post=e.payload.post))


@iq.entity
class Teaser:
    id: int = iq.key()
    post: Post = iq.one(on_delete="cascade")

    shown = iq.Transform(LivePost, lambda post: Teaser(post=post))


def publishing(me: Me) -> None:
    """Posts are published, praised and retracted; now and then their author is suspended or comes back."""
    posts, authors = me.all(Post), me.all(Author)
    for _ in range(15):
        post, chance = me.chance.choice(posts), me.chance.random()
        if chance < 0.2:
            me.dispatch(Suspend(author=me.chance.choice(authors), active=me.chance.random() < 0.7))
        elif chance < 0.5:
            me.dispatch(Publish(post=post))
        elif chance < 0.7:
            me.dispatch(Retract(post=post))
        else:
            for live in me.storage.query(LivePost).where(lambda each: each.id == post.id):  # noqa: B023 - asked at once
                me.dispatch(Praise(post=live))


def test_what_is_in_a_view_is_what_its_condition_says(at_once: AtOnce) -> None:
    models = (Author, Post, LivePost, Praising, Teaser, Publish, Retract, Suspend, Praise)
    storage = at_once.app(*models).system.storage
    for author in [storage.create(Author()) for _ in range(2)]:
        for _ in range(3):
            storage.create(Post(author=author))

    report = at_once(publishing)

    # Who praises what has left the view by then is told so.
    assert set(report.outcomes) <= {"done", "payload.not_in_view"}
    live = [post for post in storage.query(Post) if post.status == "live" and post.author.active]
    assert sorted(post.id for post in storage.query(LivePost)) == sorted(post.id for post in live)
    assert sorted(teaser.post.id for teaser in storage.query(Teaser)) == sorted(post.id for post in live)
    assert sum(author.live_count for author in storage.query(Author)) == len(live)
