"""Pauses between attempts, and the clock that they and leases are measured by."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Callable, Optional, TypeVar

from ._errors import Closed, Unavailable

T = TypeVar("T")

log = logging.getLogger("statusupdates")

_BOOT_CLOCK: Optional[int] = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """Seconds on a clock that only rises. On Linux it also counts while the machine is suspended, as a server's leases do."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class Backoff:
    """Random pauses whose ceiling doubles with each failure in a row: clients that failed together come back spread over the whole interval."""

    def __init__(self, base: float = 0.5, ceiling: float = 15.0) -> None:
        self._base = base
        self._ceiling = ceiling
        self.failures = 0

    def reset(self) -> None:
        self.failures = 0

    def next(self, retry_after: Optional[float] = None) -> float:
        """Seconds to wait after one more failure; never less than the server asks for."""
        self.failures += 1
        return (retry_after or 0.0) + random.uniform(0, min(self._ceiling, self._base * 2 ** min(self.failures, 16)))


def persist(call: Callable[[], T], stop: threading.Event, *, until: Optional[float] = None, what: str = "The request") -> T:
    """Repeats ``call``, which must be safe to repeat, until it gets an answer.

    ``until`` is when to give up, by :func:`now`: then the last :class:`Unavailable` is raised. ``stop`` raises :class:`Closed`.
    """
    backoff = Backoff()
    while True:
        try:
            return call()
        except Unavailable as failure:
            delay = backoff.next(failure.retry_after)
            if until is not None and now() + delay > until:
                raise
            log.log(logging.WARNING if backoff.failures == 3 else logging.DEBUG, "%s is repeated in %.1f s: %s", what, delay, failure)
        if stop.wait(delay):
            raise Closed("Closed while waiting for the server.")
