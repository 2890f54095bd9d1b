// @ts-check

/**
 * Follows a user's status updates: each update once and in order, across lost connections, server restarts and changes of transport.
 * One file, no dependencies, for browsers and Node.js 20 or later.
 *
 *     const client = new StatusUpdatesClient({ token: async ({ fresh }) => … });
 *     for await (const item of client.watch({ signal })) {
 *       if (item.type === 'update') {
 *         show(item.update);
 *       } else {
 *         await readStateByRest();   // 'resync': the log cannot continue from the cursor; watching continues from its head
 *       }
 *     }
 *
 * A client is a cursor over the log. It accepts an update if its seq is above the cursor, and reconnects with since=<cursor>; nothing else is
 * needed to process each update exactly once. It prefers the WebSocket, long-polls while the socket cannot be opened or is cut, and retries the
 * socket later. Node.js 20 has no built-in WebSocket: pass one (`import { WebSocket } from 'ws'`), or it long-polls.
 *
 * @module
 */

// Times are in milliseconds.
const CONNECT_TIMEOUT = 10_000;
const MAX_SILENCE = 20_000;
const PONG_TIMEOUT = 10_000;
const STABLE_AFTER = 5_000;
const BASE_WAIT = 500;
const MAX_WAIT = 15_000;
const DRAIN_WAIT = 1_000;
const REFUSAL_WAIT = 1_000;
const MAX_RETRY_AFTER = 600_000;
const POLL_TIMEOUT = 25_000;
const RESPONSE_TIMEOUT = 15_000;
const SOCKET_RETRY = 15_000;
const MAX_SOCKET_RETRY = 300_000;

// How many sockets in a row may be cut right after they opened. A restarting server cuts sockets too, but rarely this often.
const MAX_CUTS = 3;

// After this many refused tokens in a row, no other is tried.
const MAX_REFUSALS = 3;

// How many updates may be queued for a consumer that is slower than the socket.
const MAX_QUEUED = 1_000;

const GOING_AWAY = 1001;
const ABNORMAL_CLOSURE = 1006;
const TOKEN_EXPIRED = 4401;
const TOKEN_OF_ANOTHER_USER = 4403;

/**
 * One change of a generation, as the server sends it. Later servers may add members.
 *
 * @typedef {object} StatusUpdate
 * @property {string} generationId
 * @property {string} userId
 * @property {string} type the name of its type, such as 'chat'
 * @property {'pending' | 'processing' | 'completed' | 'failed' | 'canceled'} status
 * @property {number} timestamp Unix time in milliseconds.
 * @property {number} [seq] Its position in the user's log, from 1. Absent if the publisher keeps no log: such an update is live only.
 * @property {string} [cursor] The same position with a check of the update there: where to continue after it.
 * @property {StatusMetadata} [metadata]
 */

/**
 * @typedef {object} StatusMetadata
 * @property {string[]} [resultUrls]
 * @property {number} [tokensUsed]
 * @property {number} [progress] Percent.
 * @property {number} [attempt]
 * @property {string} [errorMessage]
 */

/**
 * What `watch` yields: an update, or `resync` if the server's log cannot continue from the cursor. After a resync, read the state by REST, ignore
 * updates whose seq is not above the one that REST returned for their generation, and continue: everything after `seq` follows.
 *
 * @typedef {{ type: 'update', update: StatusUpdate } | { type: 'resync', seq: number, cursor: string }} WatchItem
 */

/**
 * `live` has the transport. `waiting` has the delay, in milliseconds, and the reason. `stopped` comes once, at the end.
 *
 * @typedef {'connecting' | 'live' | 'waiting' | 'stopped'} WatchState
 * @typedef {{ transport?: 'websocket' | 'long-poll', delay?: number, error?: Error }} StateDetail
 */

/**
 * Returns a token: the current one, or with `fresh` a newly issued one, because the last one was refused or is about to expire. Null ends the
 * watch with the error `unauthorized`. If it throws, it is called again after the back-off.
 *
 * @callback TokenSource
 * @param {{ fresh: boolean }} request
 * @returns {string | null | undefined | Promise<string | null | undefined>}
 */

/**
 * The members of a WebSocket that are used. The browser's class and that of the package ws both fit.
 *
 * @typedef {object} SocketLike
 * @property {(data: string) => void} send
 * @property {(code?: number) => void} close
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 */

/**
 * @typedef {object} ClientOptions
 * @property {string | TokenSource} token A token, or a function that returns one.
 * @property {string | URL} [baseUrl] The API's address. By default the one that this module was loaded from.
 * @property {string | number | null} [since] The cursor to start after. By default, only new updates are yielded. A bare seq is accepted too, but
 * cannot detect that the log was restored from a backup.
 * @property {string} [generationId] Follow only this generation.
 * @property {(new (url: string) => SocketLike) | null} [WebSocket] By default the global one; null: long-poll only.
 * @property {typeof globalThis.fetch} [fetch] By default the global one.
 * @property {(state: WatchState, detail: StateDetail) => void} [onState] Called on every change of the connection's state.
 */

/** Why a watch ended. Transient failures (the network is down, the server restarts) are never errors. */
export class StatusUpdatesError extends Error {
  /**
   * @param {'unauthorized' | 'forbidden' | 'refused' | 'unsupported'} code `unauthorized`: no token, or fresh ones were refused too;
   * `forbidden`: a token of another user, or of a user without permission; `refused`: the server rejected the request as invalid; `unsupported`: the
   * server itself reports that it has no such endpoint.
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'StatusUpdatesError';
    this.code = code;
  }
}

/** A cursor over one user's log. */
export class StatusUpdatesClient {
  /** @type {Settings} */
  #settings;

  /** @type {string | null} */
  #since;

  /** @type {Watch | null} */
  #watch = null;

  #isWatching = false;

  /**
   * @param {ClientOptions} options
   * @throws {TypeError} An option is invalid; the message names it.
   */
  constructor({
    token, baseUrl = defaultBase(), since = null, generationId, WebSocket = globalThis.WebSocket ?? null, fetch = globalThis.fetch, onState = () => {},
  }) {
    mustBe(typeof token === 'function' || (typeof token === 'string' && token !== ''), 'token', 'a token, or a function that returns one');
    mustBe(generationId === undefined || (typeof generationId === 'string' && generationId !== ''), 'generationId', "a generation's id");
    mustBe(WebSocket === null || typeof WebSocket === 'function', 'WebSocket', 'a WebSocket class, or null');
    mustBe(typeof fetch === 'function', 'fetch', 'a function');
    mustBe(typeof onState === 'function', 'onState', 'a function');
    this.#since = checkSince(since);
    this.#settings = {
      token: typeof token === 'string' ? ({ fresh }) => (fresh ? null : token) : token,
      base: parseBase(baseUrl),
      generationId,
      WebSocket,
      // A browser's fetch must be called as a plain function, not as a method.
      fetch: (url, init) => fetch(url, init),
      onState,
    };
  }

  /**
   * The position of the last yielded item, such as `42-9f3ab2c1`, or null while no position is known. If it is stored and passed as `since`, another
   * client can continue from it.
   */
  get cursor() {
    return this.#watch === null ? this.#since : this.#watch.cursor;
  }

  /** The seq in the cursor, or null. */
  get seq() {
    return this.cursor === null ? null : seqOf(this.cursor);
  }

  /**
   * The updates after the cursor, without an end; one watch at a time. Connects when the first item is requested, and keeps reading the server's
   * messages while an item is being handled, up to a limit. Leaving the loop closes the connection; a later watch continues.
   *
   * @param {{ since?: string | number | null, signal?: AbortSignal }} [options] `since`: start there instead of at the cursor. `signal`: ends the iteration
   * without an error.
   * @returns {AsyncGenerator<WatchItem, void, undefined>}
   * @throws {StatusUpdatesError} While iterating: why it cannot continue.
   */
  watch({ since, signal } = {}) {
    return this.#run(since === undefined ? undefined : checkSince(since), signal);
  }

  /**
   * @param {string | null | undefined} since
   * @param {AbortSignal | undefined} signal
   * @returns {AsyncGenerator<WatchItem, void, undefined>}
   */
  async *#run(since, signal) {
    if (this.#isWatching) {
      throw new TypeError('This client is already being watched. A client has one cursor; create another client.');
    }

    const stop = new AbortController();
    // A watch with its own start may belong to another user. A watch that continues belongs to the same user.
    const watch = since === undefined
      ? new Watch(this.#settings, this.cursor, this.#watch?.userId ?? null, stop.signal)
      : new Watch(this.#settings, since, null, stop.signal);
    this.#isWatching = true;
    this.#watch = watch;
    try {
      signal?.addEventListener('abort', () => stop.abort(), { signal: stop.signal });
      if (!signal?.aborted) {
        yield* watch.run();
      }
    } finally {
      stop.abort();
      this.#isWatching = false;
      this.#settings.onState('stopped', {});
    }
  }
}

/**
 * @typedef {object} Settings
 * @property {TokenSource} token
 * @property {URL} base
 * @property {string | undefined} generationId
 * @property {(new (url: string) => SocketLike) | null} WebSocket
 * @property {(url: URL, init: RequestInit) => Promise<Response>} fetch
 * @property {(state: WatchState, detail: StateDetail) => void} onState
 */

/**
 * Why a transport ended; it can be retried.
 *
 * Concurrency and lifecycle of what follows: a watch is one loop that runs only while its consumer waits for the next item. Socket events are
 * received at any time, but the end of a socket is handled only when the consumer has taken everything that was received on it.
 */
class Interruption extends Error {
  /**
   * @param {string} message
   * @param {{ kind?: 'failure' | 'drain' | 'refusal', retryAfter?: number, cause?: unknown }} [options] `refusal`: the token was refused.
   */
  constructor(message, { kind = 'failure', retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = 'Interruption';
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

class Watch {
  #settings;
  #signal;

  /** @type {WatchState | null} */
  #state = null;

  /** @type {'websocket' | 'long-poll' | undefined} */
  #transport;

  #failures = 0;

  /** Why the last token was refused; null once one is accepted. @type {string | null} */
  #refusal = null;

  /** How many tokens were refused since one was accepted. */
  #refusals = 0;

  /** How many sockets in a row were cut as soon as they had opened. */
  #cuts = 0;

  /** How often in a row the socket was given up, and the time until which it is not tried again. */
  #deadSockets = 0;
  #pollUntil = 0;

  /**
   * @param {Settings} settings
   * @param {string | null} cursor
   * @param {string | null} userId The user whose log it is; null until it is known.
   * @param {AbortSignal} signal
   */
  constructor(settings, cursor, userId, signal) {
    this.#settings = settings;
    this.#signal = signal;
    this.cursor = cursor;
    this.userId = userId;
  }

  /** @returns {AsyncGenerator<WatchItem, void, undefined>} */
  async *run() {
    while (!this.#signal.aborted) {
      try {
        if (this.#settings.WebSocket !== null && now() >= this.#pollUntil) {
          yield* this.#overWebSocket(this.#settings.WebSocket);
        } else {
          yield* this.#overLongPoll();
        }
      } catch (error) {
        if (this.#signal.aborted) {
          return;
        }

        if (!(error instanceof Interruption)) {
          throw error;
        }

        await this.#recover(error);
      }
    }
  }

  // Transports. Each returns when another should be tried at once, and throws when there is a reason to wait.

  /**
   * @param {new (url: string) => SocketLike} WebSocket
   * @returns {AsyncGenerator<WatchItem, void, undefined>}
   */
  async *#overWebSocket(WebSocket) {
    this.#announceConnecting();

    const address = await this.#socketAddress();
    if (this.#signal.aborted) {
      return;
    }

    const socket = new SocketConnection(new WebSocket(address), this.cursor, () => this.#settings.token({ fresh: true }), this.#signal);
    /** @type {number | null} */
    let connectedAt = null;
    try {
      for (let entry = await socket.next(); entry !== null; entry = await socket.next()) {
        this.#mustBelongTo(entry.userId);
        this.cursor = entry.position;
        if (connectedAt === null) {
          connectedAt = now();
          this.#tokenAccepted();
          this.#announce('live', { transport: 'websocket' });
        }

        if (entry.item !== null) {
          yield entry.item;
        }
      }
    } finally {
      socket.close();
    }

    const wasStable = connectedAt !== null && now() - connectedAt >= STABLE_AFTER;
    if (wasStable) {
      this.#failures = 0;
    }

    if (connectedAt !== null) {
      // A close frame comes from the server. A bare cut may come from something in between, perhaps every time.
      const wasCut = socket.end?.code === ABNORMAL_CLOSURE && !socket.receivedMore && !wasStable;
      this.#cuts = wasCut ? this.#cuts + 1 : 0;
      this.#deadSockets = wasCut ? this.#deadSockets : 0;
    }

    this.#handleEnd(socket, connectedAt !== null);
  }

  /**
   * @param {SocketConnection} socket
   * @param {boolean} wasConnected
   */
  #handleEnd({ end }, wasConnected) {
    if (this.#signal.aborted || end?.isBehind) {
      return;
    }

    switch (end?.code) {
      case TOKEN_EXPIRED:
        throw new Interruption('The token has expired.', { kind: 'refusal' });
      case TOKEN_OF_ANOTHER_USER:
        throw new StatusUpdatesError('forbidden', 'The fresh token belongs to another user.');
      case GOING_AWAY:
        throw new Interruption('The server is restarting.', { kind: 'drain' });
      default:
        break;
    }

    if (wasConnected && this.#cuts < MAX_CUTS) {
      throw new Interruption(`The connection was lost: ${end?.reason}`);
    }

    // A browser does not report why a handshake failed. Long-polling shows whether it is the network, the token, or only the socket.
    this.#pollUntil = now() + Math.min(MAX_SOCKET_RETRY, SOCKET_RETRY * 2 ** this.#deadSockets++);
  }

  /** @returns {AsyncGenerator<WatchItem, void, undefined>} */
  async *#overLongPoll() {
    this.#announceConnecting();

    let hasAnswered = false;
    try {
      do {
        const timeout = hasAnswered ? POLL_TIMEOUT : 0;
        const askedAt = now();
        const page = await this.#poll(timeout);
        hasAnswered = true;
        this.#failures = 0;
        this.#tokenAccepted();
        this.cursor ??= cursorOf(page);
        this.#announce('live', { transport: 'long-poll' });
        yield* this.#take(page);
        if (timeout > 0 && page.items.length === 0 && !page.resync && now() - askedAt < BASE_WAIT) {
          // If the server does not wait, for example because it is shutting down, it must not be polled in a tight loop.
          await sleep(Math.random() * BASE_WAIT, this.#signal, false);
        }
      } while (!this.#signal.aborted && (this.#settings.WebSocket === null || now() < this.#pollUntil));
    } finally {
      if (!hasAnswered) {
        // Not only the socket fails.
        this.#pollUntil = 0;
      }
    }
  }

  /**
   * @param {number} timeout How long the server may wait for an update. At first 0: a quick response shows that the API is reachable.
   * @returns {Promise<PollPage>}
   */
  async #poll(timeout) {
    const query = new URLSearchParams({ timeout: String(timeout / 1_000) });
    if (this.cursor !== null) {
      query.set('since', this.cursor);
    }

    return /** @type {Promise<PollPage>} */ (
      this.#request('GET', `api/v1/status/poll?${query}`, await this.#token(), timeout + RESPONSE_TIMEOUT));
  }

  /**
   * @typedef {{ items: StatusUpdate[], seq: number, cursor?: string, more?: boolean, resync?: boolean }} PollPage
   * @param {PollPage} page
   * @returns {Generator<WatchItem, void, undefined>}
   */
  *#take(page) {
    if (page.resync) {
      this.cursor = cursorOf(page);
      yield { type: 'resync', seq: page.seq, cursor: this.cursor };
      return;
    }

    for (const update of page.items) {
      if (this.#signal.aborted) {
        return;
      }

      this.#mustBelongTo(update.userId);
      if (update.seq === undefined || this.cursor === null || update.seq > seqOf(this.cursor)) {
        this.cursor = update.seq === undefined ? this.cursor : cursorOf(/** @type {Place} */ (update));
        // Long-polling has no server-side filter.
        if (this.#settings.generationId === undefined || update.generationId === this.#settings.generationId) {
          yield { type: 'update', update };
        }
      }
    }

    // Further ahead, or the same position with the check that a bare seq lacks.
    this.cursor = this.cursor !== null && page.seq < seqOf(this.cursor) ? this.cursor : cursorOf(page);
  }

  // A cursor is meaningless in another user's log: following that log from it would start at an arbitrary position.

  /** @param {string | undefined} userId */
  #mustBelongTo(userId) {
    if (userId === undefined) {
      return;
    }

    this.userId ??= userId;
    if (userId !== this.userId) {
      throw new StatusUpdatesError('forbidden', `The token belongs to another user: this client follows ${this.userId}.`);
    }
  }

  // The socket's address. A browser cannot set headers on a handshake, so the token is exchanged for a ticket that works once and for a short
  // time: addresses end up in logs.
  async #socketAddress() {
    const { ticket } = /** @type {{ ticket: string }} */ (await this.#request('POST', 'api/v1/tickets', await this.#token(), RESPONSE_TIMEOUT));
    const url = new URL('ws/status', this.#settings.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('batch', 'true');
    url.searchParams.set('ticket', ticket);
    if (this.cursor !== null) {
      url.searchParams.set('since', this.cursor);
    }

    if (this.#settings.generationId !== undefined) {
      url.searchParams.set('generationId', this.#settings.generationId);
    }

    return url.href;
  }

  /**
   * The data of a response.
   *
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {string} token
   * @param {number} timeout
   * @returns {Promise<unknown>}
   */
  async #request(method, path, token, timeout) {
    const headers = { Authorization: `Bearer ${token}`, Accept: 'application/json' };
    const control = new AbortController();
    const abort = () => control.abort();
    const timer = setTimeout(abort, timeout);
    this.#signal.addEventListener('abort', abort);
    try {
      this.#signal.throwIfAborted();
      const url = new URL(path, this.#settings.base);
      const response = await this.#settings.fetch(url, { method, headers, cache: 'no-store', credentials: 'omit', signal: control.signal });
      return readResponse(response, await response.text());
    } catch (error) {
      throw error instanceof Interruption || error instanceof StatusUpdatesError
        ? error
        : new Interruption('The server cannot be reached.', { cause: error });
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', abort);
    }
  }

  async #token() {
    let token;
    try {
      token = await abortable(this.#settings.token({ fresh: this.#refusal !== null }), this.#signal);
    } catch (error) {
      throw new Interruption('No token could be obtained.', { cause: error });
    }

    if (typeof token !== 'string' || token === '') {
      throw new StatusUpdatesError('unauthorized', this.#refusal ?? 'No token was given.');
    }

    return token;
  }

  /** @param {Interruption} interruption */
  async #recover(interruption) {
    const { kind, message, retryAfter } = interruption;
    if (kind === 'refusal') {
      await this.#replaceToken(interruption);
      return;
    }

    // Full jitter: clients that lost their connections together reconnect spread over the whole interval.
    const ceiling = kind === 'drain' ? DRAIN_WAIT : Math.min(MAX_WAIT, BASE_WAIT * 2 ** ++this.#failures);
    const delay = (retryAfter ?? 0) + Math.random() * ceiling;
    this.#announce('waiting', { delay, error: interruption });

    // If the server set the time itself, a restored network does not change it.
    await sleep(delay, this.#signal, retryAfter === undefined);
  }

  /** @param {Interruption} interruption */
  async #replaceToken(interruption) {
    this.#refusals++;
    if (this.#refusals === MAX_REFUSALS) {
      throw new StatusUpdatesError('unauthorized', interruption.message, { cause: interruption });
    }

    this.#refusal = interruption.message;
    if (this.#refusals === 1) {
      // At once: only the token has to be replaced.
      return;
    }

    // A fresh token was refused too. It may be so new that the server does not know its key yet.
    const delay = REFUSAL_WAIT * (1 + Math.random());
    this.#announce('waiting', { delay, error: interruption });
    await sleep(delay, this.#signal, false);
  }

  #tokenAccepted() {
    this.#refusal = null;
    this.#refusals = 0;
  }

  // While long-polling works, a retry of the socket is not a change of state.
  #announceConnecting() {
    if (this.#transport !== 'long-poll') {
      this.#announce('connecting');
    }
  }

  /**
   * @param {WatchState} state
   * @param {StateDetail} [detail]
   */
  #announce(state, detail = {}) {
    if (this.#signal.aborted) {
      return;
    }

    const transport = state === 'live' ? detail.transport : undefined;
    if (state !== this.#state || transport !== this.#transport) {
      this.#state = state;
      this.#transport = transport;
      this.#settings.onState(state, detail);
    }
  }
}

/** One WebSocket from opening to end, as a queue of the received items. */
class SocketConnection {
  #socket;
  #requestedSeq;
  #freshToken;
  #signal;

  /** The highest seq received: ahead of the client's cursor by what is queued. @type {number} */
  #receivedSeq;

  /** The cursor at that seq. @type {string} */
  #cursor;

  /**
   * `position`: the client's cursor once the entry is taken. `userId`: the user, if the message named it.
   *
   * @typedef {{ item: WatchItem | null, position: string, userId?: string }} Entry
   * @type {Entry[]}
   */
  #entries = [];

  /** @type {(() => void) | null} */
  #wake = null;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  #lastMessageAt = now();
  #awaitsPong = false;
  #isConnected = false;
  #unlisten;

  /** Whether any message was received after `connected`. */
  receivedMore = false;

  /** How it ended; null while it is open. @type {{ code?: number, reason: string, isBehind?: boolean } | null} */
  end = null;

  /**
   * @param {SocketLike} socket
   * @param {string | null} cursor The requested since.
   * @param {() => ReturnType<TokenSource>} freshToken
   * @param {AbortSignal} signal
   */
  constructor(socket, cursor, freshToken, signal) {
    this.#socket = socket;
    this.#requestedSeq = cursor === null ? null : seqOf(cursor);
    this.#cursor = cursor ?? '0';
    this.#receivedSeq = seqOf(this.#cursor);
    this.#freshToken = freshToken;
    this.#signal = signal;
    socket.addEventListener('message', event => this.#onMessage(event.data));
    socket.addEventListener('close', event => this.#finish({ code: event.code, reason: `closed with ${event.code}` }));

    // A close follows. Without a listener, the package ws would throw.
    socket.addEventListener('error', () => {});
    signal.addEventListener('abort', this.close);
    this.#unlisten = onWake(() => this.#probe());
    this.#timer = setTimeout(() => this.#finish({ reason: 'not connected in time' }), CONNECT_TIMEOUT);
  }

  /**
   * The next entry, in order; null once the socket has ended and all entries were taken.
   *
   * @returns {Promise<Entry | null>}
   */
  async next() {
    while (this.#entries.length === 0 && this.end === null) {
      await new Promise(resolve => { this.#wake = () => resolve(undefined); });
    }

    return this.#entries.shift() ?? null;
  }

  /** Ends it, and drops the queue: those items are above the client's cursor, so they will be sent again. */
  close = () => {
    this.#finish({ reason: 'stopped' });
    this.#entries = [];
  };

  /** @param {NonNullable<SocketConnection['end']>} end */
  #finish(end) {
    if (this.end !== null) {
      return;
    }

    this.end = end;
    clearTimeout(this.#timer);
    this.#unlisten();
    this.#signal.removeEventListener('abort', this.close);
    this.#socket.close(1000);
    this.#wake?.();
  }

  /** @param {unknown} data */
  #onMessage(data) {
    if (this.end !== null) {
      return;
    }

    this.#lastMessageAt = now();
    this.#awaitsPong = false;
    this.receivedMore = this.#isConnected;
    try {
      this.#receive(JSON.parse(String(data)));
    } catch {
      this.#finish({ reason: 'an invalid message' });
      return;
    }

    this.#wake?.();
    if (this.#entries.length > MAX_QUEUED) {
      // A browser's WebSocket has no backpressure: everything the server sends piles up here. The log can wait: closing now, and resuming from the
      // cursor when the queue is empty, bounds memory and loses nothing.
      this.#finish({ reason: 'the consumer is behind', isBehind: true });
    }
  }

  /** @param {any} message */
  #receive(message) {
    switch (message.type) {
      case 'connected':
        this.#onConnected(message, message.userId);
        break;
      case 'status_update':
        this.#accept(message.payload);
        break;
      case 'status_batch':
        for (const update of message.payloads) {
          this.#accept(update);
        }

        break;
      case 'position':
        if (message.seq > this.#receivedSeq) {
          this.#moveTo(message);
          this.#queuePosition();
        }

        break;
      case 'resync':
        this.#resync(message);
        break;
      case 'token_expiring':
        void this.#authenticate();
        break;
      default:
        // pong, authenticated, and messages of later servers. After an error the old token remains in use until the server closes with 4401.
        break;
    }
  }

  /**
   * @param {Place} place
   * @param {string} userId
   */
  #onConnected(place, userId) {
    this.#isConnected = true;
    this.#moveTo(place);
    this.#push(null, userId);
    if (this.#requestedSeq !== null && this.#requestedSeq !== place.seq) {
      // Not the requested start: the updates in between are unknown.
      this.#resync(place);
    }

    this.#arm(MAX_SILENCE);
  }

  /** @param {StatusUpdate} update */
  #accept(update) {
    if (update.seq !== undefined) {
      if (update.seq <= this.#receivedSeq) {
        return;
      }

      this.#moveTo(/** @type {Place} */ (update));
    }

    this.#push({ type: 'update', update }, update.userId);
  }

  /** @param {Place} place */
  #resync(place) {
    this.#moveTo(place);
    this.#push({ type: 'resync', seq: place.seq, cursor: this.#cursor });
  }

  /** @param {Place} place */
  #moveTo(place) {
    this.#receivedSeq = place.seq;
    this.#cursor = cursorOf(place);
  }

  /**
   * @param {WatchItem | null} item
   * @param {string} [userId]
   */
  #push(item, userId) {
    this.#entries.push({ item, position: this.#cursor, userId });
  }

  // A position alone needs no entry in the queue.
  #queuePosition() {
    const last = this.#entries.at(-1);
    if (last === undefined) {
      this.#push(null);
    } else {
      last.position = this.#cursor;
    }
  }

  async #authenticate() {
    try {
      const token = await this.#freshToken();
      if (token && this.end === null) {
        this.#send({ type: 'authenticate', token });
      }
    } catch {
      // No token now: the server closes with 4401 when the old one expires, and then a token is requested again.
    }
  }

  // A connection can die silently, and a browser does not expose the server's protocol pings. At most three messages a minute.

  /** @param {number} delay */
  #arm(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), delay);
  }

  #check() {
    const silence = now() - this.#lastMessageAt;
    if (this.#awaitsPong) {
      this.#finish({ reason: 'silent' });
    } else if (silence >= MAX_SILENCE) {
      this.#ping();
    } else {
      this.#arm(MAX_SILENCE - silence);
    }
  }

  // The network has changed, or the machine was asleep: check now, unless a message was just received.
  #probe() {
    if (this.#isConnected && !this.#awaitsPong && now() - this.#lastMessageAt >= PONG_TIMEOUT) {
      this.#ping();
    }
  }

  #ping() {
    this.#awaitsPong = true;
    this.#send({ type: 'ping' });
    this.#arm(PONG_TIMEOUT);
  }

  /** @param {object} message */
  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }
}

// Helpers.

const now = () => performance.now();

/**
 * @param {boolean} condition
 * @param {string} option
 * @param {string} what
 */
function mustBe(condition, option, what) {
  if (!condition) {
    throw new TypeError(`${option} must be ${what}.`);
  }
}

/**
 * @param {unknown} since
 * @returns {string | null}
 */
function checkSince(since) {
  const isSeq = Number.isSafeInteger(since) && Number(since) >= 0;
  mustBe(
    since === null || isSeq || (typeof since === 'string' && /^\d{1,16}(-[0-9a-f]{8})?$/.test(since)), 'since', 'a cursor, a whole number from 0, or null');
  return since === null ? null : String(since);
}

/**
 * A position in a log, as messages give it. Servers of earlier versions send only the seq.
 *
 * @typedef {{ seq: number, cursor?: string }} Place
 */

/** @param {Place} place */
function cursorOf({ seq, cursor }) {
  return cursor ?? String(seq);
}

/** @param {string} cursor */
function seqOf(cursor) {
  return Number.parseInt(cursor, 10);
}

function defaultBase() {
  return /^https?:/.test(import.meta.url) ? new URL('..', import.meta.url) : undefined;
}

/** @param {string | URL | undefined} text */
function parseBase(text) {
  const url = typeof text === 'string' || text instanceof URL ? tryParse(String(text)) : null;
  mustBe(url !== null && /^https?:$/.test(url.protocol), 'baseUrl', 'an http or https address');
  const base = new URL(/** @type {URL} */ (url));
  base.search = base.hash = '';
  base.pathname = base.pathname.replace(/\/*$/, '/');
  return base;
}

/** @param {string} text */
function tryParse(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Error codes by HTTP status; all others are `refused`. @type {ReadonlyMap<number, StatusUpdatesError['code']>} */
const CODES = new Map([[403, 'forbidden'], [404, 'unsupported'], [405, 'unsupported']]);

/**
 * @param {Response} response
 * @param {string} text
 */
function readResponse(response, text) {
  const { status } = response;
  const body = parseJson(text);
  if (response.ok && body?.success === true) {
    return body.data;
  }

  const message = body?.detail ?? body?.title ?? `The server answered ${status}.`;
  if (status === 401) {
    throw new Interruption(message, { kind: 'refusal' });
  }

  // Only a response of the API itself is final: a proxy or a captive portal that answers instead may be gone in a minute.
  const isFinal = body?.success === false && status >= 400 && status < 500 && ![408, 425, 429].includes(status);
  if (isFinal) {
    throw new StatusUpdatesError(CODES.get(status) ?? 'refused', message);
  }

  throw new Interruption(message, { retryAfter: retryAfterOf(response) });
}

/** @param {string} text */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Retry-After is seconds or a date (RFC 9110, section 10.2.3).
 *
 * @param {Response} response
 */
function retryAfterOf(response) {
  const text = response.headers.get('Retry-After') ?? '';
  const delay = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return delay > 0 ? Math.min(delay, MAX_RETRY_AFTER) : undefined;
}

/**
 * Waits. With `wakeable`, ends early when the network is back or the page becomes visible.
 *
 * @param {number} delay
 * @param {AbortSignal} signal
 * @param {boolean} wakeable
 * @returns {Promise<void>}
 */
function sleep(delay, signal, wakeable) {
  return new Promise(resolve => {
    const unlisten = wakeable ? onWake(() => done()) : () => {};
    const timer = setTimeout(() => done(), delay);
    const done = () => {
      clearTimeout(timer);
      unlisten();
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    if (signal.aborted) {
      done();
    }
  });
}

/**
 * @template T
 * @param {T | Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function abortable(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    Promise.resolve(promise).then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) {
      abort();
    }
  });
}

/**
 * Calls the listener when the network is back or the page becomes visible: browsers slow down timers of hidden pages.
 *
 * @param {() => void} listener
 * @returns {() => void} Stops it.
 */
function onWake(listener) {
  const control = new AbortController();
  const { signal } = control;
  if (typeof globalThis.addEventListener === 'function') {
    globalThis.addEventListener('online', listener, { signal });
    globalThis.document?.addEventListener('visibilitychange', () => document.hidden || listener(), { signal });
  }

  return () => control.abort();
}
