// Starts the page: sign-in, then the user's workspace.

import { Api, ApiError, Session, offersDevelopmentTokens } from './api.js';
import { element, isBusy, setBusy } from './dom.js';
import { TASKS, TYPES } from './format.js';
import { Workspace } from './workspace.js';

const USER_KEY = 'statusupdates.user';

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
    enter(session);
  } catch (error) {
    element('user-input').value = userId;
    showSignIn(error.message);
  }
}

function signInWith(token) {
  if (token === '') {
    showSignIn('Please paste a token.');
    return;
  }

  element('token-input').value = '';
  enter(Session.forToken(token));
}

function enter(session) {
  workspace?.stop();
  const entered = new Api(session, reason => {
    // A late response to a previous session must not end the current one.
    if (api === entered) {
      signOut(reason);
    }
  });
  api = entered;
  workspace = new Workspace(api);
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
  form.addEventListener('change', event => {
    if (event.target.name === 'type') {
      showType(event.target.value);
    }
  });
  form.addEventListener('submit', event => {
    event.preventDefault();
    submit(new FormData(form));
  });
  element('prompt').addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  showType(new FormData(form).get('type'));
}

function showType(type) {
  const { tasks, placeholder } = TYPES[type];
  element('task').replaceChildren(...tasks.map(task => new Option(TASKS[task], task)));
  element('task-field').hidden = tasks.length < 2;
  element('prompt').placeholder = placeholder;
}

async function submit(fields) {
  const prompt = element('prompt');
  const error = element('submit-error');
  const button = element('submit');
  const target = workspace;
  if (isBusy(button)) {
    return;
  }

  error.textContent = '';
  prompt.removeAttribute('aria-invalid');
  if (fields.get('prompt').trim() === '') {
    refuse('Please enter a prompt.');
    return;
  }

  setBusy(button, true);
  button.textContent = 'Submitting…';
  try {
    const generation = await api.submit({ type: fields.get('type'), task: fields.get('task'), prompt: fields.get('prompt') });
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
