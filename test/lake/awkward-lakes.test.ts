import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { aggregateTask } from '../../batch/aggregate.js';
import type { ShreddedClick } from '../../core/click/shred.js';
import { TruecountError } from '../../core/errors.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { ClickWriter } from '../../lake/click-writer.js';
import { openLocalLake } from '../../lake/local-folder.js';
import type { LakeStore } from '../../lake/store.js';
import { sha256OfFile } from '../../lake/verify.js';
import { writeFiles } from '../../stream/archive/files.js';
import { LakeAccess } from '../../stream/archive/lake-access.js';
import { ArchivePartition } from '../../stream/archive/partition.js';

const HOUR_MS = Date.UTC(2026, 0, 1, 10);
const SILENT = pino({ level: 'silent' });
let root: string;
let writer: ClickWriter;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'truecount-lake-'));
  writer = await ClickWriter.open({ folder: root, buckets: 4, memoryMb: 128 });
});
afterEach(async () => {
  writer.close();
  await rm(root, { recursive: true, force: true });
});

function click(n: number): ShreddedClick {
  const fields = ['user', null, 'US', 'mobile', 'banner'];
  const ids = { adId: `ad-${String(n % 9)}`, eventId: `e${String(n)}` };
  return { kind: 'click', eventMs: HOUR_MS + n, ...ids, fields, rest: null };
}

/** A partition with `count` clicks in the writer's buffer. */
async function buffered(count: number): Promise<ArchivePartition> {
  const partition = { topic: 't', partition: 0 };
  const source = await writer.addSource(partition.topic, partition.partition);
  const state = new ArchivePartition(partition, { slot: 1, epoch: 1, nextOffset: 0 }, source);
  for (let n = 0; n < count; n++) {
    writer.add(source, n, HOUR_MS, click(n));
    state.took(true);
  }
  return state;
}

test('a lake below a folder like env=prod is counted: a path is no column', async () => {
  const state = await buffered(100);
  const lake = openLocalLake(join(root, 'env=prod', 'topic=other'));
  const path = await writer.write({ sources: [state.source], exceptHoursMs: [] });
  const [{ size: bytes }, sha256] = [await stat(path), await sha256OfFile(path)];
  const key = 'clicks/a.parquet';
  await lake.put(key, path);
  const scratchDir = join(root, 'scratch');
  await mkdir(scratchDir);
  const { flow } = await aggregateTask(
    {
      hourMs: HOUR_MS,
      files: [{ id: 1, key, bytes, sha256, rows: 100, bucket: 0, buckets: 1 }],
      cut: [{ topic: 't', partition: 0, nextOffset: 1_000 }],
      ruleSet: DEFAULT_RULE_SET,
    },
    {
      lake,
      limits: { memoryMb: 256, threads: 1, rowsPerFileMax: 1_000 },
      scratchDir,
      nowMs: Date.now,
      onProgress: () => undefined,
    },
  );
  expect(flow.counted[0]).toBe(100);
});

test('a lake that is full is not filled further by every attempt', async () => {
  const state = await buffered(400);
  const real = openLocalLake(join(root, 'lake'));
  let puts = 0;
  const lake: LakeStore = {
    ...real,
    put: async (key, path) => {
      puts++;
      // Room for three files of four, until somebody makes room.
      if (puts <= 8 && puts % 4 === 0) throw new TruecountError('lake_unavailable', 'no space');
      await real.put(key, path);
    },
  };
  const access = new LakeAccess(SILENT, () => undefined);
  const written = await access.run('writing', () =>
    writeFiles(writer, [state], { lake, buckets: 4, sharedRowsMax: 0 }),
  );
  const keys: string[] = [];
  for await (const { key } of real.list('clicks/')) keys.push(key);
  expect(puts).toBe(12);
  expect(keys.sort()).toEqual(written.files.map(({ key }) => key).sort());
});
