// Every role, and every function that a policy may call. See ../../README.md.
import { write } from 'tidegate:policy/log@0.1.0';
import { get, head, listObjects } from 'tidegate:policy/object-reader@0.1.0';
import { listFiles, readFile } from 'tidegate:policy/staging@0.1.0';
import { load, swap } from 'tidegate:policy/state@0.1.0';

export const lifecycle = {
  describe: () => ({
    name: 'frozen-js',
    version: '0.1.0',
    summary: 'Calls all of the contract.',
    settingsSchema: '',
    metadata: [['language', 'js']],
  }),

  configure(settings) {
    if (settings !== '{}') throw [{ pointer: '', message: 'there are no settings' }];
  },
};

export const existence = {
  check(facts) {
    if (facts.local.tag === 'file') return { tag: 'present' };
    try {
      const [file] = listFiles();
      if (file === undefined) return { tag: 'not-expected', val: 'nothing is staged' };
      readFile(file.name, 0n, 1);
      return { tag: 'absent', val: 'data waits' };
    } catch {
      return { tag: 'unsettled', val: 5000 };
    }
  },
};

export const fallback = {
  choose(facts) {
    try {
      if (isThere(facts.schemaKey)) return { tag: 'skip', val: 'it is stored' };
      const { entries } = listObjects(facts.peersPrefix, undefined, 1);
      if (entries.length > 0) {
        get(entries[0].key, 0n, 16);
        return { tag: 'peers' };
      }
    } catch {
      throw 'the store can not tell';
    }
    return facts.defaults.length > 0 ? { tag: 'named', val: facts.defaults[0] } : { tag: 'abstain' };
  },
};

function isThere(key) {
  try {
    head(key);
    return true;
  } catch (error) {
    if (error.payload?.tag === 'not-found') return false;
    throw error;
  }
}

export const retry = {
  decide(facts, failure) {
    write('info', 'an attempt failed');
    if (failure.tag !== 'store') return { tag: 'on-change' };
    try {
      const seen = load('this-stream', 'seen');
      if (seen !== undefined) return { tag: 'abandon', val: 'seen before' };
      swap('this-stream', 'seen', undefined, new Uint8Array([1]));
    } catch {
      return { tag: 'abstain' };
    }
    return { tag: 'after', val: 1000 + Number(facts.entropy % 1000n) };
  },
};
