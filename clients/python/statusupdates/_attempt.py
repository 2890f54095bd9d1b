"""One attempt at a generation while it runs in this process."""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Dict, List, Optional

from ._backoff import T, now, persist
from ._errors import ApiError, Closed, Unauthorized, Unavailable
from ._protocol import Grant, Protocol, ends_attempt, new_update_id
from .results import File, Link, Text, Bytes, content_of

log = logging.getLogger("statusupdates")

LOST = "lost"
SHUTDOWN = "shutdown"
ENDED = "ended"

# As many updates as an eye can follow [X9].
_PROGRESS_INTERVAL = 0.25


class Stopped(BaseException):
    """The attempt is over, and the task has to return; raised by every method of the job from then on.

    ``reason`` is ``cancel_requested`` (by its user), ``deadline_passed``, ``timed_out``, ``lost`` (the generation went to another worker, or has
    ended), ``shutdown``, or ``ended`` (its outcome has been written); a later server may have others. Like ``KeyboardInterrupt`` it is no
    ``Exception``, so that ``except Exception`` does not swallow it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The attempt was stopped: {reason}")
        self.reason = reason


class Attempt:
    """Thread-safe. Lifecycle: running; stopped, if there is a reason; settling (its outcome is being written); settled; its thread has ended."""

    def __init__(self, grant: Grant, protocol: Protocol, on_change: Callable[[], None], on_progress: Callable[[], None]) -> None:
        self.grant = grant
        self._protocol = protocol
        self._on_change = on_change
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._update_lock = threading.Lock()
        self._reason: Optional[str] = None
        self._stopped_at = 0.0
        # Whether its lease is to be extended: not once the server has said that it must stop [X7].
        self._is_listed = True
        self._is_settling = False
        self._is_settled = False
        self._wake: Optional[Callable[[], None]] = None
        self.stopped = threading.Event()
        # Set when nothing more may be written: the attempt is lost, or the worker ends.
        self.gone = threading.Event()
        self.is_releasing = False
        self.tokens_used: Optional[int] = None
        self._highest = -1
        self._parked: Optional[int] = None
        self._next_update = 0.0

    @property
    def reason(self) -> Optional[str]:
        return self._reason

    @property
    def is_settled(self) -> bool:
        return self._is_settled

    @property
    def is_held(self) -> bool:
        """Whether its lease is to be extended."""
        with self._lock:
            return self._is_listed and not self._is_settled and not self.gone.is_set()

    def is_stuck(self, patience: float) -> bool:
        """Whether it was stopped longer ago than this, in seconds, and its task has not returned."""
        with self._lock:
            return self._reason is not None and not self._is_settling and now() - self._stopped_at >= patience

    def stop(self, reason: str) -> None:
        """Asks the task to stop. While the outcome is being written, only the end of the lease has an effect."""
        with self._lock:
            if self._is_settled:
                return
            if reason == LOST:
                self.gone.set()
            self._is_listed = self._is_listed and reason == SHUTDOWN
            wake = None
            if not self._is_settling and self._reason is None:
                self._reason = reason
                self._stopped_at = now()
                self.stopped.set()
                wake = self._wake
        if wake is not None:
            wake()
        self._on_change()

    def on_stop(self, wake: Optional[Callable[[], None]]) -> None:
        """Calls ``wake`` once it is stopped, from any thread."""
        with self._lock:
            self._wake = wake
            is_stopped = self._reason is not None
        if is_stopped and wake is not None:
            wake()

    def check(self) -> None:
        """:raises Stopped: it was stopped."""
        if self._reason is not None:
            raise Stopped(self._reason)

    def write(self, call: Callable[[], T]) -> T:
        """Repeats a write until it is answered, for as long as the attempt is this worker's.

        :raises Stopped: it is not any more.
        :raises ApiError: the server refused the write itself.
        """
        def attempt() -> T:
            try:
                return call()
            except Unauthorized as failure:
                # The work is done and paid for: a token may still come, for as long as the worker is not stopped because of it.
                raise Unavailable(str(failure)) from failure

        try:
            return persist(attempt, self.gone, what=f"A write for {self.grant.id}")
        except Closed:
            raise Stopped(self._reason or LOST) from None
        except ApiError as failure:
            if not ends_attempt(failure):
                raise
            self.stop(LOST)
            raise Stopped(self._reason or LOST) from failure

    def upload(self, outputs: "List[Text | Bytes | File | Link]") -> List[str]:
        """Stores results, and returns their addresses."""
        urls: List[str] = []
        for output in outputs:
            if self._reason not in (None, SHUTDOWN):
                self.check()
            if isinstance(output, Link):
                urls.append(output.url)
            else:
                body, content_type = content_of(output)
                urls.append(self.write(lambda: self._protocol.upload(self.grant, body, content_type)))
        return urls

    # The outcome.

    def settle(self, outcome: str, members: Dict[str, Any]) -> Optional[str]:
        """Writes the outcome, once. Returns the generation's status; None if the attempt had ended otherwise, or is another worker's.

        :raises ApiError: the server refused the outcome itself; another one may be tried.
        """
        with self._lock:
            if self._is_settling or self._is_settled or self.gone.is_set():
                return None
            # A result that is there in spite of the shutdown is not thrown away.
            if outcome != "release" and self._reason not in (None, SHUTDOWN):
                return None
            self._is_settling = True
        try:
            self.end_progress()
            status = self.write(lambda: self._protocol.end(self.grant, outcome, members))
            self._end()
            return status
        except Stopped:
            self._end()
            return None
        finally:
            self._is_settling = False

    def _end(self) -> None:
        with self._lock:
            self._is_settled = True
            self._reason = self._reason or ENDED
            self.stopped.set()
        self._on_change()

    # Progress.

    def report(self, percent: int) -> None:
        """Notes progress; :meth:`send_progress` sends the newest."""
        self.check()
        progress = max(0, min(100, int(percent)))
        with self._lock:
            if progress <= self._highest:
                return
            self._highest = progress
            self._parked = progress
        self._on_progress()

    def progress_due(self) -> Optional[float]:
        """When the noted progress may be sent, by :func:`now`; None if there is none."""
        with self._lock:
            return None if self._parked is None or self._reason is not None or self._is_settling else self._next_update

    def end_progress(self) -> None:
        """Nothing more is sent: what comes next says more. Waits for what is being sent."""
        with self._lock:
            self._highest = 100
            self._parked = None
        with self._update_lock:
            pass

    def send_progress(self) -> None:
        """Sends the newest progress, once: if it gets lost, the next one says more.

        :raises Unavailable: it was not answered.
        """
        with self._update_lock:
            with self._lock:
                progress, self._parked = self._parked, None
                if progress is None or self._reason is not None or self._is_settling:
                    return
            try:
                self._protocol.update(self.grant, progress)
            except ApiError as failure:
                if ends_attempt(failure):
                    self.stop(LOST)
                else:
                    log.warning("The progress of %s was refused: %s", self.grant.id, failure)
            finally:
                self._next_update = now() + _PROGRESS_INTERVAL


def outcome(members: Dict[str, Any]) -> Dict[str, Any]:
    """The members of an outcome, with an id of its own by which repeats are recognized."""
    return {"updateId": new_update_id(), **{name: value for name, value in members.items() if value is not None}}
