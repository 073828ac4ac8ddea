"""Everybody writes what Python is computed from: records of a collection, what lies behind them, the host itself."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import PROCESSES, AtOnce, Me


@iq.interaction
class Vote:
    poll: Poll
    weight: int


@iq.interaction
class Withdraw:
    vote: Ballot


@iq.interaction
class MoveVote:
    vote: Ballot
    poll: Poll


@iq.interaction
class Reweigh:
    vote: Ballot
    weight: int


@iq.interaction
class Trust:
    voter: Voter
    trust: int


@iq.interaction
class Rename:
    poll: Poll
    title: str


@iq.entity
class Voter:
    id: int = iq.key()
    trust: int = iq.field(default=1, changes=iq.on(Trust, set=lambda e: e.payload.trust))


def joined(own: tuple[str, int], rows: list[tuple[int, int]]) -> str:
    title, count = own
    return f"{title} of {count}: {sorted(rows)}"


@iq.entity
class Poll:
    id: int = iq.key()
    title: str = iq.field(default="", changes=iq.on(Rename, set=lambda e: e.payload.title))
    votes: Many[Ballot] = iq.many(inverse="poll")

    count: int = iq.Count(votes)
    result: list[int] = iq.Custom(
        votes, inputs=lambda vote: vote.weight * vote.voter.trust, compute=lambda rows: sorted(rows)
    )
    total: int = iq.Custom(
        votes,
        inputs=lambda vote: vote.weight * vote.voter.trust,
        compute=sum,
        step=lambda value, old, new: value - (old or 0) + (new or 0),
    )
    moved: int = iq.Summation(votes, of=lambda vote: vote.weight * vote.voter.trust)
    shown: str = iq.Custom(
        votes,
        reads=lambda poll: (poll.title, poll.count),
        inputs=lambda vote: (vote.weight, vote.voter.trust),
        compute=joined,
    )
    heading: str = iq.Custom(
        reads=lambda poll: (poll.title, poll.total), compute=lambda title, total: f"{title}{total}"
    )


@iq.entity
class Ballot:
    id: int = iq.key()
    voter: Voter
    poll: Poll = iq.one(changes=iq.on(MoveVote, record=lambda e: e.payload.vote, set=lambda e: e.payload.poll))
    weight: int = iq.field(changes=iq.on(Reweigh, set=lambda e: e.payload.weight))

    voted = iq.Transform(Vote, lambda e: Ballot(voter=e.user, poll=e.payload.poll, weight=e.payload.weight))

    @iq.deleted_by(Withdraw)
    def withdrawn(self, e: Event[Withdraw]) -> bool:
        return self == e.payload.vote


MODELS = (Voter, Poll, Ballot, Vote, Withdraw, MoveVote, Reweigh, Trust, Rename)


def voting(me: Me) -> None:
    """Of few polls, by few voters that all share, each with votes of one's own."""
    polls, voters = me.all(Poll), me.all(Voter)
    mine: list[Ballot] = []
    for each in range(20):
        kind = me.chance.choice(["vote", "vote", "withdraw", "move", "reweigh", "trust", "trust", "rename"])
        poll, voter, number = me.chance.choice(polls), me.chance.choice(voters), me.chance.randint(0, 9)
        vote = me.chance.choice(mine) if mine else None
        if kind == "trust":
            me.dispatch(Trust(voter=voter, trust=number))
        elif kind == "rename":
            me.dispatch(Rename(poll=poll, title=f"{me.number}.{each}"))
        elif kind == "vote" or vote is None:
            result = me.dispatch(Vote(poll=poll, weight=number), voter)
            mine += result.created(Ballot) if result is not None else []
        elif kind == "withdraw":
            mine.remove(vote)
            me.dispatch(Withdraw(vote=vote))
        elif kind == "move":
            me.dispatch(MoveVote(vote=vote, poll=poll))
        else:
            me.dispatch(Reweigh(vote=vote, weight=number))


def test_votes_and_what_they_are_worth(at_once: AtOnce) -> None:
    app = at_once.app(*MODELS)
    storage = app.system.storage
    for _ in range(3):
        storage.create(Poll())
        storage.create(Voter())

    assert at_once(voting).outcomes == {"done": PROCESSES * 20}

    for poll in storage.query(Poll):
        worth = sorted(vote.weight * vote.voter.trust for vote in poll.votes)
        assert (poll.result, poll.total, poll.moved, poll.count) == (worth, sum(worth), sum(worth), len(worth))
        assert poll.heading == f"{poll.title}{sum(worth)}"


@iq.interaction
class Slip:
    box: Box
    number: int


@iq.interaction
class Adjust:
    factor: Factor
    value: int


@iq.entity
class Factor:
    id: int = iq.key()
    value: int = iq.field(default=1, changes=iq.on(Adjust, set=lambda e: e.payload.value))


@iq.entity
class Box:
    """Nothing but its value is kept, so nothing else holds it."""

    id: int = iq.key()
    papers: Many[Paper] = iq.many(inverse="box")

    numbers: list[int] = iq.Custom(papers, inputs=lambda paper: paper.number * paper.factor.value, compute=sorted)


@iq.entity
class Paper:
    id: int = iq.key()
    box: Box
    factor: Factor
    number: int

    put = iq.Transform(Slip, lambda e: Paper(box=e.payload.box, factor=e.user, number=e.payload.number))


def papers(me: Me) -> None:
    boxes, factors = me.all(Box), me.all(Factor)
    for _ in range(30):
        if me.chance.random() < 0.3:
            me.dispatch(Adjust(factor=me.chance.choice(factors), value=me.chance.randint(1, 9)))
        else:
            me.dispatch(Slip(box=me.chance.choice(boxes), number=me.chance.randint(1, 9)), me.chance.choice(factors))


def test_a_value_that_nothing_else_holds(at_once: AtOnce) -> None:
    app = at_once.app(Factor, Box, Paper, Slip, Adjust)
    storage = app.system.storage
    for _ in range(2):
        storage.create(Box())
        storage.create(Factor())

    assert at_once(papers).outcomes == {"done": PROCESSES * 30}

    for box in storage.query(Box):
        assert box.numbers == sorted(paper.number * paper.factor.value for paper in box.papers)
