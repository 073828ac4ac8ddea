"""Who decides first has decided: of approvals and rejections of the same posts, one of each wins."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.condition
def is_new(event: Event[Any]) -> bool:
    return bool(event.payload.post.status == "new")


@iq.interaction(guard=is_new)
class Approve:
    post: Post


@iq.interaction(guard=is_new)
class Reject:
    post: Post


@iq.entity
class Board:
    id: int = iq.key()
    posts: Many[Post] = iq.many(inverse="board")

    approved: int = iq.Count(posts, where=lambda post: post.status == "approved")
    all_decided: bool = iq.Every(posts, where=lambda post: post.status != "new")


@iq.entity
class Post:
    id: int = iq.key()
    board: Board
    status: Literal["new", "approved", "rejected"] = iq.StateMachine(
        "new", iq.on(Approve, {"new": "approved"}), iq.on(Reject, {"new": "rejected"})
    )


def decisions(me: Me) -> None:
    """Half approve and half reject, the same posts in the same order."""
    interaction = Approve if me.number % 2 else Reject
    for post in me.all(Post):
        me.dispatch(interaction(post=post))


def test_of_an_approval_and_a_rejection_one_wins(at_once: AtOnce) -> None:
    storage = at_once.app(Board, Post, Approve, Reject).system.storage
    board = storage.create(Board())
    posts = [storage.create(Post(board=board)) for _ in range(20)]

    report = at_once(decisions)

    assert report.outcomes == {"done": len(posts), "condition.rejected": (PROCESSES - 1) * len(posts)}
    events = Counter(event.interaction for event in storage.query(iq.InteractionEvent))
    stored = Counter(post.status for post in storage.query(Post))
    assert stored["new"] == 0
    assert (stored["approved"], stored["rejected"]) == (events["Approve"], events["Reject"])
    assert storage.query(Board).one().approved == stored["approved"]
