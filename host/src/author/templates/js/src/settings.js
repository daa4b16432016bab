// The settings that an operator writes into TOML, as the policy uses them.

// The longest length of time that the contract can say, in milliseconds: 49 days.
const LONGEST = 0xffff_ffff;
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What can be written: its part of the JSON Schema, how it is read (`undefined`: it can't be), and what would be right. */
const duration = {
  schema: { type: 'string', pattern: '^(\\d+(ms|s|m|h|d) ?)+$' },
  read(value) {
    if (typeof value !== 'string' || !/^(\d+(ms|s|m|h|d) ?)+$/.test(value)) return undefined;
    const parts = [...value.matchAll(/(\d+)(ms|s|m|h|d)/g)];
    const sum = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0);
    return sum <= LONGEST ? sum : undefined;
  },
  wanted: 'write a length of time of 49 days at most, such as "30s" or "1h 30m"',
};
// @if fallback
const count = {
  schema: { type: 'integer', minimum: 0 },
  read: (value) => (Number.isInteger(value) && value >= 0 ? value : undefined),
  wanted: 'write a whole number that is not negative',
};
const text = {
  schema: { type: 'string' },
  read: (value) => (typeof value === 'string' ? value : undefined),
  wanted: 'write a text',
};
// @end

/** Every setting. */
const SETTINGS = {
  // @if existence
  grace: { kind: duration, otherwise: '2m', about: 'How long data may wait for its schema.' },
  // @end
  // @if fallback
  checks: { kind: count, otherwise: 3, about: 'How many checks must find the schema absent first.' },
  schema: { kind: text, otherwise: '', about: 'The default schema to publish; empty for the merge of what the peers have.' },
  // @end
  // @if retry
  first: { kind: duration, otherwise: '1s', about: 'The longest delay after the first failure.' },
  longest: { kind: duration, otherwise: '1m', about: 'The longest delay of all.' },
  // @end
};

/** The settings by name, durations in milliseconds, and all that is wrong with them. */
export function read(given) {
  const values = {};
  const problems = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(SETTINGS, name)) problems.push({ pointer: pointer(name), message: 'there is no such setting' });
  }
  for (const [name, { kind, otherwise }] of Object.entries(SETTINGS)) {
    const value = kind.read(Object.hasOwn(given, name) ? given[name] : otherwise);
    if (value === undefined) problems.push({ pointer: pointer(name), message: kind.wanted });
    values[name] = value;
  }
  // @if retry
  if (values.first > values.longest) problems.push({ pointer: '/first', message: 'this is more than `longest`' });
  // @end
  return { values, problems };
}

/** The JSON Pointer (RFC 6901) to a setting. */
function pointer(name) {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The JSON Schema of the settings. */
export function schema() {
  const properties = Object.entries(SETTINGS).map(([name, { kind, otherwise, about }]) => [
    name,
    { ...kind.schema, default: otherwise, description: about },
  ]);
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}
