// What the component exports: the contract's interfaces, joined to the logic in the other files, which knows nothing of
// WebAssembly.
import { decide as decideWith } from './logic.js';
import { parse, schema } from './settings.js';

// One instance has one configuration for all of its life. Nothing else is kept here: an instance may live for one
// decision or for many, and must answer the same.
let settings;

export const lifecycle = {
  describe() {
    return {
      name: 'maintenance-window',
      version: '0.1.0',
      summary: 'Waits for the end of the maintenance windows of the store, and backs off exponentially outside of them.',
      settingsSchema: JSON.stringify(schema),
      metadata: [['licence', 'Apache-2.0']],
    };
  },

  configure(text) {
    const parsed = parse(text);
    // What is thrown is the contract's error, as long as it is no `Error`: that is a trap.
    if (parsed.problems.length > 0) throw parsed.problems;
    settings = parsed.settings;
  },
};

export const retry = {
  decide(facts, failure) {
    return decideWith(settings, facts, failure);
  },
};
