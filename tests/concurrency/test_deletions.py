"""What goes takes with it what comes meanwhile: nothing is left of a thread that is deleted."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import AtOnce, Me


@iq.interaction
class Open:
    forum: Forum


@iq.interaction
class Close:
    thread: Thread


@iq.interaction
class Say:
    thread: Thread


@iq.entity
class Forum:
    id: int = iq.key()
    threads: Many[Thread] = iq.many(inverse="forum")

    thread_count: int = iq.Count(threads)
    remark_count: int = iq.Summation(threads, of=lambda thread: thread.remark_count)


@iq.entity
class Member:
    id: int = iq.key()
    remarks: Many[Remark] = iq.many(inverse="author")

    remark_count: int = iq.Count(remarks)


@iq.entity
class Thread:
    id: int = iq.key()
    forum: Forum
    remarks: Many[Remark] = iq.many(inverse="thread")

    remark_count: int = iq.Count(remarks)
    opened = iq.Transform(Open, lambda e: Thread(forum=e.payload.forum))

    @iq.deleted_by(Close)
    def closed(self, e: Event[Close]) -> bool:
        return self == e.payload.thread


@iq.entity
class Remark:
    id: int = iq.key()
    thread: Thread = iq.one(on_delete="cascade")
    author: Member

    said = iq.Transform(Say, lambda e: Remark(thread=e.payload.thread, author=e.user))


def talk(me: Me) -> None:
    """Everybody talks in the same few threads, and now and then closes one and opens another."""
    (forum,), member = me.all(Forum), me.all(Member)[me.number % 3]
    for _ in range(20):
        threads = me.all(Thread)
        chance = me.chance.random()
        if chance < 0.2 or not threads:
            me.dispatch(Open(forum=forum))
        elif chance < 0.4:
            me.dispatch(Close(thread=me.chance.choice(threads)))
        else:
            me.dispatch(Say(thread=me.chance.choice(threads)), user=member)


def test_nothing_is_left_of_what_goes(at_once: AtOnce) -> None:
    storage = at_once.app(Forum, Member, Thread, Remark, Open, Close, Say).system.storage
    forum = storage.create(Forum())
    for _ in range(3):
        storage.create(Member())
        storage.create(Thread(forum=forum))

    report = at_once(talk)

    # Who talks in a thread that is gone by then is told so.
    assert set(report.outcomes) <= {"done", "payload.not_found"}
    threads = {thread.id: thread.remark_count for thread in storage.query(Thread)}
    remarks = [remark.thread.id for remark in storage.query(Remark)]
    assert all(thread in threads for thread in remarks)
    assert storage.query(Forum).one().remark_count == sum(threads.values()) == len(remarks)
    assert sum(member.remark_count for member in storage.query(Member)) == len(remarks)
