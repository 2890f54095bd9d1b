#!/usr/bin/env bash
# eventsource 2.0.2 compared to eventsource 4.1.1. By the HTML standard (9.2.6) an id takes effect when its event is dispatched, at the blank line. In
# version 2 it takes effect at its own line: if the connection is cut after "id: 2" and before the rest of the event, it reconnects with Last-Event-ID 2,
# and a server that continues from there never sends event 2. Sending the id as the last line of each event avoids the problem.
# Seen: version 2 reconnects with Last-Event-ID 2 although it delivered only event 1; version 4 with 1.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null; npm install --silent --no-fund --no-audit two@npm:eventsource@2.0.2 four@npm:eventsource@4.1.1
cat > cut.cjs <<'J'
const http = require('node:http');
async function resume(EventSource) {
  const got = [];
  return new Promise(resolve => {
    let source;
    const server = http.createServer((request, response) => {
      if (request.headers['last-event-id'] !== undefined) {
        source.close();
        response.end();
        server.close();
        resolve({ got, resumed: request.headers['last-event-id'] });
        return;
      }
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('retry: 20\nid: 1\ndata: one\n\n');
      // Cut in the middle of an event, as a network failure may do.
      setTimeout(() => { response.write('id: 2\ndata: t'); setTimeout(() => response.destroy(), 100); }, 100);
    });
    server.listen(0, '127.0.0.1', () => {
      source = new EventSource(`http://127.0.0.1:${server.address().port}/`);
      source.onmessage = event => got.push(event.data);
      source.onerror = () => {};
    });
  });
}
(async () => {
  const two = await resume(require('two'));
  const four = await resume((await import('four')).EventSource);
  console.log(`version 2: got ${two.got}, resumes at ${two.resumed}; version 4: got ${four.got}, resumes at ${four.resumed}`);
  process.exit(two.resumed === '2' && `${two.got}` === 'one' && four.resumed === '1' ? 0 : 1);
})();
setTimeout(() => process.exit(2), 20_000);
J
node cut.cjs
