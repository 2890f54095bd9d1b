// Shows a generation's results. Their addresses come from providers: only http(s) is ever opened, and only results that this API
// serves are shown inline; everything else is a link.

const MAX_TEXT = 4_000;

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
  const link = document.createElement('a');
  link.className = 'button small';
  link.href = url.href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
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
    const link = document.createElement('a');
    link.href = url.href;
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    const image = document.createElement('img');
    image.src = url.href;
    image.alt = 'Result';
    image.decoding = 'async';
    link.append(image);
    return { element: link };
  }

  if (type.startsWith('video/')) {
    const video = document.createElement('video');
    video.src = url.href;
    video.controls = true;
    video.preload = 'metadata';
    return { element: video };
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
    const element = document.createElement('p');
    element.className = 'answer';
    element.dir = 'auto';
    element.textContent = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
    return { element, isText: true };
  } catch {
    return null;
  }
}
