import { describe, expect, test } from 'vitest';
import { IdSet } from '../../stream/id-set.js';
import { hash128 } from '../../stream/hash128.js';

/** A small deterministic generator (mulberry32): the tests must not differ from run to run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) | 0;
  };
}

describe('IdSet', () => {
  test('agrees with a Set of strings over 200,000 adds with repeats, through growth and split', () => {
    const next = random(1);
    const ids = new IdSet();
    const truth = new Set<string>();
    const words: number[][] = [];
    for (let i = 0; i < 200_000; i++) {
      const again = words.length > 0 && i % 5 === 0;
      const w = again ? words[(next() >>> 0) % words.length]! : [next(), next(), next(), next()];
      const key = w.join();
      const fresh = !truth.has(key);
      expect(ids.add(w[0]!, w[1]!, w[2]!, w[3]!)).toBe(fresh);
      truth.add(key);
      words.push(w);
    }
    expect(ids.size).toBe(truth.size);
  });

  test('tells ids apart that differ in one word only, and keeps the all-zero id', () => {
    const ids = new IdSet();
    expect(ids.add(0, 0, 0, 0)).toBe(true);
    expect(ids.add(0, 0, 0, 0)).toBe(false);
    for (let word = 0; word < 4; word++) {
      for (const value of [2, 3, -1]) {
        const w = [0, 0, 0, 0];
        w[word] = value;
        expect(ids.add(w[0]!, w[1]!, w[2]!, w[3]!)).toBe(true);
        expect(ids.add(w[0]!, w[1]!, w[2]!, w[3]!)).toBe(false);
      }
    }
  });

  test('states the bytes that it holds: at most 40 an id once it is large', () => {
    const next = random(2);
    const ids = new IdSet();
    for (let i = 0; i < 500_000; i++) {
      ids.add(next(), next(), next(), next());
      if (i > 100_000 && i % 10_000 === 0) expect(ids.bytes / ids.size).toBeLessThan(40);
    }
    expect(ids.bytes / ids.size).toBeGreaterThan(16);
  });
});

describe('hash128', () => {
  const hash = (text: string, seeds = new Int32Array([1, 2, 3, 4])): string => {
    const bytes = Buffer.from(text);
    const out = new Int32Array(4);
    hash128(bytes, 0, bytes.length, seeds, 0, out, 0);
    return out.join();
  };

  test('depends on every byte, on the length and on the seeds', () => {
    for (let length = 1; length <= 40; length++) {
      const text = 'x'.repeat(length);
      const seen = new Set([
        hash(text),
        hash(`${text}\0`),
        hash(text, new Int32Array([1, 2, 3, 5])),
      ]);
      for (let at = 0; at < length; at++) {
        seen.add(hash(`${text.slice(0, at)}y${text.slice(at + 1)}`));
      }
      expect(seen.size).toBe(length + 3);
    }
  });

  test('gives the same words wherever the bytes lie', () => {
    const bytes = Buffer.from('..event-0123456789..');
    const seeds = new Int32Array(4);
    const out = new Int32Array(8);
    hash128(bytes, 2, 18, seeds, 0, out, 0);
    hash128(bytes.subarray(2, 18), 0, 16, seeds, 0, out, 4);
    expect([...out.subarray(0, 4)]).toEqual([...out.subarray(4)]);
  });

  test('spreads a million sequential ids without a collision', () => {
    const seen = new Set<bigint>();
    const out = new Int32Array(4);
    const seeds = new Int32Array(4);
    for (let i = 0; i < 1_000_000; i++) {
      const bytes = Buffer.from(`evt-${String(i)}`);
      hash128(bytes, 0, bytes.length, seeds, 0, out, 0);
      // 64 of the 128 bits: already these must not collide.
      seen.add((BigInt(out[0]!) << 32n) | BigInt(out[3]! >>> 0));
    }
    expect(seen.size).toBe(1_000_000);
  });
});
