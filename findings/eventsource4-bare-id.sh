#!/usr/bin/env bash
# eventsource 4.1.1 compared to eventsource 2.0.2. By the HTML standard (9.2.6) an event without data dispatches nothing but still sets the last event id:
# a server can advance a client's position with a bare "id:" and a blank line. Version 4 ignores such an event, including its id; version 2 applies the id.
# Seen: after "id: 5" with data and a bare "id: 9", version 4 reconnects with Last-Event-ID 5, version 2 with 9.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null; npm install --silent --no-fund --no-audit two@npm:eventsource@2.0.2 four@npm:eventsource@4.1.1
cat > bare.cjs <<'J'
const http = require('node:http');
const resume = EventSource => new Promise(resolve => {
  let source;
  const server = http.createServer((request, response) => {
    if (request.headers['last-event-id'] !== undefined) {
      source.close();
      response.end();
      server.close();
      resolve(request.headers['last-event-id']);
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('retry: 20\nid: 5\ndata: x\n\n');
    setTimeout(() => { response.end('id: 9\n\n'); }, 100);
  });
  server.listen(0, '127.0.0.1', () => {
    source = new EventSource(`http://127.0.0.1:${server.address().port}/`);
    source.onerror = () => {};
  });
});
(async () => {
  const two = await resume(require('two'));
  const four = await resume((await import('four')).EventSource);
  console.log(`Last-Event-ID after a bare id: version 2 sends ${two}, version 4 sends ${four}`);
  process.exit(two === '9' && four === '5' ? 0 : 1);
})();
setTimeout(() => process.exit(2), 20_000);
J
node bare.cjs
