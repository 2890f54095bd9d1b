// The state of the generations that this page knows, by id. It comes from REST and from the feed; each generation's seq decides which
// is newer.

import { isTerminal } from './format.js';

export class Generations extends Map {
  /** From here on the next REST response wins, whatever its position. */
  resetPositions() {
    for (const generation of this.values()) {
      generation.seq = 0;
    }
  }

  /** Stores a generation from REST. Null if the known state is newer. */
  put(generation) {
    const known = this.get(generation.id);
    if (known?.isComplete && known.seq > generation.seq) {
      return null;
    }

    // The feed's latest state wins over an older REST response, which only adds the members that the feed does not carry.
    const next = known && known.seq > generation.seq ? { ...generation, ...known } : { ...generation };
    next.isComplete = true;
    this.set(next.id, next);
    return next;
  }

  /** Applies an update of the feed. Null if it is already known. */
  apply(update) {
    const known = this.get(update.generationId);
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

    this.set(next.id, next);
    return next;
  }
}
