/** Readers of the day of alternation.ts. Each asks, and throws unless the answer is one whole truth. */
import type pg from 'pg';
import { HOUR_MS } from '../../core/time.js';
import { readAggregatedCount } from '../../store/read/aggregated-count.js';
import type { Reader } from '../../store/read/connection.js';
import { readHours } from '../../store/read/hours.js';
import { readTimeseries } from '../../store/read/timeseries.js';
import { readTopAds } from '../../store/read/top-ads.js';
import {
  DAY_MS,
  FILTERS,
  HOURS,
  adName,
  clicksOf,
  minuteText,
  sideAt,
  sumOf,
  topOf,
  type Filter,
  type Side,
} from './alternation.js';

/** One kind of question: asks it once and gives the publication number of the answer. */
export interface DayReader {
  readonly name: string;
  ask(): Promise<number>;
}

const RANGE = { fromMs: DAY_MS, toMs: DAY_MS + HOURS * HOUR_MS };
const MINUTES = HOURS * 60;
const TOP_N = 5;

/** What the answers are compared with, worked out once for both sides. */
class Truth {
  private readonly sums = new Map<string, number>();
  private readonly tops = new Map<string, ReturnType<typeof topOf>>();

  constructor(readonly ads: number) {}

  day(side: Side, filter: Filter, ad: number): number {
    return lookUp(this.sums, `${String(side)} ${filter} ${String(ad)}`, () =>
      sumOf(side, filter, ad, 0, MINUTES),
    );
  }

  top(side: Side, filter: Filter) {
    return lookUp(this.tops, `${String(side)} ${filter}`, () =>
      topOf(side, filter, this.ads, TOP_N),
    );
  }

  hours(side: Side, filter: Filter, ad: number): number[] {
    return Array.from({ length: HOURS }, (_, hour) =>
      sumOf(side, filter, ad, hour * 60, hour * 60 + 60),
    );
  }
}

/** All reads of store/read and the views, on a pool. */
export function storeReaders(pool: pg.Pool, ads: number): DayReader[] {
  const truth = new Truth(ads);
  return [
    { name: 'count of a day', ask: () => askCount(pool, truth) },
    { name: 'series of a day', ask: () => askSeries(pool, truth) },
    { name: 'top ads of a day', ask: () => askTop(pool, truth) },
    { name: 'hours', ask: () => askHours(pool) },
    { name: 'view', ask: () => askView(pool, truth) },
    { name: 'count and top in one transaction', ask: () => askInTransaction(pool, truth) },
  ];
}

async function askCount(reader: Reader, truth: Truth): Promise<number> {
  const { ad, filter } = anyCell(truth);
  const answer = await readAggregatedCount(reader, { ...RANGE, adId: adName(ad), filter });
  const { asOf } = answer;
  expectSame(answer, {
    count: truth.day(sideAt(asOf), filter, ad),
    state: 'final',
    revision: asOf,
    finalUntilMs: RANGE.toMs,
    latePending: 0,
    uncountedHours: 0,
    asOf,
  });
  return asOf;
}

async function askSeries(reader: Reader, truth: Truth): Promise<number> {
  const { ad, filter } = anyCell(truth);
  const question = { ...RANGE, adId: adName(ad), filter, granularity: 'hour' } as const;
  const { asOf, buckets } = await readTimeseries(reader, question);
  const counts = truth.hours(sideAt(asOf), filter, ad);
  expectSame(
    buckets.map(({ count, state, revision }) => [count, state, revision]),
    counts.map((count) => [count, 'final', asOf]),
  );
  return asOf;
}

async function askTop(reader: Reader, truth: Truth): Promise<number> {
  const { filter } = anyCell(truth);
  const question = { windowMinutes: MINUTES, topN: TOP_N, atMs: RANGE.toMs, filter };
  const { ads, state, revision, asOf } = await readTopAds(reader, question);
  const wanted = { ads: truth.top(sideAt(asOf), filter), state: 'final', revision: asOf };
  expectSame({ ads, state, revision }, wanted);
  return asOf;
}

async function askHours(reader: Reader): Promise<number> {
  const { asOf, hours } = await readHours(reader, RANGE);
  expectSame(
    hours.map(({ state, revision, served }) => [state, revision, served?.generation]),
    hours.map((_, hour) => ['final', asOf, 2 * hour + sideAt(asOf) + 1]),
  );
  if (hours.length !== HOURS) throw new Error(`${String(hours.length)} hours`);
  return asOf;
}

async function askView(reader: Reader, truth: Truth): Promise<number> {
  const { ad } = anyCell(truth);
  const { rows } = await reader.query<{ clicks: string; low: number; high: number; n: string }>(
    `select sum(count) as clicks, min(revision) as low, max(revision) as high, count(*) as n
       from ad_click_counts where ad_id = $1 and click_hour >= $2 and state = 'final'`,
    [adName(ad), new Date(DAY_MS)],
  );
  const { clicks, low, high, n } = rows[0]!;
  const wanted = [truth.day(sideAt(low), '', ad), low, MINUTES];
  expectSame([Number(clicks), high, Number(n)], wanted);
  return low;
}

async function askInTransaction(pool: pg.Pool, truth: Truth): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('begin isolation level repeatable read');
    const first = await askCount(client, truth);
    const second = await askTop(client, truth);
    expectSame(first, second);
    await client.query('commit');
    client.release();
    return first;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** The same over HTTP: the newest, and every publication so far by `as_of`. */
export function httpReaders(url: string, ads: number): DayReader[] {
  const truth = new Truth(ads);
  let newest = 1;
  const filterOf = (filter: Filter) => (filter === '' ? '' : `&filter_id=${filter}`);
  const range = `from=${minuteText(0)}&to=${minuteText(MINUTES)}`;
  const count = async (asOf: number | null): Promise<number> => {
    const { ad, filter } = anyCell(truth);
    const past = asOf === null ? '' : `&as_of=${String(asOf)}`;
    const path = `/ads/${adName(ad)}/aggregated_count?${range}${filterOf(filter)}${past}`;
    const answer = await getJson(url + path);
    const at = asOf ?? Number(answer['as_of']);
    expectSame(
      [answer['count'], answer['state'], answer['revision'], answer['as_of']],
      [truth.day(sideAt(at), filter, ad), 'final', at, at],
    );
    newest = Math.max(newest, at);
    return at;
  };
  return [
    { name: 'HTTP count of a day', ask: () => count(null) },
    { name: 'HTTP count as of any', ask: () => count(1 + Math.floor(Math.random() * newest)) },
    {
      name: 'HTTP top ads of a day',
      ask: async () => {
        const { filter } = anyCell(truth);
        const window = `window_size=${String(MINUTES)}&top_n=${String(TOP_N)}`;
        const path = `/ads/popular_ads?${window}&at=${minuteText(MINUTES)}${filterOf(filter)}`;
        const answer = await getJson(url + path);
        const at = Number(answer['as_of']);
        const top = truth.top(sideAt(at), filter);
        expectSame(
          answer['ads'],
          top.map(({ adId, count: clicks }) => ({ ad_id: adId, count: clicks })),
        );
        expectSame([answer['state'], answer['revision']], ['final', at]);
        return at;
      },
    },
  ];
}

/** All final cells, `filter|ad|minute|count`, sorted: what a replica must hold. */
export function cellsAt(publication: number, ads: number): string[] {
  const side = sideAt(publication);
  const cells: string[] = [];
  for (const filter of FILTERS) {
    for (let ad = 0; ad < ads; ad++) {
      for (let minute = 0; minute < MINUTES; minute++) {
        const clicks = clicksOf(side, filter, ad, minute);
        if (clicks === 0) continue;
        cells.push(`${filter}|${adName(ad)}|${minuteText(minute)}|${String(clicks)}`);
      }
    }
  }
  return cells.sort();
}

function anyCell({ ads }: Truth): { ad: number; filter: Filter } {
  return {
    ad: Math.floor(Math.random() * ads),
    filter: FILTERS[Math.floor(Math.random() * FILTERS.length)]!,
  };
}

async function getJson(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url);
  const body = (await response.json()) as Record<string, unknown>;
  if (response.status !== 200) throw new Error(`${url}: ${JSON.stringify(body)}`);
  return body;
}

function expectSame(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`an answer is no whole truth: ${a} is not ${b}`);
}

function lookUp<V>(known: Map<string, V>, key: string, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
