import { createHash } from 'node:crypto';
import type { KafkaConfig } from 'kafkajs';
import { pino } from 'pino';
import { KafkaLog, isForbidden } from '../audit/kafka-log.js';
import { TruecountError } from '../core/errors.js';
import type { Checkpoint } from '../ingest/files/checkpoint.js';
import { createKafka } from '../runtime/kafka-client.js';

/** What a run has to know of the log that files are sent to. */
export interface Destination {
  readonly topic: string;
  readonly clusterId: string;
  /**
   * Why the records before a checkpoint can't be relied on to be on the log; undefined if they can.
   * @throws TruecountError `dependency_unreachable`, `not_found`
   */
  whyNotHeld(checkpoint: Checkpoint): Promise<string | undefined>;
}

/** @throws TruecountError `dependency_unreachable` */
export async function destinationOf(kafka: KafkaConfig, topic: string): Promise<Destination> {
  try {
    const clusterId = await clusterIdOf(kafka);
    return { topic, clusterId, whyNotHeld: (checkpoint) => whyNotHeld(kafka, topic, checkpoint) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('dependency_unreachable', `Kafka does not say who it is: ${why}`, {
      hint: 'truecount doctor says what is wrong; ingesting the same input again counts once',
      cause,
    });
  }
}

async function clusterIdOf(kafka: KafkaConfig): Promise<string> {
  const admin = createKafka(kafka).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}

/**
 * A topic that was deleted and made anew has its name and may have as many records: so the last one
 * before the checkpoint is read, and has to be the one that was sent. If it has expired, nobody can
 * tell, and what is sent again counts once.
 */
async function whyNotHeld(
  kafka: KafkaConfig,
  topic: string,
  { partition, logOffset, appendMs, recordHash }: Checkpoint,
): Promise<string | undefined> {
  const log = new KafkaLog(kafka, pino({ level: 'silent' }));
  try {
    const record = await log.recordAt(topic, partition, logOffset);
    const value = record?.value ?? null;
    const isSame =
      value !== null &&
      hashOf(value) === recordHash &&
      (appendMs === null || record?.appendMs === appendMs);
    return isSame ? undefined : `${topic} no longer holds the last record of an earlier run`;
  } catch (error) {
    if (!isForbidden((error as Error).cause)) throw error;
    return `${topic} may not be read, to see whether it holds what an earlier run had sent`;
  } finally {
    await log.close();
  }
}

/** The hash by which a record is known again. */
export function hashOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex');
}
