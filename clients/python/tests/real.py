"""What tests against a real system share. They are skipped unless ``STATUSUPDATES_BASE_URL`` names one, in Development, without other workers."""

import json
import os
import threading
import unittest
import urllib.request
import uuid

import statusupdates as su

BASE_URL = os.environ.get("STATUSUPDATES_BASE_URL", "")
PATIENCE = 120


def _token(path, **body):
    request = urllib.request.Request(f"{BASE_URL}/api/v1/dev/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)["data"]["token"]


def user_token(user):
    return _token("token", userId=user)


def worker_token(*tasks):
    return _token("worker-token", name="python-tests", tasks=list(tasks or ["*"]))


@unittest.skipUnless(BASE_URL, "STATUSUPDATES_BASE_URL names no system to test against.")
class RealCase(unittest.TestCase):
    """A user of its own for each test, and its workers, which end with it."""

    def setUp(self):
        self.user = f"py-{uuid.uuid4()}"
        self.token = user_token(self.user)
        self.client = su.Client(BASE_URL, self.token, timeout=PATIENCE)
        self.addCleanup(self.client.close)

    def feed(self, since=0, **options):
        feed = self.client.feed(since=since, **options)
        self.addCleanup(feed.close)
        # A test that waits for what never comes fails instead of hanging.
        timer = threading.Timer(PATIENCE, feed.close)
        timer.daemon = True
        timer.start()
        self.addCleanup(timer.cancel)
        return feed

    def until(self, generation, status, since=0):
        """The updates of a generation from the start of the log until this status."""
        updates = []
        for item in self.feed(since, generation_id=generation.id):
            updates.append(item)
            if item.status == status:
                return updates
            self.assertFalse(item.is_terminal, updates)
        raise AssertionError(f"It did not become {status}: {updates}")

    def worker(self, function, task="chat_processing", token=None, **options):
        """Starts a worker; returns it, and what ends it."""
        worker = su.Worker(BASE_URL, token or worker_token(), **{"grace": 0, **options})
        worker.task(task)(function)
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
            thread.join(PATIENCE)
            self.assertFalse(thread.is_alive(), "The worker did not end.")
            return failures[0] if failures else None

        self.addCleanup(end)
        return end


def open_result(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return answer.headers.get_content_type(), answer.read()
