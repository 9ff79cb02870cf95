import { Kafka, logLevel, type Admin, type Consumer } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { CollectSettings } from '../../../collect/settings.js';
import { startCollector, type RunningCollector } from '../../../collect/service.js';
import { createKafka } from '../../../runtime/kafka-client.js';
import { loadConfig } from '../../../runtime/config.js';
import { freshTopic, kafkaBrokers } from '../../support/stack.js';
import { until } from '../../support/until.js';

export const SECRET = 'k1:0123456789abcdef0123456789abcdef';

/** The defaults of the configuration, on a free port. */
export function collectSettings(overrides: Partial<CollectSettings> = {}): CollectSettings {
  const { config } = loadConfig({ env: {}, useStack: false });
  return { ...config.collect, port: 0, linkKeys: [SECRET], ...overrides };
}

/** A collector in this process that has found its broker. */
export async function collecting(
  brokers: readonly string[],
  topic: string,
  overrides: Partial<CollectSettings> = {},
): Promise<RunningCollector> {
  const collector = await startCollector({
    settings: collectSettings(overrides),
    kafka: createKafka({ brokers: [...brokers], clientId: 'test-collect' }),
    topic,
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
  });
  await until('the collector is ready', async () => {
    return (await fetch(`${collector.url}/health/ready`)).status === 200;
  });
  return collector;
}

/** Reads a topic all the time, so that what is on it is known at once. */
export class TopicWitness {
  readonly records: { readonly partition: number; readonly value: string }[] = [];
  private readonly next = new Map<number, number>();

  private constructor(
    private readonly admin: Admin,
    private readonly consumer: Consumer,
    private readonly topic: string,
  ) {}

  static async open(brokers: readonly string[], topic: string): Promise<TopicWitness> {
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const [admin, consumer] = [kafka.admin(), kafka.consumer({ groupId: `witness-${topic}` })];
    await Promise.all([admin.connect(), consumer.connect()]);
    const witness = new TopicWitness(admin, consumer, topic);
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const offset = Number(message.offset);
        if (offset < (witness.next.get(partition) ?? 0)) return Promise.resolve();
        witness.next.set(partition, offset + 1);
        witness.records.push({ partition, value: String(message.value) });
        return Promise.resolve();
      },
    });
    return witness;
  }

  /** Everything that is on the topic now, as text. */
  async values(): Promise<string[]> {
    const ends = await this.admin.fetchTopicOffsets(this.topic);
    await until(`${this.topic} read to its end`, () =>
      ends.every(({ partition, high }) => (this.next.get(partition) ?? 0) >= Number(high)),
    );
    return this.records.map(({ value }) => value);
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.consumer.disconnect()]);
  }
}

/** The JSON of an answer. */
export async function bodyOf<T>(response: Response): Promise<T> {
  return (await response.json()) as T;
}

/** One value of the collector's metrics, 0 if there is none yet. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** A collector, and what is on its topic. */
export interface WatchedCollector {
  topic: string;
  collector: RunningCollector;
  witness: TopicWitness;
  /** What this test put on the topic. */
  added(): Promise<string[]>;
}

/** For the tests of a file, with a topic of their own; gone after them. */
export function watchedCollector(
  partitions: number,
  overrides: Partial<CollectSettings> = {},
): WatchedCollector {
  let before = 0;
  const watched = {
    added: async () => (await watched.witness.values()).slice(before),
  } as WatchedCollector;
  beforeAll(async () => {
    watched.topic = await freshTopic(partitions);
    watched.collector = await collecting(kafkaBrokers(), watched.topic, overrides);
    watched.witness = await TopicWitness.open(kafkaBrokers(), watched.topic);
  });
  afterAll(async () => {
    await watched.collector.close();
    await watched.witness.close();
  });
  beforeEach(async () => {
    before = (await watched.witness.values()).length;
  });
  return watched;
}
