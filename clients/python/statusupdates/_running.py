"""The attempts that run in this process, and its slots."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from ._attempt import LOST, Attempt
from ._protocol import Key


@dataclass(frozen=True)
class Free:
    """What can be started now: slots in all, the tasks that have one, and how many of those that have fewer."""

    slots: int
    tasks: Tuple[str, ...]
    of: Mapping[str, int]
    is_limited: bool


class Running:
    """Thread-safe. An attempt keeps its slot until its task has returned, even if it is lost: what ignores that it has to stop must not pile up."""

    def __init__(self, tasks: Sequence[str], concurrency: int, limits: Mapping[str, int]) -> None:
        self._tasks = tuple(tasks)
        self._concurrency = concurrency
        self._limits = dict(limits)
        self._attempts: Dict[Key, Attempt] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._takes_more = True
        self._claims_started = 0
        self._claims_ended = 0
        # When an attempt that is unknown here was first seen: how many claims had been started by then.
        self._suspects: Dict[Key, int] = {}
        # How many attempts were ever added.
        self.added = 0
        # A claim that has failed, by number, until a heartbeat has shown whether it was granted all the same.
        self._doubtful: Optional[int] = None

    def snapshot(self) -> List[Attempt]:
        with self._changed:
            return list(self._attempts.values())

    def wait_for_slot(self) -> Optional[Free]:
        """Waits until something can be started; None once nothing more is to be started."""
        with self._changed:
            while self._takes_more:
                free = self._free()
                if free.slots > 0 and free.tasks:
                    return free
                self._changed.wait()
            return None

    def wait_for_work(self) -> bool:
        """Waits until a heartbeat is needed; False once it is closed."""
        with self._changed:
            while not self._is_closed and self._doubtful is None and not any(a.is_held for a in self._attempts.values()):
                self._changed.wait()
            return not self._is_closed

    def add(self, attempt: Attempt) -> None:
        """Adds what was claimed. If an older attempt of the same generation still runs, that one is lost [X4]."""
        with self._changed:
            older = [a for (id, _), a in self._attempts.items() if id == attempt.grant.id]
            self._attempts[attempt.grant.key] = attempt
            self.added += 1
            self._changed.notify_all()
        for other in older:
            other.stop(LOST)

    def remove(self, attempt: Attempt) -> None:
        with self._changed:
            self._attempts.pop(attempt.grant.key, None)
            self._changed.notify_all()

    def take_no_more(self) -> None:
        """Ends :meth:`wait_for_slot`."""
        with self._changed:
            self._takes_more = False
            self._changed.notify_all()

    def close(self) -> None:
        """Ends :meth:`wait_for_work`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    # Claims, and what they may have been granted without this process knowing.

    def claim_started(self) -> None:
        with self._changed:
            self._claims_started += 1

    def claim_ended(self, is_answered: bool) -> None:
        """What was granted must have been added before."""
        with self._changed:
            self._claims_ended = self._claims_started
            if not is_answered:
                self._doubtful = self._claims_ended
                self._changed.notify_all()

    def heartbeat_started(self) -> int:
        """How many claims have ended so far."""
        with self._changed:
            return self._claims_ended

    def orphans(self, unlisted: List[Key], claims_ended: int) -> List[Key]:
        """Which of a heartbeat's unlisted attempts were granted by an answer that was lost [X8]: those that no claim can still bring.

        :param claims_ended: What :meth:`heartbeat_started` returned before that heartbeat.
        """
        with self._changed:
            unknown = {key: self._suspects.get(key, self._claims_started) for key in unlisted if key not in self._attempts}
            orphans = [key for key, claim in unknown.items() if claim <= claims_ended]
            self._suspects = {key: claim for key, claim in unknown.items() if key not in orphans}
            if self._doubtful is not None and self._doubtful <= claims_ended and not self._suspects:
                self._doubtful = None
            return orphans

    def _free(self) -> Free:
        used: Dict[str, int] = {}
        for attempt in self._attempts.values():
            used[attempt.grant.task] = used.get(attempt.grant.task, 0) + 1
        of = {task: limit - used.get(task, 0) for task, limit in self._limits.items()}
        tasks = tuple(task for task in self._tasks if of.get(task, 1) > 0)
        slots = self._concurrency - len(self._attempts)
        return Free(slots, tasks, {task: of[task] for task in tasks if task in of}, len(tasks) < len(self._tasks))


