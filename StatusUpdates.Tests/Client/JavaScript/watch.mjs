// Watches as a program of anybody would, and tells of everything on a line of JSON. Usage: node watch.mjs <options as JSON>
// Options are those of the client, and: socket (false: none), take (how many items it handles before it must be told to go on),
// random (what Math.random gives), clock ("manual": the client's clock moves when it is told to, and only then).
// On its input it takes: {"token":"…"} after it asked for a fresh one, {"take":n}, {"advance":milliseconds}, {"echo":true}, {"stop":true}.
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { StatusUpdatesClient } from './status-updates.mjs';

const { socket = true, take = Infinity, random, clock, token, filter: generationId, ...options } = JSON.parse(process.argv[2]);

if (random !== undefined) {
  Math.random = () => random;
}

const advance = clock === 'manual' ? takeClock() : () => {};

// Puts a clock that stands still in the place of the real one, for the client alone: Node's own fetch goes by the same global functions.
function takeClock() {
  const real = { setTimeout, clearTimeout, now: performance.now.bind(performance) };
  const isClient = () => new Error().stack.split('\n')[3]?.includes('status-updates.mjs');
  const timers = new Map();
  let time = 0;
  performance.now = () => (isClient() ? time : real.now());
  globalThis.setTimeout = (callback, delay, ...rest) => {
    if (!isClient()) {
      return real.setTimeout(callback, delay, ...rest);
    }

    const timer = {};
    timers.set(timer, { callback, due: time + delay });
    return timer;
  };
  globalThis.clearTimeout = timer => timers.delete(timer) || real.clearTimeout(timer);
  return by => {
    const end = time + by;
    while (true) {
      const [timer, next] = [...timers].sort(([, a], [, b]) => a.due - b.due)[0] ?? [];
      if (timer === undefined || next.due > end) {
        break;
      }

      timers.delete(timer);
      time = next.due;
      next.callback();
    }

    time = end;
  };
}

const say = line => console.log(JSON.stringify(line));
const stop = new AbortController();
let permits = take;
let permitted = () => {};
let answer = () => {};

const input = createInterface({ input: process.stdin });
input.on('line', line => {
  const order = JSON.parse(line);
  if (order.take) {
    permits += order.take;
    permitted();
  } else if (order.advance) {
    advance(order.advance);
  } else if (order.echo) {
    say(order);
  } else if (order.stop) {
    stop.abort();
    permitted();
  } else {
    answer(order.token);
  }
});

let client;
try {
  client = new StatusUpdatesClient({
    ...options,
    generationId,
    WebSocket: socket ? WebSocket : null,
    token: ({ fresh }) => {
      if (!fresh) {
        return token;
      }

      const answered = new Promise(resolve => { answer = resolve; });
      say({ asks: 'a fresh token' });
      return answered;
    },
    onState: (state, { transport, delay, error }) => say({ state, transport, delay, error: error?.message, seq: client.seq }),
  });

  for await (const item of client.watch({ signal: stop.signal })) {
    say({ item, seq: client.seq, cursor: client.cursor });
    permits--;
    while (permits === 0 && !stop.signal.aborted) {
      await new Promise(resolve => { permitted = resolve; });
    }
  }

  say({ ended: true, seq: client.seq });
} catch (error) {
  say({ failed: error.code ?? error.name, message: error.message });
} finally {
  input.close();
}
