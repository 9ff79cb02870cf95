import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { HOUR_MS } from '../core/time.js';
import { cellRows, named, type StoredGeneration } from './generations.js';
import type { AuditLake } from './lake-port.js';
import { recompute, type Recomputed } from './recompute.js';
import { Findings, findingsCheck, uncheckedCheck, type Check } from './report.js';
import { exactNumber } from './sql-check.js';

/** Memory of the engine that counts an hour again; it spills beyond. */
const ENGINE_MEMORY_MB = 512;

/** No recompute and no upload takes that long: whoever began it has ended, one way or the other. */
const TRANSIENT_AGE_MAX_MS = 24 * HOUR_MS;

export interface LakeAuditOptions {
  /** Null: the lake is not read. */
  readonly lake: AuditLake | null;
  /** How many of the generations are counted again from the lake, chosen at random. */
  readonly recompute: number;
  readonly random: () => number;
  readonly onProgress: (what: string) => void;
}

interface ListedFile {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Whether the lake holds what the manifest lists, and whether generations come out of it again. */
export async function auditLake(
  client: pg.ClientBase,
  generations: readonly StoredGeneration[],
  ruleSets: ReadonlyMap<string, RuleSet>,
  options: LakeAuditOptions,
): Promise<Check[]> {
  const { lake, onProgress } = options;
  if (lake === null) return withoutLake();
  onProgress('listing the lake');
  const checks = await auditFiles(client, lake);
  const again = new Findings();
  const sample = chosen(generations, options.recompute, options.random);
  for (const [i, generation] of sample.entries()) {
    onProgress(`recomputing ${String(i + 1)} of ${String(sample.length)} generations`);
    const ruleSet = ruleSets.get(generation.ruleSet);
    if (ruleSet === undefined) {
      again.add(() => ({ ...named(generation), problem: 'its rule set cannot be read' }));
    } else await compareAgain(client, lake, generation, ruleSet, again);
  }
  if (sample.length === 0) return [...checks, uncheckedCheck('I10', 'recomputed', NOT_ASKED)];
  return [
    ...checks,
    findingsCheck(
      'I10',
      'recomputed',
      again,
      { generations: sample.length },
      {
        holds: 'a generation, counted again from its files by other SQL, has the same cells',
      },
    ),
  ];
}

const NOT_ASKED = 'nothing was counted again: ask with --recompute N';

function withoutLake(): Check[] {
  const why = 'the lake was not read';
  return [
    uncheckedCheck('I9', 'lake_strays', why),
    uncheckedCheck('I10', 'lake_files', why),
    uncheckedCheck('I10', 'recomputed', why),
  ];
}

/** Every listed file is there in its size; of fenced-off writers and dead workflows nothing else is. */
async function auditFiles(client: pg.ClientBase, lake: AuditLake): Promise<Check[]> {
  const { rows } = await client.query<{ key: string; bytes: string }>(
    'select key, bytes from lake_files',
  );
  const listed = new Map(rows.map(({ key, bytes }) => [key, exactNumber(bytes)]));
  const strayRules = await readStrayRules(client);
  const strays = new Findings();
  const wrong = new Findings();
  let objects = 0;
  for (const prefix of ['clicks/', 'scratch/']) {
    for await (const { key, bytes } of lake.list(prefix)) {
      objects++;
      const expected = listed.get(key);
      listed.delete(key);
      if (expected === undefined) {
        const problem = strayRules.ofObject(key);
        if (problem !== null) strays.add(() => ({ key, bytes, problem }));
      } else if (expected !== bytes) {
        wrong.add(() => ({ key, bytes, recorded: expected, problem: 'has another size' }));
      }
    }
  }
  for await (const { name, bytes, sinceMs } of lake.unfinished()) {
    objects++;
    const problem = strayRules.ofUpload(sinceMs);
    if (problem !== null) strays.add(() => ({ key: name, bytes, problem }));
  }
  for (const key of listed.keys()) wrong.add(() => ({ key, problem: 'is not in the lake' }));
  return [
    findingsCheck(
      'I9',
      'lake_strays',
      strays,
      { objects },
      {
        holds: 'nothing in the lake is left over from a writer or a workflow that has ended',
      },
    ),
    findingsCheck(
      'I10',
      'lake_files',
      wrong,
      { files: rows.length },
      {
        holds: 'each file of the manifest is in the lake, in its size',
      },
    ),
  ];
}

/** Part of the format of the lake: slot and epoch of the writer; when a scratch object was made. */
const CLICKS_KEY = /^clicks\/.*\/(\d+)-e(\d+)-[0-9a-f]+\.parquet$/;
const SCRATCH_KEY = /^scratch\/[0-9a-zA-Z-]+\.(\d+)-[0-9a-f-]+\.parquet$/;

/** Why something in the lake can only be a leftover, or null. */
interface StrayRules {
  /** Of an object that the manifest does not list. */
  ofObject(key: string): string | null;
  /** Of an upload that has not ended, begun at an instant (epoch ms). */
  ofUpload(sinceMs: number): string | null;
}

/**
 * A writer of the snapshot's epoch may still list what it wrote; a workflow may still need its
 * scratch, and an upload may still end.
 */
async function readStrayRules(client: pg.ClientBase): Promise<StrayRules> {
  const { rows } = await client.query<{ now: Date; slot: number | null; epoch: string | null }>(
    'select t.now, slot, epoch from (select now()) t left join archive_progress on true',
  );
  const epochs = new Map(rows.map(({ slot, epoch }) => [slot, Number(epoch)]));
  const oldMs = rows[0]!.now.getTime() - TRANSIENT_AGE_MAX_MS;
  return {
    ofObject: (key) => {
      const [, slot, epoch] = CLICKS_KEY.exec(key) ?? [];
      if (slot !== undefined && Number(epoch) < (epochs.get(Number(slot)) ?? 0)) {
        return 'unlisted, of an epoch that can list nothing any more';
      }
      const madeMs = SCRATCH_KEY.exec(key)?.[1];
      if (madeMs === undefined || Number(madeMs) >= oldMs) return null;
      return 'scratch that is older than any workflow';
    },
    ofUpload: (sinceMs) =>
      sinceMs < oldMs ? 'an upload that has not ended for longer than any takes' : null,
  };
}

/** `n` of them without order, by a partial Fisher-Yates shuffle. */
function chosen<T>(all: readonly T[], n: number, random: () => number): T[] {
  const pool = [...all];
  const count = Math.min(n, pool.length);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[j]] = [pool[j]!, pool[i]!];
  }
  return pool.slice(0, count);
}

async function compareAgain(
  client: pg.ClientBase,
  lake: AuditLake,
  generation: StoredGeneration,
  ruleSet: RuleSet,
  findings: Findings,
): Promise<void> {
  const fetched: { path: string; release(): Promise<void> }[] = [];
  try {
    for (const file of await filesOf(client, generation.id)) {
      const problem = await fetchChecked(lake, file, fetched);
      if (problem === null) continue;
      findings.add(() => ({ ...named(generation), key: file.key, problem }));
      return;
    }
    const paths = fetched.map(({ path }) => path);
    const result = await recompute(generation, ruleSet, paths, ENGINE_MEMORY_MB);
    await compare(client, generation, result, findings);
  } finally {
    for (const object of fetched) await object.release();
  }
}

async function filesOf(client: pg.ClientBase, generation: number): Promise<ListedFile[]> {
  const { rows } = await client.query<{ key: string; bytes: string; sha256: string }>(
    `select key, bytes, sha256 from generation_files join lake_files on id = file
      where generation = $1 order by id`,
    [generation],
  );
  return rows.map((row) => ({ ...row, bytes: exactNumber(row.bytes) }));
}

/** Gets a file and looks at all of its bytes before any engine does. */
async function fetchChecked(
  lake: AuditLake,
  { key, sha256 }: ListedFile,
  into: { path: string; release(): Promise<void> }[],
): Promise<string | null> {
  try {
    const object = await lake.fetch(key);
    into.push(object);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(object.path)) hash.update(chunk as Buffer);
    return hash.digest('hex') === sha256 ? null : 'the file is not what its SHA-256 says';
  } catch (error) {
    if (error instanceof TruecountError && error.code === 'lake_file_missing') {
      return 'the file is not in the lake';
    }
    throw error;
  }
}

async function compare(
  client: pg.ClientBase,
  generation: StoredGeneration,
  again: Recomputed,
  findings: Findings,
): Promise<void> {
  for (const problem of flowProblems(generation, again)) {
    findings.add(() => ({ ...named(generation), problem }));
  }
  if (again.checksum === generation.checksum) return;
  findings.add(() => ({
    ...named(generation),
    recorded: generation.checksum,
    again: again.checksum,
  }));
  await compareCells(client, generation, again, findings);
}

function* flowProblems(
  { flow, filteredBy }: StoredGeneration,
  again: Recomputed,
): Generator<string> {
  const same = (a: readonly number[] = [], b: readonly number[] = []): boolean =>
    a.length === b.length && a.every((n, i) => n === b[i]);
  const fates = ['received', 'counted', 'duplicate'] as const;
  if (!fates.every((fate) => same(flow[fate], again[fate]))) {
    yield 'its flow by minute is another';
  }
  const reasons = new Set([...Object.keys(filteredBy), ...Object.keys(again.filteredBy)]);
  for (const reason of reasons) {
    if (same(filteredBy[reason], again.filteredBy[reason])) continue;
    yield `what it filtered as ${reason} by minute is another`;
  }
}

/** Which cells differ, both ways. */
async function compareCells(
  client: pg.ClientBase,
  generation: StoredGeneration,
  { cells }: Recomputed,
  findings: Findings,
): Promise<void> {
  const left = new Map([...cells].map(([filter, ads]) => [filter, new Map(ads)]));
  const differ = (
    filter: string,
    adId: string,
    stored: ArrayLike<number>,
    lake: ArrayLike<number>,
  ) =>
    compareCounts(stored, lake, (minute, a, b) => {
      findings.add(() => ({
        ...named(generation),
        ad_id: adId,
        filter,
        minute,
        stored: a,
        lake: b,
      }));
    });
  for await (const row of cellRows(client, generation.id)) {
    const found = left.get(row.filter)?.get(row.adId) ?? [];
    left.get(row.filter)?.delete(row.adId);
    differ(row.filter, row.adId, row.counts, found);
  }
  for (const [filter, ads] of left) for (const [ad, counts] of ads) differ(filter, ad, [], counts);
}

function compareCounts(
  stored: ArrayLike<number>,
  lake: ArrayLike<number>,
  differ: (minute: number, stored: number, lake: number) => void,
): void {
  for (let minute = 0; minute < Math.max(stored.length, lake.length); minute++) {
    const a = stored[minute] ?? 0;
    const b = lake[minute] ?? 0;
    if (a !== b) differ(minute, a, b);
  }
}
