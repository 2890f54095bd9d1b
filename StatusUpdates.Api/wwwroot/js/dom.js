// Elements of the page.

export const element = id => document.getElementById(id);

export const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

// The busy state of a button. Not by the attribute disabled, which would lose keyboard focus.

export const isBusy = button => button.getAttribute('aria-disabled') === 'true';

export const setBusy = (button, busy) => button.setAttribute('aria-disabled', String(busy));
