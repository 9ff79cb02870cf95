import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Score, Steps, Table } from '../../../core/rules/rule-set.js';
import { afterStep, scoreOf, stepsOf, testOf } from '../../../core/rules/steps.js';
import { ABSENT, OTHER, countedAs, crossText } from '../../../core/rules/value-text.js';
import { WORDS } from '../../contract/support/vocabulary.js';

describe('the steps of a value', () => {
  function valueBy(steps: Steps, tables: Readonly<Record<string, Table>> = {}) {
    const each = stepsOf(steps, tables);
    return (text: string): string => each.reduce((now, step) => afterStep(step, now), text);
  }

  test('leave absent and other what they are, whatever they are', () => {
    const steps = valueBy({
      trim: true,
      case: 'upper',
      unknown: ['other'],
      map: { unknown: 'x', other: 'x', '': 'x' },
      match: [{ pattern: '', as: 'y' }],
      maxBytes: 1,
    });
    expect(steps(ABSENT)).toBe(ABSENT);
    expect(steps(OTHER)).toBe(OTHER);
    expect(steps('a')).toBe('y');
  });

  test('are done in one order, and nothing more after a text became unknown', () => {
    const table = { key: 'text', columns: ['c'], rows: [['GB', 'isles']] } as const;
    const steps = valueBy(
      {
        trim: true,
        case: 'upper',
        unknown: ['N/A'],
        map: { UK: 'GB', 'N/A': 'GB' },
        lookup: { table: 't', column: 'c' },
        match: [{ pattern: '^isles$', as: 'match' }],
        maxBytes: 5,
      },
      { t: table },
    );
    expect([' uk ', ' n/a', 'fr', ' '].map(steps)).toEqual(['match', ABSENT, ABSENT, ABSENT]);
  });

  test('end with the cap on bytes: 256 where none is given', () => {
    const plain = valueBy({});
    expect([256, 257].map((n) => plain('x'.repeat(n)).length)).toEqual([256, 1]);
    expect(plain('é'.repeat(129))).toBe(OTHER);
    expect(valueBy({ maxBytes: 3 })('\u{1d4b3}')).toBe(OTHER);
  });
});

describe('a condition', () => {
  const held = (condition: Parameters<typeof testOf>[0], texts: readonly string[]) =>
    texts.filter(testOf(condition));

  test('in: takes absent for unknown and unusable for other', () => {
    const texts = [ABSENT, OTHER, 'unknown', 'other', 'x'];
    expect(held({ field: 'f', in: ['unknown'] }, texts)).toEqual([ABSENT, 'unknown']);
    expect(held({ field: 'f', in: ['other', 'x'] }, texts)).toEqual([OTHER, 'other', 'x']);
  });

  test('matches and within: hold of texts only', () => {
    const texts = [ABSENT, OTHER, '10.0.0.1', '::ffff:10.0.0.1', 'x'];
    expect(held({ field: 'f', matches: '^' }, texts)).toEqual(texts.slice(2));
    expect(held({ field: 'f', within: ['10.0.0.0/8'] }, texts)).toEqual(texts.slice(2, 4));
  });

  test('missing: holds of what is absent, not of what is unusable or says unknown', () => {
    const texts = [ABSENT, OTHER, 'unknown', ' '];
    expect(held({ field: 'f', missing: true }, texts)).toEqual([ABSENT]);
  });
});

describe('a cross', () => {
  const part = fc.oneof(
    fc.constantFrom(ABSENT, OTHER, ...WORDS),
    fc.string({ unit: fc.constantFrom('×', '\\', 'a', '\\×', '×\\') }),
  );

  test('is another text for other parts, but for those that count as the same', () => {
    const parts = fc.array(part, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = JSON.stringify(a.map(countedAs)) === JSON.stringify(b.map(countedAs));
        expect(crossText(a) === crossText(b)).toBe(same);
      }),
      { numRuns: 10_000 },
    );
  });

  test('can be taken apart again', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const read = crossText(parts).match(/(\\.|[^×\\])+/gsu) ?? [];
        expect(read.map((one) => one.replaceAll(/\\(.)/gsu, '$1'))).toEqual(parts.map(countedAs));
      }),
    );
  });
});

describe('a score', () => {
  const weight = fc.integer({ min: -1e12, max: 1e12 });
  const term = fc.record({
    value: fc.constant('v'),
    weights: fc.dictionary(fc.constantFrom('x', 'y', 'unknown', 'other'), weight),
    otherwise: weight,
  });

  /** Levels at the exact sum, above and below it: which one is named tells the sum. */
  const around = (sum: bigint): Score['levels'] =>
    [1n, 0n, -1n].map((more) => ({ atLeast: Number(sum + more), as: String(more) }));

  test('is exact: the sum in whole numbers of any size is reached to the unit', () => {
    const texts = fc.array(fc.constantFrom('x', 'y', 'z', ABSENT, OTHER), {
      minLength: 16,
      maxLength: 16,
    });
    fc.assert(
      fc.property(
        fc.array(term, { minLength: 1, maxLength: 16 }),
        weight,
        texts,
        (terms, bias, all) => {
          const sum = terms.reduce((now, { weights, otherwise }, i) => {
            const text = countedAs(all[i]!);
            const own = Object.hasOwn(weights, text) ? weights[text]! : otherwise;
            return now + BigInt(own);
          }, BigInt(bias));
          const score = scoreOf({ terms, bias, levels: around(sum), otherwise: 'none' });
          expect(score(all.slice(0, terms.length))).toBe('0');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('without a weight, a bias or a level adds nothing, and has the name below all levels', () => {
    const terms = [{ value: 'v', weights: {} }];
    const levels = [{ atLeast: 1, as: 'one' }];
    expect(scoreOf({ terms, levels, otherwise: 'none' })(['x'])).toBe('none');
    expect(scoreOf({ terms, levels: [], otherwise: 'none' })(['x'])).toBe('none');
    expect(scoreOf({ terms, levels, bias: 1, otherwise: 'none' })(['x'])).toBe('one');
  });
});
