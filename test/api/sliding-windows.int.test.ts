import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cut } from '../../core/cut.js';
import { answerCount } from '../../api/answers/count.js';
import { answerTop } from '../../api/answers/top.js';
import { QUESTION_LIMITS } from '../../core/question.js';
import { formatTime } from '../../core/range.js';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { openReadPool } from '../../store/read/connection.js';
import { Random } from '../core/support/random.js';
import {
  countable,
  filtersOf,
  hourOf,
  isBelow,
  makeWorld,
  takeWorldStep,
  writeWorld,
  type ClickWorld,
  type WorldClick,
  type WorldServed,
} from '../support/click-world.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';

// Another world: TEST_SEED=7 npx vitest run --project int test/api/sliding-windows
const SEED = Number(process.env['TEST_SEED'] ?? 20_261_121);
const QUESTIONS = 1_000;
const CLICKS = 2_400;
const START_MS = Date.UTC(2026, 10, 20, 21);
/** In the fifth hour: the last is open in part, the fifth provisional in part. */
const WATERMARK_MS = START_MS + 4 * HOUR_MS + 40 * MINUTE_MS;
const FILTERS = [
  ...['', '', 'country:US', 'country:UK', 'country:GB', 'device:m', 'zone:EU', 'zone:NA'],
  ...['device:nobody'],
];

interface Uncounted {
  readonly uncounted_hours?: number;
}

interface Question {
  readonly asOf: number;
  readonly fromMs: number;
  readonly atMs: number;
  readonly filter: string;
  readonly topN: number;
  readonly ad: string;
}

const random = new Random(SEED);
const world = makeWorld(random, START_MS, CLICKS);
let database: TestDatabase;
let reader: pg.Pool;

beforeAll(async () => {
  database = await freshDatabase();
  await writeWorld(database, world, WATERMARK_MS);
  reader = openReadPool({
    ...{ url: database.url, applicationName: 'test', max: 4 },
    ...{ statementTimeoutMs: 20_000, connectTimeoutMs: 5_000 },
  });
});
afterAll(async () => {
  await reader.end();
  await database.close();
});

/** Windows of a minute to all of the world and beyond, up to the longest, ending anywhere. */
function makeQuestion(asOf: number): Question {
  const minutes = (world.hours + 1) * 60;
  const longest = random.below(50) === 0 ? QUESTION_LIMITS.windowMinutesMax : minutes + 60;
  const length = Math.floor(Math.exp(random.next() * Math.log(longest)));
  const atMs = START_MS + (random.below(minutes) - 20) * MINUTE_MS;
  return {
    asOf,
    fromMs: atMs - length * MINUTE_MS,
    atMs,
    filter: random.pick(FILTERS),
    topN: 1 + random.below(world.ads.length + 1),
    ad: random.pick(world.ads),
  };
}

/** What serves each hour at a publication, with its revision; the others are live. */
function servedAt(of: ClickWorld, asOf: number): Map<number, WorldServed & { revision: number }> {
  const served = new Map<number, WorldServed & { revision: number }>();
  for (const { hours } of of.steps.slice(0, asOf)) {
    for (const [hour, one] of hours) {
      served.set(hour, { ...one, revision: (served.get(hour)?.revision ?? 0) + 1 });
    }
  }
  return served;
}

/** `countable`, remembered: it does not depend on the question. */
const counted = new Map<string, readonly WorldClick[]>();
function countedOf(hour: number, cut: Cut): readonly WorldClick[] {
  const key = JSON.stringify([hour, cut]);
  const clicks = counted.get(key) ?? countable(world, hour, cut);
  counted.set(key, clicks);
  return clicks;
}

/** Both answers by brute force over the raw clicks. */
function expected(question: Question): [count: object, top: object] {
  const { asOf, fromMs, atMs, filter, topN, ad } = question;
  const served = servedAt(world, asOf);
  const inWindow = ({ ms }: WorldClick): boolean => ms >= fromMs && ms < atMs;
  const has = (click: WorldClick, rules: 0 | 1): boolean =>
    filter === '' || filtersOf(click, rules).includes(filter);
  const counts = new Map<string, number>();
  for (let hour = 0; hour < world.hours; hour++) {
    const { rules, cut } = served.get(hour) ?? { rules: 0, cut: world.liveCuts[hour]! };
    for (const click of countedOf(hour, cut)) {
      if (!inWindow(click) || !has(click, rules)) continue;
      counts.set(click.ad, (counts.get(click.ad) ?? 0) + 1);
    }
  }
  const latePending = world.clicks.filter((click) => {
    if (click.ad !== ad || !inWindow(click)) return false;
    const hour = hourOf(world, click);
    const { rules, cut } = served.get(hour) ?? { rules: 0, cut: world.liveCuts[hour]! };
    const late = !isBelow(world.liveCuts[hour]!, click) && !isBelow(cut, click);
    // By other rules than the hour's own, a late click may count under any filter.
    return late && (rules === 1 || has(click, 0));
  }).length;
  const whole = { as_of: asOf, ...statesOf(question, served) };
  const ads = [...counts]
    .map(([ad_id, count]) => ({ ad_id, count }))
    .sort(
      (a, b) => b.count - a.count || Buffer.compare(Buffer.from(a.ad_id), Buffer.from(b.ad_id)),
    );
  return [
    { ...whole, count: counts.get(ad) ?? 0, late_pending: latePending },
    { ...whole, ads: ads.slice(0, topN) },
  ];
}

/** The weakest state and the highest revision, minute by minute. */
function statesOf({ fromMs, atMs }: Question, served: ReturnType<typeof servedAt>) {
  let [revision, open, provisional] = [0, false, false];
  for (let ms = fromMs; ms < atMs; ms += MINUTE_MS) {
    const serves = served.get(Math.floor((ms - START_MS) / HOUR_MS));
    revision = Math.max(revision, serves?.revision ?? 0);
    if (serves !== undefined) continue;
    if (ms + MINUTE_MS > WATERMARK_MS) open = true;
    else provisional = true;
  }
  const state = open ? 'open' : provisional ? 'provisional' : 'final';
  return { state, revision };
}

/** Hours of the window whose rules know no zones; each hour of the world has clicks. */
function uncountedOf({ asOf, fromMs, atMs, filter }: Question): number {
  if (!filter.startsWith('zone:')) return 0;
  const served = servedAt(world, asOf);
  return Array.from({ length: world.hours }, (_, hour) => hour).filter((hour) => {
    const ms = START_MS + hour * HOUR_MS;
    return ms < atMs && ms + HOUR_MS > fromMs && (served.get(hour)?.rules ?? 0) === 0;
  }).length;
}

async function ask(question: Question): Promise<[count: Uncounted, top: Uncounted]> {
  const { asOf, fromMs, atMs, filter, topN, ad } = question;
  const more = { ...(filter === '' ? {} : { filter_id: filter }), as_of: asOf };
  const at = formatTime(atMs);
  const count = { ad_id: ad, from: formatTime(fromMs), to: at, ...more };
  const top = { window_size: (atMs - fromMs) / MINUTE_MS, top_n: topN, at, ...more };
  return Promise.all([answerCount(reader, count), answerTop(reader, top)]);
}

async function check(questions: readonly Question[]): Promise<void> {
  // Some at a time: nobody waits long for a connection.
  for (let at = 0; at < questions.length; at += 20) {
    const some = questions.slice(at, at + 20);
    const answers = await Promise.all(some.map(ask));
    answers.forEach((answer, i) => {
      const context = `seed ${String(SEED)}, ${JSON.stringify(some[i])}`;
      expect(answer, context).toMatchObject(expected(some[i]!));
      const uncounted = answer.map((one) => one.uncounted_hours ?? 0);
      expect(uncounted, context).toEqual([uncountedOf(some[i]!), uncountedOf(some[i]!)]);
    });
  }
}

test('sliding counts and top ads equal brute force over raw clicks, at every publication', async () => {
  const late = world.clicks.filter((one) => !isBelow(world.liveCuts[hourOf(world, one)]!, one));
  expect(late.length, 'late clicks of the world').toBeGreaterThan(CLICKS / 20);
  const publications = world.steps.length + 1;
  const asked: Question[] = [];
  // As each publication is the newest: a part of the questions, and each again at the end by as_of.
  for (let publication = 0; publication < publications; publication++) {
    if (publication > 0) await takeWorldStep(database, world, publication);
    const share = Math.ceil(QUESTIONS / publications);
    const now = Array.from({ length: share }, () => makeQuestion(publication));
    await check(now);
    asked.push(...now);
  }
  expect(asked.length).toBeGreaterThanOrEqual(QUESTIONS);
  await check(asked);
});

test('the world has what the test is about: ties at the limit, restated and mixed windows', () => {
  const questions = Array.from({ length: 200 }, () => makeQuestion(random.below(7)));
  const tops = questions.map((one) => expected({ ...one, topN: 100 })[1] as Top);
  const tied = tops.filter(({ ads }, i) => {
    const { topN } = questions[i]!;
    return ads[topN] !== undefined && ads[topN].count === ads[topN - 1]!.count;
  });
  expect(tied.length).toBeGreaterThan(20);
  for (const state of ['open', 'provisional', 'final']) {
    expect(tops.filter((one) => one.state === state).length, state).toBeGreaterThan(10);
  }
  // Counts of one question differ between publications: the restatements show.
  const differ = questions.filter((one) => {
    const by = [2, 3, 5, 6].map((asOf) =>
      JSON.stringify((expected({ ...one, asOf })[1] as Top).ads),
    );
    return new Set(by).size > 2;
  });
  expect(differ.length).toBeGreaterThan(20);
});

interface Top {
  readonly state: string;
  readonly ads: readonly { readonly ad_id: string; readonly count: number }[];
}
