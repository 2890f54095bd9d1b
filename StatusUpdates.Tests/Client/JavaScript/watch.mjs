// Watches as any program would, and prints every item and event as a line of JSON. Usage: node watch.mjs <options as JSON>
// The options are those of the client, and: socket (false: none), take (how many items to take before pausing for a further "take"),
// random (the value of Math.random), clock ("manual": the client's clock moves only on "advance").
// Commands on its input: {"token":"…"} after it requested a fresh one, {"take":n}, {"advance":milliseconds}, {"echo":true}, {"stop":true}.
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { StatusUpdatesClient } from './status-updates.mjs';

const { socket = true, take = Infinity, random, clock, token, filter: generationId, ...options } = JSON.parse(process.argv[2]);

if (random !== undefined) {
  Math.random = () => random;
}

const advance = clock === 'manual' ? replaceClock() : () => {};

// Replaces the real clock by a stopped one, for the client only: Node's own fetch uses the same global functions.
function replaceClock() {
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

const print = line => console.log(JSON.stringify(line));
const stop = new AbortController();
let permits = take;
let permitted = () => {};
let answer = () => {};

const input = createInterface({ input: process.stdin });
input.on('line', line => {
  const command = JSON.parse(line);
  if (command.take) {
    permits += command.take;
    permitted();
  } else if (command.advance) {
    advance(command.advance);
  } else if (command.echo) {
    print(command);
  } else if (command.stop) {
    stop.abort();
    permitted();
  } else {
    answer(command.token);
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
      print({ tokenRequested: true });
      return answered;
    },
    onState: (state, { transport, delay, error }) => print({ state, transport, delay, error: error?.message, seq: client.seq }),
  });

  for await (const item of client.watch({ signal: stop.signal })) {
    print({ item, seq: client.seq, cursor: client.cursor });
    permits--;
    while (permits === 0 && !stop.signal.aborted) {
      await new Promise(resolve => { permitted = resolve; });
    }
  }

  print({ ended: true, seq: client.seq });
} catch (error) {
  print({ failed: error.code ?? error.name, message: error.message });
} finally {
  input.close();
}
