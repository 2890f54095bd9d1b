"""A worker: claims generations, does them with the functions that are registered, and reports what became of them."""

from __future__ import annotations

import functools
import logging
import os
import queue
import random
import re
import signal
import socket
import ssl
import threading
from types import FrameType
from typing import Any, Callable, Dict, List, Optional, TypeVar, Union

from ._attempt import SHUTDOWN, Attempt
from ._backoff import now
from ._errors import StatusUpdatesError
from ._execution import Function, execute, release
from ._http import Http
from ._loops import Claims, Heartbeats, Progress
from ._protocol import Grant, Protocol
from ._running import Running
from ._tokens import Tokens, TokenSource

log = logging.getLogger("statusupdates")

F = TypeVar("F", bound=Callable[..., Any])

_TASK = re.compile(r"[a-z][a-z0-9_]{0,63}")

# In seconds. How often it looks after what runs, how long a stopped task may take to return, and how long handing back may take at the end.
_TICK = 0.5
_PATIENCE = 3.0
_LAST_WRITES = 10.0

_STOP = "stop"


class Worker:
    """Does the generations of its tasks, up to ``concurrency`` at once, each in a thread of its own.

    ::

        worker = Worker("http://localhost:5080", token)

        @worker.task("haiku")
        def haiku(job):
            return Text(...)

        worker.run()

    :param url: The API's address, such as ``http://localhost:5080``.
    :param token: A worker's token, or a function that returns a fresh one on every call.
    :param concurrency: How many generations it does at once, 1 to 500.
    :param lease: How long the server waits for a sign of life before it gives a generation to another worker, 5 to 600 s.
    :param grace: How long running generations may go on when the worker is asked to stop, in seconds; the rest are handed back.
    :param name: The beginning of the worker's id, for people; by default the host's name.
    :param context: How to check the server's certificate; by default as Python does.
    """

    def __init__(
        self, url: str, token: TokenSource, *, concurrency: int = 4, lease: int = 30, grace: float = 10.0, name: Optional[str] = None,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        _check_range("concurrency", concurrency, 1, 500)
        _check_range("lease", lease, 5, 600)
        if grace < 0:
            raise ValueError(f"grace must be 0 or more seconds; it is {grace!r}.")
        self._concurrency = concurrency
        self._lease = lease
        self._grace = grace
        # A new one for each start [X2].
        host = re.sub(r"[^A-Za-z0-9._-]", "-", name or socket.gethostname())[:60] or "worker"
        self.id = f"{host}:{os.getpid()}:{random.SystemRandom().getrandbits(64):016x}"
        tokens = Tokens(token)
        # Three, so that claims and heartbeats, which wait at the server, can be ended alone.
        self._claim_http, self._heartbeat_http, self._http = (Http(url, tokens, context) for _ in range(3))
        self._functions: Dict[str, Function] = {}
        self._limits: Dict[str, int] = {}
        # SimpleQueue.put is reentrant: a signal handler may call it.
        self._commands: "queue.SimpleQueue[Union[str, Exception, None]]" = queue.SimpleQueue()
        self._has_run = False

    def task(self, name: str, *, concurrency: Optional[int] = None) -> Callable[[F], F]:
        """Registers a function for a task: it gets a :class:`Job` and returns a result, or several; it may be ``async``.

        An ``async`` function runs in an event loop of its own in its thread, and is canceled when it has to stop.

        :param concurrency: How many of this task are done at once, if fewer than the worker does.
        """
        if not isinstance(name, str) or not _TASK.fullmatch(name):
            raise ValueError(f"A task's name has 1 to 64 characters from a-z, 0-9 and _, and begins with a letter; it is {name!r}.")
        if name in self._functions:
            raise ValueError(f"The task {name!r} already has a function.")
        if concurrency is not None:
            _check_range("concurrency", concurrency, 1, 100)

        def register(function: F) -> F:
            self._functions[name] = function
            if concurrency is not None:
                self._limits[name] = concurrency
            return function

        return register

    def stop(self) -> None:
        """Asks :meth:`run` to end, from any thread. A second call ends the grace period."""
        self._commands.put(_STOP)

    def run(self) -> None:
        """Works until SIGTERM, SIGINT (Ctrl+C) or :meth:`stop`; then lets running generations go on for the grace period, and hands back the rest.

        A second signal ends the grace period. Signals are only handled if this is the main thread. A worker can be run once.

        :raises Unauthorized: no token was accepted.
        :raises Forbidden: the token is not for workers, or not for these tasks.
        :raises ApiError: the API does not take this worker's requests, for example because it knows no such task.
        """
        if not self._functions:
            raise ValueError("The worker has no task: register a function with @worker.task(\"name\").")
        if self._has_run:
            raise RuntimeError("A worker can be run once; create another one.")
        self._has_run = True
        self._running = Running(sorted(self._functions), self._concurrency, self._limits)
        self._protocol = Protocol(self._http, self.id, self._lease)
        self._heartbeats = Heartbeats(
            self._heartbeat_http, Protocol(self._heartbeat_http, self.id, self._lease), self._lease, self._running, self._commands.put)
        self._progress = Progress(self._http, self._running)
        claims = Claims(
            self._claim_http, Protocol(self._claim_http, self.id, self._lease), self._running, self._start, self._commands.put)
        handlers = self._install_handlers()
        try:
            log.info("Worker %s does up to %d generations of %s at once", self.id, self._concurrency, ", ".join(sorted(self._functions)))
            loops = {"claims": claims.run, "heartbeats": self._heartbeats.run, "progress": self._progress.run}
            threads = [self._spawn_loop(name, run) for name, run in loops.items()]
            failure = self._supervise()
            self._drain(threads)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if failure is not None:
            raise failure

    def _supervise(self) -> Optional[Exception]:
        """Looks after what runs until it has to end. Returns why, if that is an error."""
        while True:
            command = self._next_command(_TICK)
            if command == _STOP:
                return None
            if isinstance(command, Exception):
                log.error("The worker stops: %s", command)
                return command
            self._heartbeats.refresh()
            self._release_stuck()

    def _drain(self, threads: List[threading.Thread]) -> None:
        self._running.take_no_more()
        self._claim_http.close()
        threads[0].join(_PATIENCE)
        count = len(self._unsettled())
        if count > 0:
            log.info("Stopping: %d generations may go on for %.0f s; the rest are handed back", count, self._grace)
        self._until_settled(self._grace, can_end=True)
        for attempt in self._unsettled():
            attempt.stop(SHUTDOWN)
        self._until_settled(_PATIENCE + _LAST_WRITES, can_end=False)
        self._last_heartbeat()
        for attempt in self._unsettled():
            log.warning("%s could not be handed back: its lease will end", attempt.grant.id)
            attempt.gone.set()
        self._running.close()
        self._heartbeat_http.close()
        self._http.close()
        self._progress.wake()
        for thread in threads:
            thread.join(_PATIENCE)
        left = [attempt.grant.id for attempt in self._running.snapshot()]
        log.info("Stopped%s", f"; still running, without effect: {', '.join(left)}" if left else "")

    def _until_settled(self, limit: float, can_end: bool) -> None:
        end = now() + limit
        while self._unsettled() and now() < end:
            command = self._next_command(min(_TICK, max(0.0, end - now())))
            if command == _STOP and can_end:
                return
            self._heartbeats.refresh()
            self._release_stuck()

    def _last_heartbeat(self) -> None:
        """Hands back what a claim was granted whose answer was lost [X12]."""
        try:
            self._heartbeats.beat(0)
        except StatusUpdatesError as failure:
            log.info("The last heartbeat failed: %s", failure)

    def _release_stuck(self) -> None:
        for attempt in self._running.snapshot():
            if attempt.is_stuck(_PATIENCE) and not attempt.is_settled and not attempt.is_releasing:
                attempt.is_releasing = True
                _spawn("release", functools.partial(release, attempt))

    def _unsettled(self) -> List[Attempt]:
        return [attempt for attempt in self._running.snapshot() if not attempt.is_settled and not attempt.gone.is_set()]

    def _next_command(self, timeout: float) -> Union[str, Exception, None]:
        try:
            # None: something has changed.
            return self._commands.get(timeout=timeout)
        except queue.Empty:
            return None

    def _start(self, grant: Grant) -> None:
        log.info("%s (attempt %d): %s for %s", grant.id, grant.attempt, grant.task, grant.user_id)
        attempt = Attempt(grant, self._protocol, lambda: self._commands.put(None), self._progress.wake)
        self._running.add(attempt)
        _spawn(f"job-{grant.id}", functools.partial(self._execute, attempt))

    def _execute(self, attempt: Attempt) -> None:
        try:
            execute(self._functions[attempt.grant.task], attempt)
        finally:
            self._running.remove(attempt)
            self._commands.put(None)

    def _spawn_loop(self, name: str, run: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                run()
            except Exception as failure:
                # Without this loop the worker would only seem to work.
                log.exception("The loop for %s has failed", name)
                self._commands.put(failure)

        return _spawn(name, guarded)

    def _install_handlers(self) -> Dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}

        def handle(number: int, frame: Optional[FrameType]) -> None:
            self._commands.put(_STOP)

        return {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}


def _spawn(name: str, run: Callable[[], None]) -> threading.Thread:
    # Daemons: what does not return must not keep the process from ending.
    thread = threading.Thread(target=run, name=f"statusupdates-{name}", daemon=True)
    thread.start()
    return thread


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}; it is {value!r}.")
