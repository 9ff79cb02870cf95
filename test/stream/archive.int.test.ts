import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateClicks } from '../../ingest/generator/generate.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import { produce } from '../support/stream.js';
import { expectArchived, startArchiver, untilArchived } from '../support/archive.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'archive-test-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

test('every click of the log is in the lake exactly once, with every field', async () => {
  const database = await freshDatabase();
  const topic = await freshTopic(3);
  const records = generateClicks({ clicks: 30_000, seed: 4, hours: 5, withTruth: false });
  await produce(kafkaBrokers(), topic, records);
  const archiver = await startArchiver(database, [topic], { folder: dir, sharedRowsMax: 2_000 });
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await archiver.stop();
  const { clicks, files } = await expectArchived(database.pool, topic, archiver.lake);
  expect(clicks).toBeGreaterThan(29_000);
  expect(files).toBeGreaterThan(4);
  await database.close();
});
