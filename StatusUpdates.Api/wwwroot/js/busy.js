// A button that is at work. Not the attribute disabled: that would take the keyboard's focus away.

export const isBusy = button => button.getAttribute('aria-disabled') === 'true';

export const setBusy = (button, busy) => button.setAttribute('aria-disabled', String(busy));
