import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../contract/support/engine.js';
import { HOUR } from '../contract/support/log.js';
import type { LogEntry } from '../contract/support/log.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { expectAsCore, questionOf, sum } from './support/as-core.js';

const DEVICE = { name: 'device', field: 'device' };
const BOT = { reason: 'bot', when: [{ field: 'agent', matches: '(?i)bot' }] };
const LONG = 'x'.repeat(5_000);

let lake: TestLake;

beforeAll(async () => {
  lake = await openTestLake();
});

afterAll(() => lake.close());

describe('a cap', () => {
  const click = (id: string, more: object = {}): LogEntry => ({
    value: { event_id: id, ad_id: 'a', timestamp: HOUR, user_id: 'u', ...more },
  });
  const count = (entries: readonly LogEntry[], ...filters: readonly object[]): Promise<Answer> =>
    expectAsCore(lake, questionOf(entries, { dimensions: [DEVICE], filters }));
  const cap = (max: number) => ({ reason: 'often', cap: { field: 'user_id', max } });

  test('counts no duplicates', async () => {
    const entries = ['1', '1', '1', '2', '2', '3'].map((id) => click(id));
    const { flow } = await count(entries, cap(2));
    expect([flow.counted[0], flow.duplicate[0], flow.filtered[0]]).toEqual([2, 3, 1]);
  });

  test('counts no click that a condition takes out, though it stands after the cap', async () => {
    const entries = [click('1', { agent: 'bot' }), click('2'), click('3')];
    const { flow } = await count(entries, cap(1), BOT);
    expect(flow.filteredBy).toEqual({
      bot: [1, ...new Array<number>(59).fill(0)],
      often: [1, ...new Array<number>(59).fill(0)],
    });
  });

  test('a duplicate of a filtered click is a duplicate, whatever its own fields are', async () => {
    const entries = [click('1', { agent: 'bot' }), click('1'), click('2'), click('2')];
    const { flow } = await count(entries, BOT, cap(1));
    expect([flow.counted[0], flow.duplicate[0], flow.filtered[0]]).toEqual([1, 2, 1]);
  });

  test('counts by partition, ad, minute and text, by offset and not by time', async () => {
    const entries = [
      click('1', { timestamp: HOUR + 59_999, device: 'late' }),
      click('2', { timestamp: HOUR }),
      click('3', { timestamp: HOUR + 60_000 }),
      click('4', { ad_id: 'b' }),
      click('5', { user_id: 'U' }),
      { ...click('6'), partition: 1 },
    ];
    const { cells, flow } = await count(entries, cap(1));
    expect(cells.get('device:late\ta\t0')).toBe(1);
    expect([sum(flow.counted), sum(flow.filtered)]).toEqual([5, 1]);
  });

  test('does not count clicks without a usable text in its field', async () => {
    const odd = [undefined, null, '', 1, 'a\u0000', LONG];
    const entries = [...odd, ...odd].map((user_id, i) => click(String(i), { user_id }));
    const { flow } = await count(entries, cap(1));
    expect([flow.counted[0], flow.filtered[0]]).toEqual([12, 0]);
  });

  test('a click above two caps is taken out once, under the first', async () => {
    const entries = ['1', '2', '3', '4'].map((id) => click(id, { user: 'v' }));
    const other = { reason: 'other', cap: { field: 'user', max: 1 } };
    const { flow } = await count(entries, cap(2), other);
    expect([flow.filteredBy['often']?.[0], flow.filteredBy['other']?.[0]]).toEqual([2, 1]);
    expect(flow.counted[0]).toBe(1);
  });
});
