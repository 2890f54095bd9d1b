import base64
import datetime
import json
import os
import tempfile
import threading
import time
import unittest.mock

import statusupdates as su
from statusupdates._connections import FileBody
from statusupdates._http import Http
from statusupdates._tokens import Tokens
from tests.scripted import ScriptedCase, in_turn, update

GENERATION = {
    "id": "gen-1", "userId": "alice", "type": "chat", "status": "pending", "seq": 7, "cursor": "7-00000007", "prompt": "Hello",
    "createdAt": "2024-01-01T00:00:00.1Z", "updatedAt": "2024-01-01T00:00:00.123Z", "later": "member",
}


class ClientTest(ScriptedCase):
    def client(self, server, token="a-token", **options):
        client = su.Client(server.url, token, **options)
        self.addCleanup(client.close)
        return client

    def test_a_submission_whose_answer_is_lost_is_repeated_with_the_same_key(self):
        server = self.serve(in_turn(
            lambda r: r.cut(), lambda r: r.problem(503, "draining"), lambda r: r.problem(429, "rate_limited"), lambda r: r.answer(404, b"a proxy"),
            lambda r: r.answer(200, b"{", headers={"Content-Length": "100"}), lambda r: r.ok(GENERATION, 202)))
        generation = self.client(server).submit(
            "chat", "Hello, wörld", options={"seed": 1}, deadline=datetime.datetime(2030, 1, 31, tzinfo=datetime.timezone.utc))

        self.assertEqual(("gen-1", "pending", 7), (generation.id, generation.status, generation.seq))
        self.assertEqual(datetime.datetime(2024, 1, 1, 0, 0, 0, 123000, datetime.timezone.utc), generation.updated_at)
        self.assertEqual("member", generation.raw["later"])
        self.assertEqual(1, len({(r.headers["Idempotency-Key"], r.body) for r in server.requests}))
        self.assertEqual(
            {"type": "chat", "prompt": "Hello, wörld", "options": {"seed": 1}, "deadline": "2030-01-31T00:00:00+00:00"}, server.requests[0].json)

    def test_retry_after_is_honored_and_a_call_ends_with_its_time(self):
        server = self.serve(lambda r: r.problem(429, "rate_limited", "Slow down.", headers={"Retry-After": "5"}))
        with self.assertRaisesRegex(su.Unavailable, "Slow down.") as caught:
            self.client(server, timeout=4).get("gen-1")
        self.assertEqual((5, 429, 1), (caught.exception.retry_after, caught.exception.status, len(server.requests)))

    def test_what_the_API_refuses_is_an_error_at_once_that_says_what_is_allowed(self):
        server = self.serve(lambda r: r.problem(400, "invalid_request", "Invalid.", errors={"type": ["Must be chat."]}))
        with self.assertRaisesRegex(su.ApiError, r"Invalid. \(type: Must be chat.\)") as caught:
            self.client(server).submit("x", "y")
        self.assertEqual((400, {"type": ["Must be chat."]}), (caught.exception.status, caught.exception.errors))
        self.assertEqual(1, len(server.requests))

    def test_a_redirect_is_not_followed_with_the_token_and_the_error_says_where_it_points(self):
        server = self.serve(lambda r: r.answer(308, headers={"Location": "https://elsewhere.test/"}))
        with self.assertRaisesRegex(su.Unavailable, "308 and points to https://elsewhere.test/"):
            self.client(server, timeout=0).get("gen-1")

    def test_pages_are_requested_as_the_iteration_needs_them(self):
        server = self.serve(in_turn(
            lambda r: r.ok({"items": [GENERATION, GENERATION], "nextCursor": "next"}), lambda r: r.ok({"items": [GENERATION]})))
        items = self.client(server).list(status="failed", start=datetime.date(2024, 1, 1), page=2)
        self.assertEqual(3, len(list(items)))
        self.assertEqual(["GET /api/v1/generations?status=failed&startDate=2024-01-01&limit=2",
                          "GET /api/v1/generations?status=failed&startDate=2024-01-01&limit=2&cursor=next"], server.lines)

    def test_a_history_is_read_to_its_end(self):
        server = self.serve(in_turn(
            lambda r: r.ok({"items": [update(s) for s in range(1, 1001)], "complete": False}),
            lambda r: r.ok({"items": [update(1001)], "complete": True})))
        history = self.client(server).history("gen/1")
        self.assertEqual((1001, False), (len(history.items), history.complete))
        self.assertEqual("GET /api/v1/generations/gen%2F1/history?since=1000-000003e8&limit=1000", server.lines[1])

    def test_a_token_is_replaced_before_it_expires_by_its_own_times(self):
        def token(lifetime):
            # From a machine whose clock is wrong.
            claims = {"iat": 1_000, "exp": 1_000 + lifetime}
            return "h." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".s"

        server = self.serve(lambda r: r.ok(GENERATION))
        given = [token(0.2), token(3600), token(1)]
        calls = iter(given)
        client = self.client(server, lambda: next(calls))
        client.get("a")
        time.sleep(0.2)
        client.get("b")
        client.get("c")
        self.assertEqual([f"Bearer {given[0]}", f"Bearer {given[1]}", f"Bearer {given[1]}"], [r.headers["Authorization"] for r in server.requests])

    def test_a_connection_is_kept_and_one_that_the_server_has_closed_meanwhile_costs_no_wait(self):
        def script(request):
            request.ok(GENERATION)
            if request.path.endswith("last"):
                request.cut()

        server = self.serve(script)
        client = self.client(server, timeout=0)
        for id in ("a", "b", "last", "c"):
            client.get(id)
        connections = [r.connection for r in server.requests]
        self.assertIs(connections[0], connections[2])
        self.assertIsNot(connections[2], connections[3])

    def test_closing_a_client_ends_its_calls(self):
        server = self.serve(lambda r: r.hang())
        client = self.client(server)
        threading.Timer(0.05, client.close).start()
        with self.assertRaises(su.Closed):
            client.get("gen-1")
        with self.assertRaises(su.Closed):
            client.get("gen-1")

    def test_a_base_address_may_have_a_path(self):
        server = self.serve(lambda r: r.ok(GENERATION))
        with su.Client(server.url + "/status/", "t") as client:
            client.get("gen-1")
        self.assertEqual(["GET /status/api/v1/generations/gen-1"], server.lines)

    def test_an_enormous_answer_does_not_fill_the_memory(self):
        import statusupdates._connections as module
        server = self.serve(lambda r: r.answer(200, b"x" * 2000))
        with unittest.mock.patch.object(module, "_MAX_BODY", 1000), self.assertRaisesRegex(su.Unavailable, "more than 1000 bytes"):
            self.client(server, timeout=0).get("gen-1")


class ProxyTest(ScriptedCase):
    def environment(self, **variables):
        patch = unittest.mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)

    def test_requests_go_through_the_proxy_that_the_environment_names_with_its_password(self):
        proxy = self.serve(lambda r: r.ok(GENERATION))
        self.environment(http_proxy=proxy.url.replace("//", "//user:pass%20word@"), no_proxy="")
        with su.Client("http://api.test:81/base", "t") as client:
            client.get("gen-1")
        self.assertEqual(["GET http://api.test:81/base/api/v1/generations/gen-1"], proxy.lines)
        self.assertEqual("Basic " + base64.b64encode(b"user:pass word").decode(), proxy.requests[0].headers["Proxy-Authorization"])
        self.assertEqual("api.test:81", proxy.requests[0].headers["Host"])

    def test_an_https_address_is_reached_through_a_tunnel(self):
        proxy = self.serve(lambda r: r.answer(407))
        self.environment(https_proxy=proxy.url, no_proxy="")
        with self.assertRaisesRegex(su.Unavailable, "407"), su.Client("https://api.test", "t", timeout=0) as client:
            client.get("gen-1")
        self.assertEqual(["CONNECT api.test:443"], proxy.lines)

    def test_no_proxy_is_honored(self):
        server = self.serve(lambda r: r.ok(GENERATION))
        self.environment(http_proxy="http://127.0.0.1:1", no_proxy="127.0.0.1")
        with su.Client(server.url, "t", timeout=0) as client:
            client.get("gen-1")


class UploadTest(ScriptedCase):
    def setUp(self):
        super().setUp()
        file = tempfile.NamedTemporaryFile(delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            file.truncate(30_000_000)
        self.body = FileBody(file.name, 30_000_000)

    def upload(self, server):
        http = Http(server.url, Tokens("t"))
        self.addCleanup(http.close)
        return http.request("POST", "results", body=self.body, headers={"Content-Type": "video/mp4"})

    def test_a_file_is_sent_whole_with_its_size(self):
        server = self.serve(lambda r: r.ok({"url": "u"}))
        self.assertEqual({"url": "u"}, self.upload(server))
        self.assertEqual((30_000_000, "video/mp4"), (len(server.requests[0].body), server.requests[0].headers["Content-Type"]))

    def test_a_server_that_refuses_before_it_has_read_the_body_is_understood(self):
        def refuse(request):
            request.problem(413, "body_too_large", "At most 4 MiB.", headers={"Connection": "close"})
            request.close_connection = True

        server = self.serve(refuse)
        server.skip_bodies = True
        # A reset can overtake the answer: then it is a network failure, which is repeated.
        for _ in range(20):
            try:
                self.upload(server)
                self.fail("It was refused.")
            except su.ApiError as failure:
                self.assertEqual((413, "At most 4 MiB."), (failure.status, str(failure)))
                return
            except su.Unavailable:
                pass
        self.fail("The answer was never read.")
