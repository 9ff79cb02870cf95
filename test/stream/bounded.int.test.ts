import { Kafka, CompressionTypes, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FLUSH_QUARANTINE_BYTES_MAX } from '../../stream/options.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { startWorker, untilCounted } from '../support/stream.js';
import type { Worker } from '../support/stream.js';

const POISON_BYTES = 260_000;

describe('a flush is bounded whatever a fetch inflates to', () => {
  let database: TestDatabase;
  let worker: Worker | undefined;

  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(async () => {
    await worker?.stop();
    await database.close();
  });

  async function sendCompressed(
    topic: string,
    messages: { value: string; timestamp?: string }[],
  ): Promise<void> {
    const kafka = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    try {
      await producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages });
    } finally {
      await producer.disconnect();
    }
  }

  test('60 MB of poison in one small record batch is quarantined in several flushes', async () => {
    const topic = await freshTopic(1);
    const poison = Array.from({ length: 230 }, () => ({ value: 'a'.repeat(POISON_BYTES) }));
    const click = JSON.stringify({ event_id: 'e', ad_id: 'ad', timestamp: Date.UTC(2025, 0, 1) });
    await sendCompressed(topic, [...poison, { value: click }]);
    worker = startWorker(kafkaBrokers(), database, [topic]);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<Record<string, string>>(
      `select max(quarantined) as most, sum(quarantined) as all, sum(counted) as counted,
              (select sum(length(raw)) from quarantine) as bytes from flushes`,
    );
    expect(Number(rows[0]!['all'])).toBe(poison.length);
    expect(Number(rows[0]!['bytes'])).toBe(poison.length * POISON_BYTES);
    expect(Number(rows[0]!['counted'])).toBe(1);
    const bound = Math.ceil(FLUSH_QUARANTINE_BYTES_MAX / POISON_BYTES);
    expect(Number(rows[0]!['most'])).toBeLessThanOrEqual(bound);
  });

  test('a record batch that cannot be inflated is a loss, and what follows is counted', async () => {
    const topic = await freshTopic(1);
    const click = (id: string) => ({
      value: JSON.stringify({ event_id: id, ad_id: 'ad', timestamp: Date.UTC(2025, 0, 1) }),
    });
    await sendCompressed(topic, [click('before')]);
    await sendCompressed(topic, [{ value: 'x'.repeat(65 * 1024 * 1024) }]);
    await sendCompressed(topic, [click('after')]);
    worker = startWorker(kafkaBrokers(), database, [topic]);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<Record<string, unknown>>(
      `select sum(counted)::int as counted, sum(lost)::int as lost,
              (select array_agg(from_offset || '-' || to_offset || ' ' || reason)
                 from loss_intervals) as losses from flushes`,
    );
    expect(rows[0]).toEqual({ counted: 2, lost: 1, losses: ['1-2 damage'] });
    const lost = await worker.registry.getSingleMetric('truecount_lost_offsets_total')!.get();
    expect(lost.values[0]!.value).toBe(1);
  });

  test('clicks of 20,000 hours are counted: no flush takes more locks than the server has', async () => {
    const topic = await freshTopic(1);
    const fromMs = Date.UTC(2001, 0, 1);
    const messages = Array.from({ length: 20_000 }, (_, i) => ({
      value: JSON.stringify({ event_id: 'e', ad_id: 'ad', timestamp: fromMs + i * 3_600_000 }),
    }));
    await sendCompressed(topic, messages);
    worker = startWorker(kafkaBrokers(), database, [topic]);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<Record<string, string>>(
      'select sum(counted) as counted, (select count(*) from hours) as hours from flushes',
    );
    expect(rows[0]).toEqual({ counted: '20000', hours: '20000' });
  });

  test('a record with an absurd time of its own, where the topic has no broker time', async () => {
    const topic = await freshTopic(1, { 'message.timestamp.type': 'CreateTime' });
    await sendCompressed(topic, [{ value: 'no click', timestamp: '-62135596800000000' }]);
    worker = startWorker(kafkaBrokers(), database, [topic]);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<{ reason: string; append_time: Date }>(
      'select reason, append_time from quarantine',
    );
    expect(rows).toEqual([{ reason: 'not_json', append_time: new Date(0) }]);
  });

  test('a batch of more clicks than a flush may hold is counted in several flushes', async () => {
    const topic = await freshTopic(1);
    const messages = Array.from({ length: 4_500 }, (_, i) => ({
      value: JSON.stringify({
        event_id: `e${String(i)}`,
        ad_id: 'ad',
        timestamp: Date.UTC(2025, 0),
      }),
    }));
    await sendCompressed(topic, messages);
    worker = startWorker(kafkaBrokers(), database, [topic], { flushClicksMax: 1_000 });
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<Record<string, string>>(
      'select max(counted) as most, sum(counted) as all from flushes',
    );
    expect(Number(rows[0]!['all'])).toBe(messages.length);
    // Clicks are held in groups of 256 before they are counted.
    expect(Number(rows[0]!['most'])).toBeLessThanOrEqual(1_000 + 256);
  });
});
