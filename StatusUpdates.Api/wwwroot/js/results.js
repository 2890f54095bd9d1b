// Shows a generation's results. Their addresses come from providers: only http(s) is ever opened, and only results that this API
// serves are shown inline; everything else is a link.

import { make } from './dom.js';

const MAX_TEXT = 4_000;
const NEW_TAB = { target: '_blank', rel: 'noopener noreferrer' };

// Results of this API, under whatever host name: the id is 128 random bits, so a server that has it is the right one.
const OWN_RESULT = /^\/results\/[0-9a-f]{32}$/;

/** Fills the three slots of a card: media, texts and links. */
export async function showResults(urls, { media, texts, links }) {
  const addresses = urls.map(addressOf).filter(url => url !== null);
  for (const [index, address] of addresses.entries()) {
    const own = OWN_RESULT.test(address.pathname) ? new URL(address.pathname, location.origin) : null;
    const type = own === null ? '' : await typeOf(own);
    const url = type === '' ? address : own;
    links.append(linkTo(url, addresses.length > 1 ? `Open result ${index + 1}` : 'Open result'));
    const shown = type === '' ? null : await preview(url, type);
    if (shown !== null) {
      (shown.isText ? texts : media).append(shown.element);
    }
  }
}

function addressOf(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : null;
  } catch {
    return null;
  }
}

function linkTo(url, label) {
  const link = make('a', { className: 'button small', href: url.href, ...NEW_TAB });
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  icon.setAttribute('class', 'icon');
  icon.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#icon-open');
  icon.append(use);
  link.append(icon, label);
  return link;
}

async function preview(url, type) {
  if (type.startsWith('image/')) {
    const link = make('a', { href: url.href, ...NEW_TAB });
    link.append(make('img', { src: url.href, alt: 'Result', decoding: 'async' }));
    return { element: link };
  }

  if (type.startsWith('video/')) {
    return { element: make('video', { src: url.href, controls: true, preload: 'metadata' }) };
  }

  return type.startsWith('text/plain') || type.startsWith('text/markdown') ? textOf(url) : null;
}

async function typeOf(url) {
  try {
    const response = await fetch(url, { method: 'HEAD', credentials: 'omit' });
    return response.ok ? response.headers.get('Content-Type') ?? '' : '';
  } catch {
    return '';
  }
}

async function textOf(url) {
  try {
    const response = await fetch(url, { credentials: 'omit' });
    if (!response.ok) {
      return null;
    }

    const text = (await response.text()).trim();
    const element = make('p', {
      className: 'answer', dir: 'auto', textContent: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text,
    });
    return { element, isText: true };
  } catch {
    return null;
  }
}
