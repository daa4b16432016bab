// What the policy decides: facts in, verdict out. It calls nothing of the host, so it is tested natively (`node --test`).
//
// Facts and verdicts are those of `wit/deps/tidegate-policy`, with names in camelCase. `timestamp` and `u64` are BigInts,
// `millis` and `u32` numbers; what is not there is `undefined`; a variant is `{ tag, val }`.

// @if existence
/** Is the stream's schema there, and if not, should it be? */
export function check({ grace }, facts) {
  if (facts.local.tag === 'file' && facts.local.val.wellFormed) return { tag: 'present' };
  // Something stands there that is no schema: the host's own rule is good enough.
  if (facts.local.tag !== 'missing') return { tag: 'abstain' };
  if (facts.oldestDataFile === undefined) return { tag: 'not-expected', val: 'no data waits' };
  // The clock may step backwards.
  const waited = Math.max(Number(facts.now - facts.oldestDataFile), 0);
  if (waited < grace) return { tag: 'unsettled', val: grace - waited };
  return { tag: 'absent', val: `data has waited for ${Math.floor(waited / 1000)} s without a schema` };
}

// @end
// @if fallback
/** What do we publish for a stream whose schema is absent? */
export function choose({ checks, schema }, facts, _reason) {
  if (facts.absences < checks) return { tag: 'skip', val: 'it may come yet' };
  if (facts.defaults.includes(schema)) return { tag: 'named', val: schema };
  return { tag: 'peers' };
}

// @end
// @if retry
/** An attempt failed; when is the next one? */
export function decide({ first, longest }, facts, failure) {
  // The same file will not parse the next time either.
  if (failure.tag === 'schema-invalid') return { tag: 'on-change' };
  const most = Math.min(first * 2 ** Math.max(facts.attempts - 1, 0), longest);
  // Half of it is left to chance, so that those that failed together do not come back together. Chance comes from the
  // facts: `Math.random` would begin alike in every instance, on every node.
  const least = Math.floor(most / 2);
  const delay = least + Number(facts.entropy % BigInt(most - least + 1));
  const advice = failure.tag === 'store' ? (failure.val.retryAfter ?? 0) : 0;
  return { tag: 'after', val: Math.max(delay, advice) };
}
// @end
