import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spawnTruecount, truecount } from '../support/command-line.js';
import { freshDatabase, freshTopic, kafkaBrokers, testKafka } from '../support/stack.js';
import { cellDifferences, endOffsets, liveCells, startWorker } from '../support/stream.js';
import { untilCounted } from '../support/stream.js';
import type { Cells } from '../support/stream.js';
import { until } from '../support/until.js';

const ROWS = 160_000;
const TIMEOUT_MS = 300_000;
const LATER = { everyMs: 2, deadlineMs: 90_000 };
const T0 = Date.UTC(2026, 10, 21, 10);
const MAPPING =
  'event_id: {position: true}\nad_id: {column: ad}\n' +
  'timestamp: {column: at, format: epoch_ms}\nfields: {device: {column: d}}\n';

/** Rows without ids, many of them equal, within one hour; and what they are to be counted as. */
function rows(): { text: string; truth: Cells } {
  const lines = ['ad,at,d'];
  const truth: Cells = new Map();
  const count = (cell: string): unknown => truth.set(cell, (truth.get(cell) ?? 0) + 1);
  for (let i = 0; i < ROWS; i++) {
    const ad = `ad${(i * i) % 97}`;
    const atMs = T0 + (i % 4_000) * 900;
    lines.push(i % 1_000 === 7 ? `${ad},never,tv` : `${ad},${atMs},tv`);
    if (i % 1_000 === 7) continue;
    const minute = `${ad}|${Math.floor(atMs / 60_000) * 60_000}`;
    for (const filter of ['', 'country:unknown', 'device:tv', 'format:unknown']) {
      count(`${minute}|${filter}`);
    }
  }
  return { text: `${lines.join('\n')}\n`, truth };
}

let dir: string;
let env: Record<string, string>;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-resume-'));
  env = { TRUECOUNT_HOME: dir, TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(',') };
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Records that the checkpoint says were sent; 0 without one. */
function sentByCheckpoint(): number {
  let names: string[];
  try {
    names = readdirSync(join(dir, 'ingest')).filter((name) => name.endsWith('.json'));
  } catch {
    return 0;
  }
  const [name] = names;
  if (name === undefined) return 0;
  return (JSON.parse(readFileSync(join(dir, 'ingest', name), 'utf8')) as { sent: number }).sent;
}

async function recordsOn(topic: string): Promise<number> {
  const ends = await endOffsets(kafkaBrokers(), topic);
  return [...ends.values()].reduce((sum, end) => sum + end, 0);
}

/** Where the checkpoint is. */
function checkpointPath(): string {
  const [name] = readdirSync(join(dir, 'ingest')).filter((one) => one.endsWith('.json'));
  return join(dir, 'ingest', name!);
}

/** The topic of that name, deleted and made anew. */
async function recreate(topic: string): Promise<void> {
  const admin = testKafka().admin();
  await admin.connect();
  try {
    const { topics: before } = await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.deleteTopics({ topics: [topic] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(topic));
    await freshTopic(before[0]!.partitions.length, {}, topic);
  } finally {
    await admin.disconnect();
  }
}

async function deleteBelow(topic: string, offset: number): Promise<void> {
  const admin = testKafka().admin();
  await admin.connect();
  // The client wants to have heard of the topic before.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await admin.disconnect();
}

describe('truecount ingest, killed', () => {
  it(
    'goes on where it was; and neither that nor the same file again changes a count',
    async () => {
      const { text, truth } = rows();
      const path = join(dir, 'clicks.csv.gz');
      writeFileSync(path, gzipSync(text, { level: 1 }));
      writeFileSync(join(dir, 'm.yaml'), MAPPING);
      const topic = await freshTopic(3);
      const database = await freshDatabase();
      const worker = startWorker(kafkaBrokers(), database, [topic]);
      const args = ['ingest', path, '--mapping', join(dir, 'm.yaml'), '--topic', topic, '--json'];
      try {
        let seen = 0;
        for (let kill = 0; kill < 3; kill++) {
          const child = spawnTruecount(args, env);
          await until('a later checkpoint', () => sentByCheckpoint() > seen, LATER);
          child.kill('SIGKILL');
          await once(child, 'close');
          seen = sentByCheckpoint();
        }
        const last = await truecount(args, env);
        expect(last.stderr).toContain(`behind the ${seen} records of an earlier run`);
        expect(last.code).toBe(0);
        expect(JSON.parse(last.stdout)).toMatchObject({
          sent: ROWS - ROWS / 1_000,
          sent_before: seen,
          rejected: ROWS / 1_000,
        });
        const sent = await recordsOn(topic);
        // What was in flight when it was killed is sent again, and no more than that.
        expect(sent).toBeLessThan(ROWS + 3 * 30_000);
        await untilCounted(database.pool, kafkaBrokers(), topic);
        expect(cellDifferences(await liveCells(database.pool), truth)).toEqual([]);

        const again = await truecount(args, env);
        expect(JSON.parse(again.stdout)).not.toHaveProperty('sent_before');
        expect(await recordsOn(topic)).toBe(sent + ROWS - ROWS / 1_000);
        await untilCounted(database.pool, kafkaBrokers(), topic);
        expect(cellDifferences(await liveCells(database.pool), truth)).toEqual([]);
      } finally {
        await worker.stop();
        await database.close();
      }
    },
    TIMEOUT_MS,
  );

  it(
    'begins anew when it is told to, when the file changed, or when the log is another',
    async () => {
      const lines = Array.from({ length: 50_000 }, (_, i) => `{"ad_id":"a","n":${i}}\n`).join('');
      const path = join(dir, 'clicks.ndjson');
      // A file that ends damaged leaves a checkpoint behind.
      const damaged = gzipSync(lines).subarray(0, -4);
      writeFileSync(path, damaged);
      const topic = await freshTopic(1);
      const run = async (...more: string[]): Promise<{ code: number | null; stderr: string }> =>
        truecount(['ingest', path, '--topic', topic, '--json', ...more], env);
      const first = await run();
      expect(first.code).toBe(2);
      expect(first.stderr).toMatch(/the gzip data of .*clicks\.ndjson are damaged or truncated/);
      expect(first.stderr).toMatch(/sent of .*clicks\.ndjson before that: \d+ records/);
      expect(sentByCheckpoint()).toBe(40_000);
      expect((await run()).stderr).toContain('behind the 40000 records');
      expect((await run('--restart')).stderr).not.toContain('earlier run');
      const other = await freshTopic(1);
      expect((await run('--topic', other)).stderr).not.toContain('earlier run');
      writeFileSync(path, gzipSync(lines));
      expect(await run()).toMatchObject({
        code: 0,
        stderr: expect.not.stringContaining('earlier') as string,
      });
    },
    TIMEOUT_MS,
  );

  describe('after 40,000 records', () => {
    const CLICKS = 50_000;
    const lines = (ad: string): string =>
      Array.from({ length: CLICKS }, (_, i) => `{"ad_id":"${ad}","n":${i}}\n`).join('');
    const ingest = (path: string, topic: string): Promise<{ stderr: string }> =>
      truecount(['ingest', path, '--topic', topic, '--json'], env);
    let topic: string;
    let path: string;

    // A file that ends damaged leaves a checkpoint behind, and keeps it however often it is read.
    beforeEach(async () => {
      topic = await freshTopic(1);
      path = join(dir, 'clicks.ndjson');
      writeFileSync(path, gzipSync(lines('a')).subarray(0, -4));
      await ingest(path, topic);
      expect(sentByCheckpoint()).toBe(40_000);
    });

    it(
      'sends all of a file to a topic that was made anew and filled by others',
      async () => {
        await recreate(topic);
        const other = join(dir, 'other.ndjson');
        writeFileSync(other, lines('b'));
        await ingest(other, topic);
        expect(await recordsOn(topic)).toBe(CLICKS);
        const { stderr } = await ingest(path, topic);
        expect(stderr).toMatch(/clicks\.ndjson: begins anew: .* no longer holds the last record/);
        expect(await recordsOn(topic)).toBe(2 * CLICKS);
      },
      TIMEOUT_MS,
    );

    it(
      'takes an equal record that came at another time for another one',
      async () => {
        await recreate(topic);
        const copy = join(dir, 'copy.ndjson');
        writeFileSync(copy, lines('a'));
        await ingest(copy, topic);
        const { stderr } = await ingest(path, topic);
        expect(stderr).toContain('clicks.ndjson: begins anew: ');
      },
      TIMEOUT_MS,
    );

    it(
      'begins anew where retention took its last record, not where it took only earlier ones',
      async () => {
        await deleteBelow(topic, 39_999);
        expect((await ingest(path, topic)).stderr).toContain('behind the 40000 records');
        await deleteBelow(topic, 40_000);
        expect((await ingest(path, topic)).stderr).toContain('no longer holds the last record');
      },
      TIMEOUT_MS,
    );

    it(
      'begins anew behind a checkpoint of another version, and says so',
      async () => {
        const now = JSON.parse(readFileSync(checkpointPath(), 'utf8')) as object;
        const old = { ...now, version: 1, recordHash: undefined };
        writeFileSync(checkpointPath(), JSON.stringify(old));
        expect((await ingest(path, topic)).stderr).toContain(
          'begins anew: another version of truecount was stopped',
        );
        expect((await ingest(path, topic)).stderr).toContain('behind the 40000 records');
      },
      TIMEOUT_MS,
    );
  });

  it(
    'takes the processes along that read side by side, without a word of theirs',
    async () => {
      const line = '{"event_id":"e","ad_id":"a","timestamp":1700000000000}\n';
      const paths = ['a', 'b'].map((name) => join(dir, `${name}.ndjson`));
      for (const path of paths) writeFileSync(path, line.repeat(1_000_000));
      const topic = await freshTopic(2);
      const args = ['ingest', ...paths, '--topic', topic, '--parallel', '2'];
      const child = spawnTruecount(args, env);
      let said = '';
      child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      // Its stderr is theirs, too: it is closed when all of them have ended.
      const closed = once(child, 'close');
      await until('they send', () => /sent [1-9]/.test(said));
      child.kill('SIGKILL');
      await closed;
      expect(said.split('\n').filter((text) => !/^(sent \d+ clicks, .*)?$/.test(text))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
