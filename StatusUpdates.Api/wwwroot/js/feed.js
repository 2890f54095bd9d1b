// A cursor over the user's log, over the WebSocket /ws/status.
//
// The rule of every client: an update with seq <= last is known already and ignored. A reconnect asks for what follows last
// (since=). When the server cannot continue from there it says resync, and the state is read by REST.

const BASE_DELAY = 500;
const MAX_DELAY = 15_000;
const STABLE_AFTER = 5_000;
const PING_EVERY = 20_000;
const SILENCE_LIMIT = 45_000;

const TOKEN_EXPIRED = 4401;
const TOKEN_OF_ANOTHER_USER = 4403;

export class StatusFeed {
  #session;
  #handlers;
  #socket = null;
  #last = null;
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #retry = 0;
  #watch = 0;
  #stopped = false;

  /**
   * handlers: onState('connecting' | 'live' | 'waiting', seconds), onConnected(seq) once, at the first connection,
   * onUpdate(update), onResync(), onRefused() when a handshake failed: is the token still good?
   */
  constructor(session, handlers) {
    this.#session = session;
    this.#handlers = handlers;
    this.wake = this.wake.bind(this);
  }

  start() {
    window.addEventListener('online', this.wake);
    document.addEventListener('visibilitychange', this.wake);
    this.#watch = setInterval(() => this.#checkLife(), PING_EVERY);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    window.removeEventListener('online', this.wake);
    document.removeEventListener('visibilitychange', this.wake);
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
  }

  /** Ends a wait between two tries: the network is back, or somebody looks at the page again. */
  wake() {
    if (!this.#stopped && this.#socket === null && !document.hidden) {
      clearTimeout(this.#retry);
      this.#connect();
    }
  }

  #connect() {
    const url = new URL('/ws/status', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('batch', 'true');
    if (this.#last !== null) {
      url.searchParams.set('since', this.#last);
    }

    // A browser can set no header here. The server takes the token out of the address before anything is logged.
    url.searchParams.set('token', this.#session.token);

    this.#handlers.onState('connecting');
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#openedAt = 0;
    this.#heardAt = performance.now();
    socket.addEventListener('open', () => { this.#openedAt = performance.now(); });
    socket.addEventListener('message', event => {
      if (socket === this.#socket) {
        this.#heardAt = performance.now();
        this.#receive(JSON.parse(event.data));
      }
    });
    socket.addEventListener('close', event => {
      if (socket === this.#socket) {
        this.#lost(event.code);
      }
    });
  }

  #receive(message) {
    switch (message.type) {
      case 'connected':
        this.#handlers.onState('live');
        this.#begin(message.seq);
        break;
      case 'status_update':
        this.#accept(message.payload);
        break;
      case 'status_batch':
        message.payloads.forEach(update => this.#accept(update));
        break;
      case 'position':
        this.#last = Math.max(this.#last, message.seq);
        break;
      case 'resync':
        this.#last = message.seq;
        this.#handlers.onResync();
        break;
      case 'token_expiring':
        this.#authenticate();
        break;
      case 'error':
        console.warn(`/ws/status: ${message.code}: ${message.message}`);
        break;
      default:
        // pong, authenticated, and what later servers may say.
        break;
    }
  }

  #begin(seq) {
    if (this.#last === null) {
      this.#last = seq;
      this.#handlers.onConnected(seq);
    } else if (seq !== this.#last) {
      // Not where we left off, for whatever reason: what lies between is read as state.
      this.#last = seq;
      this.#handlers.onResync();
    }
  }

  #accept(update) {
    if (update.seq !== undefined) {
      if (update.seq <= this.#last) {
        return;
      }

      this.#last = update.seq;
    }

    this.#handlers.onUpdate(update);
  }

  async #authenticate() {
    const socket = this.#socket;
    try {
      if (await this.#session.renew() && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: 'authenticate', token: this.#session.token }));
      }
    } catch {
      // The server closes with 4401 when the time comes, and the next try asks again.
    }
  }

  async #lost(code) {
    this.#socket = null;
    if (this.#stopped) {
      return;
    }

    const opened = this.#openedAt > 0;
    this.#failures = opened && performance.now() - this.#openedAt > STABLE_AFTER ? 0 : this.#failures + 1;
    this.#wait();
    if (!opened || code === TOKEN_EXPIRED || code === TOKEN_OF_ANOTHER_USER) {
      await this.#handlers.onRefused();
    }
  }

  // Full jitter: after a server's restart its clients come back spread over the time, not all at once.
  #wait() {
    const delay = Math.random() * Math.min(MAX_DELAY, BASE_DELAY * 2 ** this.#failures);
    this.#handlers.onState('waiting');
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  // A connection can die without a word: after a silence it is given up.
  #checkLife() {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) {
      return;
    }

    if (performance.now() - this.#heardAt > SILENCE_LIMIT) {
      this.#lost(0);
      socket.close();
    } else {
      socket.send(JSON.stringify({ type: 'ping' }));
    }
  }
}
