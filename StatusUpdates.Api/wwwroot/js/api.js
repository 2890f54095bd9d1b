// The REST side of the API: tokens, generations, problems.

const GENERATIONS = '/api/v1/generations';
const MAX_SUBMIT_ATTEMPTS = 4;
const MAX_REFUSALS = 3;
const MAX_RETRY_AFTER = 600_000;

/**
 * A failure that the API described (RFC 9457), or a network failure (status 0), after which it is unknown what the API did. retryAfter: the delay
 * that the API requested, in milliseconds, if any.
 */
export class ApiError extends Error {
  constructor(status, problem, retryAfter) {
    const fields = Object.entries(problem?.errors ?? {}).map(([field, messages]) => `${field}: ${messages.join(' ')}`);
    super(fields.length > 0 ? fields.join('\n') : problem?.detail ?? problem?.title ?? `The server answered ${status}.`);
    this.status = status;
    this.code = problem?.code;
    this.retryAfter = retryAfter;
  }
}

/** Requests a development token for any user. Null if the server does not issue them. */
export async function requestDevelopmentToken(userId) {
  const response = await send('POST', '/api/v1/dev/token', { body: { userId } });
  if (response.status === 404 || response.status === 405) {
    return null;
  }

  return (await read(response)).token;
}

/** Whether the server issues development tokens, by its OpenAPI document; true if unknown. */
export async function offersDevelopmentTokens() {
  try {
    const response = await send('GET', '/openapi/v1.json');
    return !response.ok || '/api/v1/dev/token' in ((await response.json()).paths ?? {});
  } catch {
    return true;
  }
}

/** The signed-in user. A session with a user name can renew its token; one with a pasted token cannot. */
export class Session {
  #token;
  #renewable;

  constructor(userId, token, renewable) {
    this.userId = userId;
    this.#token = token;
    this.#renewable = renewable;
  }

  static async forUser(userId) {
    const token = await requestDevelopmentToken(userId);
    return token === null ? null : new Session(userId, token, true);
  }

  static forToken(token) {
    return new Session(subjectOf(token), token, false);
  }

  get token() {
    return this.#token;
  }

  /** The token, or a fresh one if requested; null if it cannot be renewed. */
  async tokenFor({ fresh }) {
    return fresh && !await this.renew() ? null : this.#token;
  }

  /** Replaces the token. False if it cannot be renewed. */
  async renew() {
    const token = this.#renewable ? await requestDevelopmentToken(this.userId) : null;
    this.#token = token ?? this.#token;
    return token !== null;
  }
}

/** Calls the API for one session. */
export class Api {
  // The submission whose outcome is unknown: its content and its key.
  #unsettled = null;

  constructor(session, onSignedOut) {
    this.session = session;
    this.onSignedOut = onSignedOut;
  }

  list({ limit, cursor } = {}) {
    const query = new URLSearchParams({ limit });
    if (cursor) {
      query.set('cursor', cursor);
    }

    return this.#call('GET', `${GENERATIONS}?${query}`);
  }

  types() {
    return this.#call('GET', '/api/v1/types');
  }

  get(id) {
    return this.#call('GET', `${GENERATIONS}/${encodeURIComponent(id)}`);
  }

  history(id) {
    return this.#call('GET', `${GENERATIONS}/${encodeURIComponent(id)}/history?limit=1000`);
  }

  cancel(id) {
    return this.#call('POST', `${GENERATIONS}/${encodeURIComponent(id)}/cancel`);
  }

  /**
   * Submits once, however often the request is retried: the key identifies the submission. The same request after a failure counts as the same
   * submission, because the failed one may have arrived.
   */
  async submit(request) {
    const content = JSON.stringify(request);
    if (this.#unsettled?.content !== content) {
      this.#unsettled = { content, key: randomKey() };
    }

    const headers = { 'Idempotency-Key': this.#unsettled.key };
    for (let attempt = 1; ; attempt++) {
      try {
        const generation = await this.#call('POST', GENERATIONS, { body: request, headers });
        this.#unsettled = null;
        return generation;
      } catch (error) {
        if (!(error instanceof ApiError) || ![0, 503].includes(error.status) || attempt === MAX_SUBMIT_ATTEMPTS) {
          throw error;
        }

        await new Promise(resolve => setTimeout(resolve, (0.5 + Math.random()) * 300 * 2 ** attempt));
      }
    }
  }

  async #call(method, path, { body, headers } = {}) {
    const request = () => send(method, path, { body, headers: { ...headers, Authorization: `Bearer ${this.session.token}` } });
    let response = await request();
    for (let refusals = 1; response.status === 401 && refusals < MAX_REFUSALS; refusals++) {
      if (refusals > 1) {
        // A fresh token may be so new that the server does not know its key yet.
        await new Promise(resolve => setTimeout(resolve, 1_000 * (1 + Math.random())));
      }

      if (!await this.session.renew()) {
        break;
      }

      response = await request();
    }

    if (response.status === 401) {
      const error = await problemOf(response);
      this.onSignedOut(error.message);
      throw error;
    }

    return read(response);
  }
}

async function send(method, path, { body, headers } = {}) {
  try {
    return await fetch(path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch {
    throw new ApiError(0, { detail: 'The server cannot be reached.' });
  }
}

async function read(response) {
  if (!response.ok) {
    throw await problemOf(response);
  }

  // A response can be truncated, or may not come from the API.
  const answer = await response.json().catch(() => null);
  if (answer?.success !== true) {
    throw new ApiError(0, { detail: 'The response could not be read.' });
  }

  return answer.data;
}

async function problemOf(response) {
  // A proxy in between may respond with something other than a problem.
  const problem = await response.json().catch(() => null);
  const seconds = Number(response.headers.get('Retry-After'));
  return new ApiError(response.status, problem, seconds > 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER) : undefined);
}

// Only to show a name before the server reports it: only the server decides whose token it is.
function subjectOf(token) {
  try {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), c => c.charCodeAt(0));
    return String(JSON.parse(new TextDecoder().decode(bytes)).sub ?? '');
  } catch {
    return '';
  }
}

// crypto.randomUUID would need a secure context, but the page is also served over plain HTTP in local networks.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
