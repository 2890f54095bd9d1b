#!/usr/bin/env bash
# event-source-polyfill 1.0.31. By the HTML standard (9.2.3) a 204 response to a reconnect ends an EventSource for good. The polyfill treats 204 as a
# failure: it reports an error, stays CONNECTING and reconnects, as long as its page is open. So a server cannot end a stream with 204.
# Seen: 3 requests answered 204 within 10 s, at growing intervals, and readyState 0 (CONNECTING). Expected: one request and readyState 2 (CLOSED). Under
# Node 20 each response also logs a TypeError, because it has no body to read.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null; npm install --silent --no-fund --no-audit event-source-polyfill@1.0.31
cat > ask.cjs <<'J'
const http = require('node:http');
const { EventSourcePolyfill } = require('event-source-polyfill');
let requests = 0, refused = 0;
const server = http.createServer((request, response) => {
  if (++requests === 1) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.end('retry: 20\ndata: last\nid: 1\n\n');
    return;
  }
  response.writeHead(204).end();
  if (++refused === 3) {
    // Gives the client time to process the response.
    setTimeout(() => { console.log(`${refused} responses of 204, readyState ${source.readyState}`); process.exit(source.readyState === 0 ? 0 : 1); }, 5);
  }
});
let source;
server.listen(0, '127.0.0.1', () => { source = new EventSourcePolyfill(`http://127.0.0.1:${server.address().port}/`); });
setTimeout(() => { console.log(`${refused} responses of 204 in 10 s, readyState ${source.readyState}`); process.exit(1); }, 10_000);
J
node ask.cjs 2>/dev/null
