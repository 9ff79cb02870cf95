import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { progressLine, shortBytes, shortCount, shortDuration } from '../../cli/progress-line.js';
import type { WorkflowProgress } from '../../workflows/contract.js';

const progress: WorkflowProgress = {
  ...{
    stage: 'recompute',
    hoursDone: 3,
    hoursTotal: 24,
    rowsDone: 1_234_567,
    rowsTotal: 9_600_000,
  },
  ...{ rate: 410_300, leftMs: 200_000, paused: false, awaitsApproval: null, detail: '' },
};

describe('a progress', () => {
  it('shows hours, rows, rate and the time left', () => {
    expect(progressLine(progress)).toBe(
      'recompute, 3/24 hours, 1.23 M/9.60 M rows, 410 k rows/s, about 3 min 20 s left',
    );
  });

  it('leaves out what is not known', () => {
    const none = { hoursTotal: 1, rowsDone: 0, rowsTotal: 0, rate: null, leftMs: null };
    expect(progressLine({ ...progress, ...none, stage: 'archive' })).toBe('archive');
  });

  it('says that it is paused, and that it waits for approval', () => {
    const waits = { ...progress, rate: null, leftMs: null, paused: true, awaitsApproval: 'h' };
    expect(progressLine(waits)).toMatch(/^recompute \(paused\), .*, waits for approval$/);
  });
});

test.each([
  [0, '0'],
  [999, '999'],
  [999.6, '1.00 k'],
  [1_000, '1.00 k'],
  [12_345, '12.3 k'],
  [999_999, '1.00 M'],
  [4_200_000_000, '4.20 G'],
])('%d is written as %s', (count, text) => {
  expect(shortCount(count)).toBe(text);
});

test.each([
  [0, '0 ms'],
  [850, '850 ms'],
  [12_001, '13 s'],
  [59_999, '1 min 00 s'],
  [200_000, '3 min 20 s'],
  [3_900_000, '1 h 05 min'],
])('%d ms are written as %s', (ms, text) => {
  expect(shortDuration(ms)).toBe(text);
});

test('bytes are written with at most three digits', () => {
  expect(shortBytes(512)).toBe('512 B');
  expect(shortBytes(1_572_864)).toBe('1.50 MiB');
  expect(shortBytes(1_000)).toBe('0.98 KiB');
  fc.assert(
    fc.property(fc.oneof(fc.nat(), fc.nat(2_048)), (bytes) => {
      expect(shortBytes(bytes)).toMatch(/^\d{1,3}(\.\d{1,2})? ([KMG]i)?B$/);
    }),
  );
});
