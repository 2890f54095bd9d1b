"""Work that is paid for: what is submitted to a provider stands in a ledger before and after, so that no attempt pays twice."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Callable, Optional

from ._attempt import Attempt
from ._protocol import ProviderJob

log = logging.getLogger("statusupdates")


class Permanent(Exception):
    """The generation cannot be done, now or later: it fails, and the user reads the message."""


class Submission:
    """One submission to a provider. Every method returns once its entry is durable; later attempts find it.

    ``id`` is the provider's id of the job, None if nothing was submitted yet. ``key`` is the idempotency key to submit it with.
    """

    def __init__(self, attempt: Attempt, row: ProviderJob) -> None:
        self._attempt = attempt
        self._row = row

    @property
    def key(self) -> str:
        """The idempotency key, ``<generation>/<ordinal>``: the same in every attempt."""
        return self._row.key

    @property
    def id(self) -> Optional[str]:
        """The provider's id of the job; None if nothing was submitted yet."""
        return self._row.job_id

    @property
    def continuation(self) -> Optional[str]:
        """The last checkpoint, for an attempt that goes on where an earlier one was."""
        return self._row.continuation

    @property
    def is_done(self) -> bool:
        """Whether the provider has finished it, as an earlier attempt found: only the results are to be fetched."""
        return self._row.state == "done"

    @property
    def row(self) -> ProviderJob:
        """Its entry in the ledger."""
        return self._row

    def submitted(self, id: str, continuation: Optional[str] = None) -> None:
        """The provider has accepted it, under this id. Call it at once, before anything else."""
        self._write(state="submitted", job_id=id, continuation=continuation)

    def checkpoint(self, continuation: str) -> None:
        """What the next attempt needs to go on from here, at most 8 KiB."""
        self._write(continuation=continuation)

    def done(self, *, cost: Optional[float] = None, currency: Optional[str] = None) -> None:
        """The provider has finished it. ``cost`` and ``currency`` (ISO 4217) are what it charged, if it says so."""
        self._write(state="done", cost=cost, currency=currency)

    def failed(self, error: str, *, cost: Optional[float] = None, currency: Optional[str] = None) -> None:
        """The provider itself says that it has failed. Only this makes the next submission, in this attempt or a later one, a new one."""
        self._write(state="failed", error=error, cost=cost, currency=currency)

    def abandoned(self, error: str) -> None:
        """It is not known what became of it, and cannot be found out."""
        self._write(state="abandoned", error=error)

    def _write(self, **changes: Any) -> None:
        row = replace(self._row, **changes)
        if row != self._row:
            self._attempt.write_job(row)
            self._row = row


def next_key(attempt: Attempt) -> str:
    """The idempotency key of what is submitted now."""
    last = attempt.jobs[-1] if attempt.jobs else None
    return last.key if last is not None and (last.is_open or last.state == "done") else f"{attempt.grant.id}/{len(attempt.jobs) + 1}"


def open_submission(
    attempt: Attempt, provider: str, find: Optional[Callable[[str], Optional[str]]], deduplicates: bool, uncertain: str,
) -> Submission:
    """See :meth:`Job.submission`."""
    attempt.check()
    last = attempt.jobs[-1] if attempt.jobs else None
    if last is None or last.state in ("failed", "abandoned"):
        return _intend(attempt, provider)
    submission = Submission(attempt, last)
    if last.provider == provider:
        if last.state != "intent" or deduplicates:
            return submission
        if find is not None:
            # An earlier attempt ended between its intent and the provider's answer: the provider knows.
            id = find(last.key)
            if id is not None:
                submission.submitted(id)
            return submission
    elif last.state == "done":
        return _intend(attempt, provider)
    log.warning("%s: it is not known whether %s was submitted to %s; uncertain=%s.", attempt.grant.id, last.key, last.provider, uncertain)
    submission.abandoned("It is not known whether the provider has accepted it.")
    if uncertain == "resubmit":
        return _intend(attempt, provider)
    raise Permanent("The connection to the provider was lost while this was submitted. It is not repeated, because it may have been charged.")


def _intend(attempt: Attempt, provider: str) -> Submission:
    ordinal = len(attempt.jobs) + 1
    row = ProviderJob(ordinal, f"{attempt.grant.id}/{ordinal}", provider, "intent")
    attempt.write_job(row)
    return Submission(attempt, row)
