import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainFault, GENESIS_HASH, ledgerHash, ledgerText } from '../../core/ledger.js';
import type { LedgerEntry } from '../../core/ledger.js';

function chainOf(reasons: readonly string[]): LedgerEntry[] {
  let prevHash = GENESIS_HASH;
  return reasons.map((reason, i) => {
    const publication = i + 1;
    const body = ledgerText({
      publication,
      kind: 'publish',
      request: `request ${String(i)}`,
      actor: 'a test',
      reason,
      at: '2026-01-01T00:00:00Z',
      hours: [],
    });
    const entry = { publication, body, prevHash, hash: ledgerHash(prevHash, body) };
    prevHash = entry.hash;
    return entry;
  });
}

const reasons = fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 8 });

describe('the chain of the ledger', () => {
  test('holds as it was written, empty or not', () => {
    expect(chainFault([])).toBeNull();
    fc.assert(fc.property(reasons, (list) => chainFault(chainOf(list)) === null));
  });

  test('a changed character of any entry is found at that entry', () => {
    fc.assert(
      fc.property(reasons, fc.nat(), (list, at) => {
        const chain = chainOf(list);
        const entry = chain[at % chain.length]!;
        const body = `${entry.body.slice(0, -1)} }`;
        const altered = chain.map((e) => (e === entry ? { ...e, body } : e));
        expect(chainFault(altered)).toBe(`entry ${String(entry.publication)} was altered`);
      }),
    );
  });

  test('an entry taken out of the middle is found', () => {
    fc.assert(
      fc.property(reasons, fc.nat(), (list, at) => {
        const chain = chainOf(list);
        const gone = at % (chain.length - 1);
        const fault = chainFault(chain.filter((_, i) => i !== gone));
        expect(fault).toBe(`entry ${String(gone + 1)} is missing`);
      }),
    );
  });

  test('an entry written anew with its own hash no longer fits the one after it', () => {
    const chain = chainOf(['a', 'b', 'c']);
    const body = chain[1]!.body.replace('"b"', '"x"');
    chain[1] = { ...chain[1]!, body, hash: ledgerHash(chain[1]!.prevHash, body) };
    expect(chainFault(chain)).toBe('entry 3 does not follow the one before');
  });
});
