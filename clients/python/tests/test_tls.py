import os
import ssl
import threading

import statusupdates as su
from tests.scripted import ScriptedCase, connected, status_update

# Made for these tests, for 127.0.0.1; nothing else trusts it.
CERTIFICATE = os.path.join(os.path.dirname(__file__), "certificate.pem")


class TlsTest(ScriptedCase):
    def serve_tls(self, script):
        server = self.serve(script)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server.url.replace("http:", "https:")

    def trusting(self):
        return ssl.create_default_context(cafile=CERTIFICATE)

    def test_a_feed_over_TLS_receives_and_is_closed_from_another_thread_while_it_waits(self):
        def script(request):
            request.begin_stream()
            request.chunk(connected(1) + status_update(2))
            request.until_closed()

        feed = su.Feed(self.serve_tls(script), "token", context=self.trusting())
        items = []
        for item in feed:
            items.append(item.seq)
            threading.Timer(0.05, feed.close).start()
        self.assertEqual([2], items)

    def test_a_certificate_that_is_not_trusted_gets_no_token(self):
        requests = []
        url = self.serve_tls(requests.append)
        with self.assertRaisesRegex(su.Unavailable, "CERTIFICATE_VERIFY_FAILED"):
            su.Client(url, "token", timeout=0).get("gen-1")
        self.assertEqual([], requests)

    def test_answers_over_a_kept_TLS_connection_are_read_whole(self):
        url = self.serve_tls(lambda r: r.problem(404, "not_found", "x" * 200_000))
        client = su.Client(url, "token", context=self.trusting())
        self.addCleanup(client.close)
        for _ in range(3):
            with self.assertRaises(su.ApiError) as caught:
                client.get("gen-1")
            self.assertEqual(200_000, len(str(caught.exception)))
