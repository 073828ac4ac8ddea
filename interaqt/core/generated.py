"""Generated functions: source text that is written once, at setup, and stays readable.

As attrs does for ``__init__``: a traceback or a debugger that comes through one shows its line, and
``function.__source__`` the whole.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Mapping
from typing import Any

from interaqt.core.errors import TraceError

__all__ = ["generated"]

_serial = itertools.count(1)


def generated(name: str, source: str, names: Mapping[str, Any], title: str) -> Callable[..., Any]:
    """The function ``name`` that the source defines, in which ``names`` are known; ``title`` says what it is for."""
    file = f"<interaqt {title} {next(_serial)}>"
    scope = dict(names)
    try:
        code = compile(source, file, "exec")
    except (SyntaxError, MemoryError, RecursionError) as error:
        if isinstance(error, SyntaxError) and "too many nested" not in str(error):
            raise
        raise TraceError(
            f"it is nested more deeply than Python can compile: {error}",
            code="trace.too_deep",
            hint="nest it less deeply: build a sum or an `and` of many parts flat, or in two steps",
        ) from None
    exec(code, scope)
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    function: Callable[..., Any] = scope[name]
    function.__source__ = source  # type: ignore[attr-defined]
    return function
