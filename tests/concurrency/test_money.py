"""Money that goes round is neither made nor lost, and nobody spends what he does not have."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import AtOnce, Me


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


def transfers(me: Me) -> None:
    """Between few accounts, in every direction."""
    accounts = me.all(Account)
    for _ in range(25):
        source, target = me.chance.sample(accounts, 2)
        me.dispatch(Transfer(source=source, target=target, amount=me.chance.randint(1, 60)))


def test_money_is_neither_made_nor_lost_and_nobody_overdraws(at_once: AtOnce) -> None:
    storage = at_once.app(Bank, Account, Transfer).system.storage
    bank = storage.create(Bank())
    accounts = [storage.create(Account(bank=bank, balance=100)) for _ in range(4)]

    report = at_once(transfers)

    assert set(report.outcomes) <= {"done", "condition.rejected"}
    expected = {account.id: 100 for account in accounts}
    for event in storage.query(iq.InteractionEvent):
        expected[event.payload["source"]] -= event.payload["amount"]
        expected[event.payload["target"]] += event.payload["amount"]
    stored = {account.id: account.balance for account in storage.query(Account)}
    assert stored == expected
    assert min(stored.values()) >= 0
    assert storage.query(Bank).one().total == sum(stored.values()) == 400
    assert storage.query(iq.InteractionEvent).count() == report.outcomes["done"]
