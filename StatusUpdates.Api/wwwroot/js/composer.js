// The form for a new generation, built from the registered types.

import { element, make } from './dom.js';
import { exampleOf } from './types.js';

const DEFAULT = make('option', { value: '', textContent: 'Default' });

/** Offers the types, and fields for the task and the options of the chosen one. The form has one listener only, however often it is built. */
export class Composer {
  #types = null;

  constructor() {
    element('types').addEventListener('change', () => this.#showType());
    element('task').addEventListener('change', () => this.#showTask());
  }

  offer(types) {
    this.#types = types;
    element('types').replaceChildren(...types.names.map((name, index) => {
      const choice = element('type-template').content.firstElementChild.cloneNode(true);
      Object.assign(choice.querySelector('input'), { value: name, checked: index === 0 });
      choice.querySelector('use').setAttribute('href', types.iconOf(name));
      choice.querySelector('span').append(types.titleOf(name));
      return choice;
    }));
    this.#showType();
  }

  /** What the form says, as the API takes it. */
  read() {
    const { type, task } = this.#chosen();
    const options = (task.options ?? []).map(option => [option.name, valueOf(option, element(idOf(option)).value)]).filter(([, value]) => value !== undefined);
    const request = { type: type.name, task: task.name, prompt: element('prompt').value };
    return options.length > 0 ? { ...request, options: Object.fromEntries(options) } : request;
  }

  #chosen() {
    const type = this.#types.get(element('submit-form').elements.namedItem('type').value);
    return { type, task: type.tasks.find(task => task.name === element('task').value) ?? type.tasks[0] };
  }

  #showType() {
    const { type } = this.#chosen();
    element('task').replaceChildren(...type.tasks.map(task => new Option(task.title, task.name)));
    element('task-field').hidden = type.tasks.length < 2;
    this.#showTask();
  }

  #showTask() {
    const { task } = this.#chosen();
    const options = task.options ?? [];
    element('options').replaceChildren(...options.map(fieldOf));
    element('options').hidden = options.length === 0;
    element('prompt').placeholder = exampleOf(task);
  }
}

const idOf = option => `option-${option.name}`;

function fieldOf(option) {
  const field = make('div', {});
  const label = make('label', { htmlFor: idOf(option), textContent: option.title });
  const values = option.type === 'boolean' ? ['true', 'false'] : option.values;
  let input;
  if (values) {
    input = make('select', {});
    input.append(...option.required ? [] : [DEFAULT.cloneNode(true)], ...values.map(value => new Option(value, value)));
  } else if (option.type === 'string') {
    input = make('input', { type: 'text' });
  } else {
    input = make('input', { type: 'number', step: option.type === 'integer' ? 1 : 'any', min: option.min ?? '', max: option.max ?? '' });
  }

  input.id = idOf(option);
  field.append(label, input);
  return field;
}

// An empty field is an option that is not given: what it means then is up to the provider.
function valueOf(option, text) {
  if (text === '') {
    return undefined;
  }

  switch (option.type) {
    case 'boolean': return text === 'true';
    case 'string': return text;
    default: return Number(text);
  }
}
