// Starts the page: sign-in, then the user's workspace.

import { Api, ApiError, Session, offersDevelopmentTokens } from './api.js';
import { Composer } from './composer.js';
import { element, isBusy, setBusy } from './dom.js';
import { Types } from './types.js';
import { Workspace } from './workspace.js';

const USER_KEY = 'statusupdates.user';

const composer = new Composer();
let api = null;
let workspace = null;

async function start() {
  wireSignIn();
  wireComposer();
  const user = remembered();
  if (user !== null) {
    await signInAs(user);
  } else {
    showSignIn();
    if (!await offersDevelopmentTokens()) {
      showTokenForm();
    }
  }
}

// Signing in

function wireSignIn() {
  element('user-form').addEventListener('submit', event => {
    event.preventDefault();
    signInAs(element('user-input').value.trim());
  });
  element('user-suggestions').addEventListener('click', event => {
    if (event.target.matches('button')) {
      signInAs(event.target.textContent);
    }
  });
  element('token-form').addEventListener('submit', event => {
    event.preventDefault();
    signInWith(element('token-input').value.trim());
  });
  element('switch-user').addEventListener('click', () => {
    signOut('');
    element('user-form').hidden ? element('token-input').focus() : element('user-input').focus();
  });
}

async function signInAs(userId) {
  if (userId === '') {
    showSignIn('Please type a name.');
    return;
  }

  try {
    const session = await Session.forUser(userId);
    if (session === null) {
      showSignIn();
      showTokenForm();
      return;
    }

    remember(userId);
    await enter(session);
  } catch (error) {
    element('user-input').value = userId;
    showSignIn(error.message);
  }
}

async function signInWith(token) {
  if (token === '') {
    showSignIn('Please paste a token.');
    return;
  }

  element('token-input').value = '';
  try {
    await enter(Session.forToken(token));
  } catch (error) {
    showSignIn(error.message);
  }
}

async function enter(session) {
  workspace?.stop();
  workspace = null;
  const entered = new Api(session, reason => {
    // A late response to a previous session must not end the current one.
    if (api === entered) {
      signOut(reason);
    }
  });
  api = entered;
  const types = new Types((await entered.types()).items);
  if (api !== entered) {
    return;
  }

  composer.offer(types);
  workspace = new Workspace(api, types);
  element('sign-in').hidden = true;
  element('workspace').hidden = false;
  element('connection').hidden = false;
  element('switch-user').hidden = false;
  element('user-name').textContent = session.userId;
  workspace.start();
  element('prompt').focus({ preventScroll: true });
}

function signOut(reason) {
  remember(null);
  workspace?.stop();
  workspace = null;
  api = null;
  showSignIn(reason);
}

function showSignIn(message = '') {
  element('sign-in').hidden = false;
  element('workspace').hidden = true;
  element('connection').hidden = true;
  element('switch-user').hidden = true;
  element('sign-in-error').textContent = message;
}

function showTokenForm() {
  element('user-form').hidden = true;
  element('token-form').hidden = false;
  element('token-input').focus();
}

// Stores the user name, never a token. A browser may refuse to store anything: then the page asks again next time.

function remembered() {
  try {
    return localStorage.getItem(USER_KEY);
  } catch {
    return null;
  }
}

function remember(userId) {
  try {
    userId === null ? localStorage.removeItem(USER_KEY) : localStorage.setItem(USER_KEY, userId);
  } catch {
    // The browser refuses to store it: see above.
  }
}

// Submitting

function wireComposer() {
  const form = element('submit-form');
  form.addEventListener('submit', event => {
    event.preventDefault();
    submit();
  });
  element('prompt').addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

async function submit() {
  const prompt = element('prompt');
  const error = element('submit-error');
  const button = element('submit');
  const target = workspace;
  if (isBusy(button)) {
    return;
  }

  error.textContent = '';
  prompt.removeAttribute('aria-invalid');
  if (prompt.value.trim() === '') {
    refuse('Please enter a prompt.');
    return;
  }

  setBusy(button, true);
  button.textContent = 'Submitting…';
  try {
    const generation = await api.submit(composer.read());
    if (target === workspace) {
      target.add(generation);
      prompt.value = '';
    }
  } catch (failure) {
    if (!(failure instanceof ApiError)) {
      throw failure;
    }

    if (target === workspace) {
      refuse(failure.message);
    }
  } finally {
    setBusy(button, false);
    button.textContent = 'Generate';
  }
}

function refuse(message) {
  element('submit-error').textContent = message;
  element('prompt').setAttribute('aria-invalid', 'true');
  element('prompt').focus();
}

start();
