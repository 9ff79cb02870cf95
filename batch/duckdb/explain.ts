import type { DuckDBBlobValue, DuckDBValue } from '@duckdb/node-api';
import { shreddedField } from '../../core/click/shred.js';
import type { ShreddedClick } from '../../core/click/shred.js';
import type { Cut } from '../../core/cut.js';
import { CellCount } from '../../core/explain.js';
import type { CellName, CountedClick, RecomputedCell } from '../../core/explain.js';
import { partitionKey } from '../../core/position.js';
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
 * (append time, topic, partition, offset), if the rule set says so, which core judges record by record.
 * `clicksMax` of the counted clicks are listed. Memory: the engine's limit, twice `clicksMax` clicks,
 * and a number per text that a cap of the rule set counts.
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
  const count = new CellCount(ruleSet, cell.filter);
  if (files.length === 0 || cut.length === 0) return { flow: count.flow(), clicks: [] };
  const rowsMax = limits.rowsPerFileMax;
  const checked = { files, columns: CLICK_COLUMNS, limits, scratchDir, rowsMax };
  return withCheckedFiles(checked, async (session) => {
    await session.rows(recordsSql(cell, sources, count.fields), [cell.adId]);
    const first = new FirstClicks(clicksMax);
    for await (const record of readRecords(session, cell.adId)) {
      const fields = count.fields.map((name) => shreddedField(record.click, name));
      if (count.add({ ...record, click: { ...record.click, fields } })) first.add(record);
    }
    return { flow: count.flow(), clicks: first.list() };
  });
}

/** The first counted clicks by (append time, topic, partition, offset), in any order of theirs. */
class FirstClicks {
  private clicks: CountedClick[] = [];

  constructor(private readonly max: number) {}

  add({ place, click, late }: StoredRecord): void {
    if (this.max === 0) return;
    const { eventMs, eventId } = click;
    this.clicks.push({ ...place, eventMs, eventId, late });
    if (this.clicks.length >= 2 * this.max) this.clicks = this.list();
  }

  list(): CountedClick[] {
    return this.clicks.sort(inAppendOrder).slice(0, this.max);
  }
}

function inAppendOrder(a: CountedClick, b: CountedClick): number {
  if (a.appendMs !== b.appendMs) return a.appendMs - b.appendMs;
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition || a.offset - b.offset;
}

/**
 * The records of the minute with all that the rule set reads: `nth` is the number of each among those
 * of its id in the hour.
 */
function recordsSql(
  { minuteMs }: CellName,
  { files, cut, hourCut }: CellSources,
  fields: readonly string[],
): string {
  const hourMs = hourOf(minuteMs);
  const late = hourCut === null ? 'false' : 'c.log_offset >= coalesce(h.next_offset, 0)';
  const inMinute = `event_ms >= ${String(minuteMs)} and event_ms < ${String(minuteMs + MINUTE_MS)}`;
  return `
    create temp table records as
    with inside as (
      select c.topic, c.partition, c.log_offset, c.append_ms, c.event_ms, c.event_id,
             ${fieldsSql(fields, inMinute)}, ${late} as late
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
    select * from numbered where ${inMinute}`;
}

/**
 * Every column, and `rest` only where it may hold a field; null where nobody asks for it. A key of
 * `rest` is written as JSON.stringify writes it.
 */
function fieldsSql(fields: readonly string[], inMinute: string): string {
  const columns = FIELD_COLUMNS.map((name) =>
    fields.includes(name)
      ? `case when ${inMinute} then c.${name} end as ${name}`
      : `null::varchar as ${name}`,
  );
  const mayHold = fields.map((name) => `contains(c.rest, ${sqlText(JSON.stringify(name))})`);
  const rest = `case when ${inMinute} and (${['false', ...mayHold].join(' or ')}) then c.rest end`;
  return [...columns, `${rest} as rest`].join(', ');
}

function cutSql(cut: Cut): string {
  const rows = cut.map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)})`,
  );
  const values = rows.length === 0 ? '(null, null, null)' : rows.join(', ');
  return `select * from (values ${values}) t (topic, partition, next_offset)`;
}

interface StoredRecord {
  readonly place: Pick<CountedClick, 'topic' | 'partition' | 'offset' | 'appendMs'>;
  readonly partition: string;
  readonly click: ShreddedClick;
  readonly duplicate: boolean;
  readonly late: boolean;
}

// Texts are read as bytes: the client's decoder would take a leading U+FEFF for a byte order mark.
const READ = `
  select topic, partition, log_offset, append_ms, event_ms, late, nth > 1, encode(event_id),
         encode(rest), ${FIELD_COLUMNS.map((name) => `encode(${name})`).join(', ')}
    from records order by topic, partition, log_offset`;

/** The records partition by partition, by offset: the order in which caps count. */
async function* readRecords(session: DuckSession, adId: string): AsyncGenerator<StoredRecord> {
  for await (const chunk of session.chunks(READ)) {
    for (const row of chunk.getRows()) {
      const [topic, partition, offset, appendMs, eventMs, late, duplicate, ...texts] = row;
      const [eventId, rest, ...fields] = texts.map(textOf);
      const place = { topic: String(topic), partition: toNumber(partition) };
      yield {
        place: { ...place, offset: toNumber(offset), appendMs: toNumber(appendMs) },
        partition: partitionKey(place),
        click: {
          ...{ kind: 'click', eventMs: toNumber(eventMs), adId, eventId: eventId! },
          ...{ fields, rest: rest ?? null },
        },
        duplicate: duplicate === true,
        late: late === true,
      };
    }
  }
}

function textOf(bytes: DuckDBValue): string | null {
  return bytes === null ? null : Buffer.from((bytes as DuckDBBlobValue).bytes).toString('utf8');
}
