// Follows an event stream with an npm library. Usage: node event-source.mjs <eventsource | event-source-polyfill> <url> <token>
// Prints each event on a line and ends when the library gives up, which it does when the server signals that nothing follows.
import { EventSource } from 'eventsource';
import { EventSourcePolyfill } from 'event-source-polyfill';

const [library, url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const source = library === 'eventsource'
  ? new EventSource(url, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }) })
  : new EventSourcePolyfill(url, { headers });

for (const type of ['connected', 'status_update', 'resync', 'unavailable']) {
  source.addEventListener(type, event => console.log(JSON.stringify({ type, id: event.lastEventId, data: JSON.parse(event.data) })));
}

source.addEventListener('error', () => {
  if (source.readyState === 2) {
    console.log(JSON.stringify({ type: 'closed' }));
  }
});
