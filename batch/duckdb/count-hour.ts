import { TruecountError } from '../../core/errors.js';
import { normalCut } from '../../core/cut.js';
import type { Cut } from '../../core/cut.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS, MINUTES_PER_HOUR, MINUTE_MS } from '../../core/time.js';
import { emptyFlow } from '../flow.js';
import type { Flow, TaskProgress } from '../task.js';
import { mapDimensions, planDimensions } from './dimensions.js';
import type { DimensionPlan } from './dimensions.js';
import { findSuspects } from './repeats.js';
import { sqlText, textList, toNumber } from './session.js';
import type { DuckSession } from './session.js';

export interface HourInput {
  /** Files whose footers were checked. */
  readonly paths: readonly string[];
  /** Rows of all of them. */
  readonly rows: number;
  readonly hourMs: number;
  readonly cut: Cut;
  readonly ruleSet: RuleSet;
}

/**
 * Counts the clicks of one hour below a cut: of each (ad_id, event_id) the first in the log, into
 * cells (filter, ad_id, minute, count) in `output`, a Parquet file that any reader can read (snappy,
 * data pages of version 1), sorted by filter, ad_id, both bytewise, and minute. Returns what became
 * of the clicks and how many cells there are.
 *
 * Clicks are first counted as they are, by ad, minute and raw values, which makes few groups of
 * many clicks; the duplicates, told apart among suspects only, are then taken away again; what
 * follows works on small integers. The result depends on the rows alone, not on their order.
 */
export async function countHour(
  session: DuckSession,
  input: HourInput,
  output: string,
  onProgress: (progress: TaskProgress) => void,
): Promise<{ readonly flow: Flow; readonly cells: number }> {
  const { hourMs, paths, rows } = input;
  const files = `read_parquet(${textList(paths)}, hive_partitioning = false)`;
  const hour = `event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + HOUR_MS)}`;
  const hashed = `from (select hash(ad_id, event_id) as h from ${files} where ${hour})`;
  const suspects = await findSuspects(session, hashed, rows, (done) => {
    onProgress({ stage: 'look for duplicates', done, total: rows });
  });
  onProgress({ stage: 'count', done: 0, total: rows });
  await makeCut(session, input.cut);
  const plans = await planDimensions(session, input.ruleSet, paths, hour);
  const clicks = { source: clickSource(files, hour, plans), minute: minuteOf(hourMs) };
  await countAll(session, clicks, plans);
  await findDuplicates(session, clicks, plans, suspects);
  onProgress({ stage: 'write cells', done: 0, total: rows });
  await mapDimensions(session, plans);
  await makeCells(session, plans);
  const flow = await readFlow(session);
  const cells = await writeCells(session, output);
  onProgress({ stage: 'write cells', done: rows, total: rows });
  return { flow, cells };
}

interface Clicks {
  /** FROM and WHERE: the rows of the hour below the cut. */
  readonly source: string;
  /** Expression: minute of the hour. */
  readonly minute: string;
}

function minuteOf(hourMs: number): string {
  return `((event_ms - ${String(hourMs)}) // ${String(MINUTE_MS)})::utinyint`;
}

async function makeCut(session: DuckSession, cut: Cut): Promise<void> {
  await session.run('create temp table cut (topic varchar, partition integer, next_offset bigint)');
  const rows = normalCut(cut).map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)})`,
  );
  if (rows.length > 0) await session.run(`insert into cut values ${rows.join(', ')}`);
}

function clickSource(files: string, hour: string, plans: readonly DimensionPlan[]): string {
  const rests = plans.map(({ column, restTable }) => {
    if (restTable === null) return '';
    const rest = column === null ? 'rest' : `(case when ${column} is null then rest end)`;
    return `left join ${restTable} on ${rest} = ${restTable}.raw`;
  });
  return `from ${files} join cut using (topic, partition) ${rests.join(' ')}
         where ${hour} and log_offset < next_offset`;
}

/** Columns of a click's values: `d<i>` is the text of a column, `x<i>` a filter found in `rest`. */
function valueColumns(plans: readonly DimensionPlan[]): string[] {
  return plans.flatMap(({ column, restTable }, i) => [
    ...(column === null ? [] : [`${column} as d${String(i)}`]),
    ...(restTable === null ? [] : [`${restTable}.filter as x${String(i)}`]),
  ]);
}

function valueNames(plans: readonly DimensionPlan[]): string[] {
  return valueColumns(plans).map((column) => column.slice(column.lastIndexOf(' ') + 1));
}

/** `combos`: all clicks, duplicates as well, by ad, minute and values. */
async function countAll(
  session: DuckSession,
  { source, minute }: Clicks,
  plans: readonly DimensionPlan[],
): Promise<void> {
  const columns = ['ad_id', `${minute} as m`, ...valueColumns(plans)].join(', ');
  await session.run(
    `create temp table combos as select ${columns}, count(*)::bigint as n ${source} group by all`,
  );
}

/**
 * `repeats`: the clicks that are duplicates, each with its ad, minute and values. The first of each
 * partition is the one that the stream counted, by offset alone, even where a broker's clock
 * stepped back; of those, the first by append time, topic and partition.
 */
async function findDuplicates(
  session: DuckSession,
  { source, minute }: Clicks,
  plans: readonly DimensionPlan[],
  suspects: number | null,
): Promise<void> {
  const looked = suspects === null ? '' : 'and hash(ad_id, event_id) in (select h from suspects)';
  const names = ['ad_id', 'm', ...valueNames(plans)].join(', ');
  const columns = ['ad_id', `${minute} as m`, ...valueColumns(plans)].join(', ');
  await session.run(
    `create temp table repeats as
       select ${names}
         from (select *, first_value(append_ms) over (
                        partition by ad_id, event_id, topic, partition
                        order by log_offset) as first_ms
                 from (select ${columns}, event_id, append_ms, topic, partition, log_offset
                         ${source} ${looked}))
      qualify row_number() over (partition by ad_id, event_id
                                 order by first_ms, topic, partition, log_offset) > 1`,
  );
}

/** `cells` (filter_rank, ad_rank, m, n), from `combos` less `repeats`. */
async function makeCells(session: DuckSession, plans: readonly DimensionPlan[]): Promise<void> {
  await session.run(
    `create temp table ads as
       select ad_id, row_number() over (order by ad_id)::integer as rank
         from (select distinct ad_id from combos)`,
  );
  const ranks = plans.map(({ column, restTable, absent }, i) => {
    const n = String(i);
    const found = [
      ...(column === null ? [] : [`f${n}.rank`]),
      ...(restTable === null ? [] : [`y${n}.rank`]),
      `(select rank from filters where filter = ${sqlText(absent)})`,
    ];
    return `coalesce(${found.join(', ')}) as r${n}`;
  });
  const joins = plans.map(({ column, restTable }, i) => {
    const n = String(i);
    const map = `(select raw, rank from map${n} join filters using (filter))`;
    return `${column === null ? '' : `left join ${map} as f${n} on d${n} = f${n}.raw`}
            ${restTable === null ? '' : `left join filters as y${n} on x${n} = y${n}.filter`}`;
  });
  await session.run(
    `create temp table coded as
       select ${['ads.rank as ad', 'm', ...ranks, 'n'].join(', ')}
         from (select * from combos union all by name select *, -1::bigint as n from repeats)
         join ads using (ad_id) ${joins.join(' ')}`,
  );
  await session.run('drop table combos');
  const groups = ['0', ...plans.map((_, i) => `r${String(i)}`)].map(
    (rank) => `select ${rank} as filter, ad, m, sum(n)::bigint as n from coded
                group by all having sum(n) <> 0`,
  );
  await session.run(`create temp table cells as ${groups.join(' union all ')}`);
}

/** Counts of each minute, from three sources that have to agree (I3). */
async function readFlow(session: DuckSession): Promise<Flow> {
  const flow = emptyFlow();
  const sources = [
    ['received', 'select m, sum(n) as n from coded where n > 0 group by m'],
    ['duplicate', 'select m, count(*) as n from repeats group by m'],
    ['counted', 'select m, sum(n) as n from cells where filter = 0 group by m'],
  ] as const;
  for (const [fate, sql] of sources) {
    const into = flow[fate] as number[];
    const counts = await session.rows<{ m: number; n: bigint }>(sql);
    for (const { m, n } of counts) into[m] = toNumber(n);
  }
  for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
    const { received, counted, duplicate } = flow;
    if (received[minute] === counted[minute]! + duplicate[minute]!) continue;
    const books = [received, counted, duplicate].map((counts) => String(counts[minute]));
    throw new TruecountError(
      'invariant_broken',
      `minute ${String(minute)}: ${books.join(' received is not counted + duplicate ')}`,
    );
  }
  return flow;
}

async function writeCells(session: DuckSession, output: string): Promise<number> {
  const [done] = await session.rows<{ Count: bigint }>(
    `copy (select filters.filter, ads.ad_id, m::integer as minute, n as count
             from cells join filters on cells.filter = filters.rank
                        join ads on cells.ad = ads.rank
            order by cells.filter, cells.ad, m)
       to ${sqlText(output)} (format parquet, compression snappy, parquet_version v1)`,
  );
  return toNumber(done!.Count);
}
