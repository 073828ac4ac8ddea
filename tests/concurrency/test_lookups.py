"""The record that a value was taken from goes, again and again, while others come: the next one is found."""

from __future__ import annotations

import interaqt as iq
from interaqt import Event, Many
from tests.concurrency.processes import AtOnce, Me


@iq.interaction
class MakeOffer:
    shop: Shop
    price: int
    place: int


@iq.interaction
class Withdraw:
    offer: Offer


@iq.interaction
class Reprice:
    offer: Offer
    price: int


@iq.entity
class Street:
    id: int = iq.key()
    shops: Many[Shop] = iq.many(inverse="street")

    dearest: int | None = iq.Maximum(shops, of=lambda shop: shop.dearest)
    dear_shops: int = iq.Count(shops, where=lambda shop: shop.dearest is not None and shop.dearest > 50)


@iq.entity
class Shop:
    id: int = iq.key()
    street: Street
    offers: Many[Offer] = iq.many(inverse="shop")

    dearest: int | None = iq.Maximum(offers, of=lambda offer: offer.price)
    cheapest: int | None = iq.Minimum(offers, of=lambda offer: offer.price, where=lambda offer: offer.price > 10)
    first: int | None = iq.First(offers, of=lambda offer: offer.id, by=lambda offer: offer.place)
    last: int | None = iq.Last(offers, of=lambda offer: offer.id, by=lambda offer: offer.place)
    prices: int = iq.Distinct(offers, of=lambda offer: offer.price)


@iq.entity
class Offer:
    id: int = iq.key()
    shop: Shop
    price: int = iq.field(changes=iq.on(Reprice, set=lambda e: e.payload.price))
    place: int

    made = iq.Transform(MakeOffer, lambda e: Offer(shop=e.payload.shop, price=e.payload.price, place=e.payload.place))

    @iq.deleted_by(Withdraw)
    def withdrawn(self, e: Event[Withdraw]) -> bool:
        return self == e.payload.offer


def extremes(me: Me) -> None:
    """Offers come; the dearest, or the first, is withdrawn or gets another price."""
    shops = me.all(Shop)
    for _ in range(15):
        shop, price = me.chance.choice(shops), me.chance.randint(1, 99)
        me.dispatch(MakeOffer(shop=shop, price=price, place=me.chance.randint(1, 9)))
        query = me.storage.query(Offer).where(lambda offer: offer.shop == shop)  # noqa: B023 - asked at once
        if me.chance.random() < 0.5:
            found = query.order_by(lambda offer: -offer.price).limit(1).all()
        else:
            found = query.order_by(lambda offer: offer.place).limit(1).all()
        for offer in found:
            me.dispatch(Withdraw(offer=offer) if me.chance.random() < 0.7 else Reprice(offer=offer, price=price))


def test_the_extremes_are_those_of_the_offers_that_are_left(at_once: AtOnce) -> None:
    models = (Street, Shop, Offer, MakeOffer, Withdraw, Reprice)
    storage = at_once.app(*models).system.storage
    street = storage.create(Street())
    for _ in range(2):
        storage.create(Shop(street=street))

    report = at_once(extremes)

    # What two withdraw is gone for the second.
    assert set(report.outcomes) <= {"done", "payload.not_found"}
    for shop in storage.query(Shop):
        prices = [offer.price for offer in shop.offers]
        assert shop.dearest == max(prices, default=None)
        assert shop.cheapest == min((price for price in prices if price > 10), default=None)
        assert shop.prices == len(set(prices))
        assert shop.first == min(((offer.place, offer.id) for offer in shop.offers), default=(0, None))[1]
        assert shop.last == max(((offer.place, offer.id) for offer in shop.offers), default=(0, None))[1]
