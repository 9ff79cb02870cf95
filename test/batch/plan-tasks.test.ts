import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addFlows, emptyFlow } from '../../batch/flow.js';
import { planTasks } from '../../batch/plan-tasks.js';
import { bucketOf } from '../../core/lake-file.js';
import type { LakeFile } from '../../core/lake-file.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';

const ANY = { tasksMax: 64, rowsPerTaskMin: 1 };

function file(id: number, bucket: number, buckets: number, rows = 1000): LakeFile {
  const key = `clicks/${String(id)}.parquet`;
  return { id, key, bytes: 1, sha256: '0'.repeat(64), rows, bucket, buckets };
}

function plan(files: readonly LakeFile[], options = ANY) {
  const inputs = { hourMs: 0, cut: [], ruleSet: DEFAULT_RULE_SET };
  return planTasks({ ...inputs, files }, options).map((task) => task.files.map(({ id }) => id));
}

describe('planTasks', () => {
  test('gives each bucket its task', () => {
    const files = [file(1, 0, 2), file(2, 1, 2), file(3, 0, 2), file(4, 1, 2)];
    expect(plan(files)).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  test('makes one task where hours share a file', () => {
    expect(plan([file(1, 0, 4), file(2, 0, 1), file(3, 3, 4)])).toEqual([[1, 2, 3]]);
  });

  test('mixes numbers of buckets by their greatest common divisor', () => {
    const files = [file(1, 5, 8), file(2, 1, 4), file(3, 2, 4), file(4, 6, 8)];
    expect(plan(files)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(plan([file(1, 0, 4), file(2, 1, 6)])).toEqual([[1], [2]]);
    expect(plan([file(1, 0, 4), file(2, 1, 3)])).toEqual([[1, 2]]);
  });

  test('makes no more tasks than are allowed or worth a process', () => {
    const files = [0, 1, 2, 3].map((bucket) => file(bucket, bucket, 4));
    expect(plan(files, { tasksMax: 3, rowsPerTaskMin: 1 })).toHaveLength(2);
    expect(plan(files, { tasksMax: 64, rowsPerTaskMin: 2000 })).toHaveLength(2);
    expect(plan(files, { tasksMax: 64, rowsPerTaskMin: 4001 })).toHaveLength(1);
    expect(plan(files)).toHaveLength(4);
  });

  test('makes no task without a file', () => {
    expect(plan([])).toEqual([]);
  });

  test('never puts an ad into two tasks, and every file into one', () => {
    const manifest = fc.array(
      fc.constantFrom(1, 2, 3, 4, 6, 8, 12).chain((buckets) =>
        fc.record({
          buckets: fc.constant(buckets),
          bucket: fc.nat(buckets - 1),
        }),
      ),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(manifest, fc.array(fc.string(), { minLength: 1 }), (list, ads) => {
        const files = list.map(({ bucket, buckets }, id) => file(id, bucket, buckets));
        const tasks = plan(files);
        expect(tasks.flat().sort((a, b) => a - b)).toEqual(files.map(({ id }) => id));
        for (const ad of ads) {
          const holds = ({ bucket, buckets }: LakeFile): boolean =>
            bucketOf(Buffer.from(ad), buckets) === bucket;
          const of = tasks.filter((ids) => ids.some((id) => holds(files[id]!)));
          expect(of.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe('addFlows', () => {
  test('adds every fate per minute, and nothing is nothing', () => {
    const one = emptyFlow();
    (one.received as number[])[3] = 5;
    (one.duplicate as number[])[3] = 2;
    (one.counted as number[])[3] = 3;
    const sum = addFlows([one, emptyFlow(), one]);
    expect([sum.received[3], sum.counted[3], sum.duplicate[3], sum.filtered[3]]).toEqual([
      10, 6, 4, 0,
    ]);
    expect(addFlows([])).toEqual(emptyFlow());
    expect(one.received[3]).toBe(5);
  });
});
