import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createApi } from '../../api/app.js';
import { main } from '../../cli/program.js';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import { MIGRATIONS, get } from '../api/support/open-api.js';
import { captureOutput } from '../support/captured-output.js';
import type { LogRecord } from '../support/stream.js';
import { until } from '../support/until.js';
import { Rig } from '../workflows/support/rig.js';

// A mistake of three days: UK was not counted as GB. Two hours before it and two after are not of it.
const BEFORE = 2;
const MISTAKEN = 72;
const AFTER = 2;
const FIRST_MS = Date.UTC(2025, 10, 17, 22);
const MISTAKE_MS = FIRST_MS + BEFORE * HOUR_MS;
const FIXED_MS = MISTAKE_MS + MISTAKEN * HOUR_MS;
const END_MS = FIXED_MS + AFTER * HOUR_MS;
const CLICKS = 12;
const COUNTRIES = ['US', 'UK', 'GB', 'DE'];

const rules = (map?: Record<string, string>): string =>
  JSON.stringify({
    version: 1,
    dimensions: [
      { name: 'country', field: 'country', ...(map === undefined ? {} : { map }) },
      { name: 'device', field: 'device' },
    ],
  });

/** Every third hour has no click of the UK: there the fix changes nothing. */
function* clicks(hourMs: number): Generator<LogRecord> {
  const hour = hourMs / HOUR_MS;
  for (let i = 0; i < CLICKS; i++) {
    const ad = `ad-${String(i % 3)}`;
    const country = COUNTRIES[(hour + i) % 4]!;
    const click = {
      ...{ event_id: `${String(hour)}-${String(i)}`, ad_id: ad, device: 'mobile' },
      ...{ timestamp: hourMs + i * 290_000, country: hasUk(hourMs) ? country : 'US' },
    };
    yield { key: ad, line: JSON.stringify(click) };
  }
}

function hasUk(hourMs: number): boolean {
  return (hourMs / HOUR_MS) % 3 !== 0;
}

type Answer = Record<string, never> & Record<string, unknown>;

// Of 72 hours at once: whatever each of them leaves behind would be warned of.
const warnings: string[] = [];
process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));

let rig: Rig;
let settings: string;
let fix: string;

beforeAll(async () => {
  rig = await Rig.start();
  // The rig begins with a rule set that has the fix; the mistake is the second version.
  settings = join(rig.folder, 'settings.yaml');
  fix = join(rig.folder, 'fix.json');
  writeFileSync(settings, JSON.stringify(rig.config)); // JSON is YAML
  writeFileSync(fix, rules({ UK: 'GB' }));
  const mistake = join(rig.folder, 'mistake.json');
  writeFileSync(mistake, rules());
  await ok(['rules', 'put', mistake, '--since', formatTime(FIRST_MS), '--reason', 'countries']);
  await rig.startWorker();
  await send(FIRST_MS, FIXED_MS);
});

afterAll(async () => {
  await rig?.close();
});

async function send(fromMs: number, toMs: number): Promise<void> {
  for (let ms = fromMs; ms < toMs; ms += HOUR_MS) await rig.produce(clicks(ms));
  await until('all is counted and archived', async () => {
    const { rows } = await rig.pool.query<{ n: number }>(
      'select count(*)::int as n from (select from lake_file_hours group by hour having sum(rows) = $1) h',
      [CLICKS],
    );
    return rows[0]!.n === (toMs - FIRST_MS) / HOUR_MS;
  });
}

async function ok(args: readonly string[]): Promise<Answer> {
  return (await run(args)).answer;
}

/** Runs a verb in this process with `--json`, and gives its document and its words. */
async function run(args: readonly string[]): Promise<{ answer: Answer; said: string }> {
  const output = captureOutput();
  try {
    const code = await main([...args, '--json', '--config', settings]);
    if (code !== 0) throw new Error(`exit ${String(code)}: ${output.stdout} ${output.stderr}`);
    return { answer: JSON.parse(output.stdout) as Answer, said: output.stderr };
  } finally {
    process.exitCode = undefined;
    vi.restoreAllMocks();
  }
}

const range = (fromMs: number, toMs: number): string[] => [
  ...['--from', formatTime(fromMs)],
  ...['--to', formatTime(toMs)],
];

async function staleHours(): Promise<string[]> {
  const { hours } = (await ok(['rules', 'stale'])) as unknown as { hours: { hour: string }[] };
  return hours.map(({ hour }) => hour);
}

/** What is served: `ad|minute|filter` → count. */
async function served(): Promise<Map<string, number>> {
  const { rows } = await rig.pool.query<{ cell: string; n: string }>(
    `select ad_id || '|' || extract(epoch from click_minute)::bigint || '|' || filter_id as cell,
            count as n
       from ad_click_counts_filtered where state = 'final'
      union all
     select ad_id || '|' || extract(epoch from click_minute)::bigint || '|', count
       from ad_click_counts where state = 'final'`,
  );
  return new Map(rows.map(({ cell, n }) => [cell, Number(n)]));
}

const hoursOf = (fromMs: number, toMs: number): string[] =>
  Array.from({ length: (toMs - fromMs) / HOUR_MS }, (_, i) => formatTime(fromMs + i * HOUR_MS));

it(
  'the fix names the hours of the mistake, shows what it would change, and changes just that',
  { timeout: 900_000 },
  async () => {
    await ok(['replay', ...range(FIRST_MS, FIXED_MS), '--reason', 'first']);
    const wrong = await served();
    expect([...wrong.keys()].some((cell) => cell.endsWith('country:UK'))).toBe(true);
    const before = await publication();

    const put = await ok([
      'rules',
      'put',
      fix,
      '--since',
      formatTime(MISTAKE_MS),
      '--reason',
      'UK is GB',
    ]);
    expect(put).toMatchObject({ version: 3 });
    await send(FIXED_MS, END_MS);
    await ok(['replay', ...range(FIXED_MS, END_MS), '--reason', 'after the fix']);
    expect(await staleHours()).toEqual(hoursOf(MISTAKE_MS, FIXED_MS));
    const fixed = await served();
    const asOf = await publication();
    expect(asOf).toBeGreaterThan(before);

    const moved = [...fixed].filter(([cell]) => cell.endsWith('country:UK') && isMistaken(cell));
    expect(clicksOf(moved)).toBeGreaterThan(100);
    const { planned, whatIf, said } = await planOfTheFix();
    expect(said).toMatch(/^and 71 like it, as far as recompute\S+: 71 started, 0 followed$/m);
    expect(warnings).toEqual([]);
    expect(said.split('\n').length).toBeLessThan(MISTAKEN);
    const of = (filter: string) => whatIf.filters.find((one) => one.filter === filter)!;
    expect(whatIf.filters).toHaveLength(2);
    expect(of('country:UK')).toMatchObject({ before: clicksOf(moved), after: 0 });
    expect(of('country:GB').after - of('country:GB').before).toBe(clicksOf(moved));
    expect(await publication(), 'a plan publishes nothing').toBe(asOf);
    expect(await served()).toEqual(fixed);

    await ok(['replay', ...range(MISTAKE_MS, FIXED_MS), '--rules', '3', '--reason', 'UK is GB']);
    const right = await served();
    const wanted = new Map(fixed);
    for (const [cell, n] of moved) {
      const gbCell = cell.replace(/UK$/, 'GB');
      wanted.delete(cell);
      wanted.set(gbCell, (wanted.get(gbCell) ?? 0) + n);
    }
    expect([...right].sort()).toEqual([...wanted].sort());
    expect(planned, 'the plan named each cell that differs now, and no other').toEqual(
      differences(fixed, right),
    );
    expect(planned.length).toBe(whatIf.cells);
    expect(await staleHours()).toEqual([]);
    await expectOldAnswers(asOf, fixed, right);
  },
);

interface WhatIf {
  readonly cells: number;
  readonly filters: readonly { filter: string; before: number; after: number }[];
}

type CellChange = readonly [cell: string, before: number, after: number];

/** What a plan says of all three days: its sums, and each cell that would change. */
async function planOfTheFix(): Promise<{
  readonly planned: CellChange[];
  readonly whatIf: WhatIf;
  readonly said: string;
}> {
  const file = join(rig.folder, 'cells.ndjson');
  const asked = [...range(MISTAKE_MS, FIXED_MS), '--rules', '3', '--plan', '--cells', file];
  const { answer, said } = await run(['replay', ...asked]);
  const { what_if: whatIf } = answer as unknown as { what_if: WhatIf };
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const planned = lines.map((line) => {
    const { ad_id, minute, filter_id, before, after, ...moved } = JSON.parse(line) as ChangedCell;
    expect(moved).toEqual({ by_rules: after - before, by_late: 0 });
    const second = Date.parse(minute) / 1_000;
    return [`${ad_id}|${String(second)}|${filter_id ?? ''}`, before, after] as const;
  });
  return { planned: planned.sort(byCell), whatIf, said };
}

interface ChangedCell {
  readonly ad_id: string;
  readonly minute: string;
  readonly filter_id?: string;
  readonly before: number;
  readonly after: number;
}

function differences(
  then: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): CellChange[] {
  return [...new Set([...then.keys(), ...now.keys()])]
    .map((cell): CellChange => [cell, then.get(cell) ?? 0, now.get(cell) ?? 0])
    .filter(([, before, after]) => before !== after)
    .sort(byCell);
}

function byCell([a]: CellChange, [b]: CellChange): number {
  return a < b ? -1 : 1;
}

function isMistaken(cell: string): boolean {
  const ms = Number(cell.split('|')[1]) * 1_000;
  return ms >= MISTAKE_MS && ms < FIXED_MS;
}

function clicksOf(cells: readonly (readonly [string, number])[]): number {
  return cells.reduce((sum, [, n]) => sum + n, 0);
}

async function publication(): Promise<number> {
  const { rows } = await rig.pool.query<{ n: string }>('select publication as n from ledger_head');
  return Number(rows[0]!.n);
}

/** What was answered before is answered still, to who asks for it. */
async function expectOldAnswers(
  asOf: number,
  then: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): Promise<void> {
  const api = await createApi({ pool: rig.pool, migrations: MIGRATIONS });
  const count = async (filter: string, at?: number): Promise<unknown> => {
    const query = { from: formatTime(MISTAKE_MS), to: formatTime(FIXED_MS), filter_id: filter };
    const asked = at === undefined ? query : { ...query, as_of: at };
    return (await get(api, '/ads/ad-1/aggregated_count', asked)).body;
  };
  const sum = (of: ReadonlyMap<string, number>, filter: string): number =>
    [...of]
      .filter(([cell]) => isMistaken(cell) && cell.startsWith('ad-1|') && cell.endsWith(filter))
      .reduce((total, [, n]) => total + n, 0);
  for (const filter of ['country:UK', 'country:GB', 'country:US']) {
    expect(await count(filter, asOf), filter).toMatchObject({ count: sum(then, filter) });
    expect(await count(filter), filter).toMatchObject({ count: sum(now, filter) });
  }
  await api.close();
}
