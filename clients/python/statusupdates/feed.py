"""Following a user's status updates: each once and in order, across lost connections, restarts and changes of transport."""

from __future__ import annotations

import json
import logging
import random
import ssl
from types import TracebackType
from typing import Any, Dict, Iterator, Optional, Type, Union

from ._backoff import Backoff, now
from ._errors import Closed, Forbidden, Unavailable
from ._events import Event, EventParser
from ._http import Http, Stream
from ._tokens import Tokens, TokenSource
from .models import Json, Resync, Update, check_since, place_of, seq_of

log = logging.getLogger("statusupdates")

# Times are in seconds.
_CONNECT_TIMEOUT = 10.0
_MAX_SILENCE = 45.0
_STABLE_AFTER = 5.0
_DRAIN_WAIT = 1.0
_POLL_TIMEOUT = 25
_RESPONSE_TIMEOUT = 15.0
_SHORT_POLL = 0.5
_STREAM_RETRY = 15.0
_MAX_STREAM_RETRY = 300.0

# How many streams in a row may be cut right after they opened. A restarting server cuts streams too, but rarely this often.
_MAX_CUTS = 3

Item = Union[Update, Resync]


class _Ended(Unavailable):
    """The server ended the stream in order: it restarts, or the token has expired."""


class _Unusable(Exception):
    """No event came through: the stream cannot be opened, though something answers."""


class Feed:
    """A cursor over one user's log, and the updates after it: ``for item in feed``. For one thread at a time; :meth:`close` is for any thread.

    An item is an :class:`Update`, or :class:`Resync` if the log cannot continue from the cursor. The feed reads server-sent events, polls while a
    proxy does not let them through, and reconnects by itself for as long as it takes: only what cannot get better raises an error,
    :class:`Unauthorized`, :class:`Forbidden` or another :class:`ApiError`. Leaving the loop closes the connection; iterating again continues.

    :param url: The API's address, such as ``http://localhost:5080``.
    :param token: A token, or a function that returns a fresh one on every call.
    :param since: The cursor to start after; 0 is the start of the log. By default only new updates follow. A bare seq is accepted too, but cannot
        detect that the log was restored from a backup.
    :param generation_id: Follow only this generation.
    :param context: How to check the server's certificate; by default as Python does.
    """

    def __init__(
        self, url: str, token: TokenSource, *, since: Union[str, int, None] = None, generation_id: Optional[str] = None,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        if generation_id is not None and (not isinstance(generation_id, str) or not 1 <= len(generation_id) <= 100):
            raise ValueError(f"generation_id must be an id of 1 to 100 characters, or None; it is {generation_id!r}.")
        self._cursor = check_since(since)
        self._generation_id = generation_id
        self._http = Http(url, Tokens(token), context)
        self._user_id: Optional[str] = None
        self._backoff = Backoff()
        self._is_iterated = False
        # How many streams in a row were cut as soon as they had opened.
        self._cuts = 0
        # How often in a row the stream was given up, and the time until which it is not tried again.
        self._dead_streams = 0
        self._poll_until = 0.0

    @property
    def cursor(self) -> Optional[str]:
        """The position of the last item, such as ``42-9f3ab2c1``; None while none is known.

        Another feed continues from it. To lose nothing when the process dies, store it with, or after, what was done with the item.
        """
        return self._cursor

    @property
    def seq(self) -> Optional[int]:
        """The number in the cursor."""
        return None if self._cursor is None else seq_of(self._cursor)

    def __iter__(self) -> Iterator[Item]:
        if self._is_iterated:
            raise RuntimeError("This feed is already being iterated. A feed has one cursor; create another feed.")
        self._is_iterated = True
        try:
            yield from self._items()
        finally:
            self._is_iterated = False

    def close(self) -> None:
        """Ends the iteration, without an error. A closed feed cannot be used again."""
        self._http.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], failure: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def _items(self) -> Iterator[Item]:
        while not self._http.closing.is_set():
            try:
                if now() >= self._poll_until:
                    yield from self._over_stream()
                else:
                    yield from self._over_poll()
            except Closed:
                return
            except _Unusable as reason:
                delay = min(_MAX_STREAM_RETRY, _STREAM_RETRY * 2 ** min(self._dead_streams, 10))
                self._dead_streams += 1
                self._poll_until = now() + delay
                log.info("The event stream of %s does not get through, polling for %.0f s: %s", self._http.base, delay, reason)
            except Unavailable as failure:
                self._wait(failure)

    def _wait(self, failure: Unavailable) -> None:
        if isinstance(failure, _Ended):
            delay = random.uniform(0, failure.retry_after or _DRAIN_WAIT)
            log.debug("Reconnecting in %.1f s: %s", delay, failure)
        else:
            delay = self._backoff.next(failure.retry_after)
            log.log(logging.WARNING if self._backoff.failures == 3 else logging.INFO, "Reconnecting in %.1f s: %s", delay, failure)
        self._http.closing.wait(delay)

    # Server-sent events.

    def _over_stream(self) -> Iterator[Item]:
        requested = self._cursor
        query = {"since": requested, "generationId": self._generation_id}
        try:
            stream = self._http.stream("api/v1/status/stream", query, "text/event-stream", _CONNECT_TIMEOUT)
        except Unavailable as failure:
            # The API's own "not now" says how long to wait. What was not reached at all cannot be polled either.
            if not failure.reached or failure.by_api:
                raise
            raise _Unusable(str(failure)) from failure
        connected_at: Optional[float] = None
        received_more = False
        failure_or_none: Optional[Unavailable] = None
        parser = EventParser()
        with stream:
            try:
                for event in _events(stream, parser):
                    if event.type == "unavailable":
                        raise _unavailable(event)
                    received_more = connected_at is not None
                    if connected_at is None and event.type == "connected":
                        connected_at = now()
                        stream.patience(_MAX_SILENCE)
                    yield from self._take(event, requested)
            except Unavailable as failure:
                failure_or_none = failure
        raise self._end_of_stream(connected_at, received_more, parser.retry, failure_or_none)

    def _end_of_stream(
        self, connected_at: Optional[float], received_more: bool, retry: Optional[float], failure: Optional[Unavailable],
    ) -> Exception:
        if connected_at is None:
            if failure is not None and failure.retry_after is not None:
                return failure
            return _Unusable(str(failure or "It ended before its first event."))
        is_stable = received_more or now() - connected_at >= _STABLE_AFTER
        if is_stable:
            self._backoff.reset()
            self._dead_streams = 0
        # An end in order comes from the server. A bare cut may come from something in between, perhaps every time.
        self._cuts = self._cuts + 1 if failure is not None and not is_stable else 0
        if self._cuts >= _MAX_CUTS:
            self._cuts = 0
            return _Unusable(f"{_MAX_CUTS} streams in a row were cut: {failure}")
        return failure or _Ended("The server ended the stream.", retry_after=retry)

    def _take(self, event: Event, requested: Optional[str]) -> Iterator[Item]:
        if event.type not in ("connected", "status_update", "position", "resync"):
            return
        try:
            data: Json = json.loads(event.data)
            update = Update.of(data) if event.type == "status_update" else None
            place = place_of(data) if update is None else None
        except (ValueError, KeyError, TypeError) as failure:
            raise Unavailable(f"The server sent an invalid event: {failure!r}") from failure
        if update is not None:
            yield from self._accept(update)
            return
        assert place is not None
        seq, cursor = place
        if event.type == "connected":
            self._must_belong_to(data.get("userId"))
            self._cursor = event.id or cursor
            # Not the requested start: the updates in between are unknown.
            if requested is not None and seq != seq_of(requested):
                yield Resync(seq, self._cursor)
        elif event.type == "resync":
            self._cursor = event.id or cursor
            yield Resync(seq, self._cursor)
        elif self.seq is None or seq >= self.seq:
            self._cursor = event.id or cursor

    def _accept(self, update: Update) -> Iterator[Update]:
        self._must_belong_to(update.user_id)
        if update.seq is not None:
            if self.seq is not None and update.seq <= self.seq:
                return
            self._cursor = update.cursor or str(update.seq)
        if self._generation_id in (None, update.generation_id):
            yield update

    # A cursor means nothing in another user's log: following that log from it would start anywhere.
    def _must_belong_to(self, user_id: Any) -> None:
        self._user_id = self._user_id or user_id
        if user_id is not None and user_id != self._user_id:
            raise Forbidden(403, "forbidden", f"The token belongs to another user: this feed follows {self._user_id}.")

    # Long-poll.

    def _over_poll(self) -> Iterator[Item]:
        has_answered = False
        try:
            while not self._http.closing.is_set() and now() < self._poll_until:
                # At first it does not wait: a quick answer shows that the API is there.
                timeout = _POLL_TIMEOUT if has_answered else 0
                asked_at = now()
                page = self._poll(timeout)
                has_answered = True
                self._backoff.reset()
                is_empty = True
                for item in self._page(page):
                    is_empty = False
                    yield item
                if is_empty and timeout > 0 and now() - asked_at < _SHORT_POLL:
                    # A server that does not wait, for example because it stops, must not be polled in a tight loop.
                    self._http.closing.wait(random.uniform(0, _SHORT_POLL))
        finally:
            if not has_answered:
                # Not only the stream fails.
                self._poll_until = 0.0

    def _poll(self, timeout: int) -> Json:
        query: Dict[str, Union[str, int, float, None]] = {"since": self._cursor, "timeout": timeout}
        page = self._http.request("GET", "api/v1/status/poll", query=query, timeout=timeout + _RESPONSE_TIMEOUT)
        if not isinstance(page, dict) or not isinstance(page.get("items"), list) or not isinstance(page.get("seq"), int):
            raise Unavailable("The server answered a poll with something else.")
        return page

    def _page(self, page: Json) -> Iterator[Item]:
        seq, cursor = place_of(page)
        if page.get("resync"):
            self._cursor = cursor
            yield Resync(seq, cursor)
            return
        for item in page["items"]:
            try:
                update = Update.of(item)
            except ValueError as failure:
                raise Unavailable(f"The server sent an invalid update: {failure}") from failure
            yield from self._accept(update)
        # Further ahead, or the same position with the check that a bare seq lacks.
        if self.seq is None or seq >= self.seq:
            self._cursor = cursor


def _events(stream: Stream, parser: EventParser) -> Iterator[Event]:
    while True:
        data = stream.read()
        if not data:
            return
        yield from parser.feed(data)


def _unavailable(event: Event) -> Unavailable:
    """A temporary refusal, which is sent as a stream because the request accepts one."""
    try:
        problem = json.loads(event.data)
        return Unavailable(str(problem.get("detail") or problem["title"]), retry_after=event.retry or _DRAIN_WAIT, status=int(problem["status"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unavailable("The server is unavailable.", retry_after=event.retry or _DRAIN_WAIT)
