import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PartitionProgress } from '../../core/watermark.js';
import { advanceEventMs, globalWatermark, partitionWatermark } from '../../core/watermark.js';

const NOW = 1_000_000;
const OPTIONS = { outOfOrdernessMs: 100, idleTimeoutMs: 5_000, nowMs: NOW };

const busy = (maxEventMs: number | null): PartitionProgress => ({
  maxEventMs,
  owned: true,
  atEndSinceMs: null,
});
const idle = (maxEventMs: number | null): PartitionProgress => ({
  maxEventMs,
  owned: true,
  atEndSinceMs: NOW - 5_000,
});

describe('the event time of a partition', () => {
  test('only grows, and never above the append time', () => {
    expect(advanceEventMs(null, 500, 600)).toBe(500);
    expect(advanceEventMs(500, 400, 600)).toBe(500);
    expect(advanceEventMs(500, 900, 600)).toBe(600);
    expect(advanceEventMs(500, 900, 450)).toBe(500);
    expect(advanceEventMs(null, 900, 600)).toBe(600);
  });

  test('gives a watermark that trails by the out-of-orderness', () => {
    expect(partitionWatermark(1_000, 100)).toBe(900);
    expect(partitionWatermark(null, 100)).toBeNull();
  });
});

describe('the watermark of the log', () => {
  test('is the least of its partitions', () => {
    expect(globalWatermark([busy(3_000), busy(1_000), busy(2_000)], OPTIONS)).toBe(900);
  });

  test('is null without partitions, and while one that counts has had no click', () => {
    expect(globalWatermark([], OPTIONS)).toBeNull();
    expect(globalWatermark([busy(3_000), busy(null)], OPTIONS)).toBeNull();
    expect(globalWatermark([idle(null)], OPTIONS)).toBeNull();
  });

  test('is not held back by a partition that is idle, even without a click', () => {
    expect(globalWatermark([busy(3_000), idle(1_000), idle(null)], OPTIONS)).toBe(2_900);
  });

  test.each<[string, Partial<PartitionProgress>]>([
    ['unowned', { owned: false }],
    ['lagging', { atEndSinceMs: null }],
    ['at its end for less than the idle timeout', { atEndSinceMs: NOW - 4_999 }],
  ])('is held back by a partition that is %s', (_, change) => {
    const held = { ...idle(1_000), ...change };
    expect(globalWatermark([busy(3_000), held], OPTIONS)).toBe(900);
    expect(globalWatermark([busy(3_000), { ...held, maxEventMs: null }], OPTIONS)).toBeNull();
  });

  test('is the greatest of them where all are idle', () => {
    expect(globalWatermark([idle(3_000), idle(1_000), idle(null)], OPTIONS)).toBe(2_900);
  });

  test('never passes a partition that is not idle, and needs no order', () => {
    const partition = fc.record({
      maxEventMs: fc.option(fc.nat(10_000)),
      owned: fc.boolean(),
      atEndSinceMs: fc.option(fc.integer({ min: NOW - 10_000, max: NOW })),
    });
    fc.assert(
      fc.property(fc.array(partition), (partitions) => {
        const watermark = globalWatermark(partitions, OPTIONS);
        expect(globalWatermark([...partitions].reverse(), OPTIONS)).toBe(watermark);
        for (const { maxEventMs, owned, atEndSinceMs } of partitions) {
          if (owned && atEndSinceMs !== null && atEndSinceMs <= NOW - 5_000) continue;
          if (maxEventMs === null) expect(watermark).toBeNull();
          else expect(watermark ?? -Infinity).toBeLessThanOrEqual(maxEventMs - 100);
        }
      }),
    );
  });
});
