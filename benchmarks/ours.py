"""The same three operations through interaqt."""

from __future__ import annotations

from typing import Any

import interaqt as iq
from benchmarks.model import MODELS, CreatePost, LikePost, Post, PublishPost, UnpublishPost, User


class Ours:
    """``benchmarks.harness.Side`` over a controller; a handle is the stored record."""

    name = "ours"

    def __init__(self, database: Any) -> None:
        self.system = iq.MonoSystem(database)
        self.app = iq.Controller(self.system, MODELS)
        self.app.setup(install=True)
        self.dispatch = self.app.dispatch

    def user(self, key: int) -> User:
        return self.system.storage.get(User, key)

    def post(self, key: int) -> Post:
        return self.system.storage.get(Post, key)

    def like_post(self, user: User, post: Post) -> None:
        self.dispatch(LikePost(post=post), user=user)

    def create_post(self, user: User, post: Post) -> None:
        self.dispatch(CreatePost(title="Hello", content="What a day."), user=user)

    def publish_post(self, user: User, post: Post) -> None:
        self.dispatch(PublishPost(post=post), user=user)

    def unpublish_post(self, user: User, post: Post) -> None:
        self.dispatch(UnpublishPost(post=post), user=user)

    def check(self) -> None:
        """Every derived value is what its declaration says."""
        differences = list(self.app.verify())
        if differences:
            raise AssertionError(f"derived values differ from their recomputation: {differences[:5]}")

    def close(self) -> None:
        self.system.close()
