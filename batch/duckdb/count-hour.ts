import { TruecountError } from '../../core/errors.js';
import type { Cut } from '../../core/cut.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../core/time.js';
import { emptyFlow, zeros } from '../flow.js';
import { planRules } from '../plan-rules.js';
import type { RulesPlan } from '../plan-rules.js';
import type { Flow, TaskProgress } from '../task.js';
import { findCapped } from './caps.js';
import { filesOf, readClicks, withinHour } from './clicks.js';
import type { Clicks } from './clicks.js';
import { makeOutputs } from './outputs.js';
import type { Outputs } from './outputs.js';
import { findSuspects } from './repeats.js';
import { sqlText, toNumber } from './session.js';
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
 * Counts the clicks of one hour below a cut: of each (ad_id, event_id) the first in the log, unless
 * the rule set filters it, into cells (filter, ad_id, minute, count) in `output`, a Parquet file that
 * any reader can read (snappy, data pages of version 1), sorted by filter, ad_id, both bytewise, and
 * minute. Returns what became of the clicks and how many cells there are.
 *
 * Clicks are first counted as they are, by ad, minute and values, which makes few groups of many
 * clicks; the duplicates, told apart among suspects only, and the clicks above a cap are then taken
 * away again; what follows works on small integers. The result depends on the rows alone, not on
 * their order.
 */
export async function countHour(
  session: DuckSession,
  input: HourInput,
  output: string,
  onProgress: (progress: TaskProgress) => void,
): Promise<{ readonly flow: Flow; readonly cells: number }> {
  const { hourMs, paths, rows, ruleSet } = input;
  const within = withinHour(hourMs);
  const hashed = `from (select hash(ad_id, event_id) as h from ${filesOf(paths)} where ${within})`;
  const suspects = await findSuspects(session, hashed, rows, (done) => {
    onProgress({ stage: 'look for duplicates', done, total: rows });
  });
  onProgress({ stage: 'count', done: 0, total: rows });
  const plan = planRules(ruleSet);
  const clicks = await readClicks(session, plan, input);
  await countAll(session, clicks);
  await findDuplicates(session, clicks, suspects);
  onProgress({ stage: 'write cells', done: 0, total: rows });
  const outputs = await makeOutputs(session, plan, clicks);
  await findCapped(session, plan.caps, clicks, outputs);
  await makeCells(session, clicks, outputs);
  const flow = await readFlow(session, plan, outputs);
  const cells = await writeCells(session, output);
  onProgress({ stage: 'write cells', done: rows, total: rows });
  return { flow, cells };
}

/** `combos`: all clicks, duplicates as well, by ad, minute and values. */
async function countAll(session: DuckSession, { source, columns }: Clicks): Promise<void> {
  await session.run(
    `create temp table combos as select ${columns}, count(*)::bigint as n ${source} group by all`,
  );
}

/**
 * `repeats`: the clicks that are duplicates, each with its position, ad, minute and values. The
 * first of each partition is the one that the stream counted, by offset alone, even where a broker's
 * clock stepped back; of those, the first by append time, topic and partition.
 */
async function findDuplicates(
  session: DuckSession,
  { source, columns, names }: Clicks,
  suspects: number | null,
): Promise<void> {
  const looked = suspects === null ? '' : 'and hash(ad_id, event_id) in (select h from suspects)';
  await session.run(
    `create temp table repeats as
       select ${names}, topic, partition, log_offset
         from (select *, first_value(append_ms) over (
                        partition by ad_id, event_id, topic, partition
                        order by log_offset) as first_ms
                 from (select ${columns}, event_id, append_ms, topic, partition, log_offset
                         ${source} ${looked}))
      qualify row_number() over (partition by ad_id, event_id
                                 order by first_ms, topic, partition, log_offset) > 1`,
  );
}

/**
 * `coded` (ad, m, ranks, verdict, n): `combos` less `repeats` and `capped`; `cells` (filter, ad, m,
 * n): what is counted of it; `received` (m, n).
 */
async function makeCells(
  session: DuckSession,
  { names }: Clicks,
  { joins, ranks, verdict }: Outputs,
): Promise<void> {
  await session.run(
    `create temp table ads as
       select ad_id, row_number() over (order by ad_id)::integer as rank
         from (select distinct ad_id from combos)`,
  );
  const columns = ['ads.rank as ad', 'm', ...ranks, ...(verdict === null ? [] : [verdict]), 'n'];
  await session.run(
    `create temp table coded as
       select ${columns.join(', ')}
         from (select ${names}, n from combos
               union all select ${names}, -1::bigint from repeats
               union all select ${names}, -1::bigint from capped)
         join ads using (ad_id) ${joins}`,
  );
  await session.run(
    'create temp table received as select m, sum(n)::bigint as n from combos group by m',
  );
  await session.run('drop table combos');
  const passed = verdict === null ? '' : `where ${verdict} = ''`;
  const groups = ['0', ...ranks].map(
    (rank) => `select ${rank} as filter, ad, m, sum(n)::bigint as n from coded ${passed}
                group by all having sum(n) <> 0`,
  );
  await session.run(`create temp table cells as ${groups.join(' union all ')}`);
}

/** Counts of each minute, from sources that have to agree (I3). */
async function readFlow(
  session: DuckSession,
  { caps }: RulesPlan,
  { verdict }: Outputs,
): Promise<Flow> {
  const flow = { ...emptyFlow(), filteredBy: await readFiltered(session, caps, verdict) };
  const sources = [
    ['received', 'select m, n from received'],
    ['duplicate', 'select m, count(*) as n from repeats group by m'],
    ['counted', 'select m, sum(n) as n from cells where filter = 0 group by m'],
  ] as const;
  for (const [fate, sql] of sources) {
    const into = flow[fate] as number[];
    const counts = await session.rows<{ m: number; n: bigint }>(sql);
    for (const { m, n } of counts) into[m] = toNumber(n);
  }
  const filtered = flow.filtered as number[];
  for (const clicks of Object.values(flow.filteredBy)) {
    clicks.forEach((n, minute) => (filtered[minute]! += n));
  }
  checkFlow(flow);
  return flow;
}

/** The clicks that are no duplicates and not counted, by reason. */
async function readFiltered(
  session: DuckSession,
  caps: RulesPlan['caps'],
  verdict: string | null,
): Promise<Flow['filteredBy']> {
  const filteredBy = new Map<string, number[]>();
  const add = (reason: string, minute: number, n: bigint): void => {
    const clicks = filteredBy.get(reason) ?? zeros();
    filteredBy.set(reason, clicks);
    clicks[minute]! += toNumber(n);
  };
  if (verdict !== null) {
    const rows = await session.rows<{ reason: string; m: number; n: bigint }>(
      `select ${verdict} as reason, m, sum(n) as n from coded where ${verdict} <> ''
        group by all having sum(n) <> 0`,
    );
    for (const { reason, m, n } of rows) add(reason, m, n);
  }
  const rows = await session.rows<{ cap: number; m: number; n: bigint }>(
    'select cap, m, count(*) as n from capped group by all',
  );
  for (const { cap, m, n } of rows) add(caps[cap]!.reason, m, n);
  return Object.fromEntries(filteredBy);
}

function checkFlow({ received, counted, duplicate, filtered }: Flow): void {
  for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
    const books = [received, counted, duplicate, filtered].map((clicks) => clicks[minute]!);
    const [all, ...parts] = books as [number, ...number[]];
    if (all === parts.reduce((sum, n) => sum + n, 0)) continue;
    throw new TruecountError(
      'invariant_broken',
      `minute ${String(minute)}: received ${String(all)} is not counted + duplicate + filtered, ` +
        parts.map(String).join(' + '),
    );
  }
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
