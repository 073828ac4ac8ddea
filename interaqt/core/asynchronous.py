"""Asynchronous: how a computation is done that is too slow for the transaction that asks for it."""

from __future__ import annotations

import datetime as dt

import attrs

from interaqt.core.errors import InvalidComputation, Location, being_declared

__all__ = ["Asynchronous"]

_NONE = dt.timedelta(0)


@attrs.frozen(kw_only=True)
class Asynchronous:
    """Has a worker compute a value, after the transaction that changed what it reads.

    It is tried ``attempts`` times; before each further one passes twice as long as before the last,
    at first ``backoff`` and at most ``longest``, give or take a half. Then it has failed, until
    ``controller.retry_task`` or a newer change.

    A worker that computes says so again and again; one of which nothing is heard for the ``lease`` is
    taken for dead, and another one begins anew. The clocks of all machines must agree within half of it.

    ``repeatable=False`` says that ``compute`` may answer another time what it did not answer before,
    as what is asked of a language model does; then ``verify`` does not ask it.
    """

    attempts: int = 5
    backoff: dt.timedelta = dt.timedelta(seconds=1)
    longest: dt.timedelta = dt.timedelta(minutes=10)
    lease: dt.timedelta = dt.timedelta(minutes=1)
    repeatable: bool = True
    location: Location = attrs.field(init=False, eq=False, repr=False, factory=lambda: Location.of_caller(2))

    def __attrs_post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            self._refuse(f"attempts= takes a number from 1 on, not {self.attempts!r}")
        for name, least in (("backoff", _NONE), ("longest", _NONE), ("lease", dt.timedelta(seconds=1))):
            value: object = getattr(self, name)
            if not isinstance(value, dt.timedelta) or value < least:
                what = "a timedelta of a second or more" if least else "a timedelta"
                self._refuse(f"{name}= takes {what}, not {value!r}")

    def _refuse(self, message: str) -> None:
        raise InvalidComputation(
            message,
            code="asynchronous.argument",
            subject=f"{being_declared()}: Asynchronous(...)".removeprefix(": "),
            location=self.location,
            hint="write iq.Asynchronous(attempts=5, backoff=timedelta(seconds=1))",
        )

    def delay(self, attempts: int, chance: float) -> dt.timedelta:
        """How long to wait after so many attempts; ``chance`` is between 0 and 1."""
        times: int = 2 ** min(attempts - 1, 40)
        seconds = min(self.backoff.total_seconds() * times, self.longest.total_seconds())
        return dt.timedelta(seconds=seconds * (0.5 + chance))
