import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { cutHour } from '../../store/cut.js';
import type { CutResult } from '../../store/cut.js';
import { newestRuleVersion } from '../../store/rule-versions.js';
import { openSession } from '../../store/session.js';
import { freshDatabase, freshTopic, kafkaBrokers } from '../support/stack.js';
import type { TestDatabase } from '../support/stack.js';
import { produce, readTopic, startWorker, untilCounted } from '../support/stream.js';
import type { Worker } from '../support/stream.js';
import { until } from '../support/until.js';

const FIRST_HOUR_MS = Date.UTC(2025, 5, 1, 0);
/** Hours 0..HOURS-1 get clicks; three more never do. */
const HOURS = 6;
const PARTITIONS = 4;
const AHEAD_MAX = 4_000;
const CUTS = Number(process.env['CUTS'] ?? 20);

interface Position {
  readonly partition: number;
  readonly offset: number;
}

/** Sends clicks of all hours at once, every id twice, until told to stop. */
class Flow {
  private sent = 0;
  private stopped = false;
  private readonly producer = new Kafka({
    brokers: kafkaBrokers(),
    logLevel: logLevel.NOTHING,
  }).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
  });

  constructor(
    private readonly topic: string,
    private readonly counted: () => Promise<number>,
  ) {}

  async run(): Promise<void> {
    await this.producer.connect();
    while (!this.stopped) {
      // Never far ahead: the flow is to be in the workers' buffers when the cut comes.
      await until(
        'the workers keep up',
        async () => this.stopped || this.sent - (await this.counted()) < AHEAD_MAX,
        { everyMs: 5 },
      );
      const messages = Array.from({ length: 200 }, () => {
        const n = this.sent++;
        const id = Math.floor(n / 2);
        const eventMs = FIRST_HOUR_MS + (id % HOURS) * HOUR_MS + (id % 60) * MINUTE_MS;
        const ad = `ad-${String(id % 17)}`;
        const click = { event_id: `e${String(id)}`, ad_id: ad, timestamp: eventMs, country: 'US' };
        return { key: ad, value: JSON.stringify(click) };
      });
      await this.producer.send({ topic: this.topic, acks: -1, messages });
    }
    await this.producer.disconnect();
  }

  stop(): void {
    this.stopped = true;
  }
}

describe(`the cut, ${String(CUTS)} times`, () => {
  let database: TestDatabase;
  const running: Worker[] = [];

  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((worker) => worker.stop()));
    await database.close();
  });

  /** Cuts all hours, existing, not yet existing and empty ones, while clicks flow into them. */
  async function cutWhileFlowing(topic: string): Promise<CutResult[]> {
    const counted = async (): Promise<number> => {
      const { rows } = await database.pool.query<{ n: string }>(
        'select coalesce(sum(next_offset), 0) as n from stream_progress',
      );
      return Number(rows[0]!.n);
    };
    const flow = new Flow(topic, counted);
    const flowing = flow.run();
    const session = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test-cut',
    });
    const cuts: CutResult[] = [];
    try {
      await until('a rule set in force', () => newestRuleVersion(database.pool));
      for (let hour = 0; hour < HOURS + 3; hour++) {
        // The first hour may be cut before any click of it was flushed; the rest while clicks flow.
        const before = await counted();
        if (hour > 0) await until('more clicks counted', async () => (await counted()) > before);
        cuts.push(await cutHour(session, FIRST_HOUR_MS + hour * HOUR_MS));
      }
      const last = await counted();
      await until('clicks after the last cut', async () => (await counted()) > last + 1_000);
    } finally {
      flow.stop();
      await flowing;
      await session.end();
    }
    return cuts;
  }

  /** First position of every id, by hour: what the live count and the late clicks must be made of. */
  async function witness(topic: string): Promise<Map<number, Map<string, Position[]>>> {
    const hours = new Map<number, Map<string, Position[]>>();
    for (const { partition, offset, value } of await readTopic(kafkaBrokers(), topic)) {
      const click = JSON.parse(value!.toString()) as { event_id: string; timestamp: number };
      const hour = Math.floor((click.timestamp - FIRST_HOUR_MS) / HOUR_MS);
      const ids = hours.get(hour) ?? new Map<string, Position[]>();
      hours.set(hour, ids);
      ids.set(click.event_id, [...(ids.get(click.event_id) ?? []), { partition, offset }]);
    }
    return hours;
  }

  test('is heard of through a quiet partition while clicks of the hour are buffered', async () => {
    const topic = await freshTopic(PARTITIONS);
    const clicks = (from: number) =>
      Array.from({ length: 10 }, (_, i) => ({
        key: 'ad',
        line: JSON.stringify({
          event_id: `e${String(from + i)}`,
          ad_id: 'ad',
          timestamp: FIRST_HOUR_MS,
        }),
      }));
    running.push(startWorker(kafkaBrokers(), database, [topic], { flushIntervalMs: 4_000 }));
    await produce(kafkaBrokers(), topic, clicks(0));
    await untilCounted(database.pool, kafkaBrokers(), topic);
    await produce(kafkaBrokers(), topic, clicks(10));
    const session = await openSession({
      connection: { connectionString: database.url },
      applicationName: 'test-cut',
    });
    const { cut } = await cutHour(session, FIRST_HOUR_MS);
    await session.end();
    expect(cut.map((p) => p.nextOffset)).toEqual([10]);
    await untilCounted(database.pool, kafkaBrokers(), topic);
    const { rows } = await database.pool.query<{ live: string; late: string }>(
      `select (select sum(n) from live_cells, unnest(counts) n where filter = '') as live,
              (select count(*) from late_clicks) as late`,
    );
    expect(rows[0]).toEqual({ live: '10', late: '10' });
  });

  const limitMs = 30_000 + CUTS * 5_000;
  test(
    'live below the cut and late at or above it are all clicks, none in both',
    { timeout: limitMs },
    async () => {
      let cutsWithLate = 0;
      for (let round = 0; round * (HOURS + 3) < CUTS; round++) {
        const topic = await freshTopic(PARTITIONS);
        const fresh = round === 0 ? database : await freshDatabase();
        database = fresh;
        const pair = [0, 1].map(() =>
          startWorker(kafkaBrokers(), database, [topic], { flushIntervalMs: 20 }),
        );
        running.push(...pair);
        await until('each worker owns two partitions', async () => {
          const { rows } = await database.pool.query<{ n: string }>(
            `select count(*) as n from stream_progress where topic = $1
            group by owner having count(*) = $2`,
            [topic, PARTITIONS / 2],
          );
          return rows.length === 2;
        });
        const cuts = await cutWhileFlowing(topic);
        await untilCounted(database.pool, kafkaBrokers(), topic);
        const hours = await witness(topic);
        for (const [hour, cut] of cuts.entries()) {
          const below = new Map(cut.cut.map((p) => [p.partition, p.nextOffset]));
          const isBelow = (p: Position): boolean => p.offset < (below.get(p.partition) ?? 0);
          const ids = [...(hours.get(hour) ?? new Map<string, Position[]>()).values()];
          const { rows } = await database.pool.query<{ live: string; late: string[] }>(
            `select (select coalesce(sum(n), 0) from live_cells, unnest(counts) n
                    where hour = $1 and filter = '') as live,
                  array(select partition || '/' || log_offset from late_clicks
                          join stream_progress using (slot) where hour = $1) as late`,
            [new Date(FIRST_HOUR_MS + hour * HOUR_MS)],
          );
          const expectLive = ids.filter((positions) => isBelow(positions[0]!)).length;
          expect(Number(rows[0]!.live), `live clicks of hour ${String(hour)}`).toBe(expectLive);
          const late = new Set(rows[0]!.late);
          expect(late.size, 'no position late twice').toBe(rows[0]!.late.length);
          const wrong = ids.flatMap((positions) =>
            positions.filter((p, i) => {
              const isLate = late.has(`${String(p.partition)}/${String(p.offset)}`);
              // A retry that was in one buffer with its first may be a duplicate instead of late.
              return isBelow(p) ? isLate : i === 0 && !isLate;
            }),
          );
          expect(wrong, 'below the cut and late, or above and not late').toEqual([]);
          if (late.size > 0) cutsWithLate++;
        }
        await Promise.all(pair.map((worker) => worker.stop()));
        running.length = 0;
      }
      expect(cutsWithLate).toBeGreaterThan(0);
    },
  );
});
