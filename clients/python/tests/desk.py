"""The API's side of the worker protocol, as a script: a test says what is granted, stopped and lost, and sees every call."""

import collections
import threading
import time

import statusupdates as su
from tests.scripted import ScriptedCase


def grant(id, attempt=1, task="poem", **members):
    return {"id": id, "attempt": attempt, "failures": 0, "userId": "alice", "type": "chat", "task": task, "prompt": f"About {id}", "options": {},
            "secondsLeft": 900, "leaseExpiresAt": "2024-01-01T00:00:30.000Z", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", **members}


class Desk:
    """Grants what is offered, and answers everything else with success unless the test scripts it: ``on[action]``."""

    def __init__(self):
        self._changed = threading.Condition()
        self._offers = collections.deque()
        self._stop = []
        self._lost = []
        self.unlisted = []
        # Every call but claims and heartbeats: (action, generation, members).
        self.calls = []
        self.claims = []
        self.heartbeats = []
        self.on = {}
        # Who gets what is offered: claims of workers that have ended may still wait.
        self.worker_id = None

    def offer(self, *grants):
        with self._changed:
            self._offers.extend(grants)
            self._changed.notify_all()

    def stop(self, id, attempt=1, reason="cancel_requested"):
        with self._changed:
            self._stop.append({"id": id, "attempt": attempt, "reason": reason})
            self._changed.notify_all()

    def lose(self, id, attempt=1):
        with self._changed:
            self._lost.append({"id": id, "attempt": attempt})
            self._changed.notify_all()

    def until(self, condition):
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), 60):
                raise AssertionError(f"Did not happen: {self.calls}, {self.heartbeats}")

    def until_called(self, action, id):
        self.until(lambda desk: any(c[:2] == (action, id) for c in desk.calls))
        return next(c[2] for c in self.calls if c[:2] == (action, id))

    def actions(self, id):
        return [action for action, generation, _ in self.calls if generation == id]

    def script(self, request):
        path = request.path.split("?")[0].split("/")[4:]
        if path[0] in ("claim", "heartbeat"):
            action, id = path[0], None
            members = request.json
        else:
            id, action = path[1], "/".join(path[2:])
            members = request.body if action == "results" else request.json
        with self._changed:
            {"claim": self.claims, "heartbeat": self.heartbeats}.get(action, self.calls).append(
                members if id is None else (action, id, members))
            self._changed.notify_all()
        if action in self.on:
            self.on[action](request)
        else:
            getattr(self, f"_{action}", self._other)(request)

    def _claim(self, request):
        free = request.json["free"]
        granted = []
        with self._changed:
            self._changed.wait_for(lambda: self._offers, min(request.json["waitSeconds"], 1))
            while self._offers and self.worker_id in (None, request.json["workerId"]) and len(granted) < free:
                granted.append(self._offers.popleft())
        request.ok({"generations": granted})

    def _heartbeat(self, request):
        listed = [(item["id"], item["attempt"]) for item in request.json["generations"]]

        def due(items):
            return [item for item in items if (item["id"], item["attempt"]) in listed]

        with self._changed:
            self._changed.wait_for(lambda: due(self._stop) or due(self._lost), min(request.json["waitSeconds"], 1))
            answer = {"leaseExpiresAt": "2024-01-01T00:00:40.000Z", "nextSeconds": 0.05, "stop": due(self._stop), "lost": due(self._lost),
                      "unlisted": [item for item in self.unlisted if (item["id"], item["attempt"]) not in listed]}
        request.ok(answer)

    def _results(self, request):
        request.ok({"url": f"https://results.test/{len(self.calls)}"}, 201)

    def _other(self, request):
        request.ok({"status": {"complete": "completed", "fail": "failed"}.get(request.path.rpartition("/")[2], "pending"), "seq": 1})


class WorkerCase(ScriptedCase):
    def setUp(self):
        super().setUp()
        self.desk = Desk()
        self.server = self.serve(self.desk.script)

    def worker(self, function=None, task="poem", token="t", **options):
        worker = su.Worker(self.server.url, token, **{"grace": 0, **options})
        self.desk.worker_id = worker.id
        if function is not None:
            worker.task(task)(function)
        return worker

    def start(self, worker):
        """Runs the worker in a thread; ends it, or waits for its end, with what this returns."""
        failures = []

        def run():
            try:
                worker.run()
            except Exception as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()

        def end(stop=True):
            if stop:
                worker.stop()
            thread.join(60)
            self.desk.worker_id = "none"
            self.assertFalse(thread.is_alive(), "The worker did not end.")
            return failures[0] if failures else None

        self.addCleanup(end)
        return end


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("Did not happen.")
        time.sleep(0.005)

