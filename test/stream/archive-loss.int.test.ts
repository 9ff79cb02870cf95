import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CompressionTypes } from 'kafkajs';
import type { Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LakeStore } from '../../lake/store.js';
import { openLake } from '../../lake/open.js';
import { archiveCoverage } from '../../store/lake/manifest.js';
import { takeArchivePartition } from '../../store/archive/progress.js';
import { openSession } from '../../store/session.js';
import { sweepLake } from '../../stream/archive/sweep.js';
import type { SweepResult } from '../../stream/archive/sweep.js';
import {
  expectArchived,
  lakeRows,
  orphansOf,
  startArchiver,
  untilArchived,
} from '../support/archive.js';
import type { Archiver } from '../support/archive.js';
import { WorkerProcess } from '../support/faults/worker-process.js';
import { freshDatabase, freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { produce } from '../support/stream.js';
import { until } from '../support/until.js';

const START_MS = Date.UTC(2025, 5, 1);

let admin: Admin;
let dir: string;
let database: TestDatabase;
let topic: string;
let running: Archiver | undefined;

beforeAll(async () => {
  admin = testKafka().admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
});
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'archive-loss-'));
  database = await freshDatabase();
  topic = await freshTopic(1);
});
afterEach(async () => {
  await stop();
  await database.close();
  rmSync(dir, { recursive: true, force: true });
});

const lake = (): LakeStore => openLake(join(dir, `lake-${topic}`));

async function start(): Promise<void> {
  running = await startArchiver(database, [topic], { folder: dir });
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

const click = (n: number): string =>
  JSON.stringify({ event_id: `e${String(n)}`, ad_id: 'ad', timestamp: START_MS + n });

/** A hundred to a record batch: deletion inside a batch does not take away what is in front. */
async function put(from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i) => ({
    key: 'k',
    line: click(from + i),
  }));
  await produce(kafkaBrokers(), topic, records, 100);
}

async function archiveAll(): Promise<void> {
  await start();
  await untilArchived(database.pool, kafkaBrokers(), topic);
  await stop();
}

/** What retention does, at once: everything below the offset is gone. */
async function deleteBelow(offset: number): Promise<void> {
  const partitions = [{ partition: 0, offset: String(offset) }];
  await admin.fetchTopicOffsets(topic);
  await until('the records are deleted', async () => {
    await admin.deleteTopicRecords({ topic, partitions });
    const [bounds] = await admin.fetchTopicOffsets(topic);
    return Number(bounds!.low) === offset;
  });
}

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(sql)).rows;
}

const losses = (): Promise<Record<string, unknown>[]> =>
  rows('select from_offset::int as "from", to_offset::int as "to", reason from archive_losses');

describe('offsets that the archive never read', () => {
  test('are a loss of the cuts above them, and the rest is archived', async () => {
    await put(0, 1_000);
    await archiveAll();
    await put(1_000, 1_700);
    await deleteBelow(1_300);
    await archiveAll();
    expect(await losses()).toEqual([{ from: 1_000, to: 1_300, reason: 'retention' }]);
    expect(
      await rows('select sum(archived)::int as n, sum(lost)::int as lost from archive_flushes'),
    ) //
      .toEqual([{ n: 1_400, lost: 300 }]);
    expect((await lakeRows(database.pool, lake())).size).toBe(1_400);
    const client = await database.pool.connect();
    const coverageTo = (nextOffset: number) =>
      archiveCoverage(client, [{ topic, partition: 0, nextOffset }]);
    const loss = { topic, partition: 0, fromOffset: 1_000, toOffset: 1_300, reason: 'retention' };
    try {
      expect((await coverageTo(1_000)).losses).toEqual([]);
      expect(await coverageTo(1_001)).toEqual({ reached: true, behind: [], losses: [loss] });
    } finally {
      client.release();
    }
  });

  test('are a loss too when nothing is left on the log, or nothing was archived before', async () => {
    await put(0, 300);
    await deleteBelow(300);
    await archiveAll();
    expect(await losses()).toEqual([{ from: 0, to: 300, reason: 'retention' }]);
    expect(await rows('select from lake_files')).toEqual([]);
  });

  test('are those of a damaged record batch, and what follows is archived', async () => {
    const producer = testKafka().producer();
    await producer.connect();
    const send = (value: string) =>
      producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages: [{ value }] });
    await send(click(0));
    await send('x'.repeat(65 * 1024 * 1024));
    await send(click(2));
    await producer.disconnect();
    await archiveAll();
    expect(await losses()).toEqual([{ from: 1, to: 2, reason: 'damage' }]);
    expect((await lakeRows(database.pool, lake())).size).toBe(2);
  });
});

test('a topic that was made again shorter is refused, and nothing of it is archived', async () => {
  await put(0, 500);
  await archiveAll();
  await admin.deleteTopics({ topics: [topic] });
  await until('the topic is made again', async () => {
    const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
    const topics = [{ topic, numPartitions: 1, replicationFactor: -1, configEntries }];
    return admin.createTopics({ waitForLeaders: false, topics });
  });
  await until('the new topic takes records', async () => {
    await put(0, 300);
    return true;
  });
  await start();
  await expect(running!.done).rejects.toMatchObject({ code: 'log_went_backwards' });
  expect(await rows('select sum(archived)::int as n from archive_flushes')).toEqual([{ n: 500 }]);
});

describe('files that no commit has listed', () => {
  async function sweep(): Promise<SweepResult> {
    const client = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test-sweep',
    });
    try {
      return await sweepLake(client, lake());
    } finally {
      await client.end();
    }
  }

  /** Kills an archiver -9 after its files were put and before its commit. */
  async function killBeforeCommit(): Promise<void> {
    const worker = await WorkerProcess.start({
      service: 'archive',
      postgresUrl: database.url,
      brokers: kafkaBrokers(),
      topic,
      lakeUrl: lake().url,
      flushIntervalMs: 200,
      sessionTimeoutMs: 6_000,
      home: dir,
    });
    await untilArchived(database.pool, kafkaBrokers(), topic);
    const lock = await database.pool.connect();
    try {
      await lock.query('begin');
      await lock.query('select from archive_progress for update');
      await put(1_000, 2_000);
      await until('files are put', async () => (await orphansOf(database.pool, lake())).length > 0);
      await worker.kill();
    } finally {
      await lock.query('rollback');
      lock.release();
    }
  }

  test('of a killed archiver are removed by the first sweep of its successor, no listed one is', async () => {
    await put(0, 1_000);
    await killBeforeCommit();
    const orphans = await orphansOf(database.pool, lake());
    expect(orphans.length).toBeGreaterThan(0);
    // As long as nobody has taken over, its commit may still be on its way.
    expect(await sweep()).toMatchObject({ removed: [], waiting: orphans.length });
    // Killed two days ago, in the middle of a copy from another file system.
    const upload = join(lake().url, '.incoming', 'half');
    mkdirSync(dirname(upload), { recursive: true });
    writeFileSync(upload, 'half');
    utimesSync(
      upload,
      new Date(Date.now() - 2 * 86_400_000),
      new Date(Date.now() - 2 * 86_400_000),
    );
    await start();
    await untilArchived(database.pool, kafkaBrokers(), topic);
    await until('they are swept', async () => {
      const left = await orphansOf(database.pool, lake());
      return !left.some((key) => orphans.includes(key)) && !existsSync(upload);
    });
    await stop();
    expect(await orphansOf(database.pool, lake())).toEqual([]);
    expect(await sweep()).toMatchObject({ removed: [], waiting: 0 });
    await expectArchived(database.pool, topic, lake());
  });

  test('are the only ones removed: not those of the current epoch, nor what is not ours', async () => {
    const client = await database.pool.connect();
    const put1 = async (key: string): Promise<void> => {
      const path = join(dir, 'object');
      writeFileSync(path, 'x');
      await lake().put(key, path);
    };
    try {
      await takeArchivePartition(client, topic, 0, 'a');
      const { slot } = await takeArchivePartition(client, topic, 0, 'b');
      const named = (name: string): string => `clicks/2025-06-01T00/b0of4/${name}`;
      const old = named(`${String(slot)}-e1-00ff.parquet`);
      const kept = [
        named(`${String(slot)}-e2-00ff.parquet`),
        named(`${String(slot + 1)}-e1-00ff.parquet`),
        named('notes.txt'),
        `scratch/${String(slot)}-e1-00ff.parquet`,
      ];
      for (const key of [old, ...kept]) await put1(key);
      expect(await sweep()).toEqual({ looked: 4, removed: [old], waiting: 2 });
      const left: string[] = [];
      for await (const { key } of lake().list('')) left.push(key);
      expect(left.sort()).toEqual(kept.sort());
    } finally {
      client.release();
    }
  });
});
