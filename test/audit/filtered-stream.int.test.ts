import { pino } from 'pino';
import { expect, test } from 'vitest';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import { cutHour } from '../../store/cut.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../support/stack.js';
import { produce, startWorker, untilCounted, type LogRecord } from '../support/stream.js';
import { FILTERED } from './filtered-world.js';
import { TEN_MS } from './world.js';

const HOURS = 2;

/** Clicks of few users, one in five of a robot, one in seven a duplicate. */
function* clicks(n: number): Generator<LogRecord> {
  for (let i = 0; i < n; i++) {
    const id = i % 7 === 6 ? i - 3 : i;
    const ad = `ad-${String(id % 5)}`;
    const click = {
      event_id: String(id),
      ad_id: ad,
      timestamp: TEN_MS + ((id * 7_919) % (HOURS * 3_600)) * 1_000,
      country: ['US', 'UK', null, 7][id % 4],
      user_id: `u${String(id % 3)}`,
      ...(id % 5 === 1 ? { agent: 'a bot' } : {}),
    };
    yield { key: ad, line: JSON.stringify(click) };
  }
}

async function cutAll({ pool }: TestDatabase): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ hour: Date }>('select hour from hours');
    for (const { hour } of rows) await cutHour(client, hour.getTime());
  } finally {
    client.release();
  }
}

test('a stream that filters, before and after cuts, has the books of its log', async () => {
  const database = await freshDatabase();
  const topic = await freshTopic(3);
  const brokers = kafkaBrokers();
  const worker = startWorker(brokers, database, [topic], { ruleSet: FILTERED.rules });
  const log = new KafkaLog({ brokers, clientId: 'test' }, pino({ level: 'silent' }));
  const all = [...clicks(12_000)];
  try {
    await produce(brokers, topic, all.slice(0, 8_000));
    await untilCounted(database.pool, brokers, topic);
    // The worker reads on while the hours are cut.
    await Promise.all([produce(brokers, topic, all.slice(8_000), 100), cutAll(database)]);
    await untilCounted(database.pool, brokers, topic);
    const { checks } = await audit({ pool: database.pool, readLog: log.readLog, lake: null });
    expect(checks.filter(({ status }) => status === 'broken')).toEqual([]);
    const of = (name: string) => checks.find((check) => check.name === name)!.checked;
    expect(of('filtered_against_log')['filtered clicks']).toBeGreaterThan(2_000);
    expect(of('filtered_against_log')).toMatchObject({ excused: 0, unchecked: 0 });
    expect(of('late_against_log')['late clicks']).toBeGreaterThan(1_000);
    const { rows } = await database.pool.query(
      'select distinct reason from filtered_flow order by 1',
    );
    expect(rows).toEqual([{ reason: 'robot' }, { reason: 'too_many' }]);
  } finally {
    await worker.stop();
    await log.close();
    await database.close();
  }
});
