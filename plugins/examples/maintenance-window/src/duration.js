const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest duration that a setting may have: with the longest window before it, it still fits the contract. */
export const LONGEST = '7d';

/** "1h 30m" in milliseconds; `undefined` for what is no duration, or too long a one. */
export function parseDuration(text) {
  if (typeof text !== 'string' || !/^\s*(\d+(ms|s|m|h|d)\s*)+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|d)/g)];
  const sum = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0);
  return sum <= 7 * UNITS.d ? sum : undefined;
}
