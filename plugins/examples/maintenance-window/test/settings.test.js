import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../src/settings.js';

const problems = (settings) => parse(JSON.stringify(settings)).problems;
const pointers = (settings) => problems(settings).map(({ pointer }) => pointer);

const windows = [{ from: '22:00', to: '02:00' }];

test('windows are all that is needed', () => {
  assert.deepEqual(problems({ windows }), []);
  assert.deepEqual(problems({}), [{ pointer: '', message: 'needs `windows`' }]);
});

test('all problems are told at once, each with its place', () => {
  const settings = {
    windows: [{ days: ['mon', 'monday'], from: '22:00', to: '25:00' }, { from: '24:00' }, 7],
    'utc-offset': '+15:00',
    spread: '8d',
    'a/b~': 1,
  };
  assert.deepEqual(pointers(settings), [
    '/a~1b~0',
    '/utc-offset',
    '/spread',
    '/windows/0/days/1',
    '/windows/0/to',
    '/windows/1',
    '/windows/1/from',
    '/windows/2',
  ]);
});

test('a problem says what would be right', () => {
  const [problem] = problems({ windows, initial: 5 });
  assert.deepEqual(problem, {
    pointer: '/initial',
    message: 'must be a duration of at most 7d such as "30s", not 5',
  });
});

test('values that contradict each other are refused', () => {
  assert.deepEqual(pointers({ windows, initial: '2m', max: '1m' }), ['/max']);
  assert.deepEqual(pointers({ windows: [{ from: '02:00', to: '02:00' }] }), ['/windows/0/to']);
  assert.deepEqual(pointers({ windows: [] }), ['/windows']);
  assert.deepEqual(pointers({ windows: 'nightly' }), ['/windows']);
});

test('windows without an end are refused', () => {
  assert.deepEqual(pointers({ windows: [{ from: '00:00', to: '24:00' }] }), ['/windows']);
  const halves = [{ from: '00:00', to: '12:00' }, { from: '11:00', to: '24:00' }];
  assert.deepEqual(pointers({ windows: halves }), ['/windows']);
  const nearly = [{ from: '00:00', to: '23:59' }];
  assert.deepEqual(pointers({ windows: nearly }), []);
});
