import { describe, expect, test } from 'vitest';
import { flushIsDue } from '../../stream/pacing.js';
import type { Load } from '../../stream/pacing.js';

const LIMITS = { flushIntervalMs: 1_000, flushClicksMax: 200_000 };

function load(over: Partial<Load>): Load {
  const idle = { lastFlushMs: 20, full: false, lag: 0 };
  return { elapsedMs: 0, ...idle, ...over };
}

describe('a flush is due', () => {
  test('after the interval, while the worker keeps up', () => {
    expect(flushIsDue(load({ elapsedMs: 999 }), LIMITS)).toBe(false);
    expect(flushIsDue(load({ elapsedMs: 1_000 }), LIMITS)).toBe(true);
  });

  test('later while it is far behind, and later after a slow flush', () => {
    expect(flushIsDue(load({ elapsedMs: 1_000, lag: 200_001 }), LIMITS)).toBe(false);
    expect(flushIsDue(load({ elapsedMs: 4_000, lag: 200_001 }), LIMITS)).toBe(true);
    expect(flushIsDue(load({ elapsedMs: 7_999, lastFlushMs: 2_000 }), LIMITS)).toBe(false);
    expect(flushIsDue(load({ elapsedMs: 8_000, lastFlushMs: 2_000 }), LIMITS)).toBe(true);
  });

  test('10 s after a flush that was held up for a minute', () => {
    expect(flushIsDue(load({ elapsedMs: 10_000, lastFlushMs: 60_000 }), LIMITS)).toBe(true);
  });

  test('at once when the buffer is full', () => {
    expect(flushIsDue(load({ full: true, lastFlushMs: 60_000 }), LIMITS)).toBe(true);
  });
});
