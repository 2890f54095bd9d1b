"""A worker's three loops: claims, heartbeats, progress. Each runs in a thread of its own, so that none waits for another."""

from __future__ import annotations

import logging
import random
import threading
from typing import Callable, Optional

from ._attempt import LOST, Attempt
from ._backoff import Backoff, now
from ._errors import ApiError, Closed, Unavailable
from ._http import Http
from ._protocol import Grant, Protocol, ends_attempt
from ._running import Running

log = logging.getLogger("statusupdates")

# In seconds. What is started while a heartbeat waits is not in it, so that a request to cancel it is not heard.
_HEARTBEAT_AGE = 1.0
_CLAIM_WAIT = 25
# While a task is at its limit: it is not in the claim that waits, even if a slot of it becomes free.
_LIMITED_CLAIM_WAIT = 1
_SHORT_ANSWER = 1.0

OnFailure = Callable[[ApiError], None]
"""Called, from any thread, for what cannot get better by itself: the worker has to end."""


class Claims:
    """Claims as many generations as there are free slots, and starts them."""

    def __init__(self, http: Http, protocol: Protocol, running: Running, start: Callable[[Grant], None], fail: OnFailure) -> None:
        self._http = http
        self._protocol = protocol
        self._running = running
        self._start = start
        self._fail = fail
        self._backoff = Backoff()

    def run(self) -> None:
        while not self._http.closing.is_set():
            free = self._running.wait_for_slot()
            if free is None:
                return
            wait = _LIMITED_CLAIM_WAIT if free.is_limited else _CLAIM_WAIT
            held = [attempt.grant.key for attempt in self._running.snapshot()]
            asked_at = now()
            self._running.claim_started()
            is_answered = False
            pause = 0.0
            try:
                grants = self._protocol.claim(free.tasks, free.slots, free.of, held, wait)
                for grant in grants:
                    self._start(grant)
                is_answered = True
                self._backoff.reset()
                if not grants and now() - asked_at < min(_SHORT_ANSWER, wait):
                    # A server that does not wait, for example because it stops, must not be asked in a tight loop.
                    pause = random.uniform(0, _SHORT_ANSWER)
            except Closed:
                return
            except Unavailable as failure:
                pause = self._backoff.next(failure.retry_after)
                log.log(logging.WARNING if self._backoff.failures == 3 else logging.INFO, "The next claim is in %.1f s: %s", pause, failure)
            except ApiError as failure:
                self._fail(failure)
                return
            finally:
                self._running.claim_ended(is_answered)
            self._http.closing.wait(pause)


class Heartbeats:
    """Extends the leases of what runs, and hears what has to stop: the server answers as soon as there is something."""

    def __init__(self, http: Http, protocol: Protocol, lease: int, running: Running, fail: OnFailure) -> None:
        self._http = http
        self._protocol = protocol
        self._lease = lease
        self._running = running
        self._fail = fail
        self._backoff = Backoff(0.25, lease / 10)
        self._sent: Optional[float] = None
        self._added = 0
        self._is_interrupted = False

    def run(self) -> None:
        while self._running.wait_for_work() and not self._http.closing.is_set():
            try:
                pause = self.beat(self._lease // 3)
            except Closed:
                return
            except Unavailable as failure:
                if self._is_interrupted:
                    self._is_interrupted = False
                    continue
                # No later than leases allow, whatever the server asks for: those that end cost more than a request.
                pause = self._backoff.next(min(failure.retry_after or 0.0, self._lease / 4))
                log.log(logging.WARNING if self._backoff.failures == 3 else logging.INFO, "The next heartbeat is in %.1f s: %s", pause, failure)
            except ApiError as failure:
                self._fail(failure)
                return
            self._http.closing.wait(pause)

    def refresh(self) -> None:
        """Ends a heartbeat that waits and does not list everything that runs; another one follows at once. Called every second or so."""
        sent = self._sent
        if sent is not None and self._added != self._running.added and now() - sent >= _HEARTBEAT_AGE:
            self._is_interrupted = True
            self._http.interrupt()

    def beat(self, wait: int) -> float:
        """Sends one heartbeat. Returns how long to wait before the next one, in seconds."""
        claims_ended = self._running.heartbeat_started()
        self._added = self._running.added
        attempts = [attempt for attempt in self._running.snapshot() if attempt.is_held]
        wait = wait if attempts else 0
        sent = now()
        self._sent = sent
        try:
            answer = self._protocol.heartbeat([attempt.grant.key for attempt in attempts], wait)
        finally:
            self._sent = None
        self._backoff.reset()
        for key in answer.lost:
            self._stop(key, LOST)
        for key, reason in answer.stop:
            self._stop(key, reason)
        for key in self._running.orphans(answer.unlisted, claims_ended):
            self._release(key)
        if not attempts:
            # Something may be claimed any time.
            return min(answer.next_seconds, _HEARTBEAT_AGE)
        # Answered early without a reason: the server stops, or does not wait.
        is_early = wait > 0 and not answer.stop and not answer.lost and now() - sent < min(_SHORT_ANSWER, wait)
        return random.uniform(0, _SHORT_ANSWER) if is_early else 0.0 if wait > 0 else answer.next_seconds

    def _stop(self, key: "tuple[str, int]", reason: str) -> None:
        for attempt in self._running.snapshot():
            if attempt.grant.key == key:
                log.info("%s (attempt %d) has to stop: %s", *key, reason)
                attempt.stop(reason)

    def _release(self, key: "tuple[str, int]") -> None:
        try:
            self._protocol.release(key)
            log.warning("%s (attempt %d) was granted by an answer that was lost; it has gone back to the queue", *key)
        except (Unavailable, ApiError) as failure:
            if not isinstance(failure, ApiError) or not ends_attempt(failure):
                # The next heartbeat shows it again, or its lease ends.
                log.info("%s could not be released: %s", key[0], failure)


class Progress:
    """Sends the newest progress of what runs, each at most so often."""

    def __init__(self, http: Http, running: Running) -> None:
        self._http = http
        self._running = running
        self._wake = threading.Event()
        self._not_before = 0.0

    def wake(self) -> None:
        """There is new progress."""
        self._wake.set()

    def run(self) -> None:
        while not self._http.closing.is_set():
            self._wake.clear()
            pause = self._send_due()
            if pause is None or pause > 0:
                self._wake.wait(1.0 if pause is None else min(pause, 1.0))

    def _send_due(self) -> Optional[float]:
        """Returns how long until the next is due; None if there is none."""
        waits = []
        for attempt in self._running.snapshot():
            due = attempt.progress_due()
            if due is None:
                continue
            wait = max(due, self._not_before) - now()
            if wait <= 0:
                self._send(attempt)
            else:
                waits.append(wait)
        return min(waits) if waits else None

    def _send(self, attempt: Attempt) -> None:
        try:
            attempt.send_progress()
        except Closed:
            pass
        except Unavailable as failure:
            self._not_before = now() + (failure.retry_after or 0.0)
            log.debug("Progress of %s was not sent: %s", attempt.grant.id, failure)
