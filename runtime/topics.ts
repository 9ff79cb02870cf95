import type { Admin, Kafka } from 'kafkajs';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { createTopics } from './create-topics.js';
import { kafkaClientOptions } from './kafka-options.js';
import { createKafka } from './kafka-client.js';

/** kafkajs' own `ConfigResourceTypes.TOPIC`, which Node can't import from it by name. */
const RESOURCE_TOPIC = 2;

export interface TopicFacts {
  readonly topic: string;
  readonly exists: boolean;
  readonly partitions: number;
  /** `message.timestamp.type`; truecount needs `LogAppendTime`. Null if it may not be read. */
  readonly timestampType: string | null;
  /** Retention in ms, -1 for ever; null if it may not be read. */
  readonly retentionMs: number | null;
}

/** Creates the configured topics that are absent, with broker append time; names those it made. */
export async function ensureTopics(config: Config): Promise<string[]> {
  return withAdmin(config, async (admin, kafka) => {
    const there = new Set(await admin.listTopics());
    const absent = config.topics.filter((topic) => !there.has(topic));
    if (absent.length === 0) return [];
    const topics = absent.map((topic) => ({
      topic,
      numPartitions: config.partitions,
      replicationFactor: config.topicReplication,
      configEntries: [
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        { name: 'retention.ms', value: String(config.topicRetentionMs) },
      ],
    }));
    await createTopics(kafka, topics);
    return absent;
  });
}

/** What the broker says of the configured topics. */
export async function describeTopics(config: Config): Promise<TopicFacts[]> {
  return withAdmin(config, async (admin) => {
    const there = new Set(await admin.listTopics());
    return Promise.all(
      config.topics.map(async (topic): Promise<TopicFacts> => {
        if (!there.has(topic)) {
          return { topic, exists: false, partitions: 0, timestampType: null, retentionMs: null };
        }
        const [metadata, settings] = await Promise.all([
          admin.fetchTopicMetadata({ topics: [topic] }),
          topicSettings(admin, topic),
        ]);
        const retention = settings.get('retention.ms');
        return {
          topic,
          exists: true,
          partitions: metadata.topics[0]?.partitions.length ?? 0,
          timestampType: settings.get('message.timestamp.type') ?? null,
          retentionMs: retention === undefined ? null : Number(retention),
        };
      }),
    );
  });
}

async function topicSettings(admin: Admin, topic: string): Promise<Map<string, string>> {
  try {
    const answer = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: RESOURCE_TOPIC, name: topic }],
    });
    const entries = answer.resources[0]?.configEntries ?? [];
    return new Map(entries.map((entry) => [entry.configName, entry.configValue]));
  } catch {
    return new Map(); // reading the settings of a topic is a right of its own
  }
}

async function withAdmin<T>(
  config: Config,
  use: (admin: Admin, kafka: Kafka) => Promise<T>,
): Promise<T> {
  const kafka = createKafka({
    ...kafkaClientOptions(config),
    connectionTimeout: 5_000,
    retry: { retries: 4 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin, kafka);
  } catch (cause) {
    if (cause instanceof TruecountError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const brokers = config.kafka.brokers?.join(',') ?? '';
    throw new TruecountError('dependency_unreachable', `Kafka at ${brokers}: ${why}`, {
      hint: 'truecount doctor says what is wrong',
      cause,
    });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
