import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type RunningApi } from '../../api/service.js';
import { loadDay, publishDay, sideAt } from '../../bench/serving/alternation.js';
import { Crowd } from '../../bench/serving/crowd.js';
import { cellsAt, httpReaders, storeReaders } from '../../bench/serving/readers.js';
import { percentile } from '../../bench/support/report.js';
import { openReadPool } from '../../store/read/connection.js';
import { MIGRATIONS, openApi } from '../api/support/open-api.js';
import { Replica, servedCells } from '../api/support/replica.js';

const ADS = 6;
const PUBLICATIONS = 50;
const PAUSE_MS = 20;
/** The publication that the readers begin at. */
const FIRST = 3;

let open: Awaited<ReturnType<typeof openApi>>;
let service: RunningApi;
let pool: pg.Pool;
let publisher: pg.Client;
beforeAll(async () => {
  open = await openApi();
  publisher = new pg.Client({ connectionString: open.database.url });
  await publisher.connect();
  await loadDay(publisher, ADS);
  await publishDay(publisher, 1);
  service = await startApi(
    {
      api: { host: '127.0.0.1', port: 0 },
      postgresPoolSize: 4,
      logLevel: 'silent',
      postgresUrl: open.database.url,
    },
    MIGRATIONS,
  );
  pool = openReadPool({
    url: open.database.url,
    applicationName: 'test readers',
    max: 8,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 5_000,
  });
});
afterAll(async () => {
  await service.close();
  await pool.end();
  await publisher.end();
  await open.close();
});

/** A session that has begun to read and then does not go on. */
async function sleeper() {
  const client = new pg.Client({ connectionString: open.database.url });
  await client.connect();
  await client.query('begin isolation level repeatable read read only');
  const read = async (): Promise<unknown> => {
    const { rows } = await client.query(
      `select state, revision, sum(count) as clicks, count(*) as minutes
         from ad_click_counts group by 1, 2 order by 1, 2`,
    );
    return rows;
  };
  return { read, end: () => client.end() };
}

test('a replica that reads only /changes equals the truth after each publication', async () => {
  const replica = new Replica(open.api, 10_000);
  for (let publication = 1; publication <= FIRST; publication++) {
    if (publication > 1) await publishDay(publisher, publication);
    await replica.follow();
    expect(replica.asOf).toBe(publication);
    expect(replica.sorted()).toEqual(cellsAt(publication, ADS));
  }
  expect(replica.sorted()).toEqual(await servedCells(open.database.pool));
});

test('50 publications of a day are seen whole or not at all, by everybody', async () => {
  const asleep = await sleeper();
  const before = await asleep.read();
  expect(before).toMatchObject([{ state: 'final', revision: FIRST, minutes: String(ADS * 1440) }]);

  const readers = [...storeReaders(pool, ADS), ...httpReaders(service.url, ADS)];
  const crowd = new Crowd(readers, PAUSE_MS);
  for (let i = 0; i < 10; i++) await crowd.round();
  crowd.next(); // until here plans were made and code was compiled
  for (let i = 0; i < 40; i++) await crowd.round();
  const quiet = crowd.next();
  const took: number[] = [];
  for (let n = 1; n <= PUBLICATIONS; n++) {
    took.push(await publishDay(publisher, FIRST + n));
    await crowd.round();
  }
  const during = crowd.next();
  await crowd.stop(); // it throws what any reader met that is no whole truth

  // The one who slept through it finds what it left, and nothing made it or anybody else wait.
  expect(await asleep.read()).toEqual(before);
  await asleep.end();

  for (const met of during) {
    // Old and new were met, many times over.
    expect(met.publications.size, met.name).toBeGreaterThan(PUBLICATIONS / 2);
    expect(new Set([...met.publications].map(sideAt)).size, met.name).toBe(2);
  }
  expect(Math.max(...took)).toBeLessThan(5_000);
  const line = (name: string, ms: readonly number[]) =>
    `${name.padEnd(36)} n ${String(ms.length).padStart(5)}  p50 ${percentile(ms, 0.5).toFixed(1)}` +
    `  p99 ${percentile(ms, 0.99).toFixed(1)}  max ${Math.max(...ms).toFixed(1)} ms`;
  console.log(
    [
      line('publish 24 hours', took),
      ...during.flatMap(({ name, ms }, i) => [
        line(`${name}, quiet`, quiet[i]!.ms),
        line(`${name}, during`, ms),
      ]),
    ].join('\n'),
  );
});
