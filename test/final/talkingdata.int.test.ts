import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { startApi, type RunningApi } from '../../api/service.js';
import { compareCells } from '../../cli/demo/compare.js';
import { cellKey, type Cells } from '../../cli/demo/load.js';
import { fixedRules } from '../../cli/demo/rules.js';
import { sqlTruth, type Fix } from '../../cli/demo/sql-truth.js';
import type { Cut } from '../../core/cut.js';
import { DEFAULT_RULE_SET, hashRuleSet, type RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { readCsv } from '../../ingest/formats/read-items.js';
import { ingestItems } from '../../ingest/ingest.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { ClickProducer } from '../../ingest/producer.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { releaseMigrations } from '../../runtime/database.js';
import { packageFile } from '../../runtime/package-root.js';
import { publish } from '../../store/publish/publish.js';
import { reconcileHour } from '../../store/reconcile/reconcile.js';
import { storeRuleSet } from '../../store/rule-sets.js';
import { openSession } from '../../store/session.js';
import { startArchiver, untilArchived, type Archiver } from '../support/archive.js';
import { skipUnless } from '../support/skip-unless.js';
import {
  freshDatabase,
  freshTopic,
  kafkaBrokers,
  testKafka,
  type TestDatabase,
} from '../support/stack.js';
import { startWorker, untilCounted, type Worker } from '../support/stream.js';
import { recomputeHour } from './recompute.js';

const SAMPLE = join(packageFile(), '..', 'shared', 'data', 'talkingdata_clicks_100k.csv');
const MAPPING = packageFile('examples', 'talkingdata.mapping.yaml');
const onSample = skipUnless(
  existsSync(SAMPLE),
  'the TalkingData sample is not beside this checkout (shared/data); its licence keeps it out',
);
const HOURS = 72;
const CELLS_PER_PAGE = 5_000;
const FIX: Fix = { dimension: 'device', from: '2', to: '1' };

let database: TestDatabase;
let folder: string;
let topic: string;
let worker: Worker;
let archiver: Archiver;
let session: pg.Client;
let api: RunningApi;

beforeEach(async () => {
  database = await freshDatabase();
  folder = await mkdtemp(join(tmpdir(), 'truecount-talkingdata-'));
  topic = await freshTopic(4);
  worker = startWorker(kafkaBrokers(), database, [topic]);
  archiver = await startArchiver(database, [topic], { folder, flushIntervalMs: 1_000 });
  const connection = { connectionString: database.url };
  session = await openSession({ connection, applicationName: 'test-final' });
  const settings = { api: { host: '127.0.0.1', port: 0 }, postgresPoolSize: 2, logLevel: 'silent' };
  api = await startApi({ ...settings, postgresUrl: database.url }, releaseMigrations());
});

afterEach(async () => {
  await api.close();
  await session.end();
  await Promise.all([worker.stop(), archiver.stop()]);
  await database.close();
  await rm(folder, { recursive: true });
});

async function ingest(): Promise<number> {
  const mapping = parseMapping(readFileSync(MAPPING, 'utf8'), MAPPING);
  const producer = await ClickProducer.connect(testKafka(), { topic, compression: 'gzip' });
  try {
    return (await ingestItems(readCsv(createReadStream(SAMPLE), mapping), producer)).sent;
  } finally {
    await producer.close();
  }
}

/** Recomputes all hours at their cuts and publishes them at once; returns cells that differ. */
async function publishAll(
  cuts: ReadonlyMap<number, Cut>,
  ruleSet: RuleSet,
  revision: number,
): Promise<number> {
  const hours = [];
  let cellsDiffer = 0;
  for (const [hourMs, cut] of cuts) {
    const { id } = await recomputeHour(session, archiver.lake, { hourMs, cut, ruleSet });
    const reconciled = await reconcileHour(session, {
      ...{ hourMs, generation: id, against: revision === 0 ? 'live' : 'served', madeBy: 'test' },
      policy: { thresholdPpm: 0, overThreshold: 'alert' },
    });
    cellsDiffer += reconciled.cellsDiffer;
    const reconciliation = reconciled.id;
    hours.push({ hourMs, generation: id, expectedRevision: revision, reconciliation });
  }
  await publish(session, {
    ...{ request: `revision-${String(revision + 1)}`, kind: 'publish', hours },
    ...{ actor: 'test', reason: 'a test', automatic: false },
  });
  return cellsDiffer;
}

/** A copy of the served cells that is told nothing but `/changes`. */
class Replica {
  readonly cells: Cells = new Map();
  private after = 0;

  /** Reads until there is no more; returns the pages that it took. */
  async catchUp(): Promise<number> {
    let cursor: string | null = null;
    for (let pages = 1; ; pages++) {
      const query = new URLSearchParams({
        after: String(this.after),
        limit: String(CELLS_PER_PAGE),
        ...(cursor === null ? {} : { cursor }),
      });
      const answer = await fetch(`${api.url}/changes?${query.toString()}`);
      expect(answer.status).toBe(200);
      const page = (await answer.json()) as {
        changes: { ad_id: string; minute: string; filter_id?: string; count: number }[];
        next: { after: number; cursor: string | null };
      };
      for (const { ad_id: ad, minute, filter_id: filter = '', count } of page.changes) {
        const key = cellKey(ad, Date.parse(minute), filter);
        if (count === 0) this.cells.delete(key);
        else this.cells.set(key, count);
      }
      this.after = page.next.after;
      cursor = page.next.cursor;
      if (cursor === null) return pages;
    }
  }
}

const exactly = (truth: Cells) => ({
  ...{ served: truth.size, equal: truth.size },
  ...{ different: 0, missing: 0, extra: 0 },
});

describe('the TalkingData sample, made final', () => {
  onSample(
    '72 hours equal to SQL on the file, under two rule sets and rolled back, here and in a replica',
    async () => {
      const mapping = parseMapping(readFileSync(MAPPING, 'utf8'), '');
      const first = await sqlTruth(SAMPLE, 'csv', mapping, null);
      const fixed = await sqlTruth(SAMPLE, 'csv', mapping, FIX);
      expect(await ingest()).toBe(100_000);
      await untilCounted(database.pool, kafkaBrokers(), topic);
      await untilArchived(database.pool, kafkaBrokers(), topic);
      const { rows } = await database.pool.query<{ from: Date }>(
        'select min(hour) as from from hours',
      );
      const fromMs = rows[0]!.from.getTime();
      const range = { fromMs, toMs: fromMs + HOURS * HOUR_MS };
      const cut = await cutHours(session, range, () => undefined);
      const cuts = new Map(cut.map((hour) => [hour.hourMs, hour.cut]));
      const replica = new Replica();

      expect(await publishAll(cuts, DEFAULT_RULE_SET, 0), 'stream and lake').toBe(0);
      expect(await compareCells(database.pool, first)).toEqual(exactly(first));
      const states = await database.pool.query(
        'select count(*)::int as n from ad_click_counts where state <> $1',
        ['final'],
      );
      expect(states.rows).toEqual([{ n: 0 }]);
      expect(await replica.catchUp()).toBeGreaterThan(10);
      expect(await compareCells(database.pool, replica.cells)).toEqual(exactly(first));

      const rules = fixedRules(FIX);
      await storeRuleSet(database.pool, rules);
      expect(hashRuleSet(rules)).not.toBe(hashRuleSet(DEFAULT_RULE_SET));
      expect(await publishAll(cuts, rules, 1)).toBeGreaterThan(1_000);
      expect(await compareCells(database.pool, fixed)).toEqual(exactly(fixed));
      await replica.catchUp();
      expect(await compareCells(database.pool, replica.cells)).toEqual(exactly(fixed));

      await rollBackDay(fromMs);
      const served = new Map([
        ...[...first].filter(([key]) => ofFirstDay(key, fromMs)),
        ...[...fixed].filter(([key]) => !ofFirstDay(key, fromMs)),
      ]);
      expect(await compareCells(database.pool, served)).toEqual(exactly(served));
      await replica.catchUp();
      expect(await compareCells(database.pool, replica.cells)).toEqual(exactly(served));
    },
    900_000,
  );
});

async function rollBackDay(fromMs: number): Promise<void> {
  const { rows } = await database.pool.query<{ hour: Date; generation: string }>(
    'select hour, generation from pointers where revision = 1 and hour < $1 order by hour',
    [new Date(fromMs + 24 * HOUR_MS)],
  );
  await publish(session, {
    ...{ request: 'back', kind: 'rollback', actor: 'test', reason: 'a test', automatic: false },
    hours: rows.map(({ hour, generation }) => ({
      ...{ hourMs: hour.getTime(), generation: Number(generation) },
      ...{ expectedRevision: 2, reconciliation: null },
    })),
  });
}

function ofFirstDay(key: string, fromMs: number): boolean {
  const minuteMs = Number(/\|(\d{12,14})\|/.exec(key)![1]);
  return minuteMs < fromMs + 24 * HOUR_MS;
}
