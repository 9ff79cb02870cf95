import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { cellKey } from '../core/count.js';
import { formatTime, type TimeRange } from '../core/range.js';
import { MINUTE_MS, hourOf } from '../core/time.js';
import { rowsOf } from './cursor.js';
import { excuse } from './excuse.js';
import { compareFiltered } from './filtered-audit.js';
import type { PartitionLog, ReadLog } from './log-reader.js';
import { PartitionReplay } from './replay.js';
import type { AuditedPartition, Snapshot } from './snapshot.js';
import { exactNumber, rangeParameters } from './sql-check.js';
import type { LogTally } from './tally.js';

export interface AuditedRange {
  readonly client: pg.ClientBase;
  readonly snapshot: Snapshot;
  readonly range: TimeRange | undefined;
  readonly tally: LogTally;
}

/**
 * Reads one partition up to its position in the snapshot and compares it. Holds the ids and cells of
 * this partition's clicks within the range in memory, and what the caps of the rule sets count, and
 * gives them back at the end.
 */
export async function auditPartition(
  world: AuditedRange,
  partition: AuditedPartition,
  readLog: ReadLog,
): Promise<void> {
  const { tally, snapshot } = world;
  tally.partitions++;
  const log = await openLog(world, partition, readLog);
  if (log === null) return;
  const gone = offsetsGone(partition, log.logStartOffset);
  const silence = (hourMs: number): string | null =>
    whySilent(snapshot, partition, log.logStartOffset, gone, hourMs);
  noteSilence(world, partition, gone, log.logStartOffset, silence);
  const isSilent = (hourMs: number): boolean => silence(hourMs) !== null;
  const replay = new PartitionReplay(
    world.client,
    partition,
    snapshot,
    world.range,
    isSilent,
    log.logStartOffset,
    tally,
  );
  const before = tally.records;
  for await (const record of log.records) await replay.take(record);
  await replay.finish();
  if (gone === 0) await compareReceived(world, partition, tally.records - before);
  await compareCells(world, partition, replay, isSilent);
  await compareFiltered(world, partition, replay.filtered, isSilent);
}

async function openLog(
  { tally, snapshot }: AuditedRange,
  { topic, partition, nextOffset }: AuditedPartition,
  readLog: ReadLog,
): Promise<PartitionLog | null> {
  const silent = (reason: string): null => {
    tally.silentPartitions.add(() => ({ topic, partition, reason }));
    for (const hourMs of snapshot.hours.keys()) {
      tally.silentHours.add(() => ({ hour: formatTime(hourMs), topic, partition, reason }));
    }
    return null;
  };
  try {
    const log = await readLog(topic, partition, nextOffset);
    if (log.logEndOffset >= nextOffset) return log;
    const problem = `the log ends at ${String(log.logEndOffset)}, below the counted position`;
    tally.cells.add(() => ({ topic, partition, position: nextOffset, problem }));
    return silent(problem);
  } catch (error) {
    if (!(error instanceof TruecountError) || error.code !== 'not_found') throw error;
    if (nextOffset === 0) return null;
    return silent(error.message);
  }
}

/** How many offsets were read by the stream and are not in the log any more. */
function offsetsGone({ lost, nextOffset }: AuditedPartition, logStartOffset: number): number {
  const end = Math.min(logStartOffset, nextOffset);
  const neverRead = lost.reduce(
    (sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - from),
    0,
  );
  return end - neverRead;
}

/**
 * Why the log cannot say everything about an hour, or null. The dedupe memory of an uncut hour is
 * rebuilt from `rebuildFrom`: all its clicks lie there or above, unless the memory was given up.
 */
function whySilent(
  snapshot: Snapshot,
  { slot, rebuildFrom }: AuditedPartition,
  logStartOffset: number,
  gone: number,
  hourMs: number,
): string | null {
  const hour = snapshot.hours.get(hourMs);
  if (hour !== undefined && !snapshot.ruleSets.has(hour.pin)) {
    return 'the rule set that the hour pins cannot be read';
  }
  if (gone === 0) return null;
  const isWhole = hour?.cut === false && !hour.causes.has(slot) && logStartOffset <= rebuildFrom;
  if (isWhole) return null;
  return `the log begins at ${String(logStartOffset)}: ${String(gone)} counted offsets are gone`;
}

function noteSilence(
  { tally, snapshot }: AuditedRange,
  { topic, partition }: AuditedPartition,
  gone: number,
  logStartOffset: number,
  silence: (hourMs: number) => string | null,
): void {
  if (gone > 0) {
    const reason = `the log begins at ${String(logStartOffset)}: ${String(gone)} counted offsets are gone`;
    tally.silentPartitions.add(() => ({ topic, partition, reason }));
  }
  for (const hourMs of snapshot.hours.keys()) {
    const reason = silence(hourMs);
    if (reason === null) continue;
    tally.silentHours.add(() => ({ hour: formatTime(hourMs), topic, partition, reason }));
  }
}

async function compareReceived(
  { client, tally }: AuditedRange,
  { slot, topic, partition }: AuditedPartition,
  inLog: number,
): Promise<void> {
  const { rows } = await client.query<{ n: string }>(
    `select coalesce(sum(to_offset - from_offset - lost - control), 0) as n
       from flushes where slot = $1`,
    [slot],
  );
  const received = exactNumber(rows[0]!.n);
  if (received !== inLog) tally.received.add(() => ({ topic, partition, received, log: inLog }));
}

interface CellRow {
  hour: Date;
  filter: string;
  ad_id: string;
  counts: (number | null)[];
}

/** Both ways: what is live and not in the log, and what is in the log and not live. */
async function compareCells(
  world: AuditedRange,
  partition: AuditedPartition,
  replay: PartitionReplay,
  isSilent: (hourMs: number) => boolean,
): Promise<void> {
  const expected = replay.cells; // the engine is done: its map is used up here
  const rows = rowsOf<CellRow>(
    world.client,
    `select hour, filter, ad_id, counts from live_cells
      where slot = $3 and hour >= $1 and hour < $2`,
    [...rangeParameters(world.range), partition.slot],
  );
  for await (const { hour, filter, ad_id: adId, counts } of rows) {
    for (const [minute, n] of counts.entries()) {
      const live = n ?? 0;
      if (live === 0) continue;
      world.tally.liveCells++;
      const minuteMs = hour.getTime() + minute * MINUTE_MS;
      const key = cellKey(adId, minuteMs, filter);
      const log = (expected.get(key)?.count ?? 0) - (replay.lateCells.get(key) ?? 0);
      expected.delete(key);
      if (live !== log) differ({ adId, minuteMs, filter, live, log });
    }
  }
  for (const [key, { adId, minuteMs, filter, count }] of expected) {
    const log = count - (replay.lateCells.get(key) ?? 0);
    if (log !== 0) differ({ adId, minuteMs, filter, live: 0, log });
  }

  function differ(cell: Difference): void {
    const hourMs = hourOf(cell.minuteMs);
    if (!isSilent(hourMs)) noteDifference(world, partition, hourMs, cell);
  }
}

interface Difference {
  readonly adId: string;
  readonly minuteMs: number;
  readonly filter: string;
  readonly live: number;
  readonly log: number;
}

function noteDifference(
  { snapshot, tally }: AuditedRange,
  { slot, topic, partition }: AuditedPartition,
  hourMs: number,
  { adId, minuteMs, filter, live, log }: Difference,
): void {
  const cause = excuse(snapshot, hourMs, slot, live > log);
  const example = (): Record<string, unknown> => ({
    minute: formatTime(minuteMs),
    ad_id: adId,
    filter,
    topic,
    partition,
    live,
    log,
    ...(cause === null ? {} : { cause }),
    ...(!snapshot.hours.has(hourMs) ? { problem: 'the hour has no row' } : {}),
  });
  if (cause === null) tally.cells.add(example);
  else tally.excused.add(example);
}
