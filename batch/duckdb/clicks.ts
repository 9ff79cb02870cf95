import { normalCut } from '../../core/cut.js';
import type { Cut } from '../../core/cut.js';
import { fieldValue } from '../../core/click/parse.js';
import { AD_FIELD } from '../../core/rules/rule-set.js';
import { textOfField } from '../../core/rules/value-text.js';
import { HOUR_MS, MINUTE_MS } from '../../core/time.js';
import type { FieldPlan, RulesPlan } from '../plan-rules.js';
import { readRest } from './rest.js';
import { sqlText, textList } from './session.js';
import type { DuckSession } from './session.js';
import { mapTexts } from './text.js';

/** The rows of an hour below its cut, as the statements that count them see them. */
export interface Clicks {
  /** FROM and WHERE. */
  readonly source: string;
  /** Expressions with names: ad, minute and values. */
  readonly columns: string;
  /** Their names: `ad_id, m, d0, …`. */
  readonly names: string;
  /** Per field of the plan. */
  readonly fields: readonly FieldRead[];
  /** Per cap: an expression of its field's text; null: no click has one. */
  readonly keys: readonly (string | null)[];
}

export interface FieldRead {
  /** Name of the column with its value, among `Clicks.names`. */
  readonly value: string;
  /** The value is the text as it is, null or '' where there is none; else it is its mark. */
  readonly plain: boolean;
}

interface HourOfFiles {
  readonly paths: readonly string[];
  readonly hourMs: number;
  readonly cut: Cut;
}

/** WHERE clause of the rows of an hour. */
export function withinHour(hourMs: number): string {
  return `event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + HOUR_MS)}`;
}

/** FROM clause. */
export function filesOf(paths: readonly string[]): string {
  return `read_parquet(${textList(paths)}, hive_partitioning = false)`;
}

/**
 * Makes the maps that clicks are joined to before anything is counted: what `rest` says, and the
 * marks of the fields whose values are too many to group by.
 */
export async function readClicks(
  session: DuckSession,
  { fields, caps }: RulesPlan,
  { paths, hourMs, cut }: HourOfFiles,
): Promise<Clicks> {
  const within = withinHour(hourMs);
  const rest = await readRest(
    session,
    [
      ...fields.map((field) => ({ ...field, of: field.markOf })),
      ...caps.map((cap) => ({ ...cap, of: (text: string) => text })),
    ],
    paths,
    within,
  );
  await makeCut(session, cut);
  const columns = [
    'ad_id',
    `((event_ms - ${String(hourMs)}) // ${String(MINUTE_MS)})::utinyint as m`,
  ];
  const joins = ['join cut using (topic, partition)', rest.join];
  const reads: FieldRead[] = [];
  for (const [i, field] of fields.entries()) {
    const rows = `from ${filesOf(paths)} where ${within}`;
    const read = await readField(session, field, { i, rows, inRest: rest.columns[i] ?? null });
    reads.push(read);
    joins.push(read.join);
    if (read.value !== AD_FIELD) columns.push(`${read.expression} as ${read.value}`);
  }
  return {
    source: `from ${filesOf(paths)} ${joins.join(' ')} where ${within} and log_offset < next_offset`,
    columns: columns.join(', '),
    names: columns.map((column) => column.slice(column.lastIndexOf(' ') + 1)).join(', '),
    fields: reads,
    keys: caps.map(({ column }, i) => either(column, rest.columns[fields.length + i] ?? null)),
  };
}

/** A field of few values is read as it is, unless `rest` has to be asked, too. */
async function readField(
  session: DuckSession,
  { field, column, few, markOf }: FieldPlan,
  {
    i,
    rows,
    inRest,
  }: { readonly i: number; readonly rows: string; readonly inRest: string | null },
): Promise<FieldRead & { readonly expression: string; readonly join: string }> {
  const value = field === AD_FIELD ? AD_FIELD : `d${String(i)}`;
  if (few && inRest === null) return { plain: true, value, expression: column!, join: '' };
  const texts = `texts${String(i)}`;
  const text = column === null ? "''" : `coalesce(${column}, '')`;
  await session.run(`create temp table raws as select '' as raw union select ${text} ${rows}`);
  await mapTexts(
    session,
    { table: 'raws', columns: ['raw'] },
    { table: texts, columns: ['mark'] },
    ([raw]) => [markOf(textOfField(fieldValue(raw)))],
  );
  await session.run('drop table raws');
  return {
    plain: false,
    value,
    expression: either(inRest, `${texts}.mark`)!,
    join: `left join ${texts} on ${text} = ${texts}.raw`,
  };
}

/** Expression of the first of two that is not null; null: both are never anything else. */
function either(first: string | null, second: string | null): string | null {
  return first === null || second === null ? (first ?? second) : `coalesce(${first}, ${second})`;
}

async function makeCut(session: DuckSession, cut: Cut): Promise<void> {
  await session.run('create temp table cut (topic varchar, partition integer, next_offset bigint)');
  const rows = normalCut(cut).map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)})`,
  );
  if (rows.length > 0) await session.run(`insert into cut values ${rows.join(', ')}`);
}
