import pg from 'pg';
import { isBelowCut, type Cut } from '../../core/cut.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import { loadGeneration } from '../../store/generations/load.js';
import { publish } from '../../store/publish/publish.js';
import type { Random } from '../core/support/random.js';
import { cellRows, draftOf, rowsOf, storeHour, storeRules } from './cell-rows.js';
import type { TestDatabase } from './stack.js';

/**
 * A day in the life of a few hours, as raw clicks: retries, late clicks, hours counted live and
 * final, and restatements. Written to Postgres as stream and recompute leave it; what it must answer
 * is for a test to work out of the clicks themselves.
 */
export interface WorldClick {
  readonly partition: number;
  readonly offset: number;
  readonly ad: string;
  readonly eventId: string;
  readonly ms: number;
  readonly country: string;
  readonly device: string;
}

/** Two rule sets of a world: the older does not know that UK is GB, nor any zones. */
export const ZONES: Readonly<Record<string, string>> = { US: 'NA', UK: 'EU', GB: 'EU', DE: 'EU' };
const DEVICE = { name: 'device', field: 'device' };
export const RULES: readonly [RuleSet, RuleSet] = [
  { version: 1, dimensions: [{ name: 'country', field: 'country' }, DEVICE] },
  {
    version: 1,
    dimensions: [
      { name: 'country', field: 'country', map: { UK: 'GB' } },
      DEVICE,
      { name: 'zone', field: 'country', map: ZONES },
    ],
  },
];

/** What serves an hour from a publication on: its clicks below a cut, by a rule set. */
export interface WorldServed {
  readonly rules: 0 | 1;
  readonly cut: Cut;
}

export interface WorldStep {
  readonly kind: 'publish' | 'rollback';
  readonly hours: ReadonlyMap<number, WorldServed>;
}

export interface ClickWorld {
  readonly startMs: number;
  readonly hours: number;
  readonly ads: readonly string[];
  /** In the order of the log, which is that of their offsets in each partition. */
  readonly clicks: readonly WorldClick[];
  /** By hour: where the stream stopped counting; what is at or above it is late. */
  readonly liveCuts: readonly Cut[];
  /** The n-th step is publication n. */
  readonly steps: readonly WorldStep[];
}

const TOPIC = 't';
const PARTITIONS = 2;

/** The next offsets after the first `n` clicks of a log. */
function cutAfter(clicks: readonly WorldClick[], n: number): Cut {
  return Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: TOPIC,
    partition,
    nextOffset: clicks.slice(0, n).filter((click) => click.partition === partition).length,
  }));
}

export function isBelow(cut: Cut, { partition, offset }: WorldClick): boolean {
  return isBelowCut(cut, { topic: TOPIC, partition, offset });
}

/** A world of six hours: four of them final at the end, two of these restated twice. */
export function makeWorld(random: Random, startMs: number, clickCount: number): ClickWorld {
  const hours = 6;
  const ads = ['a', 'B', 'b', 'a/b', 'ä', '☂️', "o'ad", 'ad 7', 'zz', '%', '10', '9'];
  const clicks = makeLog(random, ads, startMs, hours, clickCount);
  const after = (share: number): Cut => cutAfter(clicks, Math.floor(clickCount * share));
  // The log runs over the six hours; a hundredth and more of each hour comes after its cut.
  const liveCuts = [0.3, 0.45, 0.6, 0.75, 0.9, 1].map(after);
  const first = (hour: number): [number, WorldServed] => [hour, { rules: 0, cut: liveCuts[hour]! }];
  const step = (kind: WorldStep['kind'], ...of: [number, WorldServed][]): WorldStep => ({
    kind,
    hours: new Map(of),
  });
  const steps = [
    step('publish', first(0), first(1)),
    step('publish', first(2)),
    // The restatements: other rules with the late clicks so far, and back; then new late clicks.
    step('publish', [1, { rules: 1, cut: after(0.8) }], [2, { rules: 1, cut: after(0.8) }]),
    step('publish', first(3), [0, { rules: 0, cut: after(0.9) }]),
    step('rollback', first(1), first(2)),
    step('publish', [1, { rules: 1, cut: after(1) }]),
  ];
  return { startMs, hours, ads, clicks, liveCuts, steps };
}

function makeLog(
  random: Random,
  ads: readonly string[],
  startMs: number,
  hours: number,
  count: number,
): WorldClick[] {
  const clicks: WorldClick[] = [];
  const next = new Array<number>(PARTITIONS).fill(0);
  for (let i = 0; i < count; i++) {
    const before = random.below(6) === 0 && i > 0 ? random.pick(clicks) : undefined;
    // Mostly what is clicked now, some of it hours late.
    const now = (i / count) * hours;
    const lateBy = random.below(5) === 0 ? random.next() * now : random.next() * 0.3;
    const adIndex = random.below(ads.length);
    const click = before ?? {
      ad: ads[adIndex]!,
      partition: adIndex % PARTITIONS,
      eventId: `e${String(i)}`,
      ms: startMs + Math.floor(Math.max(0, now - lateBy) * HOUR_MS),
    };
    // A retry may say other things: the first in the log wins.
    const [country, device] = [random.pick(['US', 'UK', 'GB', 'DE']), random.pick(['m', 'd', 't'])];
    const offset = next[click.partition]!++;
    clicks.push({ ...click, country, device, offset });
  }
  return clicks;
}

/** Of the clicks of an hour below a cut, the first of each ad and event id. */
export function countable(world: ClickWorld, hour: number, cut: Cut): WorldClick[] {
  const seen = new Set<string>();
  return world.clicks.filter((click) => {
    if (hourOf(world, click) !== hour || !isBelow(cut, click)) return false;
    const id = `${click.ad}\n${click.eventId}`;
    return !seen.has(id) && seen.add(id);
  });
}

export function hourOf(world: ClickWorld, { ms }: WorldClick): number {
  return Math.floor((ms - world.startMs) / HOUR_MS);
}

/** The filters of a click but the empty one. */
export function filtersOf({ country, device }: WorldClick, rules: 0 | 1): string[] {
  if (rules === 0) return [`country:${country}`, `device:${device}`];
  const mapped = country === 'UK' ? 'GB' : country;
  return [`country:${mapped}`, `device:${device}`, `zone:${ZONES[country]!}`];
}

/** Writes hours, live cells and late clicks, and sets the watermark; nothing is published. */
export async function writeWorld(
  database: TestDatabase,
  world: ClickWorld,
  watermarkMs: number,
): Promise<void> {
  for (let hour = 0; hour < world.hours; hour++) await writeHour(database, world, hour);
  for (const rules of RULES) await storeRules(database, rules);
  await database.pool.query(
    `update stream_progress p
        set epoch = 1, next_offset = 1000000, seen_at = now() + interval '1 day',
            max_event_ms = $1 + s.out_of_orderness_ms
       from reading_settings s`,
    [watermarkMs],
  );
}

async function writeHour({ pool }: TestDatabase, world: ClickWorld, hour: number): Promise<void> {
  const hourMs = world.startMs + hour * HOUR_MS;
  const cut = world.liveCuts[hour]!;
  await storeHour({ pool } as TestDatabase, hourMs, RULES[0], cut);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const counted = countable(world, hour, cut).filter((one) => one.partition === partition);
    const rows = rowsOf(
      RULES[0],
      counted.map((click) => cellsOf(click, 0)),
    );
    for (const [filter, ad, sparse] of rows) {
      const counts = Array.from({ length: 60 }, (_, minute) => sparse[minute] ?? 0);
      const values = [new Date(hourMs), filter, ad, partition, counts];
      await pool.query(
        `insert into live_cells
         select $1, $2, $3, slot, $5 from stream_progress where partition = $4`,
        values,
      );
    }
  }
  for (const click of world.clicks) {
    if (hourOf(world, click) !== hour || isBelow(cut, click)) continue;
    const [ad, minute] = cellsOf(click, 0);
    const filters = filtersOf(click, 0);
    await pool.query(
      `insert into late_clicks
       select $1, slot, $3, $4, $5, $6 from stream_progress where partition = $2`,
      [new Date(hourMs), click.partition, click.offset, minute, ad, filters],
    );
  }
}

function cellsOf(click: WorldClick, rules: 0 | 1): [ad: string, minute: number, ...string[]] {
  const values = filtersOf(click, rules).map((filter) => filter.slice(filter.indexOf(':') + 1));
  return [click.ad, Math.floor((click.ms % HOUR_MS) / MINUTE_MS), ...values];
}

/** Loads the generations of a step and publishes them, as the step's publication. */
export async function takeWorldStep(
  database: TestDatabase,
  world: ClickWorld,
  publication: number,
): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const { kind, hours } = world.steps[publication - 1]!;
    const wanted = [];
    for (const [hour, served] of hours) {
      const generation = await loadServed(client, world, hour, served);
      const before = world.steps.slice(0, publication - 1).filter((step) => step.hours.has(hour));
      wanted.push({
        hourMs: world.startMs + hour * HOUR_MS,
        ...{ generation, expectedRevision: before.length, reconciliation: null },
        examined: served.cut,
      });
    }
    const words = { actor: 'test', reason: `step ${String(publication)}`, automatic: false };
    await publish(client, { ...words, request: words.reason, kind, hours: wanted });
  } finally {
    await client.end();
  }
}

async function loadServed(
  client: pg.Client,
  world: ClickWorld,
  hour: number,
  { rules, cut }: WorldServed,
): Promise<number> {
  const ruleSet = RULES[rules];
  const clicks = countable(world, hour, cut);
  const rows = rowsOf(
    ruleSet,
    clicks.map((click) => cellsOf(click, rules)),
  );
  const hourMs = world.startMs + hour * HOUR_MS;
  const draft = draftOf({ hourMs, ruleSet, cut, rows });
  return (await loadGeneration(client, draft, cellRows(rows))).id;
}
