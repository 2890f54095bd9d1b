"""The calls of the worker protocol (docs/worker-protocol.md). Each sends one request; what may be repeated, and for how long, is for the caller."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ._backoff import T
from ._connections import Body
from ._errors import ApiError, Unavailable
from ._http import Http, segment

Json = Mapping[str, Any]
Key = Tuple[str, int]
"""A generation's id and the number of the attempt."""

# An answer to one of these is the end of the attempt [X11].
_ENDS = frozenset(("stale_attempt", "generation_terminal", "deadline_passed", "not_found"))

# How long to wait for bytes, in seconds, in addition to the time for which the server is asked to wait. A claim that is given up may have been
# granted [X3].
_CLAIM_PATIENCE = 45.0
_HEARTBEAT_PATIENCE = 10.0
_UPDATE_PATIENCE = 10.0
_UPLOAD_PATIENCE = 120.0

_MAX_CLAIMED = 100
_MAX_LISTED = 500


def ends_attempt(failure: ApiError) -> bool:
    """Whether this answer says that the attempt is over: nothing more may be sent for it."""
    return failure.code in _ENDS


@dataclass(frozen=True)
class Grant:
    """A claimed generation."""

    id: str
    attempt: int
    failures: int
    user_id: str
    type: str
    task: str
    prompt: str
    options: Json
    deadline: Optional[str]
    seconds_left: Optional[float]
    traceparent: Optional[str]
    raw: Json = field(repr=False)

    @property
    def key(self) -> Key:
        return self.id, self.attempt

    @classmethod
    def of(cls, raw: Json) -> Grant:
        return cls(
            str(raw["id"]), int(raw["attempt"]), int(raw.get("failures", 0)), str(raw["userId"]), str(raw["type"]), str(raw["task"]),
            str(raw["prompt"]), raw.get("options") or {}, raw.get("deadline"), raw.get("secondsLeft"), raw.get("traceparent"), raw)


@dataclass(frozen=True)
class Heartbeat:
    """The answer to a heartbeat."""

    next_seconds: float
    stop: List[Tuple[Key, str]]
    lost: List[Key]
    unlisted: List[Key]


class Protocol:
    """The worker's side of the protocol, under one worker id. Thread-safe; it has connections of its own."""

    def __init__(self, http: Http, worker_id: str, lease: int) -> None:
        self._http = http
        self._worker_id = worker_id
        self._lease = lease

    def claim(self, tasks: Sequence[str], free: int, free_of: Mapping[str, int], held: Iterable[Key], wait: int) -> List[Grant]:
        data = {
            "workerId": self._worker_id, "tasks": list(tasks), "free": min(free, _MAX_CLAIMED), "freeOf": dict(free_of),
            "generations": _list(held), "leaseSeconds": self._lease, "waitSeconds": wait,
        }
        answer = self._http.request("POST", "api/v1/worker/claim", data=data, timeout=wait + _CLAIM_PATIENCE, resend=False)
        return _parse(lambda: [Grant.of(item) for item in answer["generations"]])

    def heartbeat(self, held: Iterable[Key], wait: int) -> Heartbeat:
        data = {"workerId": self._worker_id, "generations": _list(held), "leaseSeconds": self._lease, "waitSeconds": wait}
        answer = self._http.request("POST", "api/v1/worker/heartbeat", data=data, timeout=wait + _HEARTBEAT_PATIENCE)
        return _parse(lambda: Heartbeat(
            float(answer["nextSeconds"]), [(_key(item), str(item["reason"])) for item in answer["stop"]], [_key(item) for item in answer["lost"]],
            [_key(item) for item in answer["unlisted"]]))

    def update(self, grant: Grant, progress: int) -> None:
        self._call("POST", grant, "update", {"progress": progress, "updateId": new_update_id()}, _UPDATE_PATIENCE)

    def upload(self, grant: Grant, body: Body, content_type: str) -> str:
        """Stores a result, and returns its address."""
        answer = self._http.request(
            "POST", f"api/v1/worker/generations/{segment(grant.id)}/results", query={"workerId": self._worker_id, "attempt": grant.attempt},
            body=body, headers={"Content-Type": content_type, **_trace(grant)}, timeout=_UPLOAD_PATIENCE)
        return _parse(lambda: str(answer["url"]))

    def end(self, grant: Grant, outcome: str, members: Json) -> str:
        """Ends the attempt: ``complete``, ``fail`` or ``release``. Returns the status of the generation."""
        answer = self._call("POST", grant, outcome, members, 30.0)
        return _parse(lambda: str(answer["status"]))

    def release(self, key: Key) -> None:
        """Hands back what this worker was granted by an answer that it never got."""
        data = {"workerId": self._worker_id, "attempt": key[1], "updateId": new_update_id()}
        self._http.request("POST", f"api/v1/worker/generations/{segment(key[0])}/release", data=data, timeout=_UPDATE_PATIENCE)

    def _call(self, method: str, grant: Grant, action: str, members: Json, timeout: float) -> Any:
        return self._http.request(
            method, f"api/v1/worker/generations/{segment(grant.id)}/{action}",
            data={"workerId": self._worker_id, "attempt": grant.attempt, **members}, headers=_trace(grant), timeout=timeout)


def new_update_id() -> str:
    """A new id for one call, by which the server recognizes its repeats."""
    return str(uuid.uuid4())


def _trace(grant: Grant) -> Dict[str, str]:
    return {} if grant.traceparent is None else {"traceparent": grant.traceparent}


def _list(held: Iterable[Key]) -> List[Dict[str, Any]]:
    return [{"id": id, "attempt": attempt} for id, attempt in held][:_MAX_LISTED]


def _key(raw: Json) -> Key:
    return str(raw["id"]), int(raw["attempt"])


def _parse(read: Callable[[], T]) -> T:
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError) as failure:
        raise Unavailable(f"The server answered with something else: {failure!r}") from failure
