import fc from 'fast-check';
import { expect, it } from 'vitest';
import { supersededBy, versionFor, type RulesInForce } from '../../../core/rules/versions.js';
import { HOUR_MS } from '../../../core/time.js';

const HOURS = 12;
const atMs = (n: number): number => n * HOUR_MS;

const versions: fc.Arbitrary<RulesInForce[]> = fc
  .array(fc.integer({ min: -2, max: HOURS }), { maxLength: 6 })
  .map((starts) => [
    { version: 1, hash: 'a', sinceMs: null },
    ...starts.map((n, i) => ({ version: i + 2, hash: 'a', sinceMs: atMs(n) })),
  ]);

it('a new version takes each hour from its beginning on from the version that was in force for it', () => {
  fc.assert(
    fc.property(versions, fc.integer({ min: 0, max: HOURS }), (all, since) => {
      const lost = supersededBy(all, atMs(since));
      expect(lost[0]!.fromMs).toBe(atMs(since));
      expect(lost.at(-1)!.toMs).toBeNull();
      for (let n = since; n <= HOURS + 1; n++) {
        const of = lost.filter(
          ({ fromMs, toMs }) => fromMs <= atMs(n) && (toMs === null || atMs(n) < toMs),
        );
        expect(of.map(({ version }) => version)).toEqual([versionFor(all, atMs(n))!.version]);
      }
      expect(new Set(lost.map(({ version }) => version)).size).toBe(lost.length);
    }),
  );
});
