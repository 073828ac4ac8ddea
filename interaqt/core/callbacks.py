"""What can be told of a callback before it is run: its arguments, and what it asks of the world outside.

A traced callback runs once, at setup. What it asks the clock, chance, a file or a network would be
the answer of that moment for ever, so it is refused; names are looked up in the callback's own
globals, so what is found is the very function that would be called.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

from interaqt.core.errors import InvalidComputation, Location, TraceError, did_you_mean
from interaqt.core.interaction import InteractionModel
from interaqt.core.trace_session import CUSTOM

__all__ = ["check_event_callback", "refuse_outside", "require_callback"]

_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic"}
_CHANCE = {"random", "secrets", "uuid"}
_WORLD = {"io", "_io", "posix", "nt", "os", "pathlib", "socket", "subprocess", "urllib.request", "requests", "httpx"}
_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"}
_READS = {"LOAD_ATTR", "LOAD_METHOD"}


def require_callback(function: object, arguments: Sequence[str]) -> None:
    """Refuse what can't be called with as many arguments, which are named in the message."""
    if not callable(function):
        raise TraceError(
            f"it takes a callback, not {function!r}",
            hint=f"write a lambda over {' and '.join(arguments)}, or give a function",
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin that tells nothing of itself
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        given = " and ".join(arguments)
        raise TraceError(
            f"the callback takes {signature}, but is given {given}", hint=f"write it over {given} alone"
        ) from None


def refuse_outside(function: Callable[..., Any]) -> None:
    """Refuse a callback that asks the clock, chance or the world, itself or in a function that it calls."""
    for found in _called(function, set()):
        name, module = getattr(found, "__name__", ""), _module_of(found)
        shown = f"{module.removeprefix('_')}.{name}()" if module not in ("builtins", "io", "_io") else f"{name}()"
        if name in _CLOCKS and module in ("datetime", "date", "time"):
            raise TraceError(
                f"{shown} in a callback is the moment of its tracing, not of its use",
                hint="iq.RealTime(lambda each, now: ...) gives the callback the present moment, and follows it; "
                "a query's where() may ask the clock",
            )
        if module in _CHANCE:
            raise TraceError(
                f"{shown} gives another value each time, but a callback is run once, when a controller is made",
                hint="let an interaction's payload or a field's factory= draw the value, and read that",
            )
        if module in _WORLD or found in (print, input):
            raise TraceError(
                f"{shown} reaches outside, but a callback only says what a value is",
                hint=f"iq.side_effect runs after a commit; where a value depends on the outside, {CUSTOM}",
            )


def _module_of(found: object) -> str:
    """Where a function is from: its module, or the class or object that it is bound to."""
    owner = getattr(found, "__self__", None)
    if isinstance(owner, type):
        return owner.__name__
    if isinstance(found, MethodType | BuiltinFunctionType) and owner is not None and not inspect.ismodule(owner):
        return type(owner).__module__
    return getattr(found, "__module__", None) or ""


def _called(function: Any, seen: set[CodeType]) -> Iterator[Any]:
    """What the function's names and dotted names stand for, through the functions that they name."""
    code = getattr(function, "__code__", None)
    if not isinstance(function, FunctionType) or code in seen or not isinstance(code, CodeType):
        return
    seen.add(code)
    for found in _named(function, code):
        if isinstance(found, FunctionType) and _module_of(found) not in _CHANCE | _WORLD:
            yield from _called(found, seen)
        elif callable(found):
            yield found


def _named(function: FunctionType, code: CodeType) -> Iterator[Any]:
    cells, missing = _cells(function), object()
    known = ChainMap(cells, function.__globals__, vars(builtins))
    inner = any(isinstance(const, CodeType) for const in code.co_consts)
    if not cells and not inner and not any(name in known for name in code.co_names):
        return
    found: Any = missing
    for each in dis.get_instructions(code):
        if each.opname in _LOADS:
            found = known.get(each.argval, missing)
        elif each.opname in _READS and found is not missing:
            # Only what is there without being computed: a property of the user's is not run.
            found = getattr(found, each.argval, missing) if _is_namespace(found) else missing
        elif each.opname not in ("CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL", "CALL"):
            found = missing
        if found is not missing:
            yield found
        if each.opname == "CALL":
            found = missing
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _named(function, const)


def _is_namespace(value: object) -> bool:
    return inspect.ismodule(value) or (isinstance(value, type) and value.__module__ in ("datetime", "random"))


def _cells(function: FunctionType) -> dict[str, Any]:
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return cells


def check_event_callback(
    function: object, interaction: InteractionModel, subject: str, location: Location, *, record: str = ""
) -> bool:
    """Refuse a callback over an event that can't take one, or that reads an item which its payload does not have.

    It runs as plain Python in a dispatch, so it is not traced; ``e.payload.name`` is looked for in
    what it is compiled to. Where a ``record`` is offered beside the event, answers whether the
    callback takes both.
    """
    arguments = [f"the event of {interaction}"]
    takes_both = bool(record) and callable(function) and not _takes(function, 1)
    if takes_both:
        arguments.append(f"the {record} before it")
    try:
        require_callback(function, arguments)
    except TraceError as error:
        place = Location.of_function(function) if callable(function) else None
        raise InvalidComputation(
            error.message, code="callback", subject=subject, location=place or location, hint=error.hint
        ) from None
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or not code.co_argcount:
        return takes_both
    event = code.co_varnames[0]
    read: list[str] = []
    line = code.co_firstlineno
    for each in dis.get_instructions(code):
        line = (each.positions.lineno if each.positions is not None else None) or line
        if each.opname.startswith("LOAD_FAST") or each.opname == "LOAD_DEREF":
            read = [each.argval]
        elif each.opname in _READS:
            read = [*read, each.argval]
            if len(read) == 3 and read[:2] == [event, "payload"] and not _has(interaction, read[2]):
                raise InvalidComputation(
                    f"{interaction} has no payload item {read[2]!r}. {did_you_mean(read[2], interaction.items)}",
                    code="callback.payload",
                    subject=subject,
                    location=Location(code.co_filename, line),
                )
        else:
            read = []
    return takes_both


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a builtin that tells nothing of itself
        return True
    return True


def _has(interaction: InteractionModel, name: str) -> bool:
    return name in interaction.items or hasattr(interaction.cls, name)
