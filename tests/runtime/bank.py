"""A bank and a board, and what processes do to them at once: see ``test_concurrency``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Literal

import attrs

import interaqt as iq
from interaqt import Event, Many
from interaqt.runtime import transaction
from tests.databases import opened


@iq.entity
class User:
    id: int = iq.key()
    name: str
    likes: Many[Like] = iq.many(inverse="user")

    likes_given: int = iq.Count(likes)


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
class Post:
    id: int = iq.key()
    likes: Many[Like] = iq.many(inverse="post")

    status: Literal["new", "approved", "rejected"] = iq.StateMachine(
        "new", iq.on(Approve, {"new": "approved"}), iq.on(Reject, {"new": "rejected"})
    )
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


@iq.condition
def is_covered(event: Event[Transfer]) -> bool:
    return bool(event.payload.source.balance >= event.payload.amount)


@iq.interaction(guard=is_covered)
class Transfer:
    source: Account
    target: Account
    amount: int


@iq.entity
class Bank:
    id: int = iq.key()
    accounts: Many[Account] = iq.many(inverse="bank")

    total: int = iq.Summation(accounts, of=lambda account: account.balance)


@iq.entity
class Account:
    id: int = iq.key()
    bank: Bank
    balance: int = iq.field(
        changes=[
            iq.on(
                Transfer,
                record=lambda e: e.payload.source,
                set=lambda e: e.payload.source.balance - e.payload.amount,
            ),
            iq.on(
                Transfer,
                record=lambda e: e.payload.target,
                set=lambda e: e.payload.target.balance + e.payload.amount,
            ),
        ]
    )


MODELS = [User, Post, Like, Bank, Account, LikePost, UnlikePost, LikeBoth, Approve, Reject, Transfer]


def controller_of(url: str, *, install: bool = False) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(opened(url)), MODELS)
    controller.setup(install=install)
    return controller


@attrs.define
class Report:
    """What one process did: how often each outcome was, and how often an attempt was made again."""

    outcomes: dict[str, int] = attrs.field(factory=dict)
    retries: int = 0
    seconds: float = 0.0

    def dispatch(self, app: iq.Controller, request: Any, user: User | None = None) -> None:
        try:
            app.dispatch(request, user=user)
            outcome = "done"
        except iq.InteraqtError as error:
            outcome = error.code
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


Work = Callable[[iq.Controller, random.Random, Report, int], None]


def process(url: str, work: str, number: int, start: Any, reports: Any) -> None:
    """The body of a process: do the work when all are ready, and report."""
    report = Report()
    controller = controller_of(url)
    sleep = time.sleep

    def pause(seconds: float) -> None:
        report.retries += 1
        sleep(seconds)

    transaction.time.sleep = pause
    try:
        controller.system.storage.query(Post).count()
        start.wait(60)
        began = time.perf_counter()
        WORKS[work](controller, random.Random(number), report, number)
        report.seconds = time.perf_counter() - began
    finally:
        reports.put(attrs.asdict(report))
        controller.system.close()


def likes(app: iq.Controller, chance: random.Random, report: Report, number: int) -> None:
    """Everybody likes and unlikes the same post, with one user for each process and one for all."""
    post = app.system.storage.query(Post).one()
    users = app.system.storage.query(User).order_by(lambda user: user.id).all()
    for _ in range(40):
        user = users[0] if chance.random() < 0.3 else users[1 + number]
        interaction = LikePost if chance.random() < 0.6 else UnlikePost
        report.dispatch(app, interaction(post=post), user)


def crossing(app: iq.Controller, chance: random.Random, report: Report, number: int) -> None:
    """Each likes two posts at once, some in the one order and some in the other."""
    posts = app.system.storage.query(Post).order_by(lambda post: post.id).all()
    user = app.system.storage.query(User).order_by(lambda user: user.id).all()[number]
    for each in range(20):
        first, second = posts if (each + number) % 2 else reversed(posts)
        report.dispatch(app, LikeBoth(first=first, second=second), user)
        report.dispatch(app, UnlikePost(post=first), user)
        report.dispatch(app, UnlikePost(post=second), user)


def decisions(app: iq.Controller, chance: random.Random, report: Report, number: int) -> None:
    """Half approve and half reject, the same posts in the same order."""
    interaction = Approve if number % 2 else Reject
    for post in app.system.storage.query(Post).order_by(lambda post: post.id).all():
        report.dispatch(app, interaction(post=post))


def transfers(app: iq.Controller, chance: random.Random, report: Report, number: int) -> None:
    """Money goes round between few accounts, in every direction."""
    accounts = app.system.storage.query(Account).order_by(lambda account: account.id).all()
    for _ in range(40):
        source, target = chance.sample(accounts, 2)
        report.dispatch(app, Transfer(source=source, target=target, amount=chance.randint(1, 60)))


WORKS: dict[str, Work] = {"likes": likes, "crossing": crossing, "decisions": decisions, "transfers": transfers}
