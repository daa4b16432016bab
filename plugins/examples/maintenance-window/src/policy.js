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
    // What is thrown is the contract's error: here, a list of problems.
    if (parsed.problems.length > 0) throw parsed.problems;
    settings = parsed.settings;
  },
};

// What is thrown is the contract's error. The runtime can't turn an `Error` into one, and traps without its text: so its
// text is thrown.
function reporting(call) {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      throw error instanceof Error ? `${error}\n${error.stack}` : error;
    }
  };
}

export const retry = {
  decide: reporting((facts, failure) => decideWith(settings, facts, failure)),
};
