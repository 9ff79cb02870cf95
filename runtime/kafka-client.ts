import { Kafka, logLevel } from 'kafkajs';
import type { KafkaConfig } from 'kafkajs';
import { applyKafkajsGuards } from '../stream/kafka/kafkajs-guards.js';

/**
 * A Kafka client for producers and admin questions: guarded like the stream's (docs/decisions/0002),
 * and silent, since what goes wrong is reported by whoever asked.
 */
export function createKafka(options: KafkaConfig): Kafka {
  applyKafkajsGuards();
  return new Kafka({ logLevel: logLevel.NOTHING, ...options });
}
