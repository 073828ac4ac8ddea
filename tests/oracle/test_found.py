"""Failures that random models and histories have found, each as small as it could be made."""

from __future__ import annotations

import pytest

from tests.oracle.drawing.text import PRELUDE
from tests.oracle.histories import Session


def play(database: object, model: str, *steps: str) -> None:
    """Do the steps, each compared with the interpreter; a model is written as the oracle writes it."""
    session = Session(f"{PRELUDE}\n\n{model}", database)  # type: ignore[arg-type]
    for step in steps:
        session.step(step)
        session.check(whole=True)


def test_makers_see_the_state_before_the_event(database: object) -> None:
    model = """
@iq.interaction
class Raise:
    user: User
    level: int


@iq.entity
class User:
    level: int = iq.field(changes=iq.on(Raise, record=lambda e: e.payload.user, set=lambda e: e.payload.level))
    raised = iq.Transform(Raise, lambda e: User(level=e.payload.user.level))


MODELS = [User, Raise]
"""
    play(database, model, "create(User(level=1))", "dispatch(Raise(user=get(User, 1), level=2))")


def test_what_an_interaction_ends_did_exist(database: object) -> None:
    model = """
@iq.interaction
class Leave:
    user: User


@iq.entity
class User:
    name: str

    @iq.deleted_by(Leave)
    def left(self, e: Event[Leave]) -> bool:
        return self == e.payload.user


MODELS = [User, Leave]
"""
    leave = "dispatch(Leave(user=get(User, 1)))"
    play(database, model, "create(User(name='a'))", leave, leave)


def test_an_average_of_decimals(database: object) -> None:
    model = """
@iq.entity
class User:
    orders: Many[Order] = iq.many(inverse="user")
    mean: float | None = iq.Average(orders, of=lambda o: o.total)


@iq.entity
class Order:
    user: User
    total: Decimal | None


MODELS = [User, Order]
"""
    play(
        database,
        model,
        "create(User())",
        "create(Order(user=get(User, 1), total=Decimal('0.1')))",
        "create(Order(user=get(User, 1), total=None))",
        "create(Order(user=get(User, 1), total=Decimal('1.25')))",
        "update(get(Order, 1), total=None)",
        "delete(get(Order, 3))",
    )


CIRCLES = """
@iq.entity
class User:
    boss: User | None = iq.one(on_delete="cascade")
    staff: Many[User] = iq.many(inverse="boss")
    count: int = iq.Count(staff)
    below: int = iq.Summation(staff, of=lambda x: x.count)


MODELS = [User]
"""


@pytest.mark.parametrize("first", [1, 2, 3])
def test_records_that_go_with_one_another_in_a_circle(database: object, first: int) -> None:
    play(
        database,
        CIRCLES,
        "create(User(boss=None))",
        "create(User(boss=get(User, 1)))",
        "create(User(boss=get(User, 2)))",
        "create(User(boss=get(User, 3)))",
        "update(get(User, 1), boss=get(User, 3))",
        f"delete(get(User, {first}))",
    )


def test_a_record_that_goes_with_itself(database: object) -> None:
    play(
        database,
        CIRCLES,
        "create(User(boss=None))",
        "update(get(User, 1), boss=get(User, 1))",
        "create(User(boss=get(User, 1)))",
        "delete(get(User, 1))",
    )


@pytest.mark.parametrize("order", ["User, Team, Note", "Note, Team, User", "Team, Note, User"])
def test_a_reference_that_forbids_deleting_forbids_none_when_its_own_record_goes_too(
    database: object, order: str
) -> None:
    model = f"""
@iq.entity
class User:
    teams: Many[Team] = iq.many(inverse="user")
    notes: Many[Note] = iq.many(inverse="user")


@iq.entity
class Team:
    user: User = iq.one(on_delete="cascade")


@iq.entity
class Note:
    user: User = iq.one(on_delete="cascade")
    team: Team


MODELS = [{order}]
"""
    play(
        database,
        model,
        "create(User())",
        "create(Team(user=get(User, 1)))",
        "create(Note(user=get(User, 1), team=get(Team, 1)))",
        "delete(get(Team, 1))",
        "delete(get(User, 1))",
    )


@pytest.mark.parametrize("order", ["User, Post, Flag", "User, Flag, Post"])
def test_nothing_is_derived_from_a_record_that_is_on_its_way_out(database: object, order: str) -> None:
    model = f"""
@iq.entity
class User:
    posts: Many[Post] = iq.many(inverse="user")
    count: int = iq.Count(posts)


@iq.entity
class Post:
    user: User = iq.one(on_delete="cascade")


@iq.entity
class Flag:
    text: str
    made = iq.Transform(User, lambda s: Flag(text='empty') if s.count == 0 else None)


MODELS = [{order}]
"""
    play(
        database,
        model,
        "create(User())",
        "create(Post(user=get(User, 1)))",
        "delete(get(User, 1))",
    )


def test_hosts_are_read_before_they_are_counted_again(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None
    staff: Many[User] = iq.many(inverse="boss")
    count: int = iq.Count(staff)
    peers: int = iq.Summation(staff, of=lambda x: x.boss.count if x.boss is not None else None)
    mean: float | None = iq.Average(staff, of=lambda x: x.peers)


MODELS = [User]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(User(boss=None))",
        "create(User(boss=None))",
        "update(get(User, 2), boss=get(User, 2))",
        "update(get(User, 3), boss=get(User, 2))",
        "update(get(User, 3), boss=get(User, 1))",
    )


def test_a_condition_that_never_holds(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None
    staff: Many[User] = iq.many(inverse="boss")
    none: int = iq.Count(staff, where=lambda x: x.boss is not None and x.boss is None)
    every: bool = iq.Every(staff, where=lambda x: x.boss is None or x.boss is not None)
    mean: float | None = iq.Average(staff, of=lambda x: x.none, where=lambda x: False)
    count: int = iq.Count(staff)


MODELS = [User]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(User(boss=get(User, 1)))",
        "update(get(User, 2), boss=get(User, 2))",
        "delete(get(User, 2))",
    )


def test_what_is_guarded_by_another_record_than_the_one_that_changed(database: object) -> None:
    model = """
@iq.entity
class User:
    limit: int | None
    price: Decimal | None
    at: dt.datetime | None
    posts: Many[Post] = iq.many(inverse="user")
    all: bool = iq.Every(posts, where=lambda x: x.n > 0 and x.user.price is not None and x.user.price > 1)
    some: int = iq.Count(posts, where=lambda x: x.n > 0 and (x.user.limit or 0) != 0 and 6 // (x.user.limit or 1) > x.n)
    late: int = iq.Count(posts, where=lambda x: x.n > 0 and x.user.at is not None and x.user.at.year > 2025)


@iq.entity
class Post:
    n: int
    user: User


MODELS = [User, Post]
"""
    play(
        database,
        model,
        "create(User(price=None, limit=None, at=None))",
        "create(Post(n=1, user=get(User, 1)))",
        "update(get(User, 1), price=Decimal('2'), limit=3, at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))",
        "update(get(User, 1), price=None, limit=0, at=None)",
        "update(get(Post, 1), n=0)",
    )


def test_a_derived_record_lets_go_of_what_its_source_lets_go_of(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None = iq.one(on_delete="set_null")


@iq.entity
class Note:
    about: User | None
    made = iq.Transform(User, lambda s: Note(about=s.boss))


MODELS = [User, Note]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(User(boss=get(User, 1)))",
        "delete(get(User, 1))",
    )


GLIMPSED = """
@iq.interaction
class Swap:
    leaves: User
    joins: User
    team: Team


@iq.entity
class Team:
    users: Many[User] = iq.many(inverse="team")
    count: int = iq.Count(users)
    some: bool = iq.Any(users, where=lambda x: x.level > 1)


@iq.entity
class User:
    level: int
    team: Team | None = iq.one(
        default=None,
        changes=[
            iq.on(Swap, record=lambda e: e.payload.leaves, set=lambda e: None),
            iq.on(Swap, record=lambda e: e.payload.joins, set=lambda e: e.payload.team),
        ],
    )


@iq.entity
class Sign:
    text: str
    likes: Many[Like] = iq.many(inverse="sign")
    made = iq.Transform(Team, lambda s: Sign(text="some") if s.count == 1 and s.some else None)


@iq.entity
class Like:
    sign: Sign


MODELS = [Team, User, Sign, Like, Swap]
"""


def test_a_derived_record_stays_when_its_source_only_passes_through_another_state(database: object) -> None:
    play(
        database,
        GLIMPSED,
        "create(Team())",
        "create(User(level=2, team=get(Team, 1)))",
        "create(User(level=3))",
        "create(Like(sign=get(Sign, 1)))",
        "dispatch(Swap(leaves=get(User, 1), joins=get(User, 2), team=get(Team, 1)))",
        "dispatch(Swap(leaves=get(User, 1), joins=get(User, 1), team=get(Team, 1)))",
    )


def test_a_derived_record_is_not_made_to_go_at_once(database: object) -> None:
    session = Session(f"{PRELUDE}\n\n{GLIMPSED}", database)  # type: ignore[arg-type]
    session.step("create(Team())")
    session.step("create(User(level=1, team=get(Team, 1)))")
    module = session.module
    team, user = session.storage.get(module.Team, 1), session.storage.create(module.User(level=5))
    result = session.app.dispatch(module.Swap(leaves=session.storage.get(module.User, 1), joins=user, team=team))
    assert [each.kind for each in result.effects if each.record is module.Sign] == ["create"]


def test_conditions_on_conditions_are_not_too_deep_for_a_parser(database: object) -> None:
    model = """
@iq.entity
class User:
    n: int
    boss: User | None
    staff: Many[User] = iq.many(inverse="boss")
    seen: Many[Visit] = iq.many(inverse="right")
    mean: float = iq.Average(
        seen,
        of=lambda x: x.left.boss.n if x.left.boss is not None else None,
        where=lambda x: x.left.boss != x.right,
        default=1.5,
    )
    far: float | None = iq.Average(
        staff,
        of=lambda x: x.boss.mean if x.boss is not None else None,
        where=lambda x: x.even and (x.boss is None or x.boss.boss is None or not x.boss.boss.even),
    )

    @iq.computed
    def even(self) -> bool:
        return self.boss is None or self.boss.n % 2 == 0


@iq.relation
class Visit:
    left: User
    right: User


MODELS = [User, Visit]
"""
    play(
        database,
        model,
        "create(User(n=2, boss=None))",
        "create(User(n=1, boss=get(User, 1)))",
        "create(User(n=4, boss=get(User, 2)))",
        "create(Visit(left=get(User, 2), right=get(User, 3)))",
        "update(get(User, 1), boss=get(User, 3))",
    )


def test_what_depends_on_what_is_counted_again_is_counted_apart(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None
    staff: Many[User] = iq.many(inverse="boss")
    count: int = iq.Count(staff, where=lambda x: x.boss is not None and x.boss.boss is not None)
    above: int = iq.Summation(
        staff,
        of=lambda x: x.boss.boss.count if x.boss is not None and x.boss.boss is not None else None,
    )


MODELS = [User]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(User(boss=get(User, 1)))",
        "create(User(boss=get(User, 1)))",
        "update(get(User, 1), boss=get(User, 3))",
    )


def test_what_one_event_of_a_batch_ends_is_gone_for_the_next(database: object) -> None:
    model = """
@iq.interaction
class Leave:
    user: User


@iq.entity
class User:
    name: str

    @iq.deleted_by(Leave)
    def left(self, e: Event[Leave]) -> bool:
        return self == e.payload.user


MODELS = [User, Leave]
"""
    play(
        database,
        model,
        "create(User(name='a'))",
        "dispatch_many([Leave(user=get(User, 1)), Leave(user=get(User, 1))])",
        "dispatch_many([Leave(user=get(User, 1))])",
    )


def test_what_meets_a_conflict_is_done_once(database: object) -> None:
    model = """
@iq.interaction
class Join:
    name: str


@iq.entity
class Club:
    id: int = iq.key()
    members: Many[Member] = iq.many(inverse="club")
    num: int = iq.Count(members)
    joined = iq.Transform(Join, lambda e: Club())


@iq.entity
class Member:
    club: Club
    made = iq.Transform(Club, lambda s: Member(club=s))


MODELS = [Club, Member, Join]
"""
    session = Session(f"{PRELUDE}\n\n{model}", database)  # type: ignore[arg-type]
    for statement in range(1, 6):
        assert session.step(f"after_conflict({statement}).dispatch(Join(name='a'))")
        session.check(whole=True)
    assert session.conflicts.met == 5


def test_a_collection_over_two_references_reads_global_values(database: object) -> None:
    model = """
@iq.interaction
class Choose:
    user: User | None


@iq.relation(repeatable=True)
class Meeting:
    left: User
    right: User


@iq.entity
class User:
    level: int
    meetings: Many[Meeting] = iq.many(inverse=("left", "right"))
    met: Many[User] = iq.many(through="meetings")
    met_best: bool = iq.Any(met, where=lambda user: Totals.best is not None and Totals.best.level == user.level)
    met_high: int = iq.Count(met, where=lambda user: user.level > Totals.limit)


@iq.dictionary
class Totals:
    limit: int = 1
    best: User | None = iq.one(
        default=None, on_delete="set_null", changes=iq.on(Choose, set=lambda e: e.payload.user)
    )


MODELS = [User, Meeting, Totals, Choose]
"""
    play(
        database,
        model,
        "create(User(level=1))",
        "create(User(level=2))",
        "create(Meeting(left=get(User, 1), right=get(User, 2)))",
        "dispatch(Choose(user=get(User, 2)))",
        "update(get(Totals, 1), limit=2)",
        "update(get(User, 2), level=3)",
        "dispatch(Choose(user=get(User, 1)))",
        "delete(get(Meeting, 1))",
        "delete(get(User, 1))",
    )


def test_a_value_that_nothing_follows_from_is_told_of_beside_one_that_stays(database: object) -> None:
    model = """
@iq.interaction
class Open:
    pass


@iq.entity
class Note:
    pass


@iq.dictionary
class Totals:
    state: Literal["draft", "live"] = iq.StateMachine("draft", iq.on(Open, {"draft": "live"}))
    last: int | None = iq.Last(Note, of=lambda x: Settings.limit, by=lambda x: Settings.year)


@iq.dictionary
class Settings:
    limit: int = 3
    year: int = iq.RealTime(lambda x, now: now.year if Totals.state == "live" and x.limit > 7 else 0)

    @iq.computed(stored=True)
    def is_live(self) -> bool:
        return Totals.state == "live"


MODELS = [Open, Note, Totals, Settings]
"""
    play(database, model, "dispatch(Open())")


KINDS = """
@iq.interaction
class Make:
    of: Item


@iq.entity
class Item:
    parent: Item | None = iq.one()
    parts: Many[Item] = iq.many(inverse="parent")
    shops: Many[Shop] = iq.many(inverse="about")
    shop_count: int = iq.Count(shops)


@iq.entity
class Shop(Item):
    size: int
    about: Item
    other: Shop | None = iq.one()
    made = iq.Transform(Make, lambda e: Shop(size=2, parent=e.payload.of, about=e.payload.of, other=None))
    last: int | None = iq.Last(
        Item.parts,
        of=lambda x: x.shop_count,
        by=lambda x: x.other.other.size if isinstance(x, Shop) and x.other is not None and isinstance(x.other, Shop)
        and x.other.other is not None else None,
    )


MODELS = [Item, Shop, Make]
"""


def test_a_callback_goes_on_by_what_only_one_kind_has(database: object) -> None:
    play(
        database,
        KINDS,
        "create(Item(parent=None))",
        "create(Shop(size=1, parent=None, about=get(Item, 1), other=None))",
        "update(get(Shop, 2), other=get(Shop, 2), parent=get(Shop, 2))",
        "update(get(Shop, 2), size=5)",
    )


def test_a_record_that_nothing_depends_on_is_told_of_by_its_own_kind(database: object) -> None:
    play(
        database,
        KINDS.replace("x.shop_count", "x.id"),
        "create(Item(parent=None))",
        "create(Shop(size=1, parent=None, about=get(Item, 1), other=None))",
        "dispatch(Make(of=get(Shop, 2)))",
    )


def test_a_view_past_a_relation_asks_of_a_global_reference(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None = iq.one()
    links: Many[Link] = iq.many(inverse="left")
    favoured: Many[Favoured] = iq.many(through="links")
    count: int = iq.Count(links)
    most: int | None = iq.Maximum(favoured, of=lambda x: x.count)


@iq.view(User, where=lambda x: Totals.link is not None and Totals.link.left == x.boss)
class Favoured(User): ...


@iq.relation
class Link:
    left: User
    right: User


@iq.dictionary
class Totals:
    link: Link | None = iq.one(default=None)


MODELS = [User, Favoured, Link, Totals]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(Link(left=get(User, 1), right=get(User, 1)))",
        "update(get(User, 1), boss=get(User, 1))",
        "update(get(Totals, 1), link=get(Link, 1))",
        "update(get(User, 1), boss=None)",
    )


def test_what_goes_with_itself_for_a_host_is_not_told_of_after(database: object) -> None:
    model = """
@iq.interaction
class Leave:
    node: Node


@iq.interaction
class Hang:
    node: Node
    on: Node


@iq.entity
class Node:
    weight: int
    above: Node | None = iq.one(
        default=None, changes=iq.on(Hang, record=lambda e: e.payload.node, set=lambda e: e.payload.on)
    )
    below: Many[Node] = iq.many(inverse="above")
    total: int = iq.Summation(below, of=lambda x: x.weight)
    most: int | None = iq.Maximum(below, of=lambda x: x.weight)
    kinds: int = iq.Distinct(below, of=lambda x: x.weight)

    @iq.deleted_by(Leave)
    def left(self, e: Event[Leave]) -> bool:
        return self == e.payload.node


MODELS = [Node, Leave, Hang]
"""
    play(
        database,
        model,
        "create(Node(weight=-1))",
        "dispatch(Hang(node=get(Node, 1), on=get(Node, 1)))",
        "dispatch(Leave(node=get(Node, 1)))",
    )


def test_an_entity_whose_table_is_called_as_short_as_can_be(database: object) -> None:
    model = """
@iq.interaction
class Publish:
    d: D


@iq.entity
class D:
    state: Literal["draft", "live"] = iq.StateMachine("draft", iq.on(Publish, {"draft": "live"}))
    ref: D | None
    seen: int = iq.Custom(
        reads=lambda d: (d.ref.state if d.ref is not None else None, d.state), compute=computing.folded
    )


MODELS = [D, Publish]
"""
    play(database, model, "create(D(ref=None))", "create(D(ref=get(D, 1)))", "dispatch(Publish(d=get(D, 1)))")


def test_a_custom_of_one_kind_is_not_asked_of_another(database: object) -> None:
    model = """
@iq.entity
class User:
    boss: User | None
    staff: Many[Chief] = iq.many(inverse="boss")


@iq.entity
class Chief(User):
    other: Chief | None
    value: int = iq.Custom(
        User.staff,
        inputs=lambda x: (x.id,),
        reads=lambda own: (own.other.id if own.other is not None else None,),
        compute=lambda rows, own: len(rows),
        initial=1,
    )


MODELS = [User, Chief]
"""
    play(
        database,
        model,
        "create(User(boss=None))",
        "create(Chief(boss=get(User, 1), other=None))",
        "create(Chief(boss=get(Chief, 2), other=get(Chief, 2)))",
    )
