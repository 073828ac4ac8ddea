"""A market, and the processes that do business there until they are killed: see ``test_killed``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Literal

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.databases import opened

#: Called after a commit, before anything else happens.
after_commit: Callable[[], None] = lambda: None  # noqa: E731


@iq.condition
def in_stock(event: Event[Any]) -> bool:
    return bool(event.payload.product.stock >= event.payload.quantity)


@iq.interaction(
    guard=in_stock,
    resolve=lambda event, storage: {"left": event.payload.product.stock},
    post_commit=lambda event, result: after_commit(),
)
class Buy:
    product: Product
    quantity: int


@iq.interaction
class Pack:
    product: Product


@iq.interaction
class GiveBack:
    product: Product


@iq.entity
class User:
    id: int = iq.key()
    sales: Many[Sale] = iq.many(inverse="user")

    bought: int = iq.Count(sales)
    packs: int = iq.Count(sales, where=lambda sale: sale.product.status == "packed")


@iq.entity
class Product:
    id: int = iq.key()
    stock: int = iq.field(
        changes=[
            iq.on(
                Buy,
                record=lambda e: e.payload.product,
                set=lambda e: e.payload.product.stock - e.payload.quantity,
            ),
        ]
    )
    sales: Many[Sale] = iq.many(inverse="product")

    status: Literal["open", "packed"] = iq.StateMachine("open", iq.on(Pack, {"open": "packed", "packed": "open"}))
    sold: int = iq.Summation(sales, of=lambda sale: sale.quantity)
    largest: int | None = iq.Maximum(sales, of=lambda sale: sale.quantity)
    usual: float | None = iq.Average(sales, of=lambda sale: sale.quantity)


@iq.entity
class Sale:
    id: int = iq.key()
    product: Product = iq.one()
    number: int = iq.ScopedSequence(product)
    user: User
    quantity: int
    bills: Many[Bill] = iq.many(inverse="sale")

    made = iq.Transform(Buy, lambda e: Sale(product=e.payload.product, user=e.user, quantity=e.payload.quantity))
    billed: int = iq.Count(bills)

    @iq.deleted_by(GiveBack)
    def given_back(self, e: Event[GiveBack]) -> bool:
        return self.product == e.payload.product and self.user == e.user


@iq.entity
class Bill:
    id: int = iq.key()
    sale: Sale = iq.one(on_delete="cascade")
    amount: int

    written = iq.Transform(Sale, lambda sale: Bill(sale=sale, amount=sale.quantity * 3))


MODELS = [User, Product, Sale, Bill, Buy, Pack, GiveBack]


def market_in(database: Database, *, install: bool = False) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(database), MODELS)
    controller.setup(install=install)
    return controller


# -- what is asked for -------------------------------------------------------------------------


def buy(app: iq.Controller) -> None:
    product, user = _given(app)
    app.dispatch(Buy(product=product, quantity=2), user=user)


def buy_under_a_key(app: iq.Controller) -> None:
    product, user = _given(app)
    app.dispatch(Buy(product=product, quantity=2), user=user, idempotency_key="once")


def pack(app: iq.Controller) -> None:
    product, user = _given(app)
    app.dispatch(Pack(product=product), user=user)


def give_back(app: iq.Controller) -> None:
    product, user = _given(app)
    app.dispatch(GiveBack(product=product), user=user)


def many(app: iq.Controller) -> None:
    product, user = _given(app)
    requests = [Buy(product=product, quantity=1), Buy(product=product, quantity=3), Pack(product=product)]
    app.dispatch_many(requests, user=user)


def by_hand(app: iq.Controller) -> None:
    product, user = _given(app)
    app.system.storage.create(Sale(product=product, user=user, quantity=4))


REQUESTS: dict[str, Callable[[iq.Controller], None]] = {
    each.__name__: each for each in (buy, buy_under_a_key, pack, give_back, many, by_hand)
}


def _given(app: iq.Controller) -> tuple[Product, User]:
    storage = app.system.storage
    return storage.query(Product).one(), storage.query(User).one()


# -- processes ---------------------------------------------------------------------------------


def halted(url: str, request: str, at: int, report: Any) -> None:
    """The body of a process that halts when so many statements of its transaction are carried out.

    Or, if there are no more, after the commit, before anybody is called back.
    """
    database = opened(url)
    app = market_in(database)
    _given(app)  # what it reads by the way is read before it is counted

    def halt(where: str) -> None:
        report.send(where)
        time.sleep(60)
        os._exit(1)

    global after_commit
    after_commit = lambda: halt("COMMIT")  # noqa: E731
    halt_at(database, at, halt)
    REQUESTS[request](app)
    halt("COMMIT")


def halt_at(database: Database, at: int, halt: Callable[[str], None]) -> None:
    """Count the statements of its transactions, each carried out before the next, from BEGIN, which is none."""
    begin, done = database.begin, 0

    def begun(*arguments: Any, **options: Any) -> Any:
        transaction: Any = begin(*arguments, **options)
        execute = transaction.execute

        def counted(sql: str, values: Any = ()) -> Any:
            nonlocal done
            result = execute(sql, values)
            if sql != "COMMIT":
                transaction.flush()
                done += 1
                if done == at:
                    halt(sql)
            return result

        transaction.execute = counted
        if at == 0:
            transaction.flush()
            halt("BEGIN")
        return transaction

    database.begin = begun  # type: ignore[method-assign]


def customer(url: str, number: int, start: int, report: Any) -> None:
    """The body of a process that buys and buys, each time under a key of its own, and reports what is done."""
    app = market_in(opened(url))
    storage = app.system.storage
    products = storage.query(Product).order_by(lambda product: product.id).all()
    user = storage.query(User).order_by(lambda user: user.id).all()[number]
    report.send("ready")
    each = start
    while True:
        product = products[each % len(products)]
        app.dispatch(Buy(product=product, quantity=1), user=user, idempotency_key=f"{number}-{each}")
        if each % 3 == 0:
            app.dispatch(Pack(product=product), user=user)
        each += 1
        report.send(each)
