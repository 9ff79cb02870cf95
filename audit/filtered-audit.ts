import { formatTime } from '../core/range.js';
import { MINUTE_MS, MINUTES_PER_HOUR, hourOf, minuteOfHour } from '../core/time.js';
import { rowsOf } from './cursor.js';
import { excuse } from './excuse.js';
import type { AuditedRange } from './partition-audit.js';
import type { AuditedPartition } from './snapshot.js';
import { rangeParameters } from './sql-check.js';

/** Clicks of one partition that a filter took out, per hour and reason, by minute. */
export class FilteredClicks {
  private readonly counts = new Map<string, number[]>();

  add(eventMs: number, reason: string): void {
    const key = keyOf(hourOf(eventMs), reason);
    const known = this.counts.get(key) ?? new Array<number>(MINUTES_PER_HOUR).fill(0);
    this.counts.set(key, known);
    known[minuteOfHour(eventMs)]! += 1;
  }

  /** The 60 counts, once: they are gone then. */
  take(hourMs: number, reason: string): readonly number[] {
    const key = keyOf(hourMs, reason);
    const counts = this.counts.get(key) ?? [];
    this.counts.delete(key);
    return counts;
  }

  /** Those that were not taken. */
  *left(): Generator<readonly [hourMs: number, reason: string, counts: readonly number[]]> {
    for (const [key, counts] of this.counts) {
      const [hourMs, reason] = key.split(' ') as [string, string];
      yield [Number(hourMs), reason, counts];
    }
  }
}

/** No reason holds a space. */
function keyOf(hourMs: number, reason: string): string {
  return `${String(hourMs)} ${reason}`;
}

interface FlowRow {
  hour: Date;
  reason: string;
  counts: (number | null)[];
}

/** Compares what the stream booked as filtered in one partition with its log, both ways. */
export async function compareFiltered(
  { client, snapshot, range, tally }: AuditedRange,
  { slot, topic, partition }: AuditedPartition,
  inLog: FilteredClicks,
  isSilent: (hourMs: number) => boolean,
): Promise<void> {
  const rows = rowsOf<FlowRow>(
    client,
    `select hour, reason, counts from filtered_flow
      where slot = $3 and hour >= $1 and hour < $2`,
    [...rangeParameters(range), slot],
  );
  for await (const { hour, reason, counts } of rows) {
    const hourMs = hour.getTime();
    compare(hourMs, reason, counts, inLog.take(hourMs, reason));
  }
  for (const [hourMs, reason, counts] of inLog.left()) compare(hourMs, reason, [], counts);

  function compare(
    hourMs: number,
    reason: string,
    booked: readonly (number | null)[],
    read: readonly number[],
  ): void {
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
      const [stream, log] = [booked[minute] ?? 0, read[minute] ?? 0];
      tally.filteredClicks += log;
      if (stream === log || isSilent(hourMs)) continue;
      const cause = excuse(snapshot, hourMs, slot, stream > log);
      const findings = cause === null ? tally.filtered : tally.filteredExcused;
      findings.add(() => ({
        minute: formatTime(hourMs + minute * MINUTE_MS),
        ...{ reason, topic, partition, stream, log },
        ...(cause === null ? {} : { cause }),
      }));
    }
  }
}
