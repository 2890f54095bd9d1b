"""Submitting, reading and canceling generations."""

from __future__ import annotations

import datetime
import ssl
import uuid
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Type, Union

from ._backoff import now, persist
from ._http import Http, Query, segment
from ._tokens import Tokens, TokenSource
from .feed import Feed
from .models import Generation, History, Update, check_since, to_wire_time

_PATH = "api/v1/generations"
_HISTORY_PAGE = 1000


class Client:
    """The API for one user, the one whose token it sends. Thread-safe.

    Every call is repeated, with growing random pauses, while the network or the server is away, for ``timeout`` seconds; then it raises
    :class:`Unavailable`. What the API refuses raises :class:`ApiError` at once.

    :param url: The API's address, such as ``http://localhost:5080``.
    :param token: A token, or a function that returns a fresh one on every call.
    :param context: How to check the server's certificate; by default as Python does.
    """

    def __init__(self, url: str, token: TokenSource, *, timeout: float = 60.0, context: Optional[ssl.SSLContext] = None) -> None:
        self._url = url
        self._token = token
        self._context = context
        self._timeout = timeout
        self._http = Http(url, Tokens(token), context)

    def submit(
        self, type: str, prompt: str, *, task: Optional[str] = None, options: Optional[Mapping[str, Any]] = None,
        deadline: Optional[datetime.datetime] = None, key: Optional[str] = None,
    ) -> Generation:
        """Submits a generation. It is durable when this returns.

        :param deadline: If it has not ended by then, it fails; at most 30 days ahead.
        :param key: The submission's idempotency key, 1 to 255 printable ASCII characters: the same key and request, even from another process, return
            the same generation. By default a new one, which only makes this call's own repeats safe.
        """
        data: Dict[str, Any] = {"type": type, "prompt": prompt}
        if task is not None:
            data["task"] = task
        if options is not None:
            data["options"] = dict(options)
        if deadline is not None:
            data["deadline"] = to_wire_time(deadline)
        headers = {"Idempotency-Key": key if key is not None else str(uuid.uuid4())}
        return Generation.of(self._call("POST", _PATH, data=data, headers=headers))

    def get(self, id: str) -> Generation:
        """A generation. :raises ApiError: 404, it does not exist or belongs to another user."""
        return Generation.of(self._call("GET", f"{_PATH}/{segment(id)}"))

    def list(
        self, *, status: Optional[str] = None, type: Optional[str] = None, start: Union[datetime.datetime, datetime.date, None] = None,
        end: Union[datetime.datetime, datetime.date, None] = None, page: int = 50,
    ) -> Iterator[Generation]:
        """The user's generations, newest first. Pages of ``page`` (1 to 100) are requested as the iteration needs them.

        ``start`` and ``end`` are inclusive, by creation; an ``end`` without a time includes that day.
        """
        query: Dict[str, Union[str, int, float, None]] = {
            "status": status, "type": type, "startDate": _bound(start), "endDate": _bound(end), "limit": page,
        }
        while True:
            answer = self._call("GET", _PATH, query=query)
            for item in answer["items"]:
                yield Generation.of(item)
            query["cursor"] = answer.get("nextCursor")
            if query["cursor"] is None:
                return

    def history(self, id: str, since: Union[str, int, None] = None) -> History:
        """A generation's updates, after the cursor ``since`` if there is one."""
        items = []
        cursor = check_since(since)
        complete = True
        while True:
            page = self._call("GET", f"{_PATH}/{segment(id)}/history", query={"since": cursor, "limit": _HISTORY_PAGE})
            items += [Update.of(item) for item in page["items"]]
            complete = complete and bool(page["complete"])
            if len(page["items"]) < _HISTORY_PAGE:
                return History(items, complete)
            cursor = items[-1].cursor or str(items[-1].seq)

    def cancel(self, id: str) -> Generation:
        """Cancels a generation: a pending one at once; the worker of a running one is asked to stop, and ``cancel_requested_at`` is set.

        :raises ApiError: 409 ``generation_terminal``, it has already ended.
        """
        return Generation.of(self._call("POST", f"{_PATH}/{segment(id)}/cancel"))

    def feed(self, *, since: Union[str, int, None] = None, generation_id: Optional[str] = None) -> Feed:
        """The user's updates as they come: see :class:`Feed`."""
        return Feed(self._url, self._token, since=since, generation_id=generation_id, context=self._context)

    def close(self) -> None:
        """Ends all calls, which raise :class:`Closed`. Feeds are closed separately."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], failure: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def _call(
        self, method: str, path: str, *, query: Optional[Query] = None, data: Optional[Any] = None, headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        call: Callable[[], Any] = lambda: self._http.request(method, path, query=query, data=data, headers=headers)
        return persist(call, self._http.closing, until=now() + self._timeout, what=f"{method} {path}")


def _bound(bound: Union[datetime.datetime, datetime.date, None]) -> Optional[str]:
    return None if bound is None else to_wire_time(bound) if isinstance(bound, datetime.datetime) else bound.isoformat()
