"""The values of a Custom: asked of its function, as the database gives them back, and compared."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from interaqt.core.computations import CustomRule, OwnCustomRule
from interaqt.core.errors import InvalidValue
from interaqt.core.model import Property
from interaqt.runtime.custom_inputs import Given
from interaqt.storage.convert import as_stored, comparable

__all__ = ["CustomValues", "finished"]


class CustomValues:
    """The values that a rule keeps: as the database gives them back, and whether two are the same."""

    def __init__(self, rule: CustomRule | OwnCustomRule) -> None:
        self.rule = rule
        self._as_stored = [as_stored(each.type.optional(False)) for each in rule.kept]
        self._comparable = {each: comparable(each.type.optional()) for each in rule.kept}

    def computed(self, given: Given) -> tuple[Any, ...]:
        """What is kept where the function is given that."""
        arguments = self.rule.arguments(given.own, given.rows)
        functions = self.rule.functions
        if arguments is None:
            return self.stored(functions.on_nothing)
        answer = functions.answer(arguments)
        if isawaitable(answer):
            answer = finished(functions.awaited(answer))
        return self.stored(functions.checked(answer))

    async def awaited(self, given: Given, call: Callable[[Callable[[], Any]], Awaitable[Any]]) -> tuple[Any, ...]:
        """The same in an event loop; ``call`` calls a function that may take its time."""
        arguments = self.rule.arguments(given.own, given.rows)
        functions = self.rule.functions
        if arguments is None:
            return self.stored(functions.on_nothing)
        if iscoroutinefunction(functions.compute):
            answer = functions.answer(arguments)
        else:
            answer = await call(lambda: functions.answer(arguments))
        if isawaitable(answer):
            answer = await functions.awaited(answer)
        return self.stored(functions.checked(answer))

    def stored(self, kept: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return tuple(
                value if value is None else convert(value) for convert, value in zip(self._as_stored, kept, strict=True)
            )
        except InvalidValue as error:
            raise self.rule.functions.refusal(f"it answers {error.message}", "custom.value", error.hint) from error

    def same(self, kept: Property, one: Any, other: Any) -> bool:
        form = self._comparable[kept]
        return bool(form(one) == form(other))


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine answers, waited for here, whether an event loop is running or not."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
