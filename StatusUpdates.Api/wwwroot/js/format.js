// Texts, numbers and times for display.

export const STATUSES = {
  pending: 'Pending',
  processing: 'Processing',
  completed: 'Completed',
  failed: 'Failed',
  canceled: 'Canceled',
};

export const isTerminal = status => status === 'completed' || status === 'failed' || status === 'canceled';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const number = new Intl.NumberFormat('en');

export const formatNumber = value => number.format(value);
export const formatClock = time => clock.format(time);
export const formatFull = time => full.format(time);

export function formatAge(time, now) {
  const seconds = Math.max(0, (now - time) / 1000);
  if (seconds < 10) {
    return 'just now';
  }

  if (seconds < 60) {
    return `${Math.floor(seconds)} seconds ago`;
  }

  if (seconds < 3600) {
    return relative.format(-Math.floor(seconds / 60), 'minute');
  }

  return seconds < 86_400 ? relative.format(-Math.floor(seconds / 3600), 'hour') : relative.format(-Math.floor(seconds / 86_400), 'day');
}

export function formatDuration(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }

  return seconds < 60 ? `${Math.floor(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}
