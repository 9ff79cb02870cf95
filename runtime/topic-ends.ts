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
const OF_LEADERS: readonly string[] = ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE'];

/**
 * The ends of all partitions of a topic, now. kafkajs gives up at the first broker that does not lead
 * a partition, or not yet: its `fetchTopicOffsets` asks again only for topics that are unknown. Each
 * further question here is a new client's, which knows of no former leader. `justCreated`: brokers may
 * not have heard of the topic yet.
 * @throws the client's error, when it is of another kind or the deadline is over
 */
export async function topicEnds(
  kafka: Kafka,
  topic: string,
  { justCreated = false } = {},
): Promise<PartitionEnd[]> {
  const passing = justCreated ? [...OF_LEADERS, 'UNKNOWN_TOPIC_OR_PARTITION'] : OF_LEADERS;
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await askEnds(kafka, topic);
    } catch (error) {
      if (!isOf(passing, error) || performance.now() > deadlineMs) throw error;
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

/** Whether an error of kafkajs, or what made it give up, has one of these types. */
function isOf(types: readonly string[], error: unknown): boolean {
  const { type, cause } = error as { readonly type?: unknown; readonly cause?: unknown };
  return types.includes(String(type)) || (cause instanceof Error && isOf(types, cause));
}
