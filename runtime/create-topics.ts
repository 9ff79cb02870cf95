import type { ITopicConfig, Kafka } from 'kafkajs';
import { topicEnds } from './topic-ends.js';

/**
 * Creates topics, and resolves when the leaders of all their partitions answer. kafkajs' own wait
 * (`waitForLeaders`) gives up where the broker that it asks has not heard of a topic yet.
 * @throws the client's error, also where a topic is not to be found after 10 s
 */
export async function createTopics(kafka: Kafka, topics: readonly ITopicConfig[]): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.createTopics({ waitForLeaders: false, topics: [...topics] });
  } finally {
    await admin.disconnect();
  }
  for (const { topic } of topics) await topicEnds(kafka, topic, { justCreated: true });
}
