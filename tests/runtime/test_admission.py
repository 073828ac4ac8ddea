"""Locks that an interaction or its conditions ask for: taken before any condition runs, in one order, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps
from tests.runtime.test_statements import shape
from tests.runtime.two import at_once, pause

#: What ``locks=`` of Try answers.
answer: Callable[[Any], object] = lambda e: []  # noqa: E731


def decided(found: object) -> bool:
    pause()
    return bool(found)


@iq.condition(locks=lambda e: e.payload.limit)
def within_limit(event: Event[Any]) -> bool:
    return decided(event.payload.account.debt + event.payload.amount <= event.payload.limit.value)


@iq.condition
def always(event: Event[Any]) -> bool:
    return True


@iq.condition(locks=lambda e: [e.payload.account])
def is_in_debt(event: Event[Any]) -> bool:
    return bool(event.payload.account.debt > 0)


@iq.condition(locks=lambda e: [e.payload.account, e.payload.limit])
def is_not_asked(event: Event[Any]) -> bool:
    raise AssertionError("it is never asked")


@iq.interaction(guard=within_limit)
class Lend:
    account: Account
    limit: Limit
    amount: int


@iq.condition
def covers_debt(event: Event[Any]) -> bool:
    return bool(event.payload.account.debt <= event.payload.value)


@iq.interaction(guard=covers_debt, locks=lambda e: e.payload.limit)
class SetLimit:
    account: Account
    limit: Limit
    value: int


@iq.interaction(guard=always | is_not_asked)
class Short:
    account: Account
    limit: Limit


@iq.interaction(guard=~is_in_debt, locks=lambda e: [e.payload.limit, e.payload.account])
class Twice:
    account: Account
    limit: Limit


@iq.interaction(locks=lambda e: [*e.payload.accounts, e.payload.limit], resolve=lambda e, storage: pause())
class Touch:
    accounts: list[Account]
    limit: Limit


@iq.interaction(locks=lambda e: [e.payload.limit, e.payload.account], resolve=lambda e, storage: pause())
class TouchBackwards:
    account: Account
    limit: Limit


@iq.condition(locks=lambda e: iq.matching(Account, lambda account: account.owner == e.payload.owner))
def owner_is_poor(event: Event[Any]) -> bool:
    return decided(sum(account.debt for account in event.payload.owner.accounts) <= 100)


@iq.interaction(guard=owner_is_poor)
class Help:
    owner: Owner


@iq.interaction(locks=lambda e: e.payload.account.owner, resolve=lambda e, storage: e.payload.account.owner.name)
class Look:
    account: Account


@iq.interaction
class Give:
    account: Account
    owner: Owner


@iq.interaction(locks=lambda e: Counter, resolve=lambda e, storage: pause())
class Ring:
    pass


@iq.interaction(locks=lambda e: answer(e))
class Try:
    account: Account | None = None


@iq.entity
class Owner:
    id: int = iq.key()
    name: str = "Ada"
    accounts: Many[Account] = iq.many(inverse="owner")
    helps: int = iq.field(default=0, changes=iq.on(Help, set=lambda e: e.payload.owner.helps + 1))


@iq.entity
class Limit:
    id: int = iq.key()
    value: int = iq.field(
        default=100, changes=iq.on(SetLimit, record=lambda e: e.payload.limit, set=lambda e: e.payload.value)
    )


@iq.entity
class Account:
    id: int = iq.key()
    owner: Owner = iq.one(changes=iq.on(Give, record=lambda e: e.payload.account, set=lambda e: e.payload.owner))
    debt: int = iq.field(default=0, changes=iq.on(Lend, set=lambda e: e.payload.account.debt + e.payload.amount))


@iq.dictionary
class Counter:
    rings: int = 0


@iq.entity
class Stranger:
    id: int = iq.key()


MODELS: list[Any] = [
    *(Owner, Limit, Account, Counter),
    *(Lend, SetLimit, Short, Twice, Touch, TouchBackwards, Help, Look, Give, Ring, Try),
]


class Scene:
    def __init__(self, app: iq.Controller) -> None:
        self.app, self.storage = app, app.system.storage
        self.owner, self.other = self.storage.create(Owner()), self.storage.create(Owner(name="Bea"))
        self.accounts = [self.storage.create(Account(owner=self.owner)) for _ in range(3)]
        self.account = self.accounts[0]
        self.limit = self.storage.create(Limit())
        self.locks_rows = app.system.database.dialect.for_update  # type: ignore[attr-defined]

    def at_once(self, first: Any, second: Any) -> list[Any]:
        return list(at_once(self.app, lambda: self.app.dispatch(first).data, lambda: self.app.dispatch(second).data))

    def statements(self, request: Any) -> list[tuple[str, tuple[Any, ...]]]:
        """The SELECTs of a dispatch, with what they are given."""
        self.app.dispatch(request)
        with self.app.system.database.recording() as recorder:
            self.app.dispatch(request)
        return [
            (shape(sql.replace("`", '"')) + (" locked" if sql.endswith("FOR UPDATE") else ""), values)
            for sql, values in recorder.statements
            if sql.startswith("SELECT")
        ]

    def shapes(self, request: Any) -> list[str]:
        return [each for each, _ in self.statements(request)]


@pytest.fixture
def scene(make_app: Apps) -> Scene:
    return Scene(make_app(*MODELS))


@pytest.fixture
def answering() -> Iterator[Callable[[Callable[[Any], object]], None]]:
    """Says what the locks= of Try answers."""
    global answer
    before = answer

    def says(what: Callable[[Any], object]) -> None:
        global answer
        answer = what

    yield says
    answer = before


# -- what is locked ---------------------------------------------------------------------------------


def test_what_is_not_written_is_kept_from_others_where_a_condition_asks_for_it(scene: Scene) -> None:
    lend = Lend(account=scene.account, limit=scene.limit, amount=100)
    assert scene.at_once(lend, SetLimit(account=scene.account, limit=scene.limit, value=50)) == [None, "rejected"]


def test_the_other_way_round_the_one_who_asks_waits(scene: Scene) -> None:
    touch = Touch(accounts=[], limit=scene.limit)
    set_limit = SetLimit(account=scene.account, limit=scene.limit, value=50)
    assert scene.at_once(touch, set_limit) == [None, None]
    lend = Lend(account=scene.account, limit=scene.limit, amount=100)
    with pytest.raises(iq.ConditionRejected):
        scene.app.dispatch(lend)


def test_a_row_is_locked_and_read_by_one_statement_which_conditions_need_not_repeat(scene: Scene) -> None:
    found = scene.shapes(Lend(account=scene.account, limit=scene.limit, amount=0))
    if scene.locks_rows:
        assert found[0] == "SELECT limit locked"
        assert [each.removesuffix(" locked") for each in found] == ["SELECT limit", "SELECT account", "SELECT limit"]
    else:
        assert found == ["SELECT account", "SELECT limit", "SELECT limit"]


def test_locks_of_a_condition_that_is_not_asked_are_taken(scene: Scene) -> None:
    expected = ["SELECT account locked", "SELECT limit locked"] if scene.locks_rows else []
    assert scene.shapes(Short(account=scene.account, limit=scene.limit))[:2][: len(expected)] == expected


def test_a_record_that_is_asked_for_twice_is_locked_once_also_under_a_negation(scene: Scene) -> None:
    found = scene.shapes(Twice(account=scene.account, limit=scene.limit))
    locked = [each for each in found if each.endswith(" locked")]
    assert locked == (["SELECT account locked", "SELECT limit locked"] if scene.locks_rows else [])
    # The condition reads what was locked; that both are there is asked as ever.
    assert len(found) == (4 if scene.locks_rows else 3)


def test_they_are_taken_by_table_and_by_key_however_they_are_named(scene: Scene) -> None:
    found = scene.statements(Touch(accounts=scene.accounts[::-1], limit=scene.limit))
    locked = [each for each, _ in found if each.endswith(" locked")]
    assert locked == (["SELECT account locked", "SELECT limit locked"] if scene.locks_rows else [])
    one = Touch(accounts=[scene.account], limit=scene.limit)
    other = TouchBackwards(limit=scene.limit, account=scene.account)
    assert scene.at_once(one, other) == [None, None]


def test_nobody_comes_to_refer_to_what_is_locked(scene: Scene) -> None:
    order: list[str] = []

    def open_account() -> None:
        scene.storage.create(Account(owner=scene.owner))
        order.append("opened")

    def look() -> None:
        scene.app.dispatch(Help(owner=scene.owner))
        order.append("helped")

    at_once(scene.app, look, open_account)
    assert set(order) == {"helped", "opened"}


def test_a_dictionary_is_locked_by_its_class(scene: Scene) -> None:
    assert scene.at_once(Ring(), Ring()) == [None, None]
    locked = [each for each in scene.shapes(Ring()) if each.endswith(" locked")]
    assert locked == (["SELECT counter locked"] if scene.locks_rows else [])


def test_nothing_to_lock_is_an_empty_list(scene: Scene) -> None:
    assert scene.app.dispatch(Try()).data is None


def test_what_is_not_there_is_no_error_by_itself(scene: Scene) -> None:
    with pytest.raises(iq.PayloadError) as refused:
        scene.app.dispatch(Touch, {"accounts": [4711], "limit": scene.limit.id})
    assert [(each.path, each.code) for each in refused.value.problems] == [("accounts[0]", "payload.not_found")]


# -- what is found ------------------------------------------------------------------------------------


def test_all_that_match_are_locked(scene: Scene) -> None:
    found = scene.statements(Help(owner=scene.owner))
    if scene.locks_rows:
        # Found, locked in the order of their keys, and looked for once more.
        assert [each for each, _ in found][:3] == ["SELECT account", "SELECT account locked", "SELECT account"]
    lend = Lend(account=scene.account, limit=scene.limit, amount=100)
    assert scene.at_once(Help(owner=scene.owner), lend) == [None, None]
    lend_more = Lend(account=scene.accounts[1], limit=scene.limit, amount=1)
    scene.app.dispatch(lend_more)
    with pytest.raises(iq.ConditionRejected):
        scene.app.dispatch(Help(owner=scene.owner))


def test_what_comes_to_match_while_one_waits_is_locked_too(scene: Scene) -> None:
    if not scene.locks_rows:
        return
    storage, database = scene.storage, scene.app.system.database
    mine = storage.create(Account(owner=scene.other))
    # Before what was found is locked, another one comes to match, and a transaction has it locked.
    lock, seen = storage.loader.rows_by, []

    def rows_by(*arguments: Any, **options: Any) -> Any:
        if "alone" in arguments and not seen:
            tx = database.begin(None)
            tx.execute(f'UPDATE "account" SET "owner_id" = {scene.owner.id} WHERE "id" = {mine.id}', ())
            tx.commit()
        if "alone" in arguments:
            seen.append(sorted(arguments[1]))
        return lock(*arguments, **options)

    storage.loader.rows_by = rows_by  # type: ignore[method-assign]
    try:
        scene.app.dispatch(Help(owner=scene.owner))
    finally:
        storage.loader.rows_by = lock  # type: ignore[method-assign]
    assert seen[:2] == [[each.id for each in scene.accounts], [mine.id]]


def test_what_is_found_by_way_of_what_changes_is_looked_for_again(scene: Scene) -> None:
    assert scene.app.dispatch(Look(account=scene.account)).data == "Ada"
    scene.app.dispatch(Give(account=scene.account, owner=scene.other))
    assert scene.app.dispatch(Look(account=scene.account)).data == "Bea"
    found = scene.shapes(Look(account=scene.account))
    if scene.locks_rows:
        assert found[:3] == ["SELECT account", "SELECT owner locked", "SELECT account"]


def test_what_is_another_each_time_is_refused(scene: Scene, answering: Any) -> None:
    if not scene.locks_rows:
        return
    owners = iter([scene.storage.create(Owner()) for _ in range(10)])
    answering(lambda e: [next(owners), e.payload.account.owner])
    with pytest.raises(iq.GuardError) as refused:
        scene.app.dispatch(Try(account=scene.account))
    assert refused.value.code == "locks.unsettled"
    assert str(refused.value) == (
        "[locks.unsettled]\n"
        "  Try\n"
        "  what locks= asks for was another at each of 5 times that it was looked for\n"
        "  lock what these records refer to instead, which changes less often"
    )


# -- what is refused ----------------------------------------------------------------------------------

#: What locks= answers, and what is said of it.
WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "nothing": (lambda e: None, "answers None"),
    "nothing among others": (lambda e: [e.payload.account], "answers None"),
    "a number": (lambda e: 7, "answers 7"),
    "a text": (lambda e: "account", "answers 'account'"),
    "a list in a list": (lambda e: [[]], "answers []"),
    "a new record": (lambda e: Owner(), "answers Owner(name='Ada', helps=0)"),
    "a record of another model": (lambda e: [Stranger()], "answers Stranger()"),
    "a class of records": (lambda e: Owner, "answers <class"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_record_is_refused_and_nothing_is_written(in_memory: Apps, answering: Any, name: str) -> None:
    app = in_memory(*MODELS)
    wrong, message = WRONG[name]
    answering(wrong)
    with pytest.raises(iq.GuardError) as refused:
        app.dispatch(Try())
    assert refused.value.code == "locks.result"
    assert refused.value.message.startswith(f"locks= of Try {message}")
    assert app.system.storage.query(iq.InteractionEvent).count() == 0


def test_what_raises_is_refused_by_its_place(in_memory: Apps, answering: Any) -> None:
    app = in_memory(*MODELS)
    answering(lambda e: [e.payload.account.owner])
    with pytest.raises(iq.GuardError) as refused:
        app.dispatch(Try())
    assert refused.value.code == "locks.raised"
    assert refused.value.message == "locks= of Try raised AttributeError: 'NoneType' object has no attribute 'owner'"
    assert refused.value.location is not None
    assert isinstance(refused.value.__cause__, AttributeError)


def test_a_refusal_of_ones_own_is_as_it_is(in_memory: Apps, answering: Any) -> None:
    def refuses(event: Any) -> object:
        raise iq.ConditionRejected("nobody may", code="own.code")

    app = in_memory(*MODELS)
    answering(refuses)
    with pytest.raises(iq.ConditionRejected) as refused:
        app.dispatch(Try())
    assert refused.value.code == "own.code"


def test_a_match_over_a_class_of_another_model_is_refused(in_memory: Apps, answering: Any) -> None:
    app = in_memory(*MODELS)
    answering(lambda e: iq.matching(Stranger, lambda stranger: stranger.id > 0))
    with pytest.raises(iq.GuardError) as refused:
        app.dispatch(Try())
    assert refused.value.code == "locks.raised"
    assert "Stranger is not among the controller's models" in refused.value.message


def test_a_match_over_what_is_no_class_of_records_is_said_at_the_call() -> None:
    with pytest.raises(iq.InvalidValue) as refused:
        iq.matching(Counter.__class__, lambda each: True)
    assert refused.value.code == "matching.arguments"


# -- in batches ---------------------------------------------------------------------------------------


def test_a_batch_takes_all_locks_before_its_first_dispatch(scene: Scene, database: Database) -> None:
    requests = [Touch(accounts=[each], limit=scene.limit) for each in scene.accounts[::-1]]
    with database.recording() as recorder:
        scene.app.dispatch_many(requests)
    locked = [shape(sql.replace("`", '"')) for sql, _ in recorder.statements if sql.endswith("FOR UPDATE")]
    if scene.locks_rows:
        assert locked[:2] == ["SELECT account", "SELECT limit"]
        assert len(locked) == 2 + 2 * len(requests)
        inserts = [number for number, (sql, _) in enumerate(recorder.statements) if sql.startswith("INSERT")]
        first = [number for number, (sql, _) in enumerate(recorder.statements) if sql.endswith("FOR UPDATE")]
        assert first[1] < inserts[0]
    else:
        assert locked == []


def test_what_a_batch_refuses_it_refuses_in_its_turn(scene: Scene, answering: Any) -> None:
    answering(lambda e: None)
    with pytest.raises(iq.GuardError) as refused:
        scene.app.dispatch_many([Touch(accounts=[], limit=scene.limit), Try()])
    assert refused.value.code == "locks.result"
    assert scene.storage.query(iq.InteractionEvent).count() == 0


def test_with_a_key_a_repetition_takes_the_locks_as_well(scene: Scene) -> None:
    touch = Touch(accounts=scene.accounts, limit=scene.limit)
    outcomes = [scene.app.dispatch(touch, idempotency_key="one").outcome for _ in range(2)]
    assert outcomes == ["applied", "replayed"]
