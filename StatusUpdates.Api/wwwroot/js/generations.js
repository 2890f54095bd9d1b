// The state of the generations that this page knows, by id. State comes from two sides, REST and the feed; each generation's
// seq decides which is newer.

import { isTerminal } from './format.js';

export class Generations {
  #byId = new Map();

  get size() {
    return this.#byId.size;
  }

  all() {
    return this.#byId.values();
  }

  get(id) {
    return this.#byId.get(id);
  }

  delete(id) {
    this.#byId.delete(id);
  }

  /** From here on the next answer of REST wins, whatever its position. */
  forgetPositions() {
    for (const generation of this.#byId.values()) {
      generation.seq = 0;
    }
  }

  clear() {
    this.#byId.clear();
  }

  /** Takes a generation as REST shows it. Null if what is known is newer. */
  put(generation) {
    const known = this.#byId.get(generation.id);
    if (known?.isComplete && known.seq > generation.seq) {
      return null;
    }

    // What the feed said last wins over an older answer that only brings what the feed does not carry.
    const next = known && known.seq > generation.seq ? { ...generation, ...known } : { ...generation };
    next.isComplete = true;
    this.#byId.set(next.id, next);
    return next;
  }

  /** Applies an update of the feed. Null if it is known already. */
  apply(update) {
    const known = this.#byId.get(update.generationId);
    const isOld = update.seq === undefined ? known && isTerminal(known.status) : known?.seq >= update.seq;
    if (isOld) {
      return null;
    }

    const { metadata = {}, status } = update;
    const time = new Date(update.timestamp).toISOString();
    const next = { ...(known ?? { id: update.generationId, userId: update.userId, type: update.type, createdAt: time, isComplete: false }) };
    next.seq = update.seq ?? next.seq;
    next.status = status;
    next.updatedAt = time;
    next.progress = metadata.progress ?? (status === 'pending' ? undefined : next.progress);
    next.attempt = metadata.attempt ?? next.attempt;
    next.retryAt = metadata.retryAt;
    next.resultUrls = metadata.resultUrls ?? next.resultUrls;
    next.tokensUsed = metadata.tokensUsed ?? next.tokensUsed;
    next.errorMessage = metadata.errorMessage ?? next.errorMessage;
    if (status === 'processing') {
      next.startedAt ??= time;
    }

    if (isTerminal(status)) {
      next.completedAt = time;
    }

    this.#byId.set(next.id, next);
    return next;
  }
}
