import asyncio
import datetime
import logging
import os
import tempfile
import threading
import time

import statusupdates as su
from tests.real import RealCase, open_result, user_token, worker_token

logging.getLogger("statusupdates").setLevel(logging.ERROR)


class RealWorkerTest(RealCase):
    def test_a_generation_is_done_with_progress_and_its_results_can_be_fetched(self):
        data = os.urandom(3_000_000)
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(data)
            file.flush()

            def chat(job):
                self.assertEqual(("chat", "chat_processing", "Hello, wörld", {"seed": 7}, self.user, 1), (
                    job.type, job.task, job.prompt, dict(job.options), job.user_id, job.attempt))
                job.progress(30)
                job.wait(0.3)
                job.progress(60)
                job.wait(0.3)
                job.tokens_used = 42
                return [su.Text("Hällo"), su.File(file.name), su.Link("https://elsewhere.test/x")]

            end = self.worker(chat)
            generation = self.client.submit("chat", "Hello, wörld", options={"seed": 7})
            updates = self.until(generation, "completed")
            end()
        self.assertEqual([None, None, 30, 60, 100], [u.progress for u in updates])
        self.assertEqual(["pending"] + ["processing"] * 3 + ["completed"], [u.status for u in updates])
        last = updates[-1]
        self.assertEqual((42, 1, "https://elsewhere.test/x"), (last.tokens_used, last.attempt, last.result_urls[2]))
        self.assertEqual(("text/plain", "Hällo".encode()), open_result(last.result_urls[0]))
        self.assertEqual(("text/plain", data), open_result(last.result_urls[1]))

    def test_a_failure_that_may_pass_is_retried_and_its_user_reads_why(self):
        def chat(job):
            if job.attempt == 1:
                raise su.Retry("The model is warming up.")
            if job.attempt == 2:
                raise RuntimeError("A secret.")
            return f"Failures before: {job.failures}"

        end = self.worker(chat)
        updates = self.until(self.client.submit("chat", "x"), "completed")
        end()
        retried = [u for u in updates[1:] if u.status == "pending"]
        self.assertEqual(["The model is warming up.", "The worker failed unexpectedly."], [u.error_message for u in retried])
        self.assertTrue(all("retryAt" in u.metadata for u in retried))
        self.assertEqual((3, b"Failures before: 2"), (updates[-1].attempt, open_result(updates[-1].result_urls[0])[1]))

    def test_a_permanent_failure_and_the_last_one_allowed_fail_it(self):
        def chat(job):
            raise su.Permanent("This is not allowed.") if job.prompt == "permanent" else su.Retry("Still busy.")

        end = self.worker(chat)
        permanent, busy = self.client.submit("chat", "permanent"), self.client.submit("chat", "busy")
        self.assertEqual(("This is not allowed.", 1), ((u := self.until(permanent, "failed")[-1]).error_message, u.attempt))
        self.assertEqual(("Still busy.", 3), ((u := self.until(busy, "failed")[-1]).error_message, u.attempt))
        end()

    def test_what_is_postponed_costs_no_failure(self):
        def chat(job):
            if job.attempt <= 4:
                raise su.Postpone(after=0)
            return f"Failures: {job.failures}"

        end = self.worker(chat)
        updates = self.until(self.client.submit("chat", "x"), "completed")
        end()
        self.assertEqual((5, b"Failures: 0"), (updates[-1].attempt, open_result(updates[-1].result_urls[0])[1]))

    def test_a_cancel_reaches_sync_and_async_tasks_at_once_and_one_that_does_not_listen_after_a_while(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        stopped = {}

        def listening(job):
            try:
                job.wait(3600)
            except su.Stopped as reason:
                stopped[job.id] = reason.reason
                raise

        async def async_(job):
            await asyncio.sleep(3600)

        def deaf(job):
            go_on.wait(120)
            return "Too late."

        for function in (listening, async_, deaf):
            end = self.worker(function)
            generation = self.client.submit("chat", "x")
            self.until(generation, "processing")
            asked_at = time.monotonic()
            self.assertIsNotNone(self.client.cancel(generation.id).cancel_requested_at)
            self.assertEqual("canceled", self.until(generation, "canceled")[-1].status)
            if function is not deaf:
                # Not at the next regular heartbeat: within a second or so. This only guards against hanging longer.
                self.assertLess(time.monotonic() - asked_at, 8)
            if function is deaf:
                go_on.set()
            end()
        self.assertEqual(["cancel_requested"], list(stopped.values()))

    def test_a_deadline_that_passes_stops_the_task_and_fails_the_generation(self):
        reasons = []

        def chat(job):
            self.assertIsNotNone(job.deadline)
            try:
                job.wait(3600)
            except su.Stopped as stopped:
                reasons.append(stopped.reason)
                raise

        end = self.worker(chat, lease=5)
        generation = self.client.submit("chat", "x", deadline=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3))
        self.until(generation, "failed")
        end()
        self.assertIn(reasons, (["deadline_passed"], ["lost"]))

    def test_a_worker_that_is_stopped_hands_back_what_it_did_and_another_one_goes_on(self):
        started = threading.Event()

        def first(job):
            started.set()
            job.wait(3600)

        end = self.worker(first)
        generation = self.client.submit("chat", "x")
        self.assertTrue(started.wait(120))
        self.assertIsNone(end())
        end = self.worker(lambda job: f"Failures: {job.failures}")
        updates = self.until(generation, "completed")
        end()
        # Usually the second attempt; the claim that the first worker gave up may have been granted, and handed back, in between.
        self.assertEqual((True, b"Failures: 0"), (updates[-1].attempt >= 2, open_result(updates[-1].result_urls[0])[1]))

    def test_two_workers_do_many_generations_of_several_users_once_each(self):
        lock = threading.Lock()
        done = []

        def chat(job):
            with lock:
                done.append(job.id)
            return su.Link("https://elsewhere.test/x")

        clients = [self.client] + [su.Client(self.client._url, user_token(f"{self.user}-{n}")) for n in range(4)]
        ends = [self.worker(chat, concurrency=8), self.worker(chat, concurrency=8)]
        generations = [[client.submit("chat", "x") for _ in range(40)] for client in clients]
        for client, own in zip(clients, generations):
            left = {generation.id for generation in own}
            with client.feed(since=0) as feed:
                for item in feed:
                    if item.is_terminal:
                        self.assertEqual("completed", item.status)
                        left.discard(item.generation_id)
                    if not left:
                        break
        for end in ends:
            self.assertIsNone(end())
        self.assertEqual(sorted(g.id for own in generations for g in own), sorted(done))

    def test_a_result_over_the_limit_fails_with_words_for_the_user(self):
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(3_000_000_000)
            end = self.worker(lambda job: su.File(file.name, "text/plain"))
            self.assertEqual("The result is too large.", self.until(self.client.submit("chat", "x"), "failed")[-1].error_message)
            end()

    def test_a_token_that_is_not_for_workers_or_not_for_the_task_ends_the_worker_with_an_error_that_says_so(self):
        for token, text in ((self.token, "scope worker"), (worker_token("sora"), "sora")):
            failure = self.worker(lambda job: "x", token=token)(stop=False)
            self.assertIsInstance(failure, su.Forbidden)
            self.assertIn(text, str(failure))
