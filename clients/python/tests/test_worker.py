import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest.mock

import statusupdates as su
from tests.desk import WorkerCase, grant, until
from tests.scripted import in_turn

logging.getLogger("statusupdates").setLevel(logging.CRITICAL + 1)


class OutcomeTest(WorkerCase):
    def run_one(self, function, grant_=None, action="complete", **options):
        self.desk.offer(grant_ or grant("gen-1"))
        end = self.start(self.worker(function, **options))
        members = self.desk.until_called(action, "gen-1")
        end()
        return members

    def test_what_a_task_returns_is_uploaded_and_completes_it(self):
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(b"a picture")
            file.flush()

            def poem(job):
                job.tokens_used = 12
                self.assertEqual(
                    ("gen-1", 1, 0, "alice", "chat", "poem", "About gen-1", {}, None),
                    (job.id, job.attempt, job.failures, job.user_id, job.type, job.task, job.prompt, job.options, job.deadline))
                return [su.Text("Wörds"), su.Bytes(b"\0", "image/webp"), su.File(file.name), su.Link("https://elsewhere.test/x"), "plain"]

            members = self.run_one(poem)
        self.assertEqual([f"https://results.test/{n}" for n in (1, 2, 3)], members["resultUrls"][:3])
        self.assertEqual(("https://elsewhere.test/x", 12), (members["resultUrls"][3], members["tokensUsed"]))
        uploads = [r for r in self.server.requests if "/results?" in r.path]
        self.assertEqual(
            [("Wörds".encode(), "text/plain; charset=utf-8"), (b"\0", "image/webp"), (b"a picture", "image/png"),
             (b"plain", "text/plain; charset=utf-8")],
            [(r.body, r.headers["Content-Type"]) for r in uploads])
        self.assertTrue(all(r.headers["traceparent"].startswith("00-") for r in uploads))
        self.assertIn("attempt=1", uploads[0].path)

    def test_an_async_task_works_the_same(self):
        async def poem(job):
            await asyncio.sleep(0)
            job.progress(50)
            return "words"

        self.run_one(poem)
        self.assertEqual("complete", self.desk.actions("gen-1")[-1])

    def test_each_way_to_fail_says_what_the_user_reads_and_whether_it_is_tried_again(self):
        def raising(failure):
            def poem(job):
                raise failure
            return poem

        for function, expected in (
            (raising(su.Permanent("Too rude.")), {"message": "Too rude.", "retryable": False}),
            (raising(su.Retry("Busy.", after=7)), {"message": "Busy.", "retryable": True, "retryAfterSeconds": 7}),
            (raising(su.Retry(after=10**9)), {"message": "The provider failed for now.", "retryable": True, "retryAfterSeconds": 86400}),
            (raising(RuntimeError("secret")), {"message": "The worker failed unexpectedly.", "retryable": True}),
            (raising(SystemExit()), {"message": "The worker failed unexpectedly.", "retryable": True}),
            (raising(asyncio.CancelledError()), {"message": "The worker failed unexpectedly.", "retryable": True}),
            (lambda job: None, {"message": "The worker failed unexpectedly.", "retryable": True}),
            (lambda job: [], {"message": "The worker failed unexpectedly.", "retryable": True}),
            (lambda job: su.Link("/relative"), {"message": "The worker failed unexpectedly.", "retryable": True}),
            (lambda job: su.Text(""), {"message": "The worker failed unexpectedly.", "retryable": True}),
            (lambda job: su.File("/does/not/exist"), {"message": "The worker failed unexpectedly.", "retryable": True}),
        ):
            self.desk.calls.clear()
            members = self.run_one(function, action="fail")
            self.assertEqual(expected, {name: members[name] for name in members if name not in ("workerId", "attempt", "updateId")})

    def test_a_postponed_generation_is_released_without_a_failure(self):
        def poem(job):
            raise su.Postpone(after=30)

        self.assertEqual(30, self.run_one(poem, action="release")["retryAfterSeconds"])

    def test_an_outcome_that_is_not_answered_is_repeated_with_the_same_update_id(self):
        self.desk.on["complete"] = in_turn(
            lambda r: r.cut(), lambda r: r.problem(503, "database_unavailable"), lambda r: r.problem(429, "rate_limited"), lambda r: r.answer(500),
            lambda r: r.problem(401, "invalid_token"), lambda r: r.ok({"status": "completed", "seq": 3}))
        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(lambda job: "words", token=lambda: "fresh"))
        self.desk.until(lambda desk: desk.actions("gen-1").count("complete") == 6)
        end()
        self.assertEqual(1, len({c[2]["updateId"] for c in self.desk.calls if c[0] == "complete"}))

    def test_an_upload_that_is_refused_as_too_large_fails_for_good(self):
        self.desk.on["results"] = lambda r: r.problem(413, "body_too_large", "At most 4 MiB.")
        members = self.run_one(lambda job: "words", action="fail")
        self.assertEqual(("The result is too large.", False), (members["message"], members["retryable"]))

    def test_after_a_refusal_that_ends_the_attempt_nothing_more_is_sent_for_it(self):
        for code in ("stale_attempt", "generation_terminal", "deadline_passed", "not_found"):
            for action in ("update", "results", "complete"):
                self.desk.calls.clear()
                self.desk.on = {action: lambda r: r.problem(404 if code == "not_found" else 409, code)}
                ended = threading.Event()

                def poem(job):
                    try:
                        if action == "update":
                            job.progress(10)
                            job.wait(60)
                        return "words"
                    finally:
                        ended.set()

                self.desk.offer(grant("gen-1"))
                end = self.start(self.worker(poem))
                self.assertTrue(ended.wait(60))
                self.desk.until_called(action, "gen-1")
                end()
                self.assertEqual(action, self.desk.actions("gen-1")[-1], (code, action))


class StopTest(WorkerCase):
    def test_a_cancel_stops_a_task_at_its_next_call_even_through_except_Exception_and_it_is_released(self):
        reasons = []

        def poem(job):
            self.desk.stop("gen-1")
            try:
                while True:
                    try:
                        job.wait(0.01)
                        job.check()
                    except Exception:
                        pass
            except su.Stopped as stopped:
                reasons.append((stopped.reason, job.stopped, job.cancelled))
                raise

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until_called("release", "gen-1")
        end()
        self.assertEqual([("cancel_requested", "cancel_requested", True)], reasons)
        self.assertEqual(["release"], self.desk.actions("gen-1"))

    def test_a_cancel_cancels_an_async_task_while_it_waits(self):
        async def poem(job):
            self.desk.stop("gen-1")
            await asyncio.sleep(3600)

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until_called("release", "gen-1")
        end()

    def test_what_must_stop_is_listed_no_more_and_a_task_that_does_not_return_is_released_without_it(self):
        import statusupdates.worker as module
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def poem(job):
            if job.id == "gen-1":
                go_on.wait(60)
            return "words"

        with unittest.mock.patch.object(module, "_PATIENCE", 0.1):
            self.desk.offer(grant("gen-1"))
            end = self.start(self.worker(poem, concurrency=2))
            self.desk.until(lambda desk: desk.heartbeats)
            self.desk.stop("gen-1", reason="timed_out")
            self.desk.until_called("release", "gen-1")
            after = len(self.desk.heartbeats)
            # It keeps its slot: only one more is done at a time.
            self.desk.offer(grant("gen-2"))
            self.desk.until_called("complete", "gen-2")
            self.assertEqual(1, self.desk.claims[-1]["free"])
            go_on.set()
            self.desk.until(lambda desk: desk.claims[-1]["free"] == 2)
            end()
        self.assertEqual(["release"], self.desk.actions("gen-1"))
        self.assertEqual([], [h for h in self.desk.heartbeats[after:] if any(g["id"] == "gen-1" for g in h["generations"])])

    def test_a_lost_lease_stops_the_task_and_nothing_more_is_sent(self):
        reasons = []

        def poem(job):
            self.desk.lose("gen-1")
            try:
                job.wait(60)
            except su.Stopped as stopped:
                reasons.append(stopped.reason)
                raise

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        until(lambda: reasons)
        end()
        self.assertEqual((["lost"], []), (reasons, self.desk.calls))

    def test_a_newer_attempt_of_the_same_generation_ends_the_older_one(self):
        reasons = []

        def poem(job):
            if job.attempt == 2:
                return "words"
            self.desk.offer(grant("gen-1", attempt=2))
            try:
                job.wait(60)
            except su.Stopped as stopped:
                reasons.append(stopped.reason)
                raise

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.assertEqual(2, self.desk.until_called("complete", "gen-1")["attempt"])
        until(lambda: reasons)
        end()
        self.assertEqual((["lost"], ["results", "complete"]), (reasons, self.desk.actions("gen-1")))

    def test_a_cancel_that_comes_while_a_heartbeat_waits_without_the_new_generation_is_heard_within_seconds(self):
        def beat(request):
            if len(request.json["generations"]) == 1:
                request.until_closed()
            else:
                self.desk._heartbeat(request)

        self.desk.on["heartbeat"] = beat

        def poem(job):
            job.wait(60)

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until(lambda desk: desk.heartbeats)
        self.desk.offer(grant("gen-2"))
        self.desk.stop("gen-2")
        self.desk.until_called("release", "gen-2")
        end()

    def test_at_the_end_the_grace_period_lets_running_ones_finish_and_the_rest_is_handed_back(self):
        started = threading.Barrier(3)

        def poem(job):
            started.wait(60)
            if job.id == "gen-1":
                time.sleep(0.2)
                return "words"
            job.wait(60)

        self.desk.offer(grant("gen-1"), grant("gen-2"))
        worker = self.worker(poem, grace=2)
        end = self.start(worker)
        started.wait(60)
        self.assertIsNone(end())
        self.assertEqual((["results", "complete"], ["release"]), (self.desk.actions("gen-1"), self.desk.actions("gen-2")))
        self.assertEqual([], self.desk.heartbeats[-1]["generations"])

    def test_a_result_that_is_there_when_the_grace_period_ends_is_not_thrown_away(self):
        started = threading.Event()

        def poem(job):
            started.set()
            try:
                job.wait(60)
            except su.Stopped:
                return "words"

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.assertTrue(started.wait(60))
        end()
        self.assertEqual(["results", "complete"], self.desk.actions("gen-1"))

    def test_what_a_lost_answer_granted_is_handed_back_by_a_heartbeat_or_the_last_one(self):
        self.desk.on["claim"] = in_turn(lambda r: r.cut(), lambda r: r.problem(503, "draining"), self.desk._claim)
        self.desk.unlisted.append({"id": "gen-9", "attempt": 4})
        end = self.start(self.worker(lambda job: "words"))
        self.assertEqual(4, self.desk.until_called("release", "gen-9")["attempt"])
        self.desk.unlisted.append({"id": "gen-8", "attempt": 1})
        end()
        self.assertEqual({"release"}, set(self.desk.actions("gen-8")))

    def test_what_a_claim_may_still_bring_is_not_handed_back(self):
        answered = threading.Event()

        def claim(request):
            if answered.is_set():
                self.desk._claim(request)
            else:
                answered.wait(60)
                self.desk.unlisted.clear()
                request.ok({"generations": [grant("gen-2")]})

        def poem(job):
            if job.id == "gen-1":
                self.desk.on["claim"] = claim
                # Granted, but its answer is on its way.
                self.desk.unlisted.append({"id": "gen-2", "attempt": 1})
                job.wait(60)
            return "words"

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until(lambda desk: len(desk.heartbeats) >= 4)
        answered.set()
        self.desk.until_called("complete", "gen-2")
        end()
        self.assertEqual(["results", "complete"], self.desk.actions("gen-2"))


class FlowTest(WorkerCase):
    def test_no_more_is_claimed_than_there_are_slots_in_all_and_of_a_task(self):
        lock = threading.Lock()
        now, most = {"poem": 0, "epic": 0}, {"poem": 0, "epic": 0, "all": 0}

        def work(job):
            with lock:
                now[job.task] += 1
                most[job.task] = max(most[job.task], now[job.task])
                most["all"] = max(most["all"], sum(now.values()))
            time.sleep(0.01)
            with lock:
                now[job.task] -= 1
            return "words"

        worker = self.worker(work, concurrency=3)
        worker.task("epic", concurrency=1)(work)
        rest = [grant(f"gen-{n}", task="epic" if n % 2 else "poem") for n in range(20)]

        def claim(request):
            asked = request.json
            granted = []
            with lock:
                of = dict(asked["freeOf"])
                for one in list(rest):
                    if len(granted) < asked["free"] and one["task"] in asked["tasks"] and of.get(one["task"], 99) > 0:
                        of[one["task"]] = of.get(one["task"], 99) - 1
                        rest.remove(one)
                        granted.append(one)
            if not granted:
                time.sleep(0.01)
            request.ok({"generations": granted})

        self.desk.on["claim"] = claim
        end = self.start(worker)
        self.desk.until(lambda desk: sum(c[0] == "complete" for c in desk.calls) == 20)
        end()
        self.assertEqual((1, True), (most["epic"], most["all"] <= 3))
        self.assertTrue(all(0 < n for c in self.desk.claims for n in c["freeOf"].values()))

    def test_only_the_newest_progress_is_sent_rising_and_a_few_times_a_second(self):
        def poem(job):
            for percent in range(1, 101):
                job.progress(percent)
                job.progress(percent / 2)
                time.sleep(0.005)
            return "words"

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until_called("complete", "gen-1")
        end()
        progress = [c[2]["progress"] for c in self.desk.calls if c[0] == "update"]
        self.assertTrue(2 <= len(progress) <= 8, progress)
        self.assertEqual(sorted(set(progress)), progress)
        self.assertEqual(["results", "complete"], self.desk.actions("gen-1")[-2:])

    def test_progress_that_is_lost_is_not_repeated_and_does_not_hold_up_the_outcome(self):
        self.desk.on["update"] = lambda r: r.cut()

        def poem(job):
            job.progress(10)
            job.wait(0.1)
            return "words"

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until_called("complete", "gen-1")
        end()
        self.assertEqual(["update", "results", "complete"], self.desk.actions("gen-1"))

    def test_claims_and_heartbeats_go_on_after_failures(self):
        failures = [lambda r: r.cut(), lambda r: r.problem(503, "draining"), lambda r: r.answer(502, b"<html>"), lambda r: r.answer(200, b"{}"),
                    lambda r: r.ok({"unexpected": 1}), lambda r: r.problem(429, "rate_limited")]
        self.desk.on["claim"] = in_turn(*failures, self.desk._claim)
        self.desk.on["heartbeat"] = in_turn(*failures, self.desk._heartbeat)

        def poem(job):
            until(lambda: len(self.desk.heartbeats) > len(failures))
            self.desk.stop("gen-1")
            job.wait(60)

        self.desk.offer(grant("gen-1"))
        end = self.start(self.worker(poem))
        self.desk.until_called("release", "gen-1")
        end()

    def test_what_cannot_get_better_ends_the_worker_with_an_error_after_handing_back_what_runs(self):
        for status, code, kind in ((401, "invalid_token", su.Unauthorized), (403, "forbidden", su.Forbidden), (400, "invalid_request", su.ApiError)):
            self.desk.calls.clear()
            self.desk.on["claim"] = in_turn(self.desk._claim, lambda r: r.problem(status, code, "Not you."))
            self.desk.offer(grant("gen-1"))
            failure = self.start(self.worker(lambda job: job.wait(60)))(stop=False)
            self.assertIsInstance(failure, kind)
            self.assertIn("Not you.", str(failure))
            self.assertEqual(["release"], self.desk.actions("gen-1"))

    def test_many_generations_are_done_once_each(self):
        self.desk.offer(*(grant(f"gen-{n}") for n in range(300)))
        end = self.start(self.worker(lambda job: su.Link("https://elsewhere.test"), concurrency=8))
        self.desk.until(lambda desk: sum(c[0] == "complete" for c in desk.calls) == 300)
        end()
        self.assertEqual(300, len({c[1] for c in self.desk.calls}))

    def test_an_invalid_argument_is_named_with_what_is_allowed(self):
        for call, text in (
            (lambda: self.worker(concurrency=0), "concurrency must be a whole number from 1 to 500"), (lambda: self.worker(lease=4), "lease must be"),
            (lambda: self.worker(grace=-1), "grace must be"), (lambda: self.worker().task("Poem"), "task's name"),
            (lambda: self.worker().run(), "no task"), (lambda: self.worker(print).task("poem"), "already has a function"),
            (lambda: self.worker().task("x", concurrency=0), "concurrency must be"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                call()


WORKER = """
import logging, sys, time
import statusupdates as su
logging.basicConfig(level=logging.INFO)
worker = su.Worker(sys.argv[1], "t", grace=float(sys.argv[2]), concurrency=1)

@worker.task("poem")
def poem(job):
    print("started", flush=True)
    {body}

worker.run()
print("ended", flush=True)
"""


class ProcessTest(WorkerCase):
    def process(self, body, grace):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER.replace("{body}", body), self.server.url, str(grace)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=os.path.dirname(os.path.dirname(__file__)))
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        return process

    def test_SIGTERM_and_SIGINT_end_an_idle_worker_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.desk.claims.clear()
            process = self.process("return 'words'", 60)
            self.desk.until(lambda desk: desk.claims)
            process.send_signal(number)
            self.assertEqual(("ended\n", 0), (process.communicate(timeout=60)[0], process.returncode))

    def test_SIGTERM_hands_back_what_does_not_finish_and_a_second_one_ends_the_grace_period(self):
        for signals, grace in ((1, 0.1), (2, 3600)):
            self.desk.calls.clear()
            self.desk.offer(grant("gen-1"))
            process = self.process("job.wait(3600)", grace)
            self.assertEqual("started\n", process.stdout.readline())
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            self.assertEqual(("ended\n", 0), (process.communicate(timeout=60)[0], process.returncode))
            self.assertEqual(["release"], self.desk.actions("gen-1"))

    def test_a_task_that_ignores_that_it_must_stop_does_not_keep_the_process_alive(self):
        self.desk.offer(grant("gen-1"))
        process = self.process("time.sleep(3600)", 0)
        self.assertEqual("started\n", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(("ended\n", 0), (process.communicate(timeout=60)[0], process.returncode))
        self.assertEqual(["release"], self.desk.actions("gen-1"))
