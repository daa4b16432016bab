// Joins the logic to the contract: what the component exports.
import * as logic from './logic.js';
import * as settings from './settings.js';

// Set once in every instance, before it is asked anything. Nothing else is kept: an instance may live for one decision or
// for many, and must answer the same.
let current;

export const lifecycle = {
  describe() {
    return {
      name: '{{name}}',
      version: '0.1.0',
      summary: 'One sentence for people who choose a policy.',
      settingsSchema: JSON.stringify(settings.schema()),
      metadata: [],
    };
  },

  configure(text) {
    const { values, problems } = settings.read(JSON.parse(text));
    // What is thrown is the contract's error: here, a list of problems.
    if (problems.length > 0) throw problems;
    current = values;
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

// @if existence
export const existence = {
  check: reporting((facts) => logic.check(current, facts)),
};

// @end
// @if fallback
export const fallback = {
  choose: reporting((facts, reason) => logic.choose(current, facts, reason)),
};

// @end
// @if retry
export const retry = {
  decide: reporting((facts, failure) => logic.decide(current, facts, failure)),
};
// @end
