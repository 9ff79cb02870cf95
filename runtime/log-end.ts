import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaConfig } from 'kafkajs';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { createKafka } from './kafka-client.js';
import { topicEnds } from './topic-ends.js';
import type { PartitionEnd } from './topic-ends.js';

const POLL_MS = 100;

/** Where a partition ends, and of which topic it is. */
export interface LogEnd extends PartitionEnd {
  readonly topic: string;
}

/** The ends of all partitions of the topics, now. Throws dependency_unreachable. */
export async function readLogEnds(
  kafka: KafkaConfig,
  topics: readonly string[],
): Promise<LogEnd[]> {
  const client = createKafka({ ...kafka, retry: { retries: 3 } });
  try {
    const ends: LogEnd[] = [];
    for (const topic of topics) {
      for (const end of await topicEnds(client, topic)) ends.push({ topic, ...end });
    }
    return ends;
  } catch (cause) {
    throw new TruecountError('dependency_unreachable', 'Kafka does not say where the log ends', {
      hint: 'see `truecount doctor`',
      context: { topics },
      cause,
    });
  }
}

export interface CatchUpProgress {
  /** Records below the ends that are not committed yet. */
  readonly left: number;
  readonly total: number;
}

/**
 * Waits until the stream has committed every partition up to the given ends.
 * Throws not_ready if it has not within `timeoutMs`, naming the partitions and their owners.
 */
export async function untilCommitted(
  pool: pg.Pool,
  ends: readonly LogEnd[],
  options: { timeoutMs: number; onProgress?: (progress: CatchUpProgress) => void },
): Promise<void> {
  const deadlineMs = performance.now() + options.timeoutMs;
  let total: number | null = null;
  for (;;) {
    const behind = await partitionsBehind(pool, ends);
    const left = behind.reduce((sum, p) => sum + p.left, 0);
    total ??= left;
    options.onProgress?.({ left, total });
    if (behind.length === 0) return;
    if (performance.now() > deadlineMs) throw notCommitted(behind);
    await delay(POLL_MS);
  }
}

/** Returns if the stream has committed every partition up to the ends; else throws not_ready. */
export async function assertCommitted(
  client: pg.ClientBase,
  ends: readonly LogEnd[],
): Promise<void> {
  const behind = await partitionsBehind(client, ends);
  if (behind.length > 0) throw notCommitted(behind);
}

interface Behind {
  readonly name: string;
  readonly left: number;
  readonly owner: string | null;
}

function notCommitted(behind: readonly Behind[]): TruecountError {
  const names = behind.map((p) => `${p.name} (${String(p.left)} left, ${p.owner ?? 'no worker'})`);
  return new TruecountError('not_ready', `the stream has not read: ${names.join(', ')}`, {
    hint: 'is a stream worker running? see `truecount status`, or allow more --timeout',
  });
}

async function partitionsBehind(
  pool: pg.Pool | pg.ClientBase,
  ends: readonly LogEnd[],
): Promise<Behind[]> {
  const { rows } = await pool.query<{
    topic: string;
    partition: number;
    next_offset: string;
    owner: string | null;
  }>('select topic, partition, next_offset, owner from stream_progress');
  return ends.flatMap(({ topic, partition, endOffset }) => {
    const row = rows.find((r) => r.topic === topic && r.partition === partition);
    const left = endOffset - Number(row?.next_offset ?? 0);
    const name = `${topic}/${String(partition)}`;
    return left > 0 ? [{ name, left, owner: row?.owner ?? null }] : [];
  });
}
