#!/usr/bin/env bash
# event-source-polyfill 1.0.31. The HTML standard (9.2.3) ends an EventSource for good where a reconnect is answered 204. The polyfill takes 204 for a
# fault: it reports an error, stays CONNECTING and asks again, for as long as its page is open. So a server cannot tell it by 204 that a stream is over.
# Seen: 3 requests that were answered 204 within 10 s, with growing pauses, and readyState 0 (CONNECTING); one request and 2 (CLOSED) were to be expected. Under
# Node 20 each also logs a TypeError, for such an answer has no body to read.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null; npm install --silent --no-fund --no-audit event-source-polyfill@1.0.31
cat > ask.cjs <<'J'
const http = require('node:http');
const { EventSourcePolyfill } = require('event-source-polyfill');
let asked = 0, over = 0;
const server = http.createServer((request, response) => {
  if (++asked === 1) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end('retry: 20\ndata: last\nid: 1\n\n');
    return;
  }
  response.writeHead(204).end();
  if (++over === 3) {
    // Time for it to take the answer.
    setTimeout(() => { console.log(`${over} answers of 204, readyState ${source.readyState}`); process.exit(source.readyState === 0 ? 0 : 1); }, 5);
  }
});
let source;
server.listen(0, '127.0.0.1', () => { source = new EventSourcePolyfill(`http://127.0.0.1:${server.address().port}/`); });
setTimeout(() => { console.log(`${over} answers of 204 in 10 s, readyState ${source.readyState}`); process.exit(1); }, 10_000);
J
node ask.cjs 2>/dev/null
