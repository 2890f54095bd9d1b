// One generation as a card. Text from users and providers is set as textContent, never as markup.

import { isBusy, make, setBusy } from './dom.js';
import { STATUSES, formatAge, formatClock, formatDuration, formatFull, formatNumber, isTerminal } from './format.js';
import { showResults } from './results.js';

export class Card {
  #slots = {};
  #generation = null;
  #shownResults = '';
  #actions;
  #types;

  /** actions: cancel(id), history(id) -> {items, complete}; both reject with a readable message. */
  constructor(template, types, actions) {
    this.#types = types;
    this.#actions = actions;
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const element of this.element.querySelectorAll('[data-slot]')) {
      this.#slots[element.dataset.slot] = element;
    }

    this.#slots.cancel.addEventListener('click', () => this.#cancel());
    this.#slots.toggle.addEventListener('click', () => this.#toggleHistory());
    this.#slots.expand.addEventListener('click', () => this.#expand());
  }

  show(generation, now) {
    const { prompt, kind, status, error, history } = this.#slots;
    const moved = this.#generation?.seq !== generation.seq;
    this.#generation = generation;
    const card = this.element.firstElementChild;
    card.dataset.id = generation.id;
    card.dataset.status = generation.status;
    this.element.querySelector('.kind use').setAttribute('href', this.#types.iconOf(generation.type, generation.task));
    kind.textContent = this.#types.titleOf(generation.type);
    status.textContent = generation.retryAt === undefined ? STATUSES[generation.status] ?? generation.status : 'Retrying';
    prompt.textContent = generation.prompt ?? generation.id;
    error.textContent = generation.status === 'failed' ? generation.errorMessage ?? 'The generation failed; no reason was given.' : '';
    error.hidden = error.textContent === '';
    this.#showProgress(generation);
    this.#showCancel(generation);
    this.#showResults(generation);
    this.tick(now);
    if (moved && !history.hidden) {
      this.#loadHistory();
    }
  }

  /** Call once the card is in the document: its height is unknown before. */
  measure() {
    const { prompt, expand } = this.#slots;
    if (expand.getAttribute('aria-expanded') === 'false') {
      expand.hidden = prompt.scrollHeight <= prompt.clientHeight + 1;
    }
  }

  /** Updates everything that depends on the current time. */
  tick(now) {
    const { created, detail } = this.#slots;
    const generation = this.#generation;
    const createdAt = Date.parse(generation.createdAt);
    setText(created, formatAge(createdAt, now));
    created.dateTime = generation.createdAt;
    created.title = formatFull(createdAt);

    const details = [];
    if (generation.startedAt && (generation.completedAt || generation.status === 'processing')) {
      const end = generation.completedAt ? Date.parse(generation.completedAt) : now;
      details.push(formatDuration(end - Date.parse(generation.startedAt)));
    }

    if (generation.status === 'processing' && generation.progress !== undefined) {
      details.push(`${generation.progress}%`);
    }

    if (generation.tokensUsed !== undefined) {
      details.push(`${formatNumber(generation.tokensUsed)} tokens`);
    }

    if (generation.retryAt !== undefined) {
      const wait = generation.retryAt - now;
      details.push(wait > 0 ? `retry in ${formatDuration(wait)}` : 'retrying now');
    } else if (generation.attempt > 1) {
      details.push(`attempt ${generation.attempt}`);
    }

    setText(detail, details.map(text => ` · ${text}`).join(''));
  }

  #showProgress(generation) {
    const { progress, bar } = this.#slots;
    progress.hidden = isTerminal(generation.status);
    const value = generation.status === 'processing' ? generation.progress : undefined;
    progress.classList.toggle('indeterminate', generation.status === 'processing' && value === undefined);
    if (value === undefined) {
      progress.removeAttribute('aria-valuenow');
    } else {
      progress.setAttribute('aria-valuenow', value);
    }

    bar.style.setProperty('--value', (value ?? 0) / 100);
  }

  #showCancel(generation) {
    const { cancel } = this.#slots;
    const hadFocus = document.activeElement === cancel;
    cancel.hidden = isTerminal(generation.status);
    setBusy(cancel, Boolean(generation.cancelRequestedAt));
    cancel.textContent = generation.cancelRequestedAt ? 'Canceling…' : 'Cancel';
    if (hadFocus && cancel.hidden) {
      this.#slots.toggle.focus();
    }
  }

  #showResults(generation) {
    const urls = generation.resultUrls ?? [];
    const key = JSON.stringify(urls);
    if (key === this.#shownResults || (urls.length === 0 && this.#shownResults === '')) {
      return;
    }

    this.#shownResults = key;
    const { media, texts, links } = this.#slots;
    const places = { media: make('div'), texts: make('div'), links: make('span') };
    media.replaceChildren(places.media);
    texts.replaceChildren(places.texts);
    links.replaceChildren(places.links);
    showResults(urls, places);
  }

  async #cancel() {
    const { cancel } = this.#slots;
    if (isBusy(cancel)) {
      return;
    }

    setBusy(cancel, true);
    cancel.textContent = 'Canceling…';
    const isDone = await this.#actions.cancel(this.#generation.id);
    if (!isDone) {
      this.#showCancel(this.#generation);
    }
  }

  #expand() {
    const { prompt, expand } = this.#slots;
    const expanded = prompt.classList.toggle('expanded');
    expand.setAttribute('aria-expanded', expanded);
    expand.textContent = expanded ? 'Show less' : 'Show all';
  }

  #toggleHistory() {
    const { toggle, history } = this.#slots;
    history.hidden = !history.hidden;
    toggle.setAttribute('aria-expanded', !history.hidden);
    if (!history.hidden) {
      this.#loadHistory();
    }
  }

  async #loadHistory() {
    const page = await this.#actions.history(this.#generation.id);
    if (page !== null) {
      const rows = page.items.map(historyRow);
      this.#slots.history.replaceChildren(...(page.complete ? rows : [textRow('Earlier updates are no longer stored.'), ...rows]));
    }
  }
}

function historyRow(update) {
  const row = make('li');
  row.dataset.status = update.status;
  const metadata = update.metadata ?? {};
  const facts = [
    metadata.progress === undefined ? null : `${metadata.progress}%`,
    metadata.attempt > 1 ? `attempt ${metadata.attempt}` : null,
    metadata.errorMessage ?? null,
    metadata.retryAt === undefined ? null : `retry at ${formatClock(metadata.retryAt)}`,
  ].filter(fact => fact !== null);
  row.append(
    span('dot', ''),
    span('when', formatClock(update.timestamp)),
    span('what', [STATUSES[update.status] ?? update.status, ...facts].join(' · ')),
    span('seq', `#${update.seq}`));
  return row;
}

function textRow(text) {
  const row = make('li');
  row.append(span('what', text));
  return row;
}

const span = (className, textContent) => make('span', { className, textContent });

// Does not touch the node if nothing changed, so that a text selection in it survives.
function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
