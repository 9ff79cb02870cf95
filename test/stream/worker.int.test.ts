import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateClicks } from '../../ingest/generator/generate.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import {
  cellDifferences,
  liveCells,
  produce,
  startWorker,
  untilCounted,
} from '../support/stream.js';
import type { Cells, Worker } from '../support/stream.js';

describe('stream worker', () => {
  let database: TestDatabase;
  const running: Worker[] = [];

  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((worker) => worker.stop()));
    await database.close();
  });

  test('two workers count a generated load exactly, duplicates and bad records included', async () => {
    const topic = await freshTopic(4);
    const load = generateClicks({ clicks: 60_000, seed: 7, mapUk: true });
    await produce(kafkaBrokers(), topic, load);
    const truth: Cells = new Map();
    for (const cell of load.truth.cells()) {
      truth.set(`${cell.adId}|${String(cell.minuteMs)}|${cell.filter}`, cell.count);
    }
    for (let i = 0; i < 2; i++) running.push(startWorker(kafkaBrokers(), database, [topic]));
    await untilCounted(database.pool, kafkaBrokers(), topic);
    expect(cellDifferences(await liveCells(database.pool), truth)).toEqual([]);
    const { rows } = await database.pool.query<Record<string, string>>(
      `select sum(counted) as counted, sum(duplicate) as duplicate, sum(quarantined) as quarantined,
              sum(to_offset - from_offset) as received, sum(lost) as lost from flushes`,
    );
    const summary = load.truth.summary();
    expect(Number(rows[0]!['received'])).toBe(summary.sent);
    expect(Number(rows[0]!['counted'])).toBe(summary.countable);
    expect(Number(rows[0]!['duplicate'])).toBe(summary.duplicates);
    expect(Number(rows[0]!['lost'])).toBe(0);
  });
});
