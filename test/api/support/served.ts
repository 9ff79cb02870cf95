import fc from 'fast-check';
import type pg from 'pg';
import { HOUR_MS } from '../../../core/time.js';
import { publish } from '../../../store/publish/publish.js';
import {
  WORLD_ADS,
  WORLD_FILTERS,
  WORLD_HOURS,
  WORLD_START_MS,
  load,
  worlds,
  type World,
} from './world.js';

const PARTITIONS = 3;
export const HOURS = Array.from({ length: WORLD_HOURS }, (_, hour) => hour);

/** A generation of a test world, not yet loaded. Its number is its place in the list, from 1. */
export interface WorldGeneration {
  readonly hour: number;
  /** Next offset per partition. */
  readonly cut: readonly number[];
  readonly rows: readonly {
    readonly filter: string;
    readonly ad: string;
    readonly counts: readonly number[];
  }[];
}

/** One publication: what becomes of which hours. */
export interface WorldStep {
  readonly kind: 'publish' | 'rollback' | 'confirm';
  /** Places in the list of generations, of different hours. */
  readonly generations: readonly number[];
  /** Of a confirmation: how far above the generation's cut it looked. */
  readonly further: number;
}

export interface ServedWorld extends World {
  readonly generations: readonly WorldGeneration[];
  readonly steps: readonly WorldStep[];
}

const counts = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 5), { minLength: 60, maxLength: 60 });

const rows = fc.uniqueArray(
  fc
    .record({
      filter: fc.constantFrom(...WORLD_FILTERS),
      ad: fc.constantFrom(...WORLD_ADS),
      counts,
    })
    .filter((row) => row.counts.some((count) => count > 0)),
  { maxLength: 12, selector: ({ filter, ad }) => `${filter}\t${ad}` },
);

const generation: fc.Arbitrary<WorldGeneration> = fc.record({
  hour: fc.nat(WORLD_HOURS - 2), // the last one stays live
  cut: fc.array(fc.nat(10_000), { minLength: PARTITIONS, maxLength: PARTITIONS }),
  rows,
});

const step: fc.Arbitrary<WorldStep> = fc.record({
  kind: fc.constantFrom('publish', 'publish', 'rollback', 'confirm'),
  generations: fc.array(fc.nat(100), { minLength: 1, maxLength: 6 }),
  further: fc.nat(5_000),
});

export const servedWorlds: fc.Arbitrary<ServedWorld> = fc
  .tuple(
    worlds,
    fc.array(generation, { minLength: 3, maxLength: 10 }),
    fc.array(step, { minLength: 2, maxLength: 6 }),
  )
  .map(([world, generations, steps]) => ({
    ...world,
    generations,
    steps: usable(generations, steps),
  }));

/**
 * Leaves of each step what can be carried out: an hour once; confirmed is what serves; a way back only
 * to what has served, and the only way to a lower cut.
 */
function usable(generations: readonly WorldGeneration[], steps: readonly WorldStep[]): WorldStep[] {
  const served = new Map<number, number>();
  const haveServed = new Set<number>();
  const out: WorldStep[] = [];
  for (const { kind, generations: wanted, further } of steps) {
    const chosen = new Map<number, number>();
    for (const n of wanted) {
      const index = n % generations.length;
      const { hour } = generations[index]!;
      const serves = served.get(hour);
      if (kind !== 'confirm') chosen.set(hour, index);
      else if (serves !== undefined) chosen.set(hour, serves);
    }
    const isBack = kind === 'rollback' && [...chosen.values()].every((one) => haveServed.has(one));
    const asKind = kind === 'rollback' && !isBack ? 'publish' : kind;
    if (asKind === 'publish') {
      for (const [hour, index] of chosen) {
        const before = generations[served.get(hour) ?? index]!.cut;
        const { cut } = generations[index]!;
        if (before.some((next, p) => cut[p]! < next)) chosen.delete(hour);
      }
    }
    if (chosen.size === 0) continue;
    const indices = [...chosen.values()];
    out.push({ kind: asKind, generations: indices, further });
    if (kind === 'confirm') continue;
    for (const [hour, index] of chosen) served.set(hour, index);
    for (const index of indices) haveServed.add(index);
  }
  return out;
}

/** What serves an hour at a publication, by brute force over the steps. */
export interface ServedHour {
  readonly revision: number;
  readonly generation: WorldGeneration;
  /** Its number. */
  readonly id: number;
  /** Below these offsets, per partition, late clicks are examined. */
  readonly examined: readonly number[];
  readonly held: boolean;
}

export function servedAt(world: ServedWorld, publication: number): Map<number, ServedHour> {
  const served = new Map<number, ServedHour>();
  const confirmed = new Map<number, number[]>(); // by generation
  for (const { kind, generations, further } of world.steps.slice(0, publication)) {
    for (const index of generations) {
      const generation = world.generations[index]!;
      const known = confirmed.get(index) ?? [...generation.cut];
      if (kind === 'confirm') {
        const seen = generation.cut.map((next, p) => Math.max(known[p]!, next + further));
        confirmed.set(index, seen);
      }
      const examined = confirmed.get(index) ?? known;
      const before = served.get(generation.hour);
      served.set(generation.hour, {
        revision: (before?.revision ?? 0) + (kind === 'confirm' ? 0 : 1),
        generation,
        id: index + 1,
        examined,
        held: kind === 'confirm' ? before!.held : kind === 'rollback',
      });
    }
  }
  return served;
}

/** Clicks in the minutes [from, to) of the world at a publication, by brute force. */
export function countAt(
  world: ServedWorld,
  served: ReadonlyMap<number, ServedHour>,
  ad: string,
  filter: string,
  from: number,
  to: number,
): number {
  let sum = 0;
  const add = (hour: number, minutes: readonly number[]): void => {
    minutes.forEach((count, i) => {
      const minute = hour * 60 + i;
      if (minute >= from && minute < to) sum += count;
    });
  };
  for (const [hour, { generation }] of served) {
    for (const row of generation.rows) {
      if (row.ad === ad && row.filter === filter) add(hour, row.counts);
    }
  }
  for (const cell of world.cells) {
    if (!served.has(cell.hour) && cell.ad === ad && cell.filter === filter) {
      add(cell.hour, cell.counts);
    }
  }
  return sum;
}

/** Late clicks that nobody has examined at a publication. */
export function lateAt(
  world: ServedWorld,
  served: ReadonlyMap<number, ServedHour>,
  ad: string,
  filter: string,
  from: number,
  to: number,
): number {
  return world.late.filter((late) => {
    const minute = late.hour * 60 + late.minute;
    const matches = filter === '' || late.filters.includes(filter);
    if (late.ad !== ad || !matches || minute < from || minute >= to) return false;
    return late.offset >= (served.get(late.hour)?.examined[late.partition] ?? 0);
  }).length;
}

/** State and revision of the minutes [from, to), by looking at each. */
export function stateAt(
  served: ReadonlyMap<number, ServedHour>,
  from: number,
  to: number,
  watermarkMinute: number,
): { state: string; revision: number; finalUntil: number | null } {
  let state = 'final';
  let revision = 0;
  let finalUntil: number | null = null;
  let finalSoFar = true;
  for (let minute = from; minute < to; minute++) {
    const hour = served.get(Math.floor(minute / 60));
    revision = Math.max(revision, hour?.revision ?? 0);
    finalSoFar &&= hour !== undefined;
    if (finalSoFar) finalUntil = minute + 1;
    if (hour !== undefined) continue;
    if (minute + 1 > watermarkMinute) state = 'open';
    else if (state === 'final') state = 'provisional';
  }
  return { state, revision, finalUntil };
}

/** Loads live cells, late clicks and all generations; nothing is published. Needs `seedLog`. */
export async function loadServed(pool: pg.Pool, world: ServedWorld): Promise<void> {
  await load(pool, world);
  await pool.query(`update hours set state = 'cut', cut_at = now()`);
  for (const [index, generation] of world.generations.entries()) {
    await loadGeneration(pool, index + 1, generation);
  }
}

/** Carries out a step of the world, the `publication`-th. */
export async function takeStep(
  client: pg.Client,
  world: ServedWorld,
  publication: number,
): Promise<void> {
  const before = servedAt(world, publication - 1);
  const { kind, generations, further } = world.steps[publication - 1]!;
  await publish(client, {
    request: `step ${String(publication)}`,
    kind,
    actor: 'test',
    reason: `step ${String(publication)}`,
    automatic: false,
    hours: generations.map((index) => {
      const { hour, cut } = world.generations[index]!;
      return {
        hourMs: WORLD_START_MS + hour * HOUR_MS,
        generation: index + 1,
        expectedRevision: before.get(hour)?.revision ?? 0,
        reconciliation: null,
        examined: cut.map((next, partition) => ({
          topic: 'clicks',
          partition,
          nextOffset: next + further,
        })),
      };
    }),
  });
}

async function loadGeneration(
  pool: pg.Pool,
  id: number,
  { hour, cut, rows: cells }: WorldGeneration,
): Promise<void> {
  const zeros = new Array<number>(60).fill(0);
  await pool.query(
    `insert into generations (id, hour, rule_set, inputs_hash, checksum, rows, cells, received,
                              counted, duplicate, filtered, built_by)
     overriding system value values ($1, $2, 'r', $3, $3, $4, 0, $5, $5, $5, $5, 'test')`,
    [id, new Date(WORLD_START_MS + hour * HOUR_MS), `inputs ${String(id)}`, cells.length, zeros],
  );
  for (const { filter, ad, counts: minutes } of cells) {
    await pool.query('insert into generation_cells values ($1, $2, $3, $4)', [
      id,
      filter,
      ad,
      minutes,
    ]);
  }
  for (const table of ['generation_cuts (generation', 'examined_cuts (publication, generation']) {
    const zero = table.includes('publication') ? '0, ' : '';
    await pool.query(
      `insert into ${table}, slot, next_offset)
       select ${zero}$1, slot, ($2::bigint[])[partition + 1] from stream_progress
        where ($2::bigint[])[partition + 1] > 0`,
      [id, cut],
    );
  }
}
