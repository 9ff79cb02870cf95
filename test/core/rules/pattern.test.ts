import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePattern } from '../../../core/rules/pattern.js';

/** Patterns of RE2 syntax, by its grammar, over letters that the texts have, too. */
const atom = fc.constantFrom(
  ...['a', 'b', 'K', 's', 'é', 'ß', '\u{10400}', '×', '.', '\\.', '[ab]', '[^a]', '[a-z]', '\\d'],
  ...['\\w', '\\W', '\\s', '\\b', '^', '$', '[[:alpha:]]', '[^[:upper:]]', '\\pL', '\\p{Lu}'],
  ...['\\P{Greek}', '\\x{e9}', '\\Q.*\\E', '(?:)', '[\\x{0}-\\x{7f}]', '\\A', '\\z'],
);
const times = fc.constantFrom('', '', '', '*', '+', '?', '*?', '+?', '{2}', '{0,2}', '{1,}');
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(atom, times).map(([one, some]) => one + (/[$^]|\\[bAz]/.test(one) ? '' : some)),
    fc
      .tuple(fc.constantFrom('(', '(?:', '(?i:', '(?P<n>', '(?s:', '(?U:'), tie('pattern'), times)
      .map(([open, inner, some]) => `${open}${inner})${some}`),
  ),
  pattern: fc
    .array(fc.array(tie('piece'), { maxLength: 3 }), { minLength: 1, maxLength: 2 })
    .map((branches) => branches.map((pieces) => pieces.join('')).join('|')),
}));
/** No name of a group comes twice, which is no pattern. */
const patterns = pattern.map((one) => one.replaceAll('(?P<n>', '('));
const texts = fc.array(
  fc.string({
    unit: fc.constantFrom(
      ...['a', 'b', 'A', 'k', 'K', '\u212a', 's', 'S', 'ſ', 'é', 'É', 'ß', 'ẞ', 'σ', 'ς', 'Σ'],
      ...['\u{10400}', '\u{10428}', '×', '1', '٣', '_', ' ', '\u00a0', '.', '*', 'e\u0301', 'İ'],
    ),
    maxLength: 6,
  }),
  { minLength: 1, maxLength: 20 },
);

describe('a pattern', () => {
  let database: DuckDBInstance;
  let sql: DuckDBConnection;

  beforeAll(async () => {
    database = await DuckDBInstance.create(':memory:');
    sql = await database.connect();
  });

  afterAll(() => {
    sql.closeSync();
    database.closeSync();
  });

  async function foundByRe2(source: string, all: readonly string[]): Promise<unknown[]> {
    const values = all.map((_, i) => `(${String(i)}, $${String(i + 2)}::varchar)`).join(', ');
    const rows = await sql.runAndReadAll(
      `select regexp_matches(t, $1) from (values ${values}) as texts(i, t) order by i`,
      [source, ...all],
    );
    return rows.getRows().map(([found]) => found);
  }

  test('finds what RE2 finds', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(patterns, texts, async (source, all) => {
        const matches = compilePattern(source);
        const ours = all.map(matches);
        expect(ours, source).toEqual(await foundByRe2(source, all));
        found += ours.filter(Boolean).length;
      }),
      { numRuns: 1_000 },
    );
    expect(found).toBeGreaterThan(1_000);
  });

  test('is about characters: the C++ RE2 of DuckDB finds \\B within the bytes of one', async () => {
    const text = 'a\u212aa';
    expect(await foundByRe2('\\B', [text, 'aka', 'a b'])).toEqual([true, true, false]);
    expect([text, 'aka', 'a b'].map(compilePattern('\\B'))).toEqual([false, true, false]);
  });

  test.each([
    ...['(a)\\1', '(?=a)', '(?!a)', '(?<=a)', '(?<!a)b', '(?>a)', 'a++', '(', ')', '[', 'a**'],
    ...['*', '(?P<n>a)(?P<n>b)', '\\', 'a{1001}', '(?i', '[b-a]', '\\pX', '(?P=n)', '\\8', '(?#x)'],
  ])('is not %j', (source) => {
    expect(() => compilePattern(source)).toThrow(SyntaxError);
  });

  test.each(['(a+)+$', '(a|aa)+$', '(.*a){12}b', '([a-z]+)*[0-9]', '(x+x+)+y', 'a.*a.*b'])(
    '%j takes time linear in the text: 4,096 bytes are nothing',
    (source) => {
      const text = `${'a'.repeat(2047)}${'x'.repeat(2048)}!`;
      const startedAt = performance.now();
      expect(compilePattern(source)(text)).toBe(false);
      // Backtracking would take longer than the universe has been there.
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    },
  );
});
