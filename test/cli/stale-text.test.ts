import { expect, it } from 'vitest';
import { staleText, withCommands } from '../../cli/stale-text.js';
import { styleFor } from '../../cli/output.js';

const WORK = { files: 2, bytes: 200, clicks: 12 };
const NONE = { files: 0, bytes: 0, clicks: 0, ranges: [], hours: [] };

function range(
  [from, to]: readonly [string, string],
  countedBy: number | null,
  inForce: number,
  age: 'older' | 'newer' | 'unlisted',
) {
  return {
    ...{ from: `2025-11-22T${from}:00:00Z`, to: `2025-11-22T${to}:00:00Z`, hours: 2 },
    ...{ counted_by: 'a'.repeat(64), counted_by_version: countedBy },
    ...{ in_force: 'b'.repeat(64), in_force_version: inForce, age },
    ...WORK,
  };
}

const style = styleFor(process.stdout);
const stale = [range(['01', '03'], 2, 3, 'older'), range(['03', '05'], null, 3, 'unlisted')];
const newer = { ...WORK, count: 2, ranges: [range(['06', '08'], 4, 3, 'newer')], hours: [] };

it('hours counted by a newer version stand under a heading of their own, without a command', () => {
  const answer = { stale: 4, ...WORK, ranges: stale, hours: [], newer };
  const text = staleText(answer, style);
  const [before = '', after = ''] = text.split('\n\n2 final hours are counted by a newer version');
  expect(before).toContain('4 final hours are stale: 2 files, 200 B, 12 clicks to read\n');
  expect(before.match(/replay --from \S+ --to \S+ --rules 3 --plan/g)).toHaveLength(2);
  expect(before).toMatch(/T03:00:00Z +2 +v2 +v3 /);
  expect(before).toMatch(/T05:00:00Z +2 +a{8}, no version +v3 /);
  expect(after).toMatch(/T08:00:00Z +2 +v4 +v3 /);
  expect(after).not.toContain('replay --from');
  const document = withCommands(answer);
  expect(document.ranges[0]!.replay).toContain('--rules 3 --plan');
  expect(document.newer.ranges[0]).not.toHaveProperty('replay');
});

it('where only such hours are found none is stale', () => {
  const text = staleText({ stale: 0, ...NONE, newer }, style);
  expect(text).toMatch(/^no final hour is stale\n\n2 final hours are counted by a newer version/);
  const none = staleText({ stale: 0, ...NONE, newer: { count: 0, ...NONE } }, style);
  expect(none).toBe('no final hour is stale');
});
