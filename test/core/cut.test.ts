import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coversCut, isBelowCut, maxCut, normalCut } from '../../core/cut.js';
import { CellsChecksum, hashInputs } from '../../core/generation.js';

const cut = fc.uniqueArray(
  fc.record({
    topic: fc.constantFrom('a', 'b', 'clicks'),
    partition: fc.nat(3),
    nextOffset: fc.nat(5),
  }),
  { selector: ({ topic, partition }) => `${topic}/${String(partition)}` },
);

describe('cuts', () => {
  test('one cut has one form, whatever the order and the zeros', () => {
    fc.assert(
      fc.property(cut, fc.nat(), (c, seed) => {
        const turned = [...c.slice(seed % (c.length + 1)), ...c.slice(0, seed % (c.length + 1))];
        expect(normalCut(turned)).toEqual(normalCut(c));
        const hash = (entries: typeof c) => hashInputs({ hourMs: 0, ruleSet: 'r', cut: entries });
        expect(hash(turned)).toBe(hash(c));
      }),
    );
  });

  test('a record is below the greater of two cuts exactly if it is below one of them', () => {
    fc.assert(
      fc.property(cut, cut, fc.nat(3), fc.nat(5), (a, b, partition, offset) => {
        const at = { topic: 'clicks', partition, offset };
        expect(isBelowCut(maxCut(a, b), at)).toBe(isBelowCut(a, at) || isBelowCut(b, at));
        expect(coversCut(maxCut(a, b), a) && coversCut(maxCut(a, b), b)).toBe(true);
      }),
    );
  });

  test('a cut covers another exactly if the greater of both is itself', () => {
    fc.assert(
      fc.property(cut, cut, (a, b) => {
        expect(coversCut(a, b)).toBe(JSON.stringify(maxCut(a, b)) === JSON.stringify(normalCut(a)));
      }),
    );
  });
});

describe('the checksum of cells', () => {
  test('is that of its lines, and counts that are 0 take no part', () => {
    const sum = new CellsChecksum();
    sum.add('', 'ad', [0, 2, 0]);
    sum.add('country:GB', 'ad', [0, 0, 0]);
    expect({ rows: sum.rows, cells: sum.cells }).toEqual({ rows: 2, cells: 1 });
    // printf '\tad\t1\t2\n' | sha256sum
    expect(sum.digest()).toBe('c417ac429477e6fa9f67b6aaf0504353f15ba41316b02521677d05ced0f200ca');
  });
});
