import { DAY, DAYS, MINUTE, remaining, spans } from './calendar.js';
import { LONGEST, parseDuration } from './duration.js';

const MOST_WINDOWS = 64;

const duration = (description, byDefault) => ({
  type: 'string',
  pattern: '^\\s*(\\d+(ms|s|m|h|d)\\s*)+$',
  description,
  default: byDefault,
});

const time = (description) => ({
  type: 'string',
  pattern: '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$',
  description,
});

/** The JSON Schema of the settings. */
export const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Settings of `maintenance-window`',
  type: 'object',
  additionalProperties: false,
  required: ['windows'],
  properties: {
    windows: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_WINDOWS,
      description: 'When the store is being maintained.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['from', 'to'],
        properties: {
          days: {
            type: 'array',
            minItems: 1,
            items: { enum: DAYS },
            description: 'The days on which it begins.',
            default: DAYS,
          },
          from: time('When it begins.'),
          to: time('When it ends: on the next day, where that is before it begins.'),
        },
      },
    },
    'utc-offset': {
      type: 'string',
      pattern: '^[+-](0\\d|1[0-4]):[0-5]\\d$',
      description: 'What the times of the windows are ahead of UTC, all year round.',
      default: '+00:00',
    },
    spread: duration('Over how long the streams that waited come back after a window.', '2m'),
    initial: duration('Outside of the windows: the longest delay after the first failure. It doubles.', '1s'),
    max: duration('Outside of the windows: the longest delay.', '5m'),
  },
};

/**
 * The settings in milliseconds, and all that is wrong with them, each with the JSON Pointer of the value. The settings
 * are of use only when nothing is wrong.
 */
export function parse(text) {
  const problems = [];
  const wrong = (pointer, message) => {
    problems.push({ pointer, message });
  };
  const given = object(JSON.parse(text), '', schema, wrong);
  const settings = {
    offset: utcOffset(given['utc-offset'], wrong),
    spread: readDuration(given, 'spread', wrong),
    initial: readDuration(given, 'initial', wrong),
    max: readDuration(given, 'max', wrong),
    windows: readWindows(given.windows, wrong),
  };
  if (settings.max < settings.initial) wrong('/max', 'must not be less than `initial`');
  if (problems.length === 0 && remaining(settings, 0) === Infinity) {
    wrong('/windows', 'must leave some time of the week: these never end');
  }
  return { settings, problems };
}

/** The value where it is an object, after its keys were compared with those of its schema; else an empty one. */
function object(value, pointer, { properties, required }, wrong) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    wrong(pointer, `must be a table, not ${shown(value)}`);
    return {};
  }
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(properties, key)) {
      wrong(`${pointer}/${escaped(key)}`, `unknown; there are ${Object.keys(properties).join(', ')}`);
    }
  }
  for (const key of required) {
    if (!Object.hasOwn(value, key)) wrong(pointer, `needs \`${key}\``);
  }
  return value;
}

function readWindows(given, wrong) {
  if (given === undefined) return [];
  if (!Array.isArray(given) || given.length === 0 || given.length > MOST_WINDOWS) {
    const got = Array.isArray(given) ? `${given.length}` : shown(given);
    wrong('/windows', `must be a list of 1 to ${MOST_WINDOWS} windows, not ${got}`);
    return [];
  }
  return given.flatMap((window, index) => readWindow(window, `/windows/${index}`, wrong));
}

function readWindow(given, pointer, wrong) {
  const window = object(given, pointer, schema.properties.windows.items, wrong);
  const days = readDays(window.days, `${pointer}/days`, wrong);
  const from = readTime(window.from, `${pointer}/from`, wrong);
  const to = readTime(window.to, `${pointer}/to`, wrong);
  if (from === DAY) wrong(`${pointer}/from`, 'must be before 24:00, which is 00:00 of the next day');
  if (from === undefined || to === undefined) return [];
  if (from === to) wrong(`${pointer}/to`, 'must differ from `from`; a whole day is from 00:00 to 24:00');
  return spans(days, from, to);
}

function readDays(given, pointer, wrong) {
  if (given === undefined) return DAYS;
  if (!Array.isArray(given) || given.length === 0) {
    wrong(pointer, `must be a list of days, not ${shown(given)}`);
    return [];
  }
  given.forEach((day, index) => {
    if (!DAYS.includes(day)) wrong(`${pointer}/${index}`, `must be one of ${DAYS.join(', ')}, not ${shown(day)}`);
  });
  return given;
}

/** A time of day in milliseconds. */
function readTime(given, pointer, wrong) {
  if (given === undefined) return undefined;
  if (typeof given !== 'string' || !new RegExp(schema.properties.windows.items.properties.to.pattern).test(given)) {
    wrong(pointer, `must be a time of day such as "22:30", not ${shown(given)}`);
    return undefined;
  }
  return clock(given);
}

function utcOffset(given = schema.properties['utc-offset'].default, wrong) {
  if (typeof given !== 'string' || !new RegExp(schema.properties['utc-offset'].pattern).test(given)) {
    wrong('/utc-offset', `must be an offset such as "+02:00", not ${shown(given)}`);
    return 0;
  }
  return (given[0] === '-' ? -1 : 1) * clock(given.slice(1));
}

function clock(text) {
  const [hours, minutes] = text.split(':').map(Number);
  return (hours * 60 + minutes) * MINUTE;
}

function readDuration(given, name, wrong) {
  const text = given[name] ?? schema.properties[name].default;
  const length = parseDuration(text);
  if (length === undefined) wrong(`/${name}`, `must be a duration of at most ${LONGEST} such as "30s", not ${shown(text)}`);
  return length;
}

const shown = (value) => JSON.stringify(value) ?? 'nothing';

/** A key as a part of a JSON Pointer. */
const escaped = (key) => key.replaceAll('~', '~0').replaceAll('/', '~1');
