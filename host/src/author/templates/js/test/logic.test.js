// Tests of the logic, without WebAssembly.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as logic from '../src/logic.js';
import { read, schema } from '../src/settings.js';

/** A stream of which nothing is known, but for what a test says. */
function facts(known) {
  return {
    name: 'app',
    node: 'n1',
    now: 1_000_000n,
    nodeSeen: 0n,
    phase: 'unseen',
    trigger: 'first-seen',
    attempts: 0,
    absences: 0,
    local: { tag: 'missing' },
    remote: { tag: 'unknown' },
    stagedDataFiles: 0,
    schemaKey: 'app/n1.schema.json',
    peersPrefix: 'app/',
    defaults: [],
    store: { failingStreams: 0, streams: 1 },
    attributes: [],
    entropy: 0n,
    ...known,
  };
}

function settings(given) {
  const { values, problems } = read(given);
  assert.deepEqual(problems, []);
  return values;
}

test('what is wrong with settings is told at once', () => {
  assert.deepEqual(
    read({ what: 1, 'why/not': 2 }).problems.map(({ pointer }) => pointer),
    ['/what', '/why~1not'],
  );
  // @if existence
  assert.equal(settings({ grace: '1h 30m' }).grace, 90 * 60 * 1000);
  assert.equal(read({ grace: 'soon' }).problems.length, 1);
  // @end
  // @if fallback
  assert.equal(read({ checks: -1, schema: 7 }).problems.length, 2);
  // @end
  // @if retry
  assert.equal(read({ first: '2s', longest: '1s' }).problems.length, 1);
  assert.equal(read({ first: '', longest: '90d' }).problems.length, 2);
  // @end
});

test('every setting has a default that it takes itself', () => {
  const properties = Object.entries(schema().properties);
  settings(Object.fromEntries(properties.map(([name, { default: value }]) => [name, value])));
});

// @if existence
test('data that waits for too long makes a schema absent', () => {
  const grace = settings({ grace: '2m' });
  const waiting = (since) => logic.check(grace, facts({ now: 1_000_000n, oldestDataFile: since }));
  assert.equal(logic.check(grace, facts({})).tag, 'not-expected');
  assert.deepEqual(waiting(950_000n), { tag: 'unsettled', val: 70_000 });
  assert.equal(waiting(880_000n).tag, 'absent');
  assert.equal(waiting(2_000_000n).tag, 'unsettled');

  const staged = (wellFormed) => logic.check(grace, facts({ local: { tag: 'file', val: { wellFormed } } }));
  assert.equal(staged(true).tag, 'present');
  assert.equal(staged(false).tag, 'abstain');
});

// @end
// @if fallback
test('a schema that does not come is replaced', () => {
  const logs = settings({ checks: 2, schema: 'logs' });
  assert.equal(logic.choose(logs, facts({ absences: 1 })).tag, 'skip');
  assert.deepEqual(logic.choose(logs, facts({ absences: 2, defaults: ['logs'] })), { tag: 'named', val: 'logs' });
  assert.deepEqual(logic.choose(logs, facts({ absences: 2 })), { tag: 'peers' });
});

// @end
// @if retry
test('delays double up to the longest', () => {
  const ten = settings({ first: '1s', longest: '10s' });
  const delay = (attempts, entropy) => logic.decide(ten, facts({ attempts, entropy }), { tag: 'other', val: '' }).val;
  for (const entropy of [0n, 1n, 499n, 500n, 501n, 0xffff_ffff_ffff_ffffn]) {
    assert.ok(delay(1, entropy) >= 500 && delay(1, entropy) <= 1_000);
    assert.ok(delay(4, entropy) >= 4_000 && delay(4, entropy) <= 8_000);
    assert.ok(delay(0xffff_ffff, entropy) <= 10_000);
  }
});

test('the store and the file have their say', () => {
  const throttled = { tag: 'store', val: { kind: 'throttled', message: '', retryAfter: 30_000 } };
  assert.deepEqual(logic.decide(settings({}), facts({ attempts: 1 }), throttled), { tag: 'after', val: 30_000 });
  const invalid = { tag: 'schema-invalid', val: 'it ends too soon' };
  assert.deepEqual(logic.decide(settings({}), facts({ attempts: 1 }), invalid), { tag: 'on-change' });
});
// @end
