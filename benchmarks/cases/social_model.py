"""The model of the benchmarks: the social example, and posts that are drafts until published."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import interaqt as iq
from interaqt import Many


@iq.entity
class User:
    id: int = iq.key()
    name: str
    email: str = iq.field(unique=True)
    posts: Many[Post] = iq.many(inverse="author")
    likes: Many[Like] = iq.many(inverse="user")

    post_count: int = iq.Count(posts)
    live_count: int = iq.Count(posts, where=lambda post: post.status == "live")
    likes_given: int = iq.Count(likes)


@iq.interaction
class CreatePost:
    title: str
    content: str


@iq.interaction
class PublishPost:
    post: Post


@iq.interaction
class UnpublishPost:
    post: Post


@iq.interaction
class LikePost:
    post: Post


@iq.entity
class Post:
    id: int = iq.key()
    title: str
    content: str
    author: User = iq.one()
    likes: Many[Like] = iq.many(inverse="post")

    status: Literal["draft", "live"] = iq.StateMachine(
        "draft",
        iq.on(PublishPost, {"draft": "live"}, record=lambda e: e.payload.post),
        iq.on(UnpublishPost, {"live": "draft"}, record=lambda e: e.payload.post),
    )
    like_count: int = iq.Count(likes)
    recent_likes: int = iq.Count(likes, where=lambda like: like.at.year >= 2026 and like.user.name != "bot")
    popular: bool = iq.Any(likes, where=lambda like: like.user.post_count > 100)

    created = iq.Transform(
        CreatePost,
        lambda e: Post(title=e.payload.title, content=e.payload.content, author=e.user),
    )


@iq.relation
class Like:
    user: User
    post: Post
    at: dt.datetime

    liked = iq.Transform(LikePost, lambda e: Like(user=e.user, post=e.payload.post, at=e.at))


MODELS = [User, Post, Like, CreatePost, PublishPost, UnpublishPost, LikePost]
