// @ts-check

/**
 * Follows a user's status updates: each one once, in order, across lost connections, restarts of the server and changes of transport.
 * One file, no dependencies, for browsers and Node.js 20 or later.
 *
 *     const client = new StatusUpdatesClient({ token: async ({ fresh }) => … });
 *     for await (const item of client.watch({ signal })) {
 *       if (item.type === 'update') {
 *         show(item.update);
 *       } else {
 *         await readStateByRest();   // 'resync': the log cannot continue from the cursor; from here on it goes on
 *       }
 *     }
 *
 * A client is a cursor over the log. It takes an update if its seq is above the cursor, and reconnects with since=<cursor>; nothing else
 * is needed for exactly once. It prefers the WebSocket, long-polls while no socket can be opened or lives, and tries the socket again later.
 * Node.js 20 has no WebSocket of its own: pass one (`import { WebSocket } from 'ws'`), or it long-polls.
 *
 * @module
 */

// Times are in milliseconds.
const CONNECT_WITHIN = 10_000;
const SILENCE = 20_000;
const PONG_WITHIN = 10_000;
const STABLE_AFTER = 5_000;
const BASE_WAIT = 500;
const MAX_WAIT = 15_000;
const DRAIN_WAIT = 1_000;
const REFUSAL_WAIT = 1_000;
const MAX_RETRY_AFTER = 600_000;
const POLL_TIMEOUT = 25_000;
const ANSWER_WITHIN = 15_000;
const SOCKET_RETRY = 15_000;
const MAX_SOCKET_RETRY = 300_000;

// A server that restarts cuts sockets as well, but hardly this often in a row before it has said anything.
const MAX_CUTS = 3;

// The refusal of a token in a row after which no other is tried.
const FINAL_REFUSAL = 3;

// How many updates may wait for a consumer that is slower than the socket.
const MAX_WAITING = 1_000;

const GOING_AWAY = 1001;
const NO_CLOSE = 1006;
const TOKEN_EXPIRED = 4401;
const TOKEN_OF_ANOTHER_USER = 4403;

/**
 * One change of one generation, as the server sends it. Later servers may add members.
 *
 * @typedef {object} StatusUpdate
 * @property {string} generationId
 * @property {string} userId
 * @property {'product_card' | 'sora' | 'chat'} type
 * @property {'pending' | 'processing' | 'completed' | 'failed' | 'canceled'} status
 * @property {number} timestamp Unix time in milliseconds.
 * @property {number} [seq] Its place in the user's log, from 1. Absent if a publisher keeps no log: such an update is live only.
 * @property {string} [cursor] The same place with a check of what stands there: where to go on from after it.
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
 * What `watch` yields: an update; or `resync`, when the cursor is outside the log that the server holds. Then read the state by REST, ignore
 * updates of a generation whose seq is not above the one REST showed, and go on: what follows `seq` comes.
 *
 * @typedef {{ type: 'update', update: StatusUpdate } | { type: 'resync', seq: number, cursor: string }} WatchItem
 */

/**
 * `live` says over which transport. `waiting` says for how long, in milliseconds, and why. `stopped` comes once, at the end.
 *
 * @typedef {'connecting' | 'live' | 'waiting' | 'stopped'} WatchState
 * @typedef {{ transport?: 'websocket' | 'long-poll', delay?: number, error?: Error }} StateDetail
 */

/**
 * Gives a token: the one at hand, or with `fresh` one that was just issued, because the last was refused or is about to expire. Null ends the
 * watch with the error `unauthorized`. If it throws, it is asked again after the back-off.
 *
 * @callback TokenSource
 * @param {{ fresh: boolean }} request
 * @returns {string | null | undefined | Promise<string | null | undefined>}
 */

/**
 * What is used of a WebSocket. The browser's own fits, and that of the package ws.
 *
 * @typedef {object} SocketLike
 * @property {(data: string) => void} send
 * @property {(code?: number) => void} close
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 */

/**
 * @typedef {object} ClientOptions
 * @property {string | TokenSource} token A token, or where to get one.
 * @property {string | URL} [baseUrl] The API's address. By default where this module was loaded from.
 * @property {string | number | null} [since] The cursor to begin with: what follows it comes. By default only what happens from now on comes. A bare
 * seq is taken as well, but by it a log that was restored from a backup cannot be told from the one that it was.
 * @property {string} [generationId] Follow this generation alone.
 * @property {(new (url: string) => SocketLike) | null} [WebSocket] By default the global one; null: long-poll only.
 * @property {typeof globalThis.fetch} [fetch] By default the global one.
 * @property {(state: WatchState, detail: StateDetail) => void} [onState] Told of every change of the connection.
 */

/** Why a watch ended. What passes by itself (a network that is away, a server that restarts) is never an error. */
export class StatusUpdatesError extends Error {
  /**
   * @param {'unauthorized' | 'forbidden' | 'refused' | 'unsupported'} code `unauthorized`: no token, or fresh ones were refused too;
   * `forbidden`: a token of another user, or of one who may not; `refused`: the server called the request wrong; `unsupported`: the server
   * knows no such address, by its own word.
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
   * @throws {TypeError} An option is not what it must be; the message names it.
   */
  constructor({
    token, baseUrl = ownAddress(), since = null, generationId, WebSocket = globalThis.WebSocket ?? null, fetch = globalThis.fetch, onState = () => {},
  }) {
    mustBe(typeof token === 'function' || (typeof token === 'string' && token !== ''), 'token', 'a token, or a function that gives one');
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
      // Browsers want their fetch to be called as a plain function.
      fetch: (url, init) => fetch(url, init),
      onState,
    };
  }

  /**
   * Where the last item that was handed out stands, such as `42-9f3ab2c1`, or null as long as no position is known. Kept somewhere and given as
   * `since`, it lets another client continue.
   */
  get cursor() {
    return this.#watch === null ? this.#since : this.#watch.cursor;
  }

  /** The seq in the cursor, or null. */
  get seq() {
    return this.cursor === null ? null : seqOf(this.cursor);
  }

  /**
   * The updates after the cursor, without an end, one watch at a time. Connects when the first item is asked for, and goes on with reading the
   * server's messages while an item is being handled, up to a bound. Leaving the loop closes the connection, and a later watch continues.
   *
   * @param {{ since?: string | number | null, signal?: AbortSignal }} [options] `since`: begin there instead of at the cursor. `signal`: ends the iteration,
   * without an error.
   * @returns {AsyncGenerator<WatchItem, void, undefined>}
   * @throws {StatusUpdatesError} While iterating: why it cannot go on.
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
      throw new TypeError('This client is being watched already: a client is one cursor. Make another one.');
    }

    const stop = new AbortController();
    const abort = () => stop.abort();
    // Who begins somewhere else may do so as another user. What continues is one user's.
    const watch = since === undefined
      ? new Watch(this.#settings, this.cursor, this.#watch?.userId ?? null, stop.signal)
      : new Watch(this.#settings, since, null, stop.signal);
    this.#isWatching = true;
    this.#watch = watch;
    try {
      signal?.addEventListener('abort', abort);
      if (!signal?.aborted) {
        yield* watch.run();
      }
    } finally {
      signal?.removeEventListener('abort', abort);
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
 * Why a transport ended that can be tried again.
 *
 * Concurrency and lifecycle of what follows: a watch is one loop that runs only while its consumer asks for the next item. Events of a socket are
 * taken in at any time, but what becomes of a socket that ended is decided when the consumer has taken all that it brought.
 */
class Interruption extends Error {
  /**
   * @param {string} message
   * @param {{ kind?: 'failure' | 'drain' | 'refusal', retryAfter?: number, cause?: unknown }} [options] `refusal`: of the token.
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

  /** How many were refused since one was accepted. */
  #refusals = 0;

  /** Sockets that were cut as soon as they had opened, one after the other. */
  #cuts = 0;

  /** How often in a row sockets were given up, and until when none is tried again. */
  #deadSockets = 0;
  #pollUntil = 0;

  /**
   * @param {Settings} settings
   * @param {string | null} cursor
   * @param {string | null} userId Whose log it is; null as long as that is not known.
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

  // Transports. Each returns when another one should be tried at once, and throws when there is something to wait for.

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
          this.#accepted();
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
      // A close is the server's word. What only cuts, something on the way perhaps, may do so every time.
      const wasCut = socket.end?.code === NO_CLOSE && !socket.hasBroughtMore && !wasStable;
      this.#cuts = wasCut ? this.#cuts + 1 : 0;
      this.#deadSockets = wasCut ? this.#deadSockets : 0;
    }

    this.#judge(socket, connectedAt !== null);
  }

  /**
   * @param {SocketConnection} socket
   * @param {boolean} wasConnected
   */
  #judge({ end }, wasConnected) {
    if (this.#signal.aborted || end?.isBehind) {
      return;
    }

    switch (end?.code) {
      case TOKEN_EXPIRED:
        throw new Interruption('The token has expired.', { kind: 'refusal' });
      case TOKEN_OF_ANOTHER_USER:
        throw new StatusUpdatesError('forbidden', 'The fresh token is one of another user.');
      case GOING_AWAY:
        throw new Interruption('The server restarts.', { kind: 'drain' });
      default:
        break;
    }

    if (wasConnected && this.#cuts < MAX_CUTS) {
      throw new Interruption(`The connection was lost: ${end?.reason}`);
    }

    // A browser does not say why a handshake failed. Long-poll will: the network, the token, or only the socket.
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
        this.#accepted();
        this.cursor ??= cursorOf(page);
        this.#announce('live', { transport: 'long-poll' });
        yield* this.#take(page);
        if (timeout > 0 && page.items.length === 0 && !page.resync && now() - askedAt < BASE_WAIT) {
          // A server that does not wait, because it is about to stop or for whatever reason, is not asked in a frenzy.
          await sleep(Math.random() * BASE_WAIT, this.#signal, false);
        }
      } while (!this.#signal.aborted && (this.#settings.WebSocket === null || now() < this.#pollUntil));
    } finally {
      if (!hasAnswered) {
        // It is not the socket alone.
        this.#pollUntil = 0;
      }
    }
  }

  /**
   * @param {number} timeout For how long the server may wait for an update. At first not at all: the answer shows that the API is there.
   * @returns {Promise<PollPage>}
   */
  async #poll(timeout) {
    const query = new URLSearchParams({ timeout: String(timeout / 1_000) });
    if (this.cursor !== null) {
      query.set('since', this.cursor);
    }

    return /** @type {Promise<PollPage>} */ (
      this.#request('GET', `api/v1/status/poll?${query}`, await this.#token(), timeout + ANSWER_WITHIN));
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
        // Long-poll has no filter of its own.
        if (this.#settings.generationId === undefined || update.generationId === this.#settings.generationId) {
          yield { type: 'update', update };
        }
      }
    }

    // Farther on, or the same place with the check that a bare seq lacks.
    this.cursor = this.cursor !== null && page.seq < seqOf(this.cursor) ? this.cursor : cursorOf(page);
  }

  // A cursor says nothing about another user's log: followed with it, that log would be taken up at an arbitrary place.

  /** @param {string | undefined} userId */
  #mustBelongTo(userId) {
    if (userId === undefined) {
      return;
    }

    this.userId ??= userId;
    if (userId !== this.userId) {
      throw new StatusUpdatesError('forbidden', `The token is one of another user: this client follows ${this.userId}.`);
    }
  }

  // The socket's address. A browser can set no header on a handshake, so the token is exchanged for a ticket that is good once and for a short
  // while: an address may end up in somebody's log.
  async #socketAddress() {
    const { ticket } = /** @type {{ ticket: string }} */ (await this.#request('POST', 'api/v1/tickets', await this.#token(), ANSWER_WITHIN));
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
   * The data of an answer.
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
      return readAnswer(response, await response.text());
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
      throw new Interruption('There was no token to be had.', { cause: error });
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

    // Full jitter: clients that were lost together come back spread over the whole time, not together.
    const ceiling = kind === 'drain' ? DRAIN_WAIT : Math.min(MAX_WAIT, BASE_WAIT * 2 ** ++this.#failures);
    const delay = (retryAfter ?? 0) + Math.random() * ceiling;
    this.#announce('waiting', { delay, error: interruption });

    // Where the server itself said when, the network coming back changes nothing.
    await sleep(delay, this.#signal, retryAfter === undefined);
  }

  /** @param {Interruption} interruption */
  async #replaceToken(interruption) {
    this.#refusals++;
    if (this.#refusals === FINAL_REFUSAL) {
      throw new StatusUpdatesError('unauthorized', interruption.message, { cause: interruption });
    }

    this.#refusal = interruption.message;
    if (this.#refusals === 1) {
      // At once: it is the token that has to be another one.
      return;
    }

    // A fresh one was refused too. It may be so new that the server has yet to learn of its key.
    const delay = REFUSAL_WAIT * (1 + Math.random());
    this.#announce('waiting', { delay, error: interruption });
    await sleep(delay, this.#signal, false);
  }

  #accepted() {
    this.#refusal = null;
    this.#refusals = 0;
  }

  // While long-poll serves, trying the socket again is no news.
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

/** One WebSocket from its opening to its end, as a queue of what it brought. */
class SocketConnection {
  #socket;
  #asked;
  #freshToken;
  #signal;

  /** The highest seq taken in: ahead of the cursor by what waits. @type {number} */
  #received;

  /** The cursor at that seq. @type {string} */
  #at;

  /**
   * `position`: the cursor once it is taken. `userId`: whose it is, where that was said.
   *
   * @typedef {{ item: WatchItem | null, position: string, userId?: string }} Entry
   * @type {Entry[]}
   */
  #entries = [];

  /** @type {(() => void) | null} */
  #wake = null;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  #heardAt = now();
  #awaitsPong = false;
  #isConnected = false;
  #unlisten;

  /** Whether anything came after `connected`. */
  hasBroughtMore = false;

  /** How it ended; null while it lives. @type {{ code?: number, reason: string, isBehind?: boolean } | null} */
  end = null;

  /**
   * @param {SocketLike} socket
   * @param {string | null} cursor What was asked for as since.
   * @param {() => ReturnType<TokenSource>} freshToken
   * @param {AbortSignal} signal
   */
  constructor(socket, cursor, freshToken, signal) {
    this.#socket = socket;
    this.#asked = cursor === null ? null : seqOf(cursor);
    this.#at = cursor ?? '0';
    this.#received = seqOf(this.#at);
    this.#freshToken = freshToken;
    this.#signal = signal;
    socket.addEventListener('message', event => this.#hear(event.data));
    socket.addEventListener('close', event => this.#finish({ code: event.code, reason: `closed with ${event.code}` }));

    // A close follows. Without a listener, the package ws would throw.
    socket.addEventListener('error', () => {});
    signal.addEventListener('abort', this.close);
    this.#unlisten = onWake(() => this.#probe());
    this.#timer = setTimeout(() => this.#finish({ reason: 'not connected in time' }), CONNECT_WITHIN);
  }

  /**
   * What comes next, in order; null once it has ended and all was taken.
   *
   * @returns {Promise<Entry | null>}
   */
  async next() {
    while (this.#entries.length === 0 && this.end === null) {
      await new Promise(resolve => { this.#wake = () => resolve(undefined); });
    }

    return this.#entries.shift() ?? null;
  }

  /** Ends it, and drops what waits: it is not behind the cursor yet, and comes again. */
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
  #hear(data) {
    if (this.end !== null) {
      return;
    }

    this.#heardAt = now();
    this.#awaitsPong = false;
    this.hasBroughtMore = this.#isConnected;
    try {
      this.#receive(JSON.parse(String(data)));
    } catch {
      this.#finish({ reason: 'a message that is not of this protocol' });
      return;
    }

    this.#wake?.();
    if (this.#entries.length > MAX_WAITING) {
      // A WebSocket in a browser cannot be told to wait: whatever the server sends piles up here. The log can: closed now, and resumed from the
      // cursor when all this is taken, it costs nobody memory and loses nothing.
      this.#finish({ reason: 'the consumer is behind', isBehind: true });
    }
  }

  /** @param {any} message */
  #receive(message) {
    switch (message.type) {
      case 'connected':
        this.#begin(message, message.userId);
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
        if (message.seq > this.#received) {
          this.#reach(message);
          this.#move();
        }

        break;
      case 'resync':
        this.#resync(message);
        break;
      case 'token_expiring':
        void this.#authenticate();
        break;
      default:
        // pong, authenticated, and what later servers may say. After an error the old token stands, until the server closes with 4401.
        break;
    }
  }

  /**
   * @param {Place} place
   * @param {string} userId
   */
  #begin(place, userId) {
    this.#isConnected = true;
    this.#reach(place);
    this.#push(null, userId);
    if (this.#asked !== null && this.#asked !== place.seq) {
      // Not where it was asked to begin: what lies between is unknown.
      this.#resync(place);
    }

    this.#arm(SILENCE);
  }

  /** @param {StatusUpdate} update */
  #accept(update) {
    if (update.seq !== undefined) {
      if (update.seq <= this.#received) {
        return;
      }

      this.#reach(/** @type {Place} */ (update));
    }

    this.#push({ type: 'update', update }, update.userId);
  }

  /** @param {Place} place */
  #resync(place) {
    this.#reach(place);
    this.#push({ type: 'resync', seq: place.seq, cursor: this.#at });
  }

  /** @param {Place} place */
  #reach(place) {
    this.#received = place.seq;
    this.#at = cursorOf(place);
  }

  /**
   * @param {WatchItem | null} item
   * @param {string} [userId]
   */
  #push(item, userId) {
    this.#entries.push({ item, position: this.#at, userId });
  }

  // A position alone needs no place of its own in the queue.
  #move() {
    const last = this.#entries.at(-1);
    if (last === undefined) {
      this.#push(null);
    } else {
      last.position = this.#at;
    }
  }

  async #authenticate() {
    try {
      const token = await this.#freshToken();
      if (token && this.end === null) {
        this.#send({ type: 'authenticate', token });
      }
    } catch {
      // Not now, then: the server closes with 4401 when the time comes, and the token is asked for again.
    }
  }

  // A connection can die without a word, and a browser does not show the server's protocol pings. Three messages a minute at most.

  /** @param {number} delay */
  #arm(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), delay);
  }

  #check() {
    const silence = now() - this.#heardAt;
    if (this.#awaitsPong) {
      this.#finish({ reason: 'silent' });
    } else if (silence >= SILENCE) {
      this.#ping();
    } else {
      this.#arm(SILENCE - silence);
    }
  }

  // The network has changed, or the machine was asleep: ask now, unless it just spoke.
  #probe() {
    if (this.#isConnected && !this.#awaitsPong && now() - this.#heardAt >= PONG_WITHIN) {
      this.#ping();
    }
  }

  #ping() {
    this.#awaitsPong = true;
    this.#send({ type: 'ping' });
    this.#arm(PONG_WITHIN);
  }

  /** @param {object} message */
  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }
}

// Small things.

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
 * A place in a log, as messages tell it. A server of an earlier version tells the seq alone.
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

function ownAddress() {
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

/** What a refusal means; the others are `refused`. @type {ReadonlyMap<number, StatusUpdatesError['code']>} */
const CODES = new Map([[403, 'forbidden'], [404, 'unsupported'], [405, 'unsupported']]);

/**
 * @param {Response} response
 * @param {string} text
 */
function readAnswer(response, text) {
  const { status } = response;
  const body = parseJson(text);
  if (response.ok && body?.success === true) {
    return body.data;
  }

  const message = body?.detail ?? body?.title ?? `The server answered ${status}.`;
  if (status === 401) {
    throw new Interruption(message, { kind: 'refusal' });
  }

  // Only the API's own word is final: what answers without being the API, such as a proxy or a captive portal, may be gone in a minute.
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
 * Waits. With `wakeable` also until the network is back, or somebody looks at the page again.
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
 * Calls when the network is back, or the page is looked at again: a browser slows down the timers of hidden pages.
 *
 * @param {() => void} listener
 * @returns {() => void} Stops it.
 */
function onWake(listener) {
  if (typeof globalThis.addEventListener !== 'function') {
    return () => {};
  }

  const seen = () => {
    if (!document.hidden) {
      listener();
    }
  };
  const page = typeof document === 'undefined' ? null : document;
  globalThis.addEventListener('online', listener);
  page?.addEventListener('visibilitychange', seen);
  return () => {
    globalThis.removeEventListener('online', listener);
    page?.removeEventListener('visibilitychange', seen);
  };
}
