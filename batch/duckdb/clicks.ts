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
  /** The value is the text as it is, null or '' where there is none; else it is the mark. */
  readonly plain: boolean;
}

interface HourOfFiles {
  readonly paths: readonly string[];
  readonly hourMs: number;
  readonly cut: Cut;
}

/** WHERE clause. */
export function withinHour(hourMs: number): string {
  return `event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + HOUR_MS)}`;
}

export function filesOf(paths: readonly string[]): string {
  return `read_parquet(${textList(paths)}, hive_partitioning = false)`;
}

/**
 * Makes the maps that clicks are joined to before anything is counted: what `rest` says, and a table
 * `texts<i>` (raw, mark) per field whose values are too many to group by. A field of few values is
 * read as it is, unless `rest` has to be asked, too.
 */
export async function readClicks(
  session: DuckSession,
  { fields, caps }: RulesPlan,
  { paths, hourMs, cut }: HourOfFiles,
): Promise<Clicks> {
  const within = withinHour(hourMs);
  const members = [
    ...fields.map((field) => ({ ...field, of: field.markOf })),
    ...caps.map((cap) => ({ ...cap, of: (text: string) => text })),
  ];
  const rest = await readRest(session, members, paths, within);
  await makeCut(session, cut);
  const joins = ['join cut using (topic, partition)', rest.join];
  const columns = [
    'ad_id',
    `((event_ms - ${String(hourMs)}) // ${String(MINUTE_MS)})::utinyint as m`,
  ];
  const reads: FieldRead[] = [];
  for (const [i, field] of fields.entries()) {
    const n = String(i);
    const inRest = rest.columns[i] ?? null;
    const plain = field.few && inRest === null;
    reads.push({ plain, value: field.column === AD_FIELD ? AD_FIELD : `d${n}` });
    if (field.column === AD_FIELD) continue;
    columns.push(`${plain ? field.column! : either(inRest, `texts${n}.mark`)} as d${n}`);
    if (plain) continue;
    const text = `coalesce(${field.column ?? 'null'}, '')`;
    await markTexts(session, field, `select ${text} from ${filesOf(paths)} where ${within}`, n);
    joins.push(`left join texts${n} on ${text} = texts${n}.raw`);
  }
  return {
    source: `from ${filesOf(paths)} ${joins.join(' ')} where ${within} and log_offset < next_offset`,
    columns: columns.join(', '),
    names: columns.map((column) => column.slice(column.lastIndexOf(' ') + 1)).join(', '),
    fields: reads,
    keys: caps.map(({ column }, i) => keyOf(column, rest.columns[fields.length + i] ?? null)),
  };
}

function keyOf(column: string | null, inRest: string | null): string | null {
  return column === null ? inRest : either(column, inRest);
}

function either(first: string | null, second: string | null): string {
  return first === null || second === null ? (first ?? second)! : `coalesce(${first}, ${second})`;
}

/** Makes `texts<i>` (raw, mark) of the texts that a SELECT gives, and of the absent one. */
async function markTexts(
  session: DuckSession,
  { column, markOf }: FieldPlan,
  select: string,
  i: string,
): Promise<void> {
  const all = column === null ? '' : `union ${select}`;
  await session.run(`create temp table raws as select '' as raw ${all}`);
  await mapTexts(
    session,
    { table: 'raws', columns: ['raw'] },
    { table: `texts${i}`, columns: ['mark'] },
    ([raw]) => [markOf(textOfField(fieldValue(raw)))],
  );
  await session.run('drop table raws');
}

async function makeCut(session: DuckSession, cut: Cut): Promise<void> {
  await session.run('create temp table cut (topic varchar, partition integer, next_offset bigint)');
  const rows = normalCut(cut).map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)})`,
  );
  if (rows.length > 0) await session.run(`insert into cut values ${rows.join(', ')}`);
}
