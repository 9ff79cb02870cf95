import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateClicks } from '../ingest/generator/generate.js';
import { partitionOf } from '../ingest/partitioner.js';
import { packageFile } from '../runtime/package-root.js';
import { cpuSeconds, peakRssBytes } from './support/proc.js';
import { BatchBuilder, RawProducer } from './support/raw-producer.js';
import { thousands, type Report } from './support/report.js';
import { World, serviceEnvironment } from './support/world.js';

const TOPIC = 'bench-archive';
const RECORDS_PER_BATCH = 256;
const HOURS = 3;
const DEADLINE_MS = 300_000;

/** One archiver (`truecount run archive`, default settings) on clicks that wait in Kafka. */
export async function benchArchive({ clicks }: { readonly clicks: number }): Promise<Report> {
  const world = await World.start(TOPIC);
  try {
    const bytes = await fillGenerated(world, clicks);
    const config = await world.fresh();
    const child = spawn(
      process.execPath,
      [packageFile('dist', 'cli', 'main.js'), 'run', 'archive'],
      { env: serviceEnvironment(config), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let startedMs = 0;
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (startedMs === 0 && line.includes('"partitions assigned"')) startedMs = Date.now();
    });
    // A request to commit everything, as a recompute makes it.
    await until(async () => startedMs > 0 && (await want(world, clicks, config.partitions)));
    await until(async () => (await archived(world)).records >= clicks);
    const end = await archived(world);
    const seconds = (end.lastMs - startedMs) / 1000;
    const cpu = cpuSeconds(child.pid!);
    const rss = peakRssBytes(child.pid!);
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'close');
    return {
      name: `archive: ${thousands(clicks)} generated clicks from Kafka into the lake`,
      rows: [
        {
          'clicks/s': thousands(end.rows / seconds),
          'clicks per CPU s': thousands(end.rows / cpu),
          'bytes/click in Kafka': (bytes / clicks).toFixed(0),
          'bytes/click in the lake': (end.bytes / end.rows).toFixed(1),
          files: end.files,
          'peak RSS MB': thousands(rss / 1e6),
        },
      ],
      notes: [
        `${String(HOURS)} event hours, generator seed 1, ${String(config.partitions)} partitions, one process; ` +
          'the clock runs from the assignment to the last commit',
      ],
      raw: { ...end, seconds, cpu, rss },
    };
  } finally {
    await world.stop();
  }
}

/** Puts generated clicks on the log; returns the bytes of their records. */
async function fillGenerated(world: World, clicks: number): Promise<number> {
  const { partitions } = world.base;
  const producer = await RawProducer.connect(world.kafka.address);
  const builders = Array.from({ length: partitions }, () => new BatchBuilder());
  let bytes = 0;
  for (const { key: text, line } of generateClicks({
    clicks,
    seed: 1,
    hours: HOURS,
    withTruth: false,
  })) {
    const key = Buffer.from(text);
    const value = typeof line === 'string' ? Buffer.from(line) : line;
    const partition = partitionOf(key, partitions);
    const builder = builders[partition]!;
    builder.add(key, value);
    bytes += value.length;
    if (builder.count < RECORDS_PER_BATCH) continue;
    await producer.send(TOPIC, new Map([[partition, builder.take()]]));
  }
  for (const [partition, builder] of builders.entries()) {
    if (builder.count > 0) await producer.send(TOPIC, new Map([[partition, builder.take()]]));
  }
  producer.close();
  return bytes;
}

/** Asks for a commit at the end of the log, once the archiver has read all of it. */
async function want({ pool }: World, clicks: number, partitions: number): Promise<boolean> {
  const { rows } = await pool.query<{ n: string; ends: string }>(
    'select count(log_end_offset) as n, sum(log_end_offset) as ends from archive_progress',
  );
  const [row] = rows;
  if (Number(row!.n) < partitions || Number(row!.ends) < clicks) return false;
  await pool.query(
    'insert into archive_wanted (slot, next_offset) select slot, log_end_offset from archive_progress',
  );
  return true;
}

interface Archived {
  readonly records: number;
  readonly rows: number;
  readonly bytes: number;
  readonly files: number;
  readonly lastMs: number;
}

async function archived({ pool }: World): Promise<Archived> {
  const { rows } = await pool.query<Record<keyof Archived, string>>(
    `select (select coalesce(sum(next_offset), 0) from archive_progress) as records,
            coalesce(sum(rows), 0) as rows, coalesce(sum(bytes), 0) as bytes, count(*) as files,
            coalesce(extract(epoch from max(committed_at)) * 1000, 0) as "lastMs" from lake_files`,
  );
  const [row] = rows;
  return {
    records: Number(row!.records),
    rows: Number(row!.rows),
    bytes: Number(row!.bytes),
    files: Number(row!.files),
    lastMs: Number(row!.lastMs),
  };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('the archiver did not finish in time');
    await sleep(50);
  }
}
