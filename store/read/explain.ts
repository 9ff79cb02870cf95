import type pg from 'pg';
import type { Cut } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import type { CellExplanation, CellName } from '../../core/explain.js';
import { formatTime } from '../../core/range.js';
import type { MinuteState } from '../../core/state.js';
import { MINUTE_MS, hourOf, minuteOfHour } from '../../core/time.js';
import { checkAsOf } from './as-of.js';
import { readRow, readRows, type Reader } from './connection.js';
import { explainFiles, explainPublications } from './explain-sources.js';
import { inSnapshot } from './snapshot.js';
import { exactNumber } from './values.js';

const ENTRIES = (nextOffset: string): string =>
  `coalesce(json_agg(json_build_object('topic', p.topic, 'partition', p.partition,
     'nextOffset', ${nextOffset}) order by p.topic, p.partition)
     filter (where ${nextOffset} > 0), '[]')`;

// Which revision serves the hour at the publication, and the cell's value there.
const CELL = `
  with head as materialized (
    select publication as newest, coalesce($6::bigint, publication) as as_of,
           global_watermark_ms() as watermark_ms
      from ledger_head
  ), served as materialized (
    select p.revision, g.*
      from head
     cross join lateral (
       select * from pointers where hour = $1 and publication <= head.as_of
        order by revision desc limit 1
     ) p
      join generations g on g.id = p.generation
  )
  select head.newest, head.as_of, h.cut_at is not null as is_cut,
         coalesce(s.rule_set, h.rule_set, rule_set_for($1)) as rule_set,
         case when s.id is null then minute_state($5::timestamptz, head.watermark_ms)
              else 'final' end as state,
         coalesce(s.revision, 0) as revision,
         s.id as generation, s.inputs_hash, s.checksum, s.built_by, s.built_at,
         s.collected_at is not null as collected,
         coalesce(case when s.id is null
           then (select sum(c.counts[$4]) from live_cells c
                  where c.hour = $1 and c.filter = $2 and c.ad_id = $3)
           else (select c.counts[$4] from generation_cells c
                  where c.generation = s.id and c.filter = $2 and c.ad_id = $3)
         end, 0) as value,
         s.received[$4] as received, s.counted[$4] as counted, s.duplicate[$4] as duplicate,
         s.filtered[$4] as filtered,
         (select ${ENTRIES('c.next_offset')} from generation_cuts c
            join stream_progress p using (slot) where c.generation = s.id) as generation_cut,
         (select ${ENTRIES('c.next_offset')} from hour_cuts c
            join stream_progress p using (slot) where c.hour = $1) as hour_cut,
         (select ${ENTRIES('p.next_offset')} from stream_progress p) as position,
         (select coalesce(json_agg(json_build_object('cause', x.cause, 'detail', x.detail)
                    order by x.cause, x.slot), '[]')
            from hour_causes x where x.hour = $1) as causes
    from head
    left join served s on true
    left join hours h on h.hour = $1`;

interface CellRow {
  newest: string;
  as_of: string;
  is_cut: boolean;
  rule_set: string | null;
  state: MinuteState;
  revision: number;
  generation: string | null;
  inputs_hash: string;
  checksum: string;
  built_by: string;
  built_at: Date;
  collected: boolean;
  value: string;
  received: string | null;
  counted: string;
  duplicate: string;
  filtered: string;
  generation_cut: Cut;
  hour_cut: Cut;
  position: Cut;
  causes: { cause: string; detail: string }[];
}

// What the stream counted of the minute, and its late clicks: of all ads, and of the cell.
const LIVE = `
  select coalesce(sum(f.counted[$4]), 0) as counted,
         coalesce(sum(f.duplicate[$4]), 0) as duplicate,
         coalesce(sum(f.filtered[$4]), 0) as filtered,
         coalesce(sum(f.late[$4]), 0) as late,
         l.examined, l.waiting
    from (
      select count(*) filter (where e.slot is not null) as examined,
             count(*) filter (where e.slot is null) as waiting
        from late_clicks c
        left join (
          select slot, max(next_offset) as next_offset from examined_cuts
           where generation = $5 and publication <= $6 group by slot
        ) e on e.slot = c.slot and e.next_offset > c.log_offset
       where c.hour = $1 and c.minute = $4 - 1 and c.ad_id = $3
         and late_may_match($2, c.filters, $5)
    ) l
    left join minute_flow f on f.hour = $1
   group by l.examined, l.waiting`;

// Of all ads, by the generation that serves the minute or by the stream.
const FILTERED = `
  select reason, n
    from (
      select reason, sum(counts[$2])::text as n from filtered_flow
       where hour = $1 and $3::bigint is null group by reason
      union all
      select reason, counts[$2]::text from generation_filtered where generation = $3
    ) by_reason
   where n <> '0' order by reason`;

type LiveRow = Record<
  'counted' | 'duplicate' | 'filtered' | 'late' | 'examined' | 'waiting',
  string
>;

/**
 * Everything that the tables know about one cell, in one snapshot.
 * @throws TruecountError `not_found` for an unknown `asOf`, `collected` where the generation that
 * served then has been collected, `not_ready` before any rule set; what `readRows` throws
 */
export async function explainCell(
  reader: Reader,
  cell: CellName,
  asOf: number | undefined,
): Promise<CellExplanation> {
  return inSnapshot(reader, async (client) => {
    const row = await readCell(client, cell, asOf);
    const generation = row.generation === null ? null : exactNumber(row.generation);
    const hourMs = hourOf(cell.minuteMs);
    const { minute, ...late } = await readLive(client, cell, row, generation);
    const cut = cutOf(row);
    return {
      ...cell,
      asOf: exactNumber(row.as_of),
      value: exactNumber(row.value),
      state: row.state,
      revision: row.revision,
      ruleSet: row.rule_set ?? '',
      ...cut,
      hourCut: row.is_cut ? exactCut(row.hour_cut) : null,
      generation:
        generation === null
          ? null
          : {
              id: generation,
              inputs: row.inputs_hash,
              checksum: row.checksum,
              builtBy: row.built_by,
              builtAtMs: row.built_at.getTime(),
            },
      minute,
      ...late,
      files: await explainFiles(client, { hourMs, adId: cell.adId, generation, cut: cut.cut }),
      publications: await explainPublications(client, hourMs, exactNumber(row.as_of)),
      causes: row.causes,
    };
  });
}

async function readCell(
  client: pg.ClientBase,
  cell: CellName,
  asOf: number | undefined,
): Promise<CellRow> {
  const hour = new Date(hourOf(cell.minuteMs));
  const row = await readRow<CellRow>(client, 'explain-cell', CELL, [
    hour,
    cell.filter,
    cell.adId,
    minuteOfHour(cell.minuteMs) + 1,
    new Date(cell.minuteMs + MINUTE_MS),
    asOf ?? null,
  ]);
  checkAsOf(asOf, exactNumber(row.newest));
  if (row.collected) {
    throw new TruecountError(
      'collected',
      `the cells of revision ${String(row.revision)} of ${formatTime(hour.getTime())} have been collected`,
      { hint: 'leave as_of out to explain what serves now' },
    );
  }
  if (row.rule_set !== null) return row;
  throw new TruecountError('not_ready', 'no rule set is in force yet', {
    hint: 'run `truecount migrate`: it stores the configured rule set',
  });
}

async function readLive(
  client: pg.ClientBase,
  cell: CellName,
  row: CellRow,
  generation: number | null,
): Promise<Pick<CellExplanation, 'minute' | 'lateExamined' | 'lateWaiting'>> {
  const live = await readRow<LiveRow>(client, 'explain-live', LIVE, [
    new Date(hourOf(cell.minuteMs)),
    cell.filter,
    cell.adId,
    minuteOfHour(cell.minuteMs) + 1,
    generation,
    row.as_of,
  ]);
  const reasons = await readRows<{ reason: string; n: string }>(
    client,
    'explain-filtered',
    FILTERED,
    [new Date(hourOf(cell.minuteMs)), minuteOfHour(cell.minuteMs) + 1, generation],
  );
  const of = generation === null ? live : row;
  const counted = exactNumber(of.counted);
  const duplicate = exactNumber(of.duplicate);
  const filtered = exactNumber(of.filtered);
  return {
    minute: {
      received: row.received === null ? counted + duplicate + filtered : exactNumber(row.received),
      counted,
      duplicate,
      filtered,
      filteredBy: Object.fromEntries(reasons.map(({ reason, n }) => [reason, exactNumber(n)])),
      late: exactNumber(live.late),
    },
    lateExamined: exactNumber(live.examined),
    lateWaiting: exactNumber(live.waiting),
  };
}

function cutOf(row: CellRow): Pick<CellExplanation, 'countedBy' | 'cut'> {
  if (row.generation !== null) {
    return { countedBy: 'generation', cut: exactCut(row.generation_cut) };
  }
  return row.is_cut
    ? { countedBy: 'cut', cut: exactCut(row.hour_cut) }
    : { countedBy: 'stream', cut: exactCut(row.position) };
}

function exactCut(cut: Cut): Cut {
  return cut.map((entry) => ({ ...entry, nextOffset: exactNumber(entry.nextOffset) }));
}
