import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { audit } from '../../audit/audit.js';
import type { Cut } from '../../core/cut.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { DEFAULT_FROM_MS, generateClicks } from '../../ingest/generator/generate.js';
import type { GeneratedRecord } from '../../ingest/generator/generate.js';
import { cutHour } from '../../store/cut.js';
import { reconcileHour } from '../../store/reconcile/reconcile.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';
import { openSession } from '../../store/session.js';
import { startArchiver, untilArchived, type Archiver } from '../support/archive.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../support/stack.js';
import { produce, startWorker, untilCounted, type Worker } from '../support/stream.js';
import { until } from '../support/until.js';
import { recomputeHour } from './recompute.js';

const HOURS = 24;
const CLICKS_PER_HOUR = 2_500;
/** Clicks on the log at a time: many sends, so that flushes and cuts meet in every way. */
const PER_SEND = 250;

let database: TestDatabase;
let folder: string;
let topic: string;
let workers: Worker[];
let archiver: Archiver;
let session: pg.Client;

beforeEach(async () => {
  database = await freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'truecount-cutting-'));
  topic = await freshTopic(3);
  await beginWithRuleSet(database.pool, DEFAULT_RULE_SET);
  const flushOften = { flushIntervalMs: 50 };
  workers = [0, 1].map(() => startWorker(kafkaBrokers(), database, [topic], flushOften));
  archiver = await startArchiver(database, [topic], { folder, flushIntervalMs: 1_000 });
  session = await openSession({
    connection: { connectionString: database.url },
    applicationName: 'test-final',
  });
});

afterEach(async () => {
  await session.end();
  await Promise.all([...workers, archiver].map((service) => service.stop()));
  await database.close();
  await rm(folder, { recursive: true });
});

/** The next `n` records, as an iterable of its own. */
function* take<T>(from: Iterator<T, unknown>, n: number): Generator<T> {
  for (let i = 0; i < n; i++) {
    const next = from.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function committed(): Promise<number> {
  const { rows } = await database.pool.query<{ n: string }>(
    'select coalesce(sum(next_offset), 0) as n from stream_progress',
  );
  return Number(rows[0]!.n);
}

it('hours that are cut while their clicks flow: a recompute at each cut gives the live cells', async () => {
  const clicks = HOURS * CLICKS_PER_HOUR;
  const load = generateClicks({ clicks, seed: 11, hours: HOURS, withTruth: false });
  const records: Iterator<GeneratedRecord, unknown> = load[Symbol.iterator]();
  const flow = (n: number) => produce(kafkaBrokers(), topic, take(records, n), PER_SEND);
  const cuts = new Map<number, Cut>();
  await flow(CLICKS_PER_HOUR / 2);
  for (let i = 0; i < HOURS; i++) {
    const hourMs = DEFAULT_FROM_MS + i * HOUR_MS;
    // In the middle of it: some of its clicks are counted, the others follow meanwhile.
    const flowing = flow(CLICKS_PER_HOUR);
    await until('clicks of the hour are counted', async () => {
      return (await committed()) >= (i + 0.3) * CLICKS_PER_HOUR;
    });
    const { cut, cutNow } = await cutHour(session, hourMs);
    expect(cutNow).toBe(true);
    cuts.set(hourMs, cut);
    await flowing;
  }
  await untilCounted(database.pool, kafkaBrokers(), topic);
  await untilArchived(database.pool, kafkaBrokers(), topic);

  let compared = 0;
  let counted = 0;
  for (const [hourMs, cut] of cuts) {
    const generation = await recomputeHour(session, archiver.lake, {
      ...{ hourMs, cut, ruleSet: DEFAULT_RULE_SET },
    });
    const outcome = await reconcileHour(session, {
      ...{ hourMs, generation: generation.id, against: 'live', madeBy: 'test' },
      policy: { thresholdPpm: 0, overThreshold: 'hold' },
    });
    expect(outcome, new Date(hourMs).toISOString()).toMatchObject({
      cellsDiffer: 0,
      causes: {},
      decision: 'publish',
    });
    compared += outcome.cellsCompared;
    counted += generation.clicks;
  }
  const { rows } = await database.pool.query<{ late: string; hours: string }>(
    'select count(*) as late, count(distinct hour) as hours from late_clicks',
  );
  // The cuts went through dense traffic: below and above each of them there are clicks.
  expect(Number(rows[0]!.hours)).toBeGreaterThanOrEqual(20);
  expect(Number(rows[0]!.late)).toBeGreaterThan(clicks / 20);
  expect(counted).toBeGreaterThan(clicks / 10);
  expect(compared).toBeGreaterThan(counted);

  const report = await audit({
    ...{ pool: database.pool, readLog: null, lake: archiver.lake },
    ...{ allGenerations: true, recompute: 3 },
  });
  expect(report.checks.filter(({ status }) => status === 'broken')).toEqual([]);
  const same = report.checks.find(({ name }) => name === 'live_against_generation')!;
  expect(Object.values(same.checked)[0]).toBeGreaterThan(HOURS);
});
