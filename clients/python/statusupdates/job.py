"""What a task gets: the job to do, and how to report about it."""

from __future__ import annotations

import datetime
from typing import Any, Mapping, Optional

from ._attempt import Attempt, Stopped
from .models import parse_time

__all__ = ["Job", "Permanent", "Postpone", "Retry", "Stopped"]


class Permanent(Exception):
    """The generation cannot be done, now or later: it fails, and the user reads the message."""


class Retry(Exception):
    """It did not work now, but may later: another attempt follows after a back-off, and after the last one allowed the generation fails.

    :param message: Why, for the user. Without one it says only that it failed.
    :param after: How many seconds to wait at least, up to a day.
    """

    def __init__(self, message: str = "The provider failed for now.", *, after: Optional[float] = None) -> None:
        super().__init__(message)
        self.after = after


class Postpone(Exception):
    """It cannot be done now, through no fault of its own: it goes back to the queue, and no failure is counted. For rate limits and the like.

    :param after: How many seconds to wait, up to an hour.
    """

    def __init__(self, *, after: float) -> None:
        super().__init__(f"Postponed for {after} s.")
        self.after = after


class Job:
    """One attempt at a generation. Its methods are for any thread.

    Once it is stopped, because its user cancels, the time is up, the worker shuts down, or another worker has it, every method raises
    :class:`Stopped`. A task that computes for long without calling any calls :meth:`check` now and then.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    @property
    def id(self) -> str:
        """The generation's id."""
        return self._attempt.grant.id

    @property
    def attempt(self) -> int:
        """The number of this attempt; it rises with each one."""
        return self._attempt.grant.attempt

    @property
    def failures(self) -> int:
        """How many attempts have failed before."""
        return self._attempt.grant.failures

    @property
    def user_id(self) -> str:
        return self._attempt.grant.user_id

    @property
    def type(self) -> str:
        return self._attempt.grant.type

    @property
    def task(self) -> str:
        return self._attempt.grant.task

    @property
    def prompt(self) -> str:
        """The user's text."""
        return self._attempt.grant.prompt

    @property
    def options(self) -> Mapping[str, Any]:
        """The user's options; empty if there are none."""
        return self._attempt.grant.options

    @property
    def deadline(self) -> Optional[datetime.datetime]:
        """The time after which a result is of no use, with its time zone; None if there is none."""
        deadline = self._attempt.grant.deadline
        return None if deadline is None else parse_time(deadline)

    @property
    def seconds_left(self) -> Optional[float]:
        """How long the attempt may take, from its claim on."""
        return self._attempt.grant.seconds_left

    @property
    def raw(self) -> Mapping[str, Any]:
        """The claimed generation as the API sent it."""
        return self._attempt.grant.raw

    @property
    def tokens_used(self) -> Optional[int]:
        """What it cost, in tokens; set it before returning."""
        return self._attempt.tokens_used

    @tokens_used.setter
    def tokens_used(self, tokens: Optional[int]) -> None:
        self._attempt.tokens_used = tokens

    # Stopping.

    @property
    def stopped(self) -> Optional[str]:
        """Why it has to stop, as in :class:`Stopped`; None while it may go on."""
        return self._attempt.reason

    @property
    def cancelled(self) -> bool:
        """Whether it has to stop, for whatever reason."""
        return self._attempt.reason is not None

    def check(self) -> None:
        """:raises Stopped: it has to stop."""
        self._attempt.check()

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until it has to stop. :raises Stopped: it has to."""
        self._attempt.stopped.wait(seconds)
        self._attempt.check()

    # Reporting.

    def progress(self, percent: float) -> None:
        """Reports progress, 0 to 100, as often as you like: it returns at once, and the newest value is sent, at most four times a second.

        :raises Stopped: it has to stop.
        """
        self._attempt.report(int(percent))
