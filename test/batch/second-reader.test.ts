import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aggregateTask } from '../../batch/aggregate.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { engineContext } from '../contract/support/batch-engine.js';
import { click } from '../contract/support/case.js';
import { cellName, coreEngine } from '../contract/support/engine.js';
import { HOUR, TOPIC, makeLog } from '../contract/support/log.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { readByParquetjs } from '../support/parquetjs.js';

const MINUTE = 60_000;

/** More ads than a dictionary of one byte holds, and texts that are not ASCII. */
const ADS = Array.from({ length: 700 }, (_, i) => `ad-${String(i)}`).concat([
  'größe',
  '\u{1d4b3}',
  '\ufeffbom',
  "it's",
  'x'.repeat(1024),
]);

let lake: TestLake;

beforeAll(async () => {
  lake = await openTestLake();
}, 60_000);
afterAll(() => lake.close());

describe('a file of cells', () => {
  test('is read by another reader, which finds the cells that core counts, in order', async () => {
    const log = makeLog(
      Array.from({ length: 6_000 }, (_, i) =>
        click({
          ad_id: ADS[(i * i) % ADS.length],
          timestamp: HOUR + ((i * 7) % 60) * MINUTE,
          country: ['US', 'UK', 'Ünïcode', null][i % 4],
          device: i % 3 === 0 ? 'mobile' : 'desktop',
        }),
      ),
    );
    const cut = [{ topic: TOPIC, partition: 0, nextOffset: log.length }];
    const question = { log, hourMs: HOUR, ruleSet: DEFAULT_RULE_SET, cut };
    const files = await lake.write(log, 1);
    const { cells } = await aggregateTask({ ...question, files }, await engineContext(lake));
    const rows = await readByParquetjs((await lake.lake.fetch(cells.key)).path);
    expect(rows).toHaveLength(cells.rows);
    const read = rows.map(({ filter, ad_id: adId, minute, count }) => ({
      key: [filter as string, adId as string, Number(minute)] as const,
      count: Number(count),
    }));
    const found = new Map(read.map(({ key, count }) => [cellName(...key), count]));
    expect(found).toEqual((await coreEngine.count(question)).cells);
    const bytes = (text: string): Buffer => Buffer.from(text);
    for (let i = 1; i < read.length; i++) {
      const [a, b] = [read[i - 1]!.key, read[i]!.key];
      const order =
        Buffer.compare(bytes(a[0]), bytes(b[0])) ||
        Buffer.compare(bytes(a[1]), bytes(b[1])) ||
        a[2] - b[2];
      expect(order).toBeLessThan(0);
    }
  });
});
