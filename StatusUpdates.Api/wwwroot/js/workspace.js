// The page of a signed-in user: the list of cards, kept up to date by the feed.

import { StatusUpdatesClient, StatusUpdatesError } from '../client/status-updates.js';
import { isBusy, setBusy } from './busy.js';
import { Card } from './card.js';
import { STATUSES, TYPES, formatNumber } from './format.js';
import { Generations } from './generations.js';

const PAGE_SIZE = 20;
const BASE_WAIT = 1_000;
const MAX_WAIT = 30_000;
const CONNECTION_TEXTS = { connecting: 'Connecting…', live: 'Live', waiting: 'Reconnecting…' };

const element = id => document.getElementById(id);

export class Workspace {
  #api;
  #feed;
  #hasBegun = false;
  #isLive = false;
  #generations = new Generations();
  #cards = new Map();

  // Ids that the API was asked for, or has no record of.
  #asked = new Set();

  // The reload that counts: an answer to an earlier question is no news. And the position that its answer is of; -1: none came yet.
  #round = 0;
  #loading = null;
  #listedSeq = -1;
  #nextCursor = null;
  #total = 0;
  #oldest = '';

  // Reads that failed one after the other: while there are any, the page may be behind.
  #failures = 0;
  #retry = 0;
  #clock = 0;
  #stopped = new AbortController();

  constructor(api) {
    this.#api = api;
    this.#feed = new StatusUpdatesClient({
      token: request => api.session.tokenFor(request),
      onState: state => this.#stateChanged(state),
    });
  }

  start() {
    element('more').addEventListener('click', () => this.#loadMore(), { signal: this.#stopped.signal });
    this.#clock = setInterval(() => this.#tick(), 1_000);
    this.#reload();
    this.#follow();
  }

  stop() {
    this.#stopped.abort();
    clearInterval(this.#clock);
    clearTimeout(this.#retry);
    this.#clear();
    element('more').hidden = true;
    element('empty').hidden = true;
    element('feed-count').textContent = '';
    showError('');
  }

  /** Takes a generation that was just submitted. */
  add(generation) {
    if (!this.#generations.get(generation.id)?.isComplete) {
      this.#total++;
    }

    this.#show(this.#generations.put(generation));
    this.#showCount();
  }

  get #isStopped() {
    return this.#stopped.signal.aborted;
  }

  async #follow() {
    try {
      for await (const item of this.#feed.watch({ signal: this.#stopped.signal })) {
        this.#take(item);
      }
    } catch (error) {
      if (!(error instanceof StatusUpdatesError)) {
        throw error;
      }

      if (!this.#isStopped) {
        this.#api.onSignedOut(error.message);
      }
    }
  }

  // An update that cannot be shown is no reason to show none after it.
  #take(item) {
    try {
      if (item.type === 'update') {
        this.#updated(item.update);
      } else {
        this.#resync();
      }
    } catch (error) {
      reportError(error);
    }
  }

  // The list was read before the feed was at its first position: what happened in between is read again. What the feed brought since then
  // says nothing about that, so it is the list's own position that counts.
  async #connected(seq) {
    await this.#loaded();
    if (seq > this.#listedSeq) {
      await this.#reload();
    }
  }

  // The log may even have gone back: no position known before counts any more.
  async #resync() {
    this.#generations.forgetPositions();
    this.#asked.clear();
    await this.#reload();
  }

  async #reload() {
    clearTimeout(this.#retry);
    const round = ++this.#round;
    this.#loading = this.#load(null, round);
    await this.#loading;
  }

  // Until no reload is under way.
  async #loaded() {
    for (let round = -1; round !== this.#round;) {
      round = this.#round;
      await this.#loading;
    }
  }

  async #loadMore() {
    const more = element('more');
    if (isBusy(more)) {
      return;
    }

    setBusy(more, true);
    await this.#loaded();
    if (this.#nextCursor !== null) {
      await this.#load(this.#nextCursor, this.#round);
    }

    setBusy(more, false);
  }

  async #load(cursor, round) {
    const isOld = () => this.#isStopped || round !== this.#round;
    try {
      const page = await this.#api.list({ limit: PAGE_SIZE, cursor });
      if (!isOld()) {
        this.#listed(page, cursor === null);
      }
    } catch (error) {
      if (!isOld()) {
        cursor === null ? this.#failedToRead(error) : this.#failed(error);
      }
    }
  }

  #listed(page, isFirst) {
    this.#nextCursor = page.nextCursor ?? null;
    if (isFirst) {
      this.#listedSeq = Math.max(0, ...page.items.map(generation => generation.seq));
      this.#total = page.total + this.#forgetAllBut(page.items);
      this.#failures = 0;
    }

    this.#oldest = page.items.at(-1)?.createdAt ?? '';
    page.items.forEach(generation => this.#show(this.#generations.put(generation)));
    element('more').hidden = this.#nextCursor === null;
    this.#showCount();
    showError('');
  }

  #updated(update) {
    const before = this.#generations.get(update.generationId)?.status;
    const generation = this.#generations.apply(update);
    if (generation === null) {
      return;
    }

    this.#show(generation);
    if (before !== generation.status) {
      announce(generation);
    }

    // A reload that is due brings it, or the next update asks again.
    if (!generation.isComplete && !this.#asked.has(generation.id) && this.#failures === 0) {
      this.#complete(generation.id);
    }
  }

  // Submitted elsewhere, in another tab or by curl; or too old to be on the pages loaded so far. An update does not carry the prompt.
  async #complete(id) {
    this.#asked.add(id);
    try {
      const generation = await this.#api.get(id);
      this.#asked.delete(id);
      if (!this.#isStopped && !this.#generations.get(id)?.isComplete) {
        this.#total += generation.createdAt >= this.#oldest ? 1 : 0;
        this.#show(this.#generations.put(generation));
        this.#showCount();
      }
    } catch (error) {
      // 404: announced by a service that keeps no record here. The card stays as the feed told it, and nobody asks again.
      if (isPassing(error)) {
        this.#asked.delete(id);
        this.#failedToRead(error);
      } else if (error.status !== 404) {
        this.#failed(error);
      }
    }
  }

  async #cancel(id) {
    try {
      const generation = await this.#api.cancel(id);
      if (!this.#isStopped) {
        this.#show(this.#generations.put(generation));
      }

      return true;
    } catch (error) {
      // 409: it ended first, and the feed says how.
      if (error.status !== 409) {
        this.#failed(error);
      }

      return false;
    }
  }

  async #history(id) {
    try {
      return await this.#api.history(id);
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  #show(generation) {
    if (generation === null) {
      return;
    }

    let card = this.#cards.get(generation.id);
    if (card === undefined) {
      card = new Card(element('card-template'), { cancel: id => this.#cancel(id), history: id => this.#history(id) });
      this.#cards.set(generation.id, card);
      card.show(generation, Date.now());
      this.#insert(card, generation);
    } else {
      card.show(generation, Date.now());
      if (card.key !== keyOf(generation)) {
        // So far only the feed had told of it, and its first update need not be the first it ever had.
        this.#insert(card, generation);
      }
    }

    card.measure();
  }

  #insert(card, generation) {
    card.key = keyOf(generation);
    const next = Array.from(this.#cards.values()).filter(other => other.key < card.key).sort((a, b) => (a.key < b.key ? 1 : -1))[0];
    element('cards').insertBefore(card.element, next?.element ?? null);
  }

  // What is newer than the page came after the question, by the feed or submitted here: it stays. Unless its position was forgotten: then it
  // was there before a resync, and nothing since then says that it still exists. Returns how many stayed.
  #forgetAllBut(items) {
    const kept = new Set(items.map(item => item.id));
    const newest = items.length > 0 ? keyOf(items[0]) : '';
    let newer = 0;
    for (const generation of Array.from(this.#generations.all()).filter(generation => !kept.has(generation.id))) {
      if (keyOf(generation) > newest && generation.seq !== 0) {
        newer += generation.isComplete ? 1 : 0;
      } else {
        this.#cards.get(generation.id)?.element.remove();
        this.#cards.delete(generation.id);
        this.#generations.delete(generation.id);
      }
    }

    return newer;
  }

  #clear() {
    this.#generations.clear();
    this.#cards.clear();
    element('cards').replaceChildren();
  }

  #tick() {
    const now = Date.now();
    this.#cards.forEach(card => card.tick(now));
  }

  #showCount() {
    element('feed-count').textContent = this.#total > 0 ? `${formatNumber(this.#total)} in all` : '';
    element('empty').hidden = this.#cards.size > 0;
  }

  #stateChanged(state) {
    if (this.#isStopped || state === 'stopped') {
      return;
    }

    this.#isLive = state === 'live';
    clearTimeout(this.#retry);
    element('connection').dataset.state = state;
    element('connection-text').textContent = CONNECTION_TEXTS[state];
    if (state === 'live' && !this.#hasBegun) {
      this.#hasBegun = true;
      this.#connected(this.#feed.seq);
    } else if (state === 'live' && this.#failures > 0) {
      // What could not be read while the server was away.
      this.#reload();
    }
  }

  // What the user asked for, and can ask for again.
  #failed(error) {
    if (!this.#isStopped) {
      showError(error.message);
    }
  }

  // What the page itself asked for: nobody else repeats it. Without a feed there is no hurry: the next connection does.
  #failedToRead(error) {
    this.#failed(error);
    this.#failures++;
    if (this.#isLive && !this.#isStopped && isPassing(error)) {
      const delay = (error.retryAfter ?? 0) + Math.random() * Math.min(MAX_WAIT, BASE_WAIT * 2 ** this.#failures);
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#reload(), delay);
    }
  }
}

// No answer, or one that says: not now.
const isPassing = ({ status }) => status === 0 || status === 408 || status === 429 || status >= 500;

// Newest first. Ids rise with time and break ties.
const keyOf = generation => `${generation.createdAt} ${generation.id}`;

function announce(generation) {
  const what = TYPES[generation.type]?.name ?? generation.type;
  const prompt = generation.prompt ? `, ${generation.prompt.slice(0, 60)}` : '';
  element('announcer').textContent = `${what}${prompt}: ${STATUSES[generation.status] ?? generation.status}`;
}

function showError(message) {
  element('feed-error').textContent = message;
}
