import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { recomputeCell } from '../../batch/duckdb/explain.js';
import type { CheckedFilesOptions } from '../../batch/duckdb/footer.js';
import { sqlText } from '../../batch/duckdb/session.js';
import { shredClick } from '../../core/click/shred.js';
import { cellKey, countClicks, type Fate, type LogRecord } from '../../core/count.js';
import { isBelowCut, type Cut } from '../../core/cut.js';
import type { CellName } from '../../core/explain.js';
import { HOUR_MS as HOUR_LENGTH_MS, MINUTE_MS, minuteOf } from '../../core/time.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { CLICK_COLUMNS } from '../../lake/columns.js';

const HOUR_MS = Date.UTC(2026, 10, 21, 10);
const LIMITS = { memoryMb: 128, threads: 1, rowsPerFileMax: 10_000 };
const RULES: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'campaign', field: 'camp"aign' },
  ],
};
/** Reads columns and `rest`, asks for the ad, filters, and counts the clicks before one. */
const STRICT: RuleSet = {
  version: 1,
  tables: { ads: { key: 'text', columns: ['owner'], rows: [["o'ad", 'O']] } },
  values: [{ name: 'owner', field: 'ad_id', lookup: { table: 'ads', column: 'owner' } }],
  filters: [
    { reason: 'too_many', cap: { field: 'camp"aign', max: 1 } },
    { reason: 'odd', when: [{ field: 'country', in: ['other'] }] },
    {
      reason: 'own',
      when: [
        { value: 'owner', missing: true },
        { field: 'ip', in: ['10.0.0.1'] },
      ],
    },
  ],
  dimensions: [
    ...RULES.dimensions,
    { name: 'both', cross: ['owner', 'country'] },
    { name: 'agent', field: 'agent', case: 'lower' },
  ],
};

const folder = mkdtempSync(join(tmpdir(), 'truecount-explain-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;

/** Clicks as the archive keeps them, in a file of this test. */
async function fileOf(records: readonly LogRecord[]): Promise<CheckedFilesOptions['files']> {
  const rows = records.flatMap((record) => {
    const click = shredClick(record.value, record.appendMs);
    if (click.kind === 'rejected') return [];
    const { topic, partition, offset, appendMs } = record;
    const texts = [click.adId, click.eventId, ...click.fields, click.rest];
    const numbers = [partition, offset, appendMs, click.eventMs].map(String);
    const literals = texts.map((text) => (text === null ? 'null' : sqlText(text)));
    return [`(${[sqlText(topic), ...numbers, ...literals].join(', ')})`];
  });
  if (rows.length === 0) return [];
  const key = `clicks-${String(++files)}.parquet`;
  const path = join(folder, key);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const columns = CLICK_COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ');
  await connection.run(`create table clicks (${columns})`);
  await connection.run(`insert into clicks values ${rows.join(', ')}`);
  await connection.run(`copy clicks to ${sqlText(path)} (format parquet)`);
  connection.closeSync();
  instance.closeSync();
  return [{ file: { key, rows: rows.length }, path }];
}

function scratch(): string {
  const path = join(folder, `scratch-${String(++files)}`);
  mkdirSync(path);
  return path;
}

const country = fc.constantFrom('US', 'UK', 'GB', '', null, 7, '\u0001', '\ufeffUS', undefined);
const clicks = fc.array(
  fc.record({
    partition: fc.nat(1),
    ad: fc.constantFrom('ad', "o'ad", 'Ä'),
    id: fc.nat(6).map((id) => `\ufeff${String(id)}`),
    minute: fc.constantFrom(0, 1, 1, 60),
    country,
    campaign: fc.constantFrom('a', 'b', undefined, null, { x: 1 }),
    more: fc.constantFrom({}, { ip: '10.0.0.1' }, { agent: 'É' }, { x: { agent: 'no' } }),
    appendedAfterMs: fc.nat(3),
  }),
  { maxLength: 30 },
);

interface TestClick {
  readonly partition: number;
  readonly ad: string;
  readonly id: string;
  readonly minute: number;
  readonly country: unknown;
  readonly campaign: unknown;
  readonly more?: object;
  readonly appendedAfterMs: number;
}

function logOf(list: readonly TestClick[]): LogRecord[] {
  const next = [0, 0];
  let appendMs = HOUR_MS + 2 * HOUR_LENGTH_MS;
  return list.map((click) => {
    const { partition, ad, id, minute } = click;
    appendMs += click.appendedAfterMs;
    const timestamp = HOUR_MS + minute * MINUTE_MS;
    const fields = { country: click.country, 'camp"aign': click.campaign, ...click.more };
    const text = JSON.stringify({ event_id: id, ad_id: ad, timestamp, ...fields });
    return {
      ...{ topic: 'clicks', partition, offset: next[partition]!++ },
      appendMs,
      value: new TextEncoder().encode(text),
    };
  });
}

const inLogOrder = (a: LogRecord, b: LogRecord): number =>
  a.appendMs - b.appendMs || a.partition - b.partition || a.offset - b.offset;

function reasonsOf(fates: readonly Fate[], of: CellName): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const fate of fates) {
    if (fate.kind !== 'filtered' || fate.click.adId !== of.adId) continue;
    if (minuteOf(fate.click.eventMs) !== of.minuteMs) continue;
    reasons[fate.reason] = (reasons[fate.reason] ?? 0) + 1;
  }
  return reasons;
}

describe('a cell computed again from files', () => {
  it('is the cell that the reference engine counts, below any cut', async () => {
    const filters = [
      ...['', 'country:GB', 'country:unknown', 'country:other', 'campaign:a', 'os:x'],
      ...['both:O×GB', 'agent:é', 'agent:unknown'],
    ];
    await fc.assert(
      fc.asyncProperty(
        clicks,
        fc.tuple(fc.nat(20), fc.nat(20)),
        fc.constantFrom(...filters),
        fc.constantFrom('ad', "o'ad", 'Ä'),
        fc.constantFrom(RULES, STRICT),
        async (list, offsets, filter, adId, ruleSet) => {
          const cut: Cut = offsets.map((nextOffset, partition) => ({
            ...{ topic: 'clicks', partition, nextOffset },
          }));
          const log = logOf(list);
          const below = log.filter((record) => isBelowCut(cut, record)).sort(inLogOrder);
          const { cells, fates } = countClicks(below, ruleSet);
          const cell = { adId, minuteMs: HOUR_MS + MINUTE_MS, filter };
          const { flow, clicks: listed } = await recomputeCell(
            cell,
            { files: await fileOf(log), cut, hourCut: null, ruleSet },
            LIMITS,
            scratch(),
            100,
          );
          expect(flow.value).toBe(cells.get(cellKey(adId, cell.minuteMs, filter))?.count ?? 0);
          expect(flow.received - flow.duplicate - flow.filtered - flow.notMatching).toBe(
            flow.value,
          );
          expect(flow.filteredBy).toEqual(reasonsOf(fates, cell));
          expect(listed).toHaveLength(flow.value);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes the lowest offset of a partition for the first, also where the broker’s clock went back', async () => {
    const click = { ad: 'ad', minute: 1, campaign: null, id: 'same', partition: 0 };
    const log = logOf([
      { ...click, country: 'US', appendedAfterMs: 1_000 },
      { ...click, country: 'GB', appendedAfterMs: -500 },
    ]);
    const cell = { adId: 'ad', minuteMs: HOUR_MS + MINUTE_MS, filter: 'country:US' };
    const cut = [{ topic: 'clicks', partition: 0, nextOffset: 2 }];
    const sources = { files: await fileOf(log), cut, hourCut: null, ruleSet: RULES };
    expect((await recomputeCell(cell, sources, LIMITS, scratch(), 1)).flow.value).toBe(1);
  });

  it('lists the first counted clicks with their positions, and tells the late ones', async () => {
    const click = { ad: 'ad', minute: 1, country: 'UK', campaign: null, appendedAfterMs: 0 };
    const log = logOf([
      { ...click, partition: 0, id: 'first' },
      { ...click, partition: 0, id: 'first' },
      { ...click, partition: 0, id: 'other', country: 'US' },
      { ...click, partition: 0, id: 'late' },
      { ...click, partition: 0, id: 'one more' },
    ]);
    const found = await recomputeCell(
      { adId: 'ad', minuteMs: HOUR_MS + MINUTE_MS, filter: 'country:GB' },
      {
        files: await fileOf(log),
        cut: [{ topic: 'clicks', partition: 0, nextOffset: 9 }],
        hourCut: [{ topic: 'clicks', partition: 0, nextOffset: 3 }],
        ruleSet: RULES,
      },
      LIMITS,
      scratch(),
      2,
    );
    expect(found.flow).toEqual({
      ...{
        received: 5,
        duplicate: 1,
        filtered: 0,
        filteredBy: {},
        notMatching: 1,
        value: 3,
        late: 2,
      },
    });
    expect(found.clicks).toMatchObject([
      { offset: 0, eventId: 'first', late: false },
      { offset: 3, eventId: 'late', late: true },
    ]);
  });

  it('is refused where a file has more rows than the manifest says', async () => {
    const log = logOf([
      {
        ...{ partition: 0, ad: 'ad', id: 'a', minute: 1, country: 'US', campaign: null },
        appendedAfterMs: 0,
      },
    ]);
    const [local] = await fileOf(log);
    const files = [{ path: local!.path, file: { key: local!.file.key, rows: 2 } }];
    const sources = {
      ...{ files, hourCut: null, ruleSet: RULES },
      cut: [{ topic: 'clicks', partition: 0, nextOffset: 9 }],
    };
    const cell = { adId: 'ad', minuteMs: HOUR_MS + MINUTE_MS, filter: '' };
    await expect(recomputeCell(cell, sources, LIMITS, scratch(), 0)).rejects.toMatchObject({
      code: 'lake_file_damaged',
    });
  });
});
