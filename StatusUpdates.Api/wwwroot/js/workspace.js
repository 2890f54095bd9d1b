// The workspace of a signed-in user: the list of cards, kept up to date by the feed.

import { StatusUpdatesClient, StatusUpdatesError } from '../client/status-updates.js';
import { Card } from './card.js';
import { element, isBusy, setBusy } from './dom.js';
import { STATUSES, formatNumber } from './format.js';
import { Generations } from './generations.js';

const PAGE_SIZE = 20;
const BASE_WAIT = 1_000;
const MAX_WAIT = 30_000;
const CONNECTION_TEXTS = { connecting: 'Connecting…', live: 'Live', waiting: 'Reconnecting…' };

export class Workspace {
  #api;
  #types;
  #feed;
  #wasLive = false;
  #isLive = false;
  #generations = new Generations();
  #cards = new Map();

  // Ids that were requested from the API, or that it does not know.
  #requested = new Set();

  // The number of the current reload: responses to earlier ones are ignored. And the position that its list covers; -1: none loaded yet.
  #reloadNumber = 0;
  #loading = null;
  #listedSeq = -1;
  #nextCursor = null;
  #total = 0;
  #oldest = '';

  // Failed reads in a row: while there are any, the page may be out of date.
  #failures = 0;
  #retry = 0;
  #clock = 0;
  #stopped = new AbortController();

  constructor(api, types) {
    this.#api = api;
    this.#types = types;
    this.#feed = new StatusUpdatesClient({
      token: request => api.session.tokenFor(request),
      onState: state => this.#stateChanged(state),
    });
  }

  start() {
    element('more').addEventListener('click', () => this.#loadMore(), { signal: this.#stopped.signal });
    this.#clock = setInterval(() => this.#cards.forEach(card => card.tick(Date.now())), 1_000);
    this.#reload();
    this.#follow();
  }

  stop() {
    this.#stopped.abort();
    clearInterval(this.#clock);
    clearTimeout(this.#retry);
    this.#generations.clear();
    this.#cards.clear();
    element('cards').replaceChildren();
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
        this.#handle(item);
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

  // An update that cannot be shown must not stop the ones after it.
  #handle(item) {
    try {
      if (item.type === 'update') {
        this.#applyUpdate(item.update);
      } else {
        this.#resync();
      }
    } catch (error) {
      reportError(error);
    }
  }

  // The list was read before the feed had its first position: updates in between are missing, so it is read again. Updates from the feed since
  // then do not cover that gap, so the list's own position is compared.
  async #catchUp(seq) {
    await this.#whenLoaded();
    if (seq > this.#listedSeq) {
      await this.#reload();
    }
  }

  // The log may even have gone back: no known position is valid any more.
  async #resync() {
    this.#generations.resetPositions();
    this.#requested.clear();
    await this.#reload();
  }

  async #reload() {
    clearTimeout(this.#retry);
    const reloadNumber = ++this.#reloadNumber;
    this.#loading = this.#load(null, reloadNumber);
    await this.#loading;
  }

  // Waits until no reload is running.
  async #whenLoaded() {
    for (let reloadNumber = -1; reloadNumber !== this.#reloadNumber;) {
      reloadNumber = this.#reloadNumber;
      await this.#loading;
    }
  }

  async #loadMore() {
    const more = element('more');
    if (isBusy(more)) {
      return;
    }

    setBusy(more, true);
    await this.#whenLoaded();
    if (this.#nextCursor !== null) {
      await this.#load(this.#nextCursor, this.#reloadNumber);
    }

    setBusy(more, false);
  }

  async #load(cursor, reloadNumber) {
    const isOld = () => this.#isStopped || reloadNumber !== this.#reloadNumber;
    try {
      const page = await this.#api.list({ limit: PAGE_SIZE, cursor });
      if (!isOld()) {
        this.#showPage(page, cursor === null);
      }
    } catch (error) {
      if (!isOld()) {
        cursor === null ? this.#failedToRead(error) : this.#failed(error);
      }
    }
  }

  #showPage(page, isFirst) {
    this.#nextCursor = page.nextCursor ?? null;
    if (isFirst) {
      this.#listedSeq = Math.max(0, ...page.items.map(generation => generation.seq));
      this.#total = page.total + this.#keepOnly(page.items);
      this.#failures = 0;
    }

    this.#oldest = page.items.at(-1)?.createdAt ?? '';
    page.items.forEach(generation => this.#show(this.#generations.put(generation)));
    element('more').hidden = this.#nextCursor === null;
    this.#showCount();
    showError('');
  }

  #applyUpdate(update) {
    const before = this.#generations.get(update.generationId)?.status;
    const generation = this.#generations.apply(update);
    if (generation === null) {
      return;
    }

    this.#show(generation);
    if (before !== generation.status) {
      announce(generation, this.#types.titleOf(generation.type));
    }

    // If a reload is due, it loads this one too; otherwise the next update tries again.
    if (!generation.isComplete && !this.#requested.has(generation.id) && this.#failures === 0) {
      this.#complete(generation.id);
    }
  }

  // For generations that were submitted elsewhere (another tab, curl) or are too old for the loaded pages: updates do not carry the prompt.
  async #complete(id) {
    this.#requested.add(id);
    try {
      const generation = await this.#api.get(id);
      this.#requested.delete(id);
      if (!this.#isStopped && !this.#generations.get(id)?.isComplete) {
        this.#total += generation.createdAt >= this.#oldest ? 1 : 0;
        this.#show(this.#generations.put(generation));
        this.#showCount();
      }
    } catch (error) {
      // 404: announced by a service that stores no generation here. The card stays as the feed described it, and is not requested again.
      if (isTransient(error)) {
        this.#requested.delete(id);
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
      // 409: it ended first; the feed reports how.
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
      card = new Card(element('card-template'), this.#types, { cancel: id => this.#cancel(id), history: id => this.#history(id) });
      this.#cards.set(generation.id, card);
      card.show(generation, Date.now());
      this.#insert(card, generation);
    } else {
      card.show(generation, Date.now());
      if (card.key !== keyOf(generation)) {
        // Until now only the feed had reported it, and the first update received need not be its first.
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

  // Removes all but the page's items. Newer ones were added after the request, by the feed or by a submission here: they stay, unless their position
  // was reset: then they are from before a resync and may no longer exist. Returns how many stayed.
  #keepOnly(items) {
    const kept = new Set(items.map(item => item.id));
    const newest = items.length > 0 ? keyOf(items[0]) : '';
    let newer = 0;
    for (const generation of Array.from(this.#generations.values()).filter(generation => !kept.has(generation.id))) {
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

  #showCount() {
    element('feed-count').textContent = this.#total > 0 ? `${formatNumber(this.#total)} in total` : '';
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
    if (state === 'live' && !this.#wasLive) {
      this.#wasLive = true;
      this.#catchUp(this.#feed.seq);
    } else if (state === 'live' && this.#failures > 0) {
      // Reads again what failed while the server was away.
      this.#reload();
    }
  }

  // A failure of something that the user requested, and can request again.
  #failed(error) {
    if (!this.#isStopped) {
      showError(error.message);
    }
  }

  // A failure of something that the page itself requested and must retry. Without a feed there is no hurry: the next connection does it.
  #failedToRead(error) {
    this.#failed(error);
    this.#failures++;
    if (this.#isLive && !this.#isStopped && isTransient(error)) {
      const delay = (error.retryAfter ?? 0) + Math.random() * Math.min(MAX_WAIT, BASE_WAIT * 2 ** this.#failures);
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#reload(), delay);
    }
  }
}

// No response, or one that means "not now".
const isTransient = ({ status }) => status === 0 || status === 408 || status === 429 || status >= 500;

// Newest first. Ids rise with time and break ties.
const keyOf = generation => `${generation.createdAt} ${generation.id}`;

function announce(generation, what) {
  const prompt = generation.prompt ? `, ${generation.prompt.slice(0, 60)}` : '';
  element('announcer').textContent = `${what}${prompt}: ${STATUSES[generation.status] ?? generation.status}`;
}

function showError(message) {
  element('feed-error').textContent = message;
}
