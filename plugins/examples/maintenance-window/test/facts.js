/** The facts of a decision as the host gives them, with what a test says instead. */
export function facts(given) {
  return { now: 0n, attempts: 1, entropy: 0n, ...given };
}

/** A failed request to the store. */
export function storeFailure(retryAfter) {
  return { tag: 'store', val: { kind: 'unavailable', message: '503', retryAfter } };
}

/** The moment in milliseconds, as the host writes it. */
export const at = (text) => BigInt(Date.parse(text));

export const LARGEST = 2n ** 64n - 1n;
export const MINUTES = 60_000;
export const HOURS = 60 * MINUTES;
