import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { audit } from '../../audit/audit.js';
import { KafkaLog } from '../../audit/kafka-log.js';
import { DEFAULT_RULE_SET, hashRuleSet } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { storeRuleSet } from '../../store/rule-sets.js';
import { openSession } from '../../store/session.js';
import { beginWithRuleSet, putRuleSet } from '../../store/rule-versions.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { produce, startWorker, untilCounted } from '../support/stream.js';
import type { LogRecord, Worker } from '../support/stream.js';
import { until } from '../support/until.js';

const FROM_MS = Date.UTC(2025, 2, 1);
const NO_MAP: RuleSet = { version: 1, dimensions: [{ name: 'country', field: 'country' }] };

/** `n` distinct clicks of one hour, all from the UK. */
function* clicks(hour: number, n: number, from = 0): Generator<LogRecord> {
  for (let i = from; i < from + n; i++) {
    const ad = `ad-${String(i % 40)}`;
    const timestamp = FROM_MS + hour * HOUR_MS + (i % 3600) * 1000;
    const click = {
      event_id: `h${String(hour)}-${String(i)}`,
      ad_id: ad,
      timestamp,
      country: 'UK',
    };
    yield { key: ad, line: JSON.stringify(click) };
  }
}

describe('rule sets and dedupe memory of a running stream', () => {
  let database: TestDatabase;
  let topic: string;
  const running: Worker[] = [];

  const start = (overrides: Parameters<typeof startWorker>[3] = {}): Worker => {
    const worker = startWorker(kafkaBrokers(), database, [topic], overrides);
    running.push(worker);
    return worker;
  };
  const stopAll = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((worker) => worker.stop()));
  };
  const counted = (): Promise<void> => untilCounted(database.pool, kafkaBrokers(), topic);
  const send = (records: Iterable<LogRecord>): Promise<number> =>
    produce(kafkaBrokers(), topic, records);

  /** Puts a rule set in force from an hour of the test on. */
  async function put(ruleSet: RuleSet, hour: number): Promise<void> {
    const session = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test-rules',
    });
    const sinceMs = FROM_MS + hour * HOUR_MS;
    await putRuleSet(session, { ruleSet, sinceMs, author: 'ada', reason: 'a test' });
    await session.end();
  }

  /** Names of broken checks, by the checker that operators use. */
  async function broken(): Promise<string[]> {
    const log = new KafkaLog(
      { brokers: kafkaBrokers(), clientId: 'test' },
      pino({ level: 'silent' }),
    );
    try {
      const report = await audit({ pool: database.pool, readLog: log.readLog, lake: null });
      return report.checks
        .filter((check) => check.status === 'broken')
        .map((check) => `${check.invariant} ${check.name}: ${check.detail}`);
    } finally {
      await log.close();
    }
  }

  async function filtersByHour(): Promise<Record<string, number>> {
    const { rows } = await database.pool.query<{ h: string; filter: string; n: string }>(
      `select extract(epoch from hour - $1) / 3600 as h, filter, sum(n) as n
         from live_cells, unnest(counts) n group by 1, 2`,
      [new Date(FROM_MS)],
    );
    return Object.fromEntries(rows.map((r) => [`${String(Number(r.h))} ${r.filter}`, Number(r.n)]));
  }

  beforeEach(async () => {
    database = await freshDatabase();
    topic = await freshTopic(4);
  });
  afterEach(async () => {
    await stopAll();
    await database.close();
  });

  test('an hour keeps the rule set that it pinned, a new hour pins the newer one', async () => {
    start({ ruleSet: NO_MAP });
    await send(clicks(0, 1_000));
    await counted();
    await put(DEFAULT_RULE_SET, 0);
    await send([...clicks(0, 500, 1_000), ...clicks(1, 700)]);
    await counted();
    expect(await filtersByHour()).toEqual({
      '0 ': 1_500,
      '0 country:UK': 1_500,
      '1 ': 700,
      '1 country:GB': 700,
      '1 device:unknown': 700,
      '1 format:unknown': 700,
    });
    expect(await broken()).toEqual([]);
  });

  test('rule sets that are put while two workers count: every hour has one pin', async () => {
    start({ ruleSet: NO_MAP, flushIntervalMs: 20 });
    start({ ruleSet: NO_MAP, flushIntervalMs: 20 });
    await until('both own partitions', async () => {
      const { rows } = await database.pool.query('select distinct owner from stream_progress');
      return rows.length === 2;
    });
    for (let hour = 0; hour < 6; hour++) {
      const sent = send(clicks(hour, 400));
      await put(hour % 2 === 0 ? DEFAULT_RULE_SET : NO_MAP, hour);
      await sent;
    }
    await counted();
    const { rows } = await database.pool.query<{ h: string; pin: string }>(
      'select extract(epoch from hour - $1) / 3600 as h, rule_set as pin from hours order by 1',
      [new Date(FROM_MS)],
    );
    expect(rows).toHaveLength(6);
    const filters = await filtersByHour();
    for (const { h, pin } of rows) {
      const country = pin === hashRuleSet(NO_MAP) ? 'country:UK' : 'country:GB';
      expect(filters[`${String(Number(h))} ${country}`], `hour ${h}`).toBe(400);
      expect(filters[`${String(Number(h))} `], `hour ${h}`).toBe(400);
    }
    expect(await broken()).toEqual([]);
  });

  test('an hour pinned elsewhere while its clicks are buffered is counted by that pin', async () => {
    await beginWithRuleSet(database.pool, DEFAULT_RULE_SET);
    await storeRuleSet(database.pool, NO_MAP);
    start({ flushIntervalMs: 8_000 });
    await until('the partitions are owned', async () => {
      const { rows } = await database.pool.query('select 1 from stream_progress');
      return rows.length === 4;
    });
    // One busy partition; the quiet ones make the worker ask for the states of its hours.
    await send([...clicks(0, 40 * 25)].filter(({ key }) => key === 'ad-7'));
    await database.pool.query('insert into hours (hour, rule_set) values ($1, $2)', [
      new Date(FROM_MS),
      hashRuleSet(NO_MAP),
    ]);
    await counted();
    expect(await filtersByHour()).toEqual({ '0 ': 25, '0 country:UK': 25 });
    expect(await broken()).toEqual([]);
  });

  test('past its byte bound the memory of the oldest hour is given up, with a named cause', async () => {
    const worker = start({ dedupeBytesMax: 1024 * 1024 });
    const load = [...generateClicks({ clicks: 60_000, seed: 3, fromMs: FROM_MS, hours: 3 })];
    await send(load);
    await counted();
    const { rows } = await database.pool.query<{ h: string; cause: string }>(
      `select distinct extract(epoch from hour - $1) / 3600 as h, cause from hour_causes order by 1`,
      [new Date(FROM_MS)],
    );
    expect(rows.length, 'some hours were given up').toBeGreaterThan(0);
    expect(rows.every((row) => row.cause === 'dedupe_overflow')).toBe(true);
    expect(Number(rows[0]!.h), 'the oldest first').toBe(0);
    const metric = await worker.registry.getSingleMetric('truecount_dedupe_overflow_total')!.get();
    expect(metric.values[0]!.value).toBeGreaterThan(0);
    const bytes = await worker.registry.getSingleMetric('truecount_dedupe_bytes')!.get();
    expect(bytes.values[0]!.value).toBeLessThanOrEqual(1024 * 1024);
    // Conservation still holds, and what may be too high is excused by the cause, not broken.
    expect(await broken()).toEqual([]);

    await stopAll();
    start({ dedupeBytesMax: 1024 * 1024 });
    await send(load.slice(0, 10_000));
    await counted();
    expect(await broken(), 'after a restart the hour stays given up').toEqual([]);
  });

  test('a restarted worker rebuilds its memory: retries of before count nothing', async () => {
    const load = [...generateClicks({ clicks: 20_000, seed: 4, fromMs: FROM_MS, hours: 2 })];
    start();
    await send(load);
    await counted();
    await stopAll();
    start();
    await send(load);
    await counted();
    expect(await broken()).toEqual([]);
    const { rows } = await database.pool.query<{ counted: string; duplicate: string }>(
      'select sum(counted) as counted, sum(duplicate) as duplicate from flushes',
    );
    expect(Number(rows[0]!.duplicate)).toBeGreaterThan(Number(rows[0]!.counted));
  });
});
