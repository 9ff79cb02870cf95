import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { shredClick } from '../../core/click/shred.js';
import type { LakeFile } from '../../core/lake-file.js';
import { partitionOf } from '../../ingest/partitioner.js';
import { ClickWriter } from '../../lake/click-writer.js';
import { sha256OfFile } from '../../lake/verify.js';
import { sqlText } from '../../batch/duckdb/session.js';
import { HOUR_MS, adId } from '../support/workload.js';
import type { Workload } from '../support/workload.js';

export const TOPIC = 'bench-recompute';
export const PARTITIONS = 4;
export const BUCKETS = 2;

/** Files of one hour in a lake's folder, one per bucket, written as the archive writes them. */
export async function writeHour(workload: Workload, folder: string): Promise<LakeFile[]> {
  const work = join(folder, 'work');
  await mkdir(work, { recursive: true });
  const writer = await ClickWriter.open({ folder: work, buckets: BUCKETS, memoryMb: 2_048 });
  const sources: number[] = [];
  const offsets: number[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    sources.push(await writer.addSource(TOPIC, partition));
    offsets.push(0);
  }
  let appended = 0;
  for (const { ad, value } of workload.clicks()) {
    const partition = partitionOf(Buffer.from(adId(ad)), PARTITIONS);
    const appendMs = HOUR_MS + Math.floor((appended++ * 3_600_000) / workload.size) + 40;
    const click = shredClick(value, appendMs);
    if (click.kind === 'click') {
      writer.add(sources[partition]!, offsets[partition]!++, appendMs, click);
    }
  }
  const groups = await writer.groups(sources);
  const files: LakeFile[] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const path = await writer.write({ sources, onlyHourMs: HOUR_MS, bucket });
    const own = groups.filter((group) => group.bucket === bucket);
    const rows = own.reduce((sum, group) => sum + group.rows, 0);
    files.push(await describe(path.slice(folder.length + 1), folder, { bucket, rows }));
  }
  writer.close();
  return files;
}

/** The same files with ids of 32 characters, as producers with random ids have them. */
export async function withLongIds(files: readonly LakeFile[], folder: string): Promise<LakeFile[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const long: LakeFile[] = [];
  for (const file of files) {
    const key = file.key.replace(/\.parquet$/, '-long.parquet');
    await connection.run(
      `copy (select * replace (md5(event_id) as event_id)
               from read_parquet(${sqlText(join(folder, file.key))})
              order by topic, partition, log_offset)
         to ${sqlText(join(folder, key))} (format parquet, compression zstd, parquet_version v2)`,
    );
    long.push(await describe(key, folder, file));
  }
  connection.closeSync();
  instance.closeSync();
  return long;
}

async function describe(
  key: string,
  folder: string,
  { bucket, rows }: Pick<LakeFile, 'bucket' | 'rows'>,
): Promise<LakeFile> {
  const path = join(folder, key);
  const { size: bytes } = await stat(path);
  return { id: 1, key, bytes, sha256: await sha256OfFile(path), rows, bucket, buckets: BUCKETS };
}
