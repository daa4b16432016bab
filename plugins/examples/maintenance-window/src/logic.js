import { remaining } from './calendar.js';

/**
 * When the stream is tried again: the contract's `decision`.
 *
 * Only failures of the store wait for the end of a window. What is wrong with a schema has nothing to do with it.
 */
export function decide(settings, facts, failure) {
  if (failure.tag === 'schema-invalid' || failure.tag === 'schema-conflict') {
    return { tag: 'on-change' };
  }
  const fromStore = failure.tag === 'store';
  const advice = fromStore ? (failure.val.retryAfter ?? 0) : 0;
  const rest = fromStore ? remaining(settings, Number(facts.now)) : 0;
  const delay =
    rest > 0
      ? rest + upTo(facts.entropy, settings.spread)
      : upTo(facts.entropy, backoff(settings, facts.attempts));
  return { tag: 'after', val: Math.max(delay, advice) };
}

/** The most that the failure of this number waits, in milliseconds: twice as long as the one before. */
function backoff({ initial, max }, attempts) {
  // The exponent is cut so that the product stays a number; `max` has cut the delay long before.
  return Math.min(max, initial * 2 ** Math.min(Math.max(attempts - 1, 0), 40));
}

/**
 * A whole number from 0 to `most`, from the decision's random word. `Math.random` would begin alike in every instance,
 * on every node, and all of them would come back at the same moment.
 */
function upTo(entropy, most) {
  return Number((BigInt.asUintN(64, entropy) * BigInt(most + 1)) >> 64n);
}
