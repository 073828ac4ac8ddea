"""What a driver is made of, checked where it is made: a wrong argument is no riddle of a client library later."""

from __future__ import annotations

import math
import os
from typing import Any

from interaqt.core.errors import SetupError

__all__ = ["require_path", "require_pool", "require_seconds", "require_text", "wrong"]


def wrong(driver: str, message: str, hint: str = "", *, code: str = "database.argument") -> SetupError:
    """What to raise of an argument of a driver."""
    return SetupError(message, code=code, subject=driver, hint=hint)


def require_path(value: Any, driver: str) -> str:
    """A path as text."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or "\0" in path:
        raise wrong(driver, f"a path is a str or a Path, not {value!r}", f'write iq.{driver}("data/app.db")')
    return path


def require_text(value: Any, driver: str, example: str) -> str:
    """A connection string, which is not shown: it may have a password in it."""
    if not isinstance(value, str):
        raise wrong(
            driver,
            f"a connection string is a str, not of type {type(value).__name__}",
            f"write iq.{driver}({example!r})",
        )
    return value


def require_pool(pool_size: Any, timeout: Any, driver: str) -> None:
    """How many connections there are, and how long one waits for one of them."""
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise wrong(driver, f"pool_size= takes an int from 1, not {pool_size!r}", "write pool_size=10")
    require_seconds(timeout, driver)


def require_seconds(timeout: Any, driver: str) -> None:
    """How long one waits."""
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not math.isfinite(timeout) or timeout < 0:
        raise wrong(driver, f"timeout= takes a number of seconds, not {timeout!r}", "write timeout=30")
