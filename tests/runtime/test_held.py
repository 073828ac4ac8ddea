"""What callbacks read of the kinds of records that their dispatch writes stays so until the commit.

Each way by which a condition may reach what it decides by: two dispatches for one of which there is
room, the second beginning where the first has decided.
"""

from __future__ import annotations

from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.drivers.sqlite import SQLiteDB
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import shape
from tests.runtime.two import at_once, pause


def decided(found: object) -> bool:
    pause()
    return bool(found)


# -- money: the balance is derived ------------------------------------------------------------------


@iq.condition
def is_covered(event: Event[Any]) -> bool:
    return decided(event.payload.account.balance >= event.payload.amount)


@iq.interaction(guard=is_covered)
class Withdraw:
    account: Account
    amount: int


@iq.condition
def is_covered_by_entries(event: Event[Any]) -> bool:
    return decided(sum(entry.amount for entry in event.payload.account.entries) >= event.payload.amount)


@iq.interaction(guard=is_covered_by_entries)
class WithdrawByEntries:
    account: Account
    amount: int


def entries_by_then(event: Event[Any], storage: iq.Storage) -> int:
    return storage.query(Entry).count()


@iq.interaction(resolve=entries_by_then)
class Correct:
    entry: Entry
    amount: int


@iq.interaction(resolve=entries_by_then)
class Merge:
    entry: Entry
    into: Account


@iq.condition
def is_covered_by_card(event: Event[Any]) -> bool:
    return decided(event.payload.card.account.balance >= event.payload.amount)


@iq.interaction(guard=is_covered_by_card)
class PayByCard:
    card: Card
    amount: int


@iq.condition
def bank_is_covered(event: Event[Any]) -> bool:
    return decided(sum(account.balance for account in event.payload.account.bank.accounts) >= event.payload.amount)


@iq.interaction(guard=bank_is_covered)
class Overdraw:
    account: Account
    amount: int


@iq.condition
def has_no_vault(event: Event[Any]) -> bool:
    return decided(event.payload.bank.vault is None)


@iq.interaction(guard=has_no_vault)
class Build:
    bank: Bank


@iq.interaction
class Close:
    rich: RichAccount


@iq.condition
def is_calm(event: Event[Any]) -> bool:
    return decided(event.payload.account.bank.name != "closed")


@iq.interaction(guard=is_calm)
class Wave:
    account: Account


@iq.entity
class Bank:
    id: int = iq.key()
    name: str = "open"
    accounts: Many[Account] = iq.many(inverse="bank")
    vault: Vault | None = iq.one(inverse="bank")


@iq.entity
class Vault:
    id: int = iq.key()
    bank: Bank = iq.one(unique=True)

    built = iq.Transform(Build, lambda e: Vault(bank=e.payload.bank))


@iq.entity
class Account:
    id: int = iq.key()
    bank: Bank
    waves: int = iq.field(default=0, changes=iq.on(Wave, set=lambda e: 1))
    entries: Many[Entry] = iq.many(inverse="account")
    balance: int = iq.Summation(entries, of=lambda entry: entry.amount)


@iq.view(Account, where=lambda account: account.balance >= 100)
class RichAccount(Account):
    pass


@iq.entity
class Card:
    id: int = iq.key()
    account: Account


@iq.entity
class Entry:
    id: int = iq.key()
    account: Account = iq.one(changes=iq.on(Merge, record=lambda e: e.payload.entry, set=lambda e: e.payload.into))
    amount: int = iq.field(changes=iq.on(Correct, set=lambda e: e.payload.amount))

    withdrawn = iq.Transform(Withdraw, lambda e: Entry(account=e.payload.account, amount=-e.payload.amount))
    unseen = iq.Transform(WithdrawByEntries, lambda e: Entry(account=e.payload.account, amount=-e.payload.amount))
    by_card = iq.Transform(PayByCard, lambda e: Entry(account=e.payload.card.account, amount=-e.payload.amount))
    overdrawn = iq.Transform(Overdraw, lambda e: Entry(account=e.payload.account, amount=-e.payload.amount))
    closed = iq.Transform(Close, lambda e: Entry(account=e.payload.rich, amount=-e.payload.rich.balance))


BANK = [
    *(Bank, Vault, Account, RichAccount, Card, Entry),
    *(Withdraw, WithdrawByEntries, Correct, Merge, PayByCard, Overdraw, Build, Close, Wave),
]


class Scene:
    def __init__(self, app: iq.Controller) -> None:
        self.app, self.storage = app, app.system.storage
        self.bank = self.storage.create(Bank())
        self.account, self.other = (self.storage.create(Account(bank=self.bank)) for _ in range(2))
        self.entry = self.storage.create(Entry(account=self.account, amount=100))
        self.cards = [self.storage.create(Card(account=self.account)) for _ in range(2)]

    def at_once(self, first: Any, second: Any) -> list[Any]:
        return list(at_once(self.app, lambda: self.app.dispatch(first).data, lambda: self.app.dispatch(second).data))


@pytest.fixture
def scene(make_app: Apps) -> Scene:
    return Scene(make_app(*BANK))


def test_a_derived_balance_is_not_spent_twice(scene: Scene) -> None:
    withdraw = Withdraw(account=scene.account, amount=100)
    assert scene.at_once(withdraw, withdraw) == [None, "rejected"]
    assert scene.storage.get(Account, scene.account.id).balance == 0


def test_nor_are_the_entries_themselves(scene: Scene) -> None:
    withdraw = WithdrawByEntries(account=scene.account, amount=100)
    assert scene.at_once(withdraw, withdraw) == [None, "rejected"]


def test_what_is_spent_by_other_interactions_is_waited_for(scene: Scene) -> None:
    by_entries, by_balance = (each(account=scene.account, amount=100) for each in (WithdrawByEntries, Withdraw))
    assert scene.at_once(by_entries, by_balance) == [None, "rejected"]
    scene.storage.create(Entry(account=scene.account, amount=100))
    assert scene.at_once(by_balance, by_entries) == [None, "rejected"]


def test_an_entry_that_was_counted_stays_as_it_was(scene: Scene) -> None:
    withdraw = WithdrawByEntries(account=scene.account, amount=100)
    assert scene.at_once(withdraw, Correct(entry=scene.entry, amount=1)) == [None, 2]


def test_an_entry_that_would_come_from_elsewhere_waits(scene: Scene) -> None:
    debt = scene.storage.create(Entry(account=scene.other, amount=-50))
    withdraw = WithdrawByEntries(account=scene.account, amount=100)
    assert scene.at_once(withdraw, Merge(entry=debt, into=scene.account)) == [None, 3]


def test_two_cards_of_one_account_are_of_one_account(scene: Scene) -> None:
    assert scene.at_once(*(PayByCard(card=card, amount=100) for card in scene.cards)) == [None, "rejected"]


def test_all_of_a_collection_are_locked_whichever_is_written(scene: Scene) -> None:
    one, other = (Overdraw(account=each, amount=100) for each in (scene.account, scene.other))
    assert scene.at_once(one, other) == [None, "rejected"]


def test_what_is_not_there_on_the_other_side_is_not_made_twice(scene: Scene) -> None:
    assert scene.at_once(Build(bank=scene.bank), Build(bank=scene.bank)) == [None, "rejected"]


def test_what_is_in_a_view_of_derived_values_stays_in_it(scene: Scene) -> None:
    scene.storage.update(scene.entry, amount=100)
    rich = scene.storage.get(RichAccount, scene.account.id)
    withdraw = Withdraw(account=scene.account, amount=100)
    assert scene.at_once(withdraw, Close(rich=rich)) == [None, "payload.not_in_view"]


def test_what_the_dispatch_does_not_write_is_not_locked(scene: Scene) -> None:
    # Both read the bank, which neither writes, and the accounts are others.
    over: list[str] = []

    def wave(name: str, account: Account) -> None:
        scene.app.dispatch(Wave(account=account))
        over.append(name)

    at_once(scene.app, lambda: wave("first", scene.account), lambda: wave("second", scene.other))
    is_one_by_one = isinstance(scene.app.system.database, SQLiteDB)
    assert over == (["first", "second"] if is_one_by_one else ["second", "first"])


# -- what nobody could foresee: a Transform makes a record inside another one ------------------------


@iq.condition
def has_room(event: Event[Any]) -> bool:
    return decided(event.payload.hall.guests < event.payload.hall.seats)


@iq.interaction(guard=has_room)
class Invite:
    hall: Hall


@iq.entity
class Hall:
    id: int = iq.key()
    seats: int = 1
    guest_list: Many[Guest] = iq.many(inverse="hall")
    guests: int = iq.Count(guest_list)


@iq.entity
class Guest:
    id: int = iq.key()
    hall: Hall


@iq.entity
class Invitation:
    id: int = iq.key()
    guest: Guest

    sent = iq.Transform(Invite, lambda e: Invitation(guest=Guest(hall=e.payload.hall)))


def test_what_a_transform_makes_on_the_way_is_learned_before_anything_is_written(make_app: Apps) -> None:
    app = make_app(Hall, Guest, Invitation, Invite)
    hall = app.system.storage.create(Hall())
    # The second one comes first: what the first has found before anything was locked, it does not go by.
    found = at_once(app, *[lambda: app.dispatch(Invite(hall=hall)).data] * 2)
    assert set(found) == {None, "rejected"}
    assert app.system.storage.query(Guest).count() == 1


# -- many to many -------------------------------------------------------------------------------------


@iq.condition
def is_small(event: Event[Any]) -> bool:
    return decided(len(event.payload.group.people) < 2)


@iq.interaction(guard=is_small)
class Join:
    group: Group
    person: Person


@iq.condition
def is_member(event: Event[Any]) -> bool:
    return decided(event.payload.by in list(event.payload.group.people))


@iq.interaction(guard=is_member)
class Bring:
    group: Group
    by: Person
    person: Person


@iq.interaction(resolve=lambda event, storage: storage.query(Membership).count())
class Leave:
    group: Group
    person: Person


@iq.entity
class Person:
    id: int = iq.key()
    memberships: Many[Membership] = iq.many(inverse="person")
    joined: int = iq.Count(memberships)


@iq.entity
class Group:
    id: int = iq.key()
    memberships: Many[Membership] = iq.many(inverse="group")
    people: Many[Person] = iq.many(through="memberships")


@iq.relation
class Membership:
    group: Group
    person: Person

    joined = iq.Transform(Join, lambda e: Membership(group=e.payload.group, person=e.payload.person))
    brought = iq.Transform(Bring, lambda e: Membership(group=e.payload.group, person=e.payload.person))

    @iq.deleted_by(Leave)
    def left(self, e: Event[Leave]) -> bool:
        return self.group == e.payload.group and self.person == e.payload.person


CLUB = (Person, Group, Membership, Join, Bring, Leave)


def test_the_last_place_of_a_group_is_taken_once(make_app: Apps) -> None:
    app = make_app(*CLUB)
    storage = app.system.storage
    group, people = storage.create(Group()), [storage.create(Person()) for _ in range(3)]
    app.dispatch(Join(group=group, person=people[0]))
    found = at_once(app, *[lambda each=each: app.dispatch(Join(group=group, person=each)).data for each in people[1:]])
    assert list(found) == [None, "rejected"]


def test_who_leaves_brings_nobody(make_app: Apps) -> None:
    app = make_app(*CLUB)
    storage = app.system.storage
    group, people = storage.create(Group()), [storage.create(Person()) for _ in range(2)]
    app.dispatch(Join(group=group, person=people[0]))
    bring, leave = Bring(group=group, by=people[0], person=people[1]), Leave(group=group, person=people[0])
    assert list(at_once(app, lambda: app.dispatch(bring).data, lambda: app.dispatch(leave).data)) == [None, 1]


# -- what it costs --------------------------------------------------------------------------------------


def statements(app: iq.Controller, request: Any) -> list[str]:
    app.dispatch(request)
    with app.system.database.recording() as recorder:
        app.dispatch(request)
    return [shape(sql.replace("`", '"')) for sql, _ in recorder.statements if sql.startswith("SELECT")]


def test_a_lock_is_taken_by_the_statement_that_reads(scene: Scene) -> None:
    app = scene.app
    # Where a reference holds its target, whom a new row counts for is locked before it; and cards are looked up.
    own = ["SELECT account"] if app.system.database.dialect.reference_locks else []  # type: ignore[attr-defined]
    assert statements(app, Withdraw(account=scene.account, amount=0)) == ["SELECT account", *own]
    found = statements(app, PayByCard(card=scene.cards[0], amount=0))
    assert found == ["SELECT card", "SELECT account", *own, "SELECT card"]


def test_a_collection_that_may_grow_costs_a_lock_of_its_owner(scene: Scene) -> None:
    found = statements(scene.app, WithdrawByEntries(account=scene.account, amount=0))
    if isinstance(scene.app.system.database, SQLiteDB):
        assert found == ["SELECT entry"]
    else:
        assert found[:2] == ["SELECT account", "SELECT entry"]
