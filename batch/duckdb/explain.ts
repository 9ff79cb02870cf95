import type { DuckDBBlobValue } from '@duckdb/node-api';
import { shreddedField } from '../../core/click/shred.js';
import type { FieldValue } from '../../core/click/click.js';
import type { Cut } from '../../core/cut.js';
import { fieldOfFilter, flowOf, matches } from '../../core/explain.js';
import type { CellName, CountedClick, RecomputedCell, RecordGroup } from '../../core/explain.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS, MINUTE_MS, hourOf } from '../../core/time.js';
import { CLICK_COLUMNS, FIELD_COLUMNS } from '../../lake/columns.js';
import type { EngineLimits } from '../task.js';
import { withCheckedFiles, type CheckedFilesOptions } from './footer.js';
import { sqlText, toNumber, type DuckSession } from './session.js';

/** What one cell is computed from. */
export interface CellSources {
  /** Files of clicks whose bytes are those of the manifest. */
  readonly files: CheckedFilesOptions['files'];
  /** Records below it count. */
  readonly cut: Cut;
  /** The cut of the hour: clicks at or above it were late; null: the hour is not cut. */
  readonly hourCut: Cut | null;
  readonly ruleSet: RuleSet;
}

/**
 * Computes one cell again from files of the lake: the first of each id of the ad's hour counts, by
 * (append time, topic, partition, offset). `clicksMax` of the counted clicks are listed.
 * @param scratchDir an empty folder for what does not fit in memory
 * @throws TruecountError `kernel_failed`, `lake_file_damaged`
 */
export async function recomputeCell(
  cell: CellName,
  sources: CellSources,
  limits: EngineLimits,
  scratchDir: string,
  clicksMax: number,
): Promise<RecomputedCell> {
  const { files, cut, ruleSet } = sources;
  if (files.length === 0 || cut.length === 0) {
    return { flow: flowOf([], ruleSet, cell.filter), clicks: [] };
  }
  const name = fieldOfFilter(ruleSet, cell.filter);
  const rowsMax = limits.rowsPerFileMax;
  const checked = { files, columns: CLICK_COLUMNS, limits, scratchDir, rowsMax };
  return withCheckedFiles(checked, async (session) => {
    await session.rows(recordsSql(cell, sources, name), [cell.adId]);
    const groups = await readGroups(session, name);
    const kinds = groups
      .filter(({ field }) => matches(ruleSet, cell.filter, field))
      .map(({ kind }) => kind);
    const clicks = clicksMax === 0 ? [] : await readClicks(session, [...new Set(kinds)], clicksMax);
    return { flow: flowOf(groups, ruleSet, cell.filter), clicks };
  });
}

/**
 * The records of the minute: `nth` is the number among those of its id in the hour, `kind` numbers
 * what the field is read from.
 */
function recordsSql(
  { minuteMs }: CellName,
  { files, cut, hourCut }: CellSources,
  name: string | null,
): string {
  const hourMs = hourOf(minuteMs);
  const late = hourCut === null ? 'false' : 'c.log_offset >= coalesce(h.next_offset, 0)';
  return `
    create temp table records as
    with inside as (
      select c.topic, c.partition, c.log_offset, c.append_ms, c.event_ms, c.event_id,
             ${fieldSql(name)}, ${late} as late
        from read_parquet([${files.map(({ path }) => sqlText(path)).join(', ')}],
                          hive_partitioning = false) c
        join (${cutSql(cut)}) x on x.topic = c.topic and x.partition = c.partition
        left join (${cutSql(hourCut ?? [])}) h on h.topic = c.topic and h.partition = c.partition
       where c.ad_id = $1 and c.log_offset < x.next_offset
         and c.event_ms >= ${String(hourMs)} and c.event_ms < ${String(hourMs + HOUR_MS)}
    ), heads as (
      select *, first_value(append_ms) over (
               partition by event_id, topic, partition order by log_offset) as first_ms
        from inside
    ), numbered as (
      select * exclude (first_ms), row_number() over (
               partition by event_id order by first_ms, topic, partition, log_offset) as nth
        from heads
    )
    select *, dense_rank() over (order by field, rest) as kind
      from numbered
     where event_ms >= ${String(minuteMs)} and event_ms < ${String(minuteMs + MINUTE_MS)}`;
}

/**
 * What the filter's field is read from: its column, and `rest` only where it may hold the field. A
 * key of `rest` is written as JSON.stringify writes it.
 */
function fieldSql(name: string | null): string {
  if (name === null) return 'null::varchar as field, null::varchar as rest';
  const hasColumn = (FIELD_COLUMNS as readonly string[]).includes(name);
  const field = hasColumn ? `c.${name}` : 'null::varchar';
  const mayHold = `contains(c.rest, ${sqlText(JSON.stringify(name))})`;
  return `${field} as field, case when ${field} is null and ${mayHold} then c.rest end as rest`;
}

function cutSql(cut: Cut): string {
  const rows = cut.map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)})`,
  );
  const values = rows.length === 0 ? '(null, null, null)' : rows.join(', ');
  return `select * from (values ${values}) t (topic, partition, next_offset)`;
}

// Texts are read as bytes: the client's decoder would take a leading U+FEFF for a byte order mark.
type Text = DuckDBBlobValue;

async function readGroups(
  session: DuckSession,
  name: string | null,
): Promise<(RecordGroup & { readonly kind: number })[]> {
  const rows = await session.rows<{
    kind: bigint;
    field: Text | null;
    rest: Text | null;
    duplicate: boolean;
    late: boolean;
    records: bigint;
  }>(
    `select kind, encode(any_value(field)) as field, encode(any_value(rest)) as rest,
            nth > 1 as duplicate, late, count(*) as records
       from records group by kind, duplicate, late`,
  );
  return rows.map(({ kind, field, rest, duplicate, late, records }) => ({
    kind: toNumber(kind),
    field: fieldOf(name, textOf(field), textOf(rest)),
    duplicate,
    late,
    records: toNumber(records),
  }));
}

async function readClicks(
  session: DuckSession,
  kinds: readonly number[],
  clicksMax: number,
): Promise<CountedClick[]> {
  const rows = await session.rows<{
    topic: string;
    partition: number;
    log_offset: bigint;
    append_ms: bigint;
    event_ms: bigint;
    event_id: Text;
    late: boolean;
  }>(
    `select topic, partition, log_offset, append_ms, event_ms, encode(event_id) as event_id, late
       from records where nth = 1 and list_contains([${kinds.join(', ')}]::bigint[], kind)
      order by append_ms, topic, partition, log_offset limit ${String(clicksMax)}`,
  );
  return rows.map((row) => ({
    topic: row.topic,
    partition: row.partition,
    offset: toNumber(row.log_offset),
    appendMs: toNumber(row.append_ms),
    eventMs: toNumber(row.event_ms),
    eventId: textOf(row.event_id) ?? '',
    late: row.late,
  }));
}

/** The field as the decoder would say; only its own column and `rest` are looked at. */
function fieldOf(name: string | null, field: string | null, rest: string | null): FieldValue {
  if (name === null) return { kind: 'absent' };
  const fields = FIELD_COLUMNS.map((column) => (column === name ? field : null));
  return shreddedField({ kind: 'click', eventMs: 0, adId: '', eventId: '', fields, rest }, name);
}

function textOf(text: Text | null): string | null {
  return text === null ? null : Buffer.from(text.bytes).toString('utf8');
}
