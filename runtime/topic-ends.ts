import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';

/** Where a partition ends: the offset that its next record gets. */
export interface PartitionEnd {
  readonly partition: number;
  readonly endOffset: number;
}

/** How long leaders may take to be found: an election, or a topic that was just created. */
const DEADLINE_MS = 10_000;
const PAUSE_MS = 100;

/**
 * The ends of all partitions of a topic, now. kafkajs gives up at the first broker that does not lead
 * a partition, or not yet: its `fetchTopicOffsets` asks again only for topics that are unknown. Each
 * further question here is a new client's, which knows of no former leader.
 * @throws the client's error, when it is of another kind or the deadline is over
 */
export async function topicEnds(kafka: Kafka, topic: string): Promise<PartitionEnd[]> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await askEnds(kafka, topic);
    } catch (error) {
      if (!isAboutLeaders(error) || performance.now() > deadlineMs) throw error;
    }
    await delay(PAUSE_MS);
  }
}

async function askEnds(kafka: Kafka, topic: string): Promise<PartitionEnd[]> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.map(({ partition, high }) => ({ partition, endOffset: Number(high) }));
  } finally {
    await admin.disconnect();
  }
}

function isAboutLeaders(error: unknown): boolean {
  const { type } = error as { readonly type?: unknown };
  return type === 'NOT_LEADER_FOR_PARTITION' || type === 'LEADER_NOT_AVAILABLE';
}
