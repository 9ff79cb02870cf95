import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import type { AuditLake } from '../../audit/lake-port.js';
import { FIELD_COLUMNS, shredClick } from '../../core/click/shred.js';
import type { Cut } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import { CellsChecksum, hashInputs } from '../../core/generation.js';
import { hashRuleSet } from '../../core/rules/rule-set.js';
import { publish } from '../../store/publish/publish.js';
import { APPEND_MS, CUT, PARTITIONS, RULES, TEN_MS } from './world.js';

const HOUR_MS = 3_600_000;
const TEN = new Date(TEN_MS);

/** What the archive committed: per commit the ranges read, and the files made of them. */
const FLUSHES: [slot: number, from: number, to: number, archived: number, rejected: number][] = [
  [1, 0, 6, 5, 1],
  [1, 6, 11, 3, 1],
  [2, 0, 2, 2, 0],
];

const TEN_KEY = 'clicks/2026-11-21T10/b0of1/1-e3-0a.parquet';
const ELEVEN_KEY = 'clicks/2026-11-21T11/b0of1/1-e2-0b.parquet';
export const SHARED_KEY = 'clicks/shared/b0of1/1-e3-0c.parquet';

interface File {
  readonly key: string;
  /** Event hours after ten. */
  readonly hours: readonly number[];
  /** Offsets per slot; from and to are those of the flush. */
  readonly ranges: readonly [slot: number, from: number, to: number, offsets: number[]][];
}

/** Written down by hand: hour 10 and 11 of the first commits, and a file that they share. */
const FILES: readonly File[] = [
  {
    key: TEN_KEY,
    hours: [0],
    ranges: [
      [1, 0, 6, [0, 1, 2, 5]],
      [2, 0, 2, [0]],
    ],
  },
  {
    key: ELEVEN_KEY,
    hours: [1],
    ranges: [
      [1, 0, 6, [4]],
      [2, 0, 2, [1]],
    ],
  },
  { key: SHARED_KEY, hours: [0, 1], ranges: [[1, 6, 11, [6, 7, 9]]] },
];

/** Clicks per event minute of ten, by slot. */
const FLOW: [hour: number, slot: number, minutes: Record<number, number>][] = [
  [0, 1, { 0: 3, 1: 1, 2: 2 }],
  [0, 2, { 10: 1 }],
  [1, 1, { 5: 1, 6: 1 }],
  [1, 2, { 0: 1 }],
];

type Minutes = Readonly<Record<number, number>>;

interface Generation {
  readonly cut: readonly number[];
  readonly files: readonly string[];
  readonly received: Minutes;
  readonly duplicate: Minutes;
  /** filter → ad → clicks per minute. */
  readonly cells: Readonly<Record<string, Readonly<Record<string, Minutes>>>>;
}

/** At the cut of ten: what is counted live. */
const AT_CUT: Generation = {
  cut: CUT,
  files: [TEN_KEY],
  received: { 0: 2, 1: 1, 10: 1 },
  duplicate: { 0: 1 },
  cells: {
    '': { a: { 0: 1, 1: 1 }, c: { 10: 1 } },
    'country:GB': { a: { 1: 1 } },
    'country:US': { a: { 0: 1 }, c: { 10: 1 } },
    'device:desktop': { a: { 1: 1 } },
    'device:mobile': { a: { 0: 1 }, c: { 10: 1 } },
  },
};

/** At the end of the log: with the late click of minute 2. */
const WITH_LATE: Generation = {
  cut: [11, 2],
  files: [TEN_KEY, SHARED_KEY],
  received: { 0: 3, 1: 1, 2: 2, 10: 1 },
  duplicate: { 0: 2, 2: 1 },
  cells: {
    ...AT_CUT.cells,
    '': { a: { 0: 1, 1: 1, 2: 1 }, c: { 10: 1 } },
    'country:US': { a: { 0: 1, 2: 1 }, c: { 10: 1 } },
    'device:mobile': { a: { 0: 1, 2: 1 }, c: { 10: 1 } },
  },
};

/**
 * Adds the final half to the world: the archive with its files in `folder`, two generations of ten
 * (1 at its cut, 2 with the late click), published, rolled back, published again and confirmed.
 */
export async function finishWorld(pool: pg.Pool, url: string, folder: string): Promise<void> {
  await writeArchive(pool);
  for (const file of FILES) await writeLakeFile(pool, folder, file);
  await writeGeneration(pool, AT_CUT);
  await writeGeneration(pool, WITH_LATE);
  await pool.query(
    `insert into reconciliations (hour, generation, against, revision, clicks_base, clicks_new, clicks_moved,
       cells_compared, cells_differ, causes, drift, threshold, decision, reason, made_by)
     values ($1, 1, 'live', 0, 3, 3, 0, 8, 0, '{}', 0, 0.001, 'publish', 'nothing differs', 't')`,
    [TEN],
  );
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const step = (
      kind: 'publish' | 'rollback' | 'confirm',
      generation: number,
      expectedRevision: number,
    ) =>
      publish(client, {
        request: `${kind}-${String(expectedRevision)}`,
        kind,
        actor: 'test',
        reason: 'a test',
        automatic: false,
        hours: [
          {
            ...{ hourMs: TEN_MS, generation, expectedRevision, reconciliation: null },
            ...(kind === 'confirm' ? { examined: cutOf([11, 2]) } : {}),
          },
        ],
      });
    await step('publish', 1, 0);
    await step('publish', 2, 1);
    await step('rollback', 1, 2);
    await step('publish', 2, 3);
    await step('confirm', 2, 4);
  } finally {
    await client.end();
  }
}

async function writeArchive(pool: pg.Pool): Promise<void> {
  await pool.query(
    `insert into archive_progress (slot, epoch, next_offset) values (1, 3, 11), (2, 3, 2), (3, 3, 0)`,
  );
  for (const [slot, from, to, archived, rejected] of FLUSHES) {
    await pool.query('insert into archive_flushes values ($1, $2, $3, 3, $4, $5, 0, $6)', [
      ...[slot, from, to, archived, rejected],
      to - from - archived - rejected,
    ]);
  }
  for (const [hour, slot, minutes] of FLOW) {
    await pool.query('insert into archive_flow values ($1, $2, $3)', [
      ...[new Date(TEN_MS + hour * HOUR_MS), slot, sixty(minutes)],
    ]);
  }
}

async function writeLakeFile(pool: pg.Pool, folder: string, file: File): Promise<void> {
  const path = join(folder, file.key);
  await mkdir(dirname(path), { recursive: true });
  const clicks = file.ranges.flatMap(([slot, , , offsets]) =>
    offsets.map((offset) => clickAt(slot, offset)),
  );
  await writeParquet(path, clicks);
  const events = clicks.map((click) => Number(click['event_ms']));
  const bytes = await readFile(path);
  const { rows } = await pool.query<{ id: string }>(
    `insert into lake_files (key, bytes, sha256, rows, bucket, buckets, min_event_ms, max_event_ms)
     values ($1, $2, $3, $4, 0, 1, $5, $6) returning id`,
    [
      ...[file.key, bytes.length, createHash('sha256').update(bytes).digest('hex'), clicks.length],
      ...[Math.min(...events), Math.max(...events)],
    ],
  );
  for (const hour of file.hours) {
    const fromMs = TEN_MS + hour * HOUR_MS;
    const within = events.filter((ms) => ms >= fromMs && ms < fromMs + HOUR_MS).length;
    await pool.query('insert into lake_file_hours values ($1, $2, $3)', [
      ...[new Date(fromMs), rows[0]!.id, within],
    ]);
  }
  for (const [slot, from, to, offsets] of file.ranges) {
    await pool.query('insert into lake_file_ranges values ($1, $2, $3, $4, $5)', [
      ...[rows[0]!.id, slot, from, to, offsets.length],
    ]);
  }
}

function clickAt(slot: number, offset: number): Record<string, unknown> {
  const { value } = PARTITIONS[slot - 1]![offset]!;
  const click = shredClick(Buffer.from(value!), APPEND_MS);
  if (click.kind !== 'click') throw new Error('no click');
  return {
    ...{ topic: 't', partition: slot - 1, log_offset: offset, append_ms: APPEND_MS + offset },
    ...{ event_ms: click.eventMs, ad_id: click.adId, event_id: click.eventId },
    ...Object.fromEntries(FIELD_COLUMNS.map((name, i) => [name, click.fields[i]])),
    rest: click.rest,
  };
}

/** Through JSON: no code of the lake is used. */
async function writeParquet(path: string, clicks: readonly object[]): Promise<void> {
  const json = `${path}.json`;
  await writeFile(json, clicks.map((click) => JSON.stringify(click)).join('\n'));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const texts = ['topic', 'ad_id', 'event_id', ...FIELD_COLUMNS, 'rest'];
  const columns = [
    ...texts.map((name) => `${name}: 'VARCHAR'`),
    ...['log_offset', 'append_ms', 'event_ms'].map((name) => `${name}: 'BIGINT'`),
    `partition: 'INTEGER'`,
  ];
  await connection.run(
    `copy (select * from read_json('${json}', format = 'newline_delimited',
             columns = {${columns.join(', ')}})) to '${path}' (format parquet)`,
  );
  connection.closeSync();
  await rm(json);
}

async function writeGeneration(pool: pg.Pool, generation: Generation): Promise<void> {
  const ruleSet = hashRuleSet(RULES);
  const cut = cutOf(generation.cut);
  const received = sixty(generation.received);
  const duplicate = sixty(generation.duplicate);
  const checksum = new CellsChecksum();
  for (const [filter, ads] of Object.entries(generation.cells)) {
    for (const [ad, minutes] of Object.entries(ads)) checksum.add(filter, ad, sixty(minutes));
  }
  const { rows } = await pool.query<{ id: string }>(
    `insert into generations (hour, rule_set, inputs_hash, checksum, rows, cells, received, counted,
                              duplicate, filtered, built_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'test') returning id`,
    [
      ...[TEN, ruleSet, hashInputs({ hourMs: TEN_MS, ruleSet, cut }), checksum.digest()],
      ...[checksum.rows, checksum.cells, received, received.map((n, i) => n - duplicate[i]!)],
      ...[duplicate, sixty({})],
    ],
  );
  const { id } = rows[0]!;
  for (const { partition, nextOffset } of cut) {
    await pool.query('insert into generation_cuts values ($1, $2, $3)', [
      id,
      partition + 1,
      nextOffset,
    ]);
    await pool.query('insert into examined_cuts values ($1, 0, $2, $3)', [
      id,
      partition + 1,
      nextOffset,
    ]);
  }
  await pool.query(
    `insert into generation_files select $1, id from lake_files where key = any ($2)`,
    [id, generation.files],
  );
  for (const [filter, ads] of Object.entries(generation.cells)) {
    for (const [ad, minutes] of Object.entries(ads)) {
      const counts = sixty(minutes);
      await pool.query('insert into generation_cells values ($1, $2, $3, $4)', [
        id,
        filter,
        ad,
        counts,
      ]);
    }
  }
}

function cutOf(offsets: readonly number[]): Cut {
  return offsets.map((nextOffset, partition) => ({ topic: 't', partition, nextOffset }));
}

function sixty(minutes: Minutes): number[] {
  return Array.from({ length: 60 }, (_, minute) => minutes[minute] ?? 0);
}

/** A folder as a lake. */
export function folderLake(folder: string): AuditLake {
  return {
    url: folder,
    async *list(prefix) {
      for (const name of await readdir(folder, { recursive: true })) {
        const { size, isFile } = await stat(join(folder, name)).then((s) => ({
          size: s.size,
          isFile: s.isFile(),
        }));
        if (isFile && name.startsWith(prefix)) yield { key: name, bytes: size };
      }
    },
    async *unfinished() {
      for (const file of await readdir(join(folder, '.incoming')).catch(() => [])) {
        const { size: bytes, mtimeMs: sinceMs } = await stat(join(folder, '.incoming', file));
        yield { name: `.incoming/${file}`, bytes, sinceMs };
      }
    },
    async fetch(key) {
      const path = join(folder, `${String(process.hrtime.bigint())}.copy`);
      try {
        await copyFile(join(folder, key), path);
      } catch (cause) {
        throw new TruecountError('lake_file_missing', `the lake has no ${key}`, { cause });
      }
      return { path, release: () => rm(path) };
    },
  };
}
