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
    // What is thrown is the contract's error, unless it is an `Error`: that is a trap.
    if (problems.length > 0) throw problems;
    current = values;
  },
};

// @if existence
export const existence = {
  check: (facts) => logic.check(current, facts),
};

// @end
// @if fallback
export const fallback = {
  choose: (facts, reason) => logic.choose(current, facts, reason),
};

// @end
// @if retry
export const retry = {
  decide: (facts, failure) => logic.decide(current, facts, failure),
};
// @end
