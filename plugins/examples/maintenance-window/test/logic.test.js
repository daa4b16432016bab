import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../src/logic.js';
import { parse } from '../src/settings.js';
import { HOURS, LARGEST, MINUTES, at, facts, storeFailure } from './facts.js';

/** The delay in milliseconds. */
function delay(settings, given, failure = storeFailure()) {
  const parsed = parse(JSON.stringify(settings));
  assert.deepEqual(parsed.problems, []);
  const decision = decide(parsed.settings, facts(given), failure);
  assert.equal(decision.tag, 'after');
  return decision.val;
}

const nightly = { windows: [{ from: '22:00', to: '02:00' }], spread: '2m' };

test('inside a window the streams wait for its end, spread over some time', () => {
  // 2026-01-01 is a Thursday.
  assert.equal(delay(nightly, { now: at('2026-01-01T22:00:00Z') }), 4 * HOURS);
  assert.equal(delay(nightly, { now: at('2026-01-02T01:59:00Z') }), MINUTES);
  assert.equal(delay(nightly, { now: at('2026-01-02T01:59:00Z'), entropy: LARGEST }), 3 * MINUTES);
  assert.equal(delay(nightly, { now: at('2026-01-02T01:59:00Z'), entropy: LARGEST / 2n }), 2 * MINUTES);
});

test('outside of the windows the delay doubles up to its maximum', () => {
  const now = at('2026-01-02T02:00:00Z');
  const longest = (attempts) => delay(nightly, { now, attempts, entropy: LARGEST });
  assert.deepEqual([1, 2, 3, 4].map(longest), [1_000, 2_000, 4_000, 8_000]);
  assert.equal(longest(4_294_967_295), 5 * MINUTES);
  assert.equal(delay(nightly, { now, attempts: 4 }), 0);
});

test('a window begins on its days only, and may end on the next one', () => {
  const weekend = { ...nightly, windows: [{ days: ['sat'], from: '22:00', to: '02:00' }] };
  assert.equal(delay(weekend, { now: at('2026-01-02T23:00:00Z') }), 0, 'a Friday');
  assert.equal(delay(weekend, { now: at('2026-01-03T23:00:00Z') }), 3 * HOURS, 'the Saturday');
  assert.equal(delay(weekend, { now: at('2026-01-04T01:00:00Z') }), 1 * HOURS, 'its Sunday morning');
  assert.equal(delay(weekend, { now: at('2026-01-04T23:00:00Z') }), 0, 'the Sunday');
});

test('windows that overlap or touch are waited for as one, over the end of the week too', () => {
  const windows = [
    { days: ['sat'], from: '12:00', to: '24:00' },
    { days: ['sun'], from: '00:00', to: '06:00' },
    { days: ['sun'], from: '05:00', to: '07:00' },
  ];
  assert.equal(delay({ windows }, { now: at('2026-01-03T12:00:00Z') }), 19 * HOURS);
});

test('the times are those of the offset', () => {
  const settings = { ...nightly, 'utc-offset': '+05:30' };
  assert.equal(delay(settings, { now: at('2026-01-01T16:29:00Z') }), 0);
  assert.equal(delay(settings, { now: at('2026-01-01T16:30:00Z') }), 4 * HOURS);
  assert.equal(delay({ ...nightly, 'utc-offset': '-03:00' }, { now: at('2026-01-02T01:00:00Z') }), 4 * HOURS);
  assert.equal(delay({ ...nightly, 'utc-offset': '-14:00' }, { now: 0n, entropy: 0n }), 0, 'before the epoch');
});

test("the store's own advice is a lower bound", () => {
  assert.equal(delay(nightly, { now: at('2026-01-01T12:00:00Z') }, storeFailure(90_000)), 90_000);
  assert.equal(delay(nightly, { now: at('2026-01-01T22:00:00Z') }, storeFailure(90_000)), 4 * HOURS);
});

test('what is wrong with a schema waits for no window', () => {
  const now = at('2026-01-01T22:00:00Z');
  assert.equal(delay(nightly, { now }, { tag: 'schema-absent', val: 'none' }), 0);
  const { settings } = parse(JSON.stringify(nightly));
  for (const tag of ['schema-invalid', 'schema-conflict']) {
    assert.deepEqual(decide(settings, facts({ now }), { tag, val: '' }), { tag: 'on-change' });
  }
});
