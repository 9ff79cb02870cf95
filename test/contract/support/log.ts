import { partitionKey } from '../../../core/position.js';
import type { LogRecord } from '../../../core/count.js';

export const HOUR = Date.UTC(2026, 10, 1, 6);
export const TOPIC = 'clicks';

/** A record as cases write it: what is left out follows from the record before. */
export interface LogEntry {
  /** JSON of an object, or the bytes of the record; null: a record without value. */
  readonly value: Readonly<Record<string, unknown>> | string | Uint8Array | null;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly appendMs?: number;
}

/** Records in append order: offsets count up per partition, append times by one millisecond. */
export function makeLog(entries: readonly LogEntry[], fromMs = HOUR + 3_600_000): LogRecord[] {
  const next = new Map<string, number>();
  return entries.map((entry, i) => {
    const { topic = TOPIC, partition = 0, appendMs = fromMs + i } = entry;
    const key = partitionKey({ topic, partition });
    const offset = entry.offset ?? next.get(key) ?? 0;
    next.set(key, offset + 1);
    return { topic, partition, offset, appendMs, value: bytesOf(entry.value) };
  });
}

function bytesOf(value: LogEntry['value']): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

/** The partitions' records, each in offset order. */
export function byPartition(log: readonly LogRecord[]): Map<string, LogRecord[]> {
  const partitions = new Map<string, LogRecord[]>();
  for (const record of log) {
    const key = partitionKey(record);
    const known = partitions.get(key);
    if (known === undefined) partitions.set(key, [record]);
    else known.push(record);
  }
  for (const records of partitions.values()) records.sort((a, b) => a.offset - b.offset);
  return partitions;
}

/**
 * The order in which first is decided: of the partitions' next records always the least by append
 * time, topic and partition.
 */
export function inLogOrder(log: readonly LogRecord[]): LogRecord[] {
  const partitions = [...byPartition(log).values()];
  const ordered: LogRecord[] = [];
  while (ordered.length < log.length) {
    const heads = partitions.filter((records) => records.length > 0);
    heads.sort(([a], [b]) => compare(a!, b!));
    ordered.push(heads[0]!.shift()!);
  }
  return ordered;
}

function compare(a: LogRecord, b: LogRecord): number {
  if (a.appendMs !== b.appendMs) return a.appendMs - b.appendMs;
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}
