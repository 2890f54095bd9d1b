"""Runs a task's function for one attempt, and sees to it that the attempt gets an outcome, whatever the function does."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, Awaitable, Callable, Dict, List, Union

from ._attempt import LOST, Attempt, outcome
from ._errors import ApiError
from .job import Job, Permanent, Postpone, Retry, Stopped
from .results import Bytes, File, Link, Returned, Text, check_outputs

log = logging.getLogger("statusupdates")

Function = Callable[[Job], Union[Returned, Awaitable[Returned]]]

_UNEXPECTED = "The worker failed unexpectedly."
_MAX_RETRY = 86_400
_MAX_POSTPONE = 3_600


def execute(function: Function, attempt: Attempt) -> None:
    """Runs one attempt to its end. Never raises."""
    name = f"{attempt.grant.id} (attempt {attempt.grant.attempt})"
    try:
        action, members = _run(function, attempt, name)
        _settle(attempt, action, members, name)
    except BaseException:
        # A fault of this package: the lease ends, and another attempt follows.
        log.exception("%s could not be ended", name)
        attempt.stop(LOST)


def release(attempt: Attempt) -> None:
    """Hands back an attempt whose task does not return. Never raises."""
    name = f"{attempt.grant.id} (attempt {attempt.grant.attempt})"
    log.error("%s was stopped (%s), but its task does not return; it keeps its slot until it does", name, attempt.reason)
    try:
        _settle(attempt, "release", outcome({}), name)
    except BaseException:
        log.exception("%s could not be released", name)
        attempt.stop(LOST)


def _run(function: Function, attempt: Attempt, name: str) -> "tuple[str, Dict[str, Any]]":
    try:
        returned = _call(function, Job(attempt), attempt)
        attempt.end_progress()
        outputs: List[Union[Text, Bytes, File, Link]] = check_outputs(returned)
        return "complete", outcome({"resultUrls": attempt.upload(outputs), "tokensUsed": attempt.tokens_used})
    except Stopped:
        return "release", outcome({})
    except Permanent as failure:
        log.warning("%s has failed: %s", name, failure)
        return "fail", outcome({"message": str(failure) or _UNEXPECTED, "retryable": False})
    except Retry as failure:
        log.warning("%s has failed, and may be tried again: %s", name, failure)
        return "fail", outcome({"message": str(failure) or _UNEXPECTED, "retryable": True, "retryAfterSeconds": _seconds(failure.after, _MAX_RETRY)})
    except Postpone as failure:
        log.info("%s is postponed for %s s", name, failure.after)
        return "release", outcome({"retryAfterSeconds": _seconds(failure.after, _MAX_POSTPONE)})
    except ApiError as failure:
        # Of an upload: too large, or not of a valid media type.
        log.error("%s: the API refused what the task did: %s", name, failure)
        message = "The result is too large." if failure.status == 413 else _UNEXPECTED
        return "fail", outcome({"message": message, "retryable": False})
    except BaseException as failure:
        if attempt.reason is not None and isinstance(failure, asyncio.CancelledError):
            return "release", outcome({})
        # Any exception: what the task's own code raises is not for users to read.
        log.exception("%s has failed, and may be tried again", name)
        return "fail", outcome({"message": _UNEXPECTED, "retryable": True})


def _settle(attempt: Attempt, action: str, members: Dict[str, Any], name: str) -> None:
    if attempt.reason is not None and action == "fail":
        # What a stopped task raises only means that it has stopped.
        action, members = "release", outcome({})
    try:
        status = attempt.settle(action, members)
        if status is None and not attempt.is_settled and not attempt.gone.is_set():
            # It was stopped just before.
            action = "release"
            status = attempt.settle(action, outcome({}))
    except ApiError as failure:
        log.error("%s: %s was refused: %s", name, action, failure)
        status = attempt.settle("fail", outcome({"message": _UNEXPECTED, "retryable": False}))
    if status is not None:
        log.info("%s: %s, now %s", name, action, status)
    elif attempt.gone.is_set():
        log.warning("%s is not this worker's any more; nothing more is written for it", name)


def _call(function: Function, job: Job, attempt: Attempt) -> object:
    attempt.check()
    returned = function(job)
    return asyncio.run(_finish(returned, attempt)) if inspect.isawaitable(returned) else returned


async def _finish(returned: Awaitable[Returned], attempt: Attempt) -> Returned:
    """Runs an async task in an event loop of its own; it is canceled when the attempt has to stop."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(returned)

    def cancel() -> None:
        loop.call_soon_threadsafe(task.cancel)

    attempt.on_stop(cancel)
    try:
        return await task
    finally:
        attempt.on_stop(None)


def _seconds(after: Union[float, None], most: int) -> Union[float, None]:
    return None if after is None else max(0, min(most, after))
