import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { sqlText } from '../../batch/duckdb/session.js';
import { shredClick } from '../../core/click/shred.js';
import type { LogRecord } from '../../core/count.js';
import { groupBy } from '../../core/group-by.js';
import type { LakeFile } from '../../core/lake-file.js';
import { partitionKey } from '../../core/position.js';
import { ClickWriter } from '../../lake/click-writer.js';
import type { ClickGroup, FileSelection } from '../../lake/click-writer.js';
import { openLocalLake } from '../../lake/local-folder.js';
import type { LakeStore } from '../../lake/store.js';
import { sha256OfFile } from '../../lake/verify.js';

/** A lake in a temporary folder, with files of clicks written as the archive writes them. */
export interface TestLake {
  /** Holds the lake, and is for whatever else a test needs. */
  readonly folder: string;
  readonly lake: LakeStore;
  /** Writes the clicks of the records: a file per hour and bucket; with one bucket, one file. */
  write(records: readonly LogRecord[], buckets: number): Promise<LakeFile[]>;
  /** Lists a file, with right size and hash, of whatever a SELECT gives; bucket 0 of 1. */
  writeSql(select: string, rows: number, options?: string): Promise<LakeFile>;
  close(): Promise<void>;
}

export async function openTestLake(): Promise<TestLake> {
  const folder = await mkdtemp(join(tmpdir(), 'truecount-lake-'));
  const lake = openLocalLake(join(folder, 'lake'));
  const work = join(folder, 'work');
  await mkdir(work);
  // One writer per number of buckets: it is a setting of theirs.
  const writers = new Map<number, ClickWriter>();
  let files = 0;
  const write = async (records: readonly LogRecord[], buckets: number): Promise<LakeFile[]> => {
    const folderOfWriter = join(work, String(buckets));
    await mkdir(folderOfWriter, { recursive: true });
    const options = { folder: folderOfWriter, buckets, memoryMb: 128 };
    const writer = writers.get(buckets) ?? (await ClickWriter.open(options));
    writers.set(buckets, writer);
    await writer.clear();
    const { sources } = await addAll(writer, records);
    const written: LakeFile[] = [];
    const groups = await writer.groups(sources);
    const add = async (selection: FileSelection, of: readonly ClickGroup[]): Promise<void> => {
      if (of.length === 0) return;
      const path = await writer.write(selection);
      const rows = of.reduce((sum, group) => sum + group.rows, 0);
      const bucket = 'bucket' in selection ? selection.bucket : 0;
      written.push(await put(lake, path, { id: ++files, rows, bucket, buckets }));
    };
    if (buckets === 1) await add({ sources, exceptHoursMs: [] }, groups);
    else {
      for (const [, of] of groupBy(groups, (g) => `${String(g.hourMs)}/${String(g.bucket)}`)) {
        const { hourMs, bucket } = of[0]!;
        await add({ sources, onlyHourMs: hourMs, bucket }, of);
      }
    }
    return written;
  };
  const close = async (): Promise<void> => {
    for (const writer of writers.values()) writer.close();
    await rm(folder, { recursive: true, force: true });
  };
  const writeSql: TestLake['writeSql'] = async (select, rows, options = '') => {
    const path = join(work, 'select.parquet');
    await copySql(select, path, options);
    return put(lake, path, { id: ++files, rows, bucket: 0, buckets: 1 });
  };
  return { folder, lake, write, writeSql, close };
}

async function copySql(select: string, path: string, options: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await connection.run(`copy (${select}) to ${sqlText(path)} (format parquet ${options})`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Buffers the clicks of the records, by sources of their own; those that are no click are left out. */
export async function addAll(
  writer: ClickWriter,
  records: readonly LogRecord[],
): Promise<{ readonly sources: readonly number[]; readonly clicks: number }> {
  const sources = new Map<string, number>();
  let clicks = 0;
  for (const { topic, partition, offset, appendMs, value } of records) {
    const key = partitionKey({ topic, partition });
    const source = sources.get(key) ?? (await writer.addSource(topic, partition));
    sources.set(key, source);
    const click = shredClick(value, appendMs);
    if (click.kind !== 'click') continue;
    writer.add(source, offset, appendMs, click);
    clicks++;
  }
  return { sources: [...sources.values()], clicks };
}

/** Makes a local file an object of the lake, and describes it as the manifest would. */
export async function put(
  lake: LakeStore,
  path: string,
  of: Pick<LakeFile, 'id' | 'rows' | 'bucket' | 'buckets'>,
): Promise<LakeFile> {
  const key = `clicks/${randomBytes(8).toString('hex')}.parquet`;
  const { size: bytes } = await stat(path);
  const sha256 = await sha256OfFile(path);
  await lake.put(key, path);
  return { ...of, key, bytes, sha256 };
}
