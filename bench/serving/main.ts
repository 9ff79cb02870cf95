/**
 * What readers notice: a point query through HTTP at half load, beside the same question without HTTP;
 * and 50 publications of a day, with readers that ask for every kind of answer and one that sleeps in
 * a REPEATABLE READ transaction. The API runs in a process of its own, on a Postgres of its own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { scratchFolder } from '../support/end-by-signal.js';
import { HOUR_MS } from '../../core/time.js';
import { packageFile } from '../../runtime/package-root.js';
import { startPostgres } from '../../runtime/stack/postgres.js';
import { migrate, readMigrations } from '../../store/migrate.js';
import { readAggregatedCount } from '../../store/read/aggregated-count.js';
import { openReadPool } from '../../store/read/connection.js';
import { median, percentile, thousands, type Report, type Row } from '../support/report.js';
import { DAY_MS, HOURS, adName, loadDay, minuteText, publishDay } from './alternation.js';
import { Crowd } from './crowd.js';
import { httpReaders, storeReaders } from './readers.js';

const ADS = 1_000;
const PUBLICATIONS = 50;
const CONNECTIONS = 8;
const LOAD_SECONDS = 5;
/** Of each reader between two questions, while the day is published. */
const PAUSE_MS = 100;

export async function benchServing(): Promise<Report[]> {
  const dir = scratchFolder();
  const postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const publisher = new pg.Client({ connectionString: postgres.address });
  const pool = openReadPool({
    url: postgres.address,
    applicationName: 'bench',
    max: CONNECTIONS,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 5_000,
  });
  let api: ChildProcess | undefined;
  try {
    await publisher.connect();
    await migrate(publisher, readMigrations(packageFile('db', 'migrations')));
    await loadDay(publisher, ADS);
    await publishDay(publisher, 1);
    const started = await startApiProcess(postgres.address, dir);
    api = started.child;
    return [
      await pointQueries(started.url, pool),
      await publications(started.url, pool, publisher, postgres.address),
    ];
  } finally {
    api?.kill();
    await pool.end();
    await publisher.end();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function startApiProcess(
  postgresUrl: string,
  home: string,
): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(packageFile('dist', 'cli', 'main.js'), ['run', 'api'], {
    env: {
      ...process.env,
      TRUECOUNT_HOME: home,
      TRUECOUNT_POSTGRES_URL: postgresUrl,
      TRUECOUNT_API_PORT: '0',
      TRUECOUNT_LOG_LEVEL: 'silent',
    },
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      resolve({ child, url: (message as { url: string }).url });
    });
    child.once('exit', (code) => {
      reject(new Error(`the API ended with ${String(code)}`));
    });
  });
}

/** As fast as they go, then at half of that; an hour and a day of one ad. */
async function pointQueries(url: string, pool: pg.Pool): Promise<Report> {
  const rows: Row[] = [];
  for (const hours of [1, 24]) {
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const ask = () => askOverHttp(agent, url, hours);
    const range = (from: number) => ({ fromMs: from, toMs: from + hours * HOUR_MS });
    const direct = async () => {
      const question = { ...range(fromMs(hours)), adId: anyAd(), filter: '' };
      await readAggregatedCount(pool, question);
    };
    await closedLoop(ask, 1);
    await closedLoop(direct, 1);
    const bare = await closedLoop(direct, LOAD_SECONDS);
    const most = await closedLoop(ask, LOAD_SECONDS);
    const half = await openLoop(ask, most.perSecond / 2, LOAD_SECONDS);
    agent.destroy();
    rows.push({
      'point query': `${String(hours)} h of one ad`,
      'HTTP answers/s': thousands(most.perSecond),
      'without HTTP': thousands(bare.perSecond),
      ratio: (most.perSecond / bare.perSecond).toFixed(2),
      'half load/s': thousands(most.perSecond / 2),
      'p50 ms': percentile(half, 0.5).toFixed(2),
      'p99 ms': percentile(half, 0.99).toFixed(2),
      'max ms': percentile(half, 1).toFixed(1),
    });
  }
  return {
    name: 'serving: aggregated_count of a final hour or day',
    rows,
    notes: [
      `${thousands(ADS)} ads, ${String(HOURS)} hours × 2 generations; ${String(CONNECTIONS)} connections`,
      'without HTTP: the same statement from this process, which also makes the load',
      'half load: questions at fixed times, each measured from the time that it was due',
    ],
  };
}

function fromMs(hours: number): number {
  return DAY_MS + Math.floor(Math.random() * (HOURS - hours + 1)) * HOUR_MS;
}

function anyAd(): string {
  return adName(Math.floor(Math.random() * ADS));
}

function askOverHttp(agent: Agent, url: string, hours: number): Promise<void> {
  const first = (fromMs(hours) - DAY_MS) / 60_000;
  const range = `from=${minuteText(first)}&to=${minuteText(first + hours * 60)}`;
  return new Promise((resolve, reject) => {
    get(`${url}/ads/${anyAd()}/aggregated_count?${range}`, { agent }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${String(response.statusCode)}`));
      });
    }).on('error', reject);
  });
}

async function closedLoop(
  ask: () => Promise<void>,
  seconds: number,
): Promise<{ perSecond: number }> {
  const startMs = performance.now();
  let answers = 0;
  const loop = async (): Promise<void> => {
    for (; performance.now() < startMs + seconds * 1000; answers++) await ask();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
  return { perSecond: answers / ((performance.now() - startMs) / 1000) };
}

/** Milliseconds from when a question was due to its answer, so that waiting is not left out. */
async function openLoop(
  ask: () => Promise<void>,
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const startMs = performance.now();
  const tookMs: number[] = [];
  const pending: Promise<void>[] = [];
  for (let i = 0; i < perSecond * seconds; i++) {
    const dueMs = startMs + (i * 1000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    pending.push(ask().then(() => void tookMs.push(performance.now() - dueMs)));
  }
  await Promise.all(pending);
  return tookMs;
}

async function publications(
  url: string,
  pool: pg.Pool,
  publisher: pg.Client,
  address: string,
): Promise<Report> {
  const asleep = new pg.Client({ connectionString: address });
  await asleep.connect();
  await asleep.query('begin isolation level repeatable read read only');
  await asleep.query('select publication from ledger_head');
  const crowd = new Crowd([...storeReaders(pool, ADS), ...httpReaders(url, ADS)], PAUSE_MS);
  for (let i = 0; i < 10; i++) await crowd.round();
  crowd.next();
  for (let i = 0; i < PUBLICATIONS; i++) await crowd.round();
  const quiet = crowd.next();
  const took: number[] = [];
  for (let n = 2; n <= PUBLICATIONS + 1; n++) {
    took.push(await publishDay(publisher, n));
    await crowd.round();
  }
  const during = crowd.next();
  await crowd.stop();
  await asleep.end();
  const all = (of: typeof quiet): number[] => of.flatMap(({ ms }) => ms);
  const row = (name: string, ms: readonly number[]): Row => ({
    what: name,
    n: ms.length,
    'p50 ms': median(ms).toFixed(1),
    'p99 ms': percentile(ms, 0.99).toFixed(1),
    'max ms': percentile(ms, 1).toFixed(1),
  });
  return {
    name: `serving: ${String(PUBLICATIONS)} publications and rollbacks of 24 hours`,
    rows: [
      row('publish, whole transaction', took),
      row('all readers, quiet', all(quiet)),
      row('all readers, during', all(during)),
      ...during.flatMap(({ name, ms }, i) => [
        row(`${name}, quiet`, quiet[i]!.ms),
        row(`${name}, during`, ms),
      ]),
    ],
    notes: [
      'every answer was compared with the truth of its publication: none was mixed, empty or failed',
      'a reader slept in a REPEATABLE READ transaction through all of it',
      `${String(quiet.length)} readers, each ${String(PAUSE_MS)} ms after its answer before it asks again`,
    ],
    raw: { took, quiet: quiet.map(({ ms }) => ms), during: during.map(({ ms }) => ms) },
  };
}
