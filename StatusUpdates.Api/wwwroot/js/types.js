// The registered types, as the API lists them. Generations may be of others: those of an earlier configuration, or of another service.

// By what the results are: the beginning of a media type, and a prompt to begin with.
const KINDS = {
  image: 'A ceramic mug with a mountain, clean white background',
  video: 'A paper boat sails down a rainy street',
  text: 'Explain a log and a cursor in two sentences',
  file: 'What to create',
};

export class Types {
  #types;

  constructor(items) {
    this.#types = new Map(items.map(type => [type.name, type]));
  }

  get names() {
    return Array.from(this.#types.keys());
  }

  get(name) {
    return this.#types.get(name);
  }

  titleOf(name) {
    return this.#types.get(name)?.title ?? name;
  }

  /** The id of the icon of a type, or of one of its tasks. */
  iconOf(name, taskName) {
    const type = this.#types.get(name);
    return `#icon-${kindOf(type?.tasks.find(task => task.name === taskName) ?? type?.tasks[0])}`;
  }
}

export const exampleOf = task => KINDS[kindOf(task)];

const kindOf = task => Object.keys(KINDS).find(kind => task?.makes?.[0].startsWith(`${kind}/`)) ?? 'file';
