"""A server that answers as a test says, also as the API rarely or never does."""

import http.server
import json
import socket
import threading
import unittest
import unittest.mock


class Request(http.server.BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self):
        length = self.headers.get("Content-Length")
        self.body = self.rfile.read(int(length)) if length and not self.server.skip_bodies else b""
        self.server.received(self)
        self.server.script(self)

    do_GET = do_POST = do_PUT = do_CONNECT = handle_any

    def log_message(self, format, *args):
        pass

    @property
    def json(self):
        return json.loads(self.body)

    def answer(self, status, body=b"", content_type="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def ok(self, data, status=200):
        self.answer(status, json.dumps({"success": True, "data": data}).encode())

    def problem(self, status, code="refused", detail="No.", headers=(), errors=None):
        problem = {"type": "about:blank", "title": "Title", "status": status, "detail": detail, "success": False, "code": code}
        if errors:
            problem["errors"] = errors
        self.answer(status, json.dumps(problem).encode(), "application/problem+json", headers)

    def begin_stream(self, content_type="text/event-stream"):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def chunk(self, text):
        data = text.encode() if isinstance(text, str) else text
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def cut(self):
        """Ends the connection without an answer, or in the middle of one."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def hang(self):
        """Answers nothing until the test ends."""
        self.server.ending.wait(60)
        self.cut()

    def until_closed(self):
        """Waits until the client has gone."""
        self.connection.settimeout(60)
        try:
            while self.connection.recv(1024):
                pass
        except OSError:
            pass
        self.close_connection = True


class Received:
    """A request as it was: one handler serves all requests of a connection."""

    def __init__(self, request):
        self.line = f"{request.command} {request.path}"
        self.path, self.headers, self.body, self.connection = request.path, request.headers, request.body, request.connection

    @property
    def json(self):
        return json.loads(self.body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script, address=("127.0.0.1", 0)):
        super().__init__(address, Request)
        self.script = script
        self.skip_bodies = False
        self.ending = threading.Event()
        self._arrived = threading.Condition()
        self.requests = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def lines(self):
        return [request.line for request in self.requests]

    def received(self, request):
        with self._arrived:
            self.requests.append(Received(request))
            self._arrived.notify_all()

    def until(self, condition):
        """Waits until the requests so far satisfy a condition."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: condition(self.requests), 60):
                raise AssertionError(f"Did not happen; the requests are {self.lines}")

    def handle_error(self, request, client_address):
        # Clients of these tests go away in the middle.
        pass

    def stop(self):
        self.ending.set()
        self.shutdown()
        self.server_close()


class ScriptedCase(unittest.TestCase):
    """A test with such servers; pauses are a hundredth of what they could be."""

    def setUp(self):
        patch = unittest.mock.patch("random.uniform", lambda least, most: least + (most - least) / 100)
        patch.start()
        self.addCleanup(patch.stop)

    def serve(self, script, **options):
        server = Server(script, **options)
        self.addCleanup(server.stop)
        return server


def in_turn(*scripts):
    """Answers each request with the next script; the last one answers all further ones."""
    rest = list(scripts)
    lock = threading.Lock()

    def script(request):
        with lock:
            current = rest.pop(0) if len(rest) > 1 else rest[0]
        current(request)

    return script


def event(type, data, id=None, end="\n"):
    lines = [f"event: {type}", f"data: {json.dumps(data)}"] + ([] if id is None else [f"id: {id}"]) + ["", ""]
    return end.join(lines)


def update(seq, generation="gen-1", user="alice", check=True, **metadata):
    payload = {"generationId": generation, "userId": user, "type": "chat", "status": "processing", "timestamp": 1700000000000}
    if seq is not None:
        payload["seq"] = seq
        if check:
            payload["cursor"] = cursor(seq)
    if metadata:
        payload["metadata"] = metadata
    return payload


def cursor(seq):
    return f"{seq}-{seq:08x}"


def connected(seq, user="alice"):
    return event("connected", {"userId": user, "seq": seq, "cursor": cursor(seq)}, cursor(seq))


def status_update(seq, **options):
    return event("status_update", update(seq, **options), None if seq is None else cursor(seq))
