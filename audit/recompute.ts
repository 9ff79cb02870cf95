import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBBlobValue, DuckDBConnection } from '@duckdb/node-api';
import type { FieldValue } from '../core/click/click.js';
import { fieldValue } from '../core/click/parse.js';
import { FIELD_COLUMNS } from '../core/click/shred.js';
import { CellsChecksum } from '../core/generation.js';
import { RulesInOrder } from '../core/rules/in-order.js';
import { capsOf } from '../core/rules/meaning.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { HOUR_MS, MINUTES_PER_HOUR, MINUTE_MS } from '../core/time.js';
import type { StoredGeneration } from './generations.js';

/** What the clicks of an hour in some files count to. */
export interface Recomputed {
  readonly checksum: string;
  /** filter → ad → 60 counts. */
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, Int32Array>>;
  /** Per event minute, 60 each: received = counted + duplicate + filtered. */
  readonly received: readonly number[];
  readonly counted: readonly number[];
  readonly duplicate: readonly number[];
  /** By reason, 60 each; only reasons with clicks. */
  readonly filteredBy: Readonly<Record<string, readonly number[]>>;
}

type Inputs = Pick<StoredGeneration, 'hourMs' | 'cut'>;
type Cells = Map<string, Map<string, Int32Array>>;

/**
 * Counts an hour from files of the lake, in SQL written for this alone: nothing is shared with the
 * engine that made the generation but what a rule set says of one click (core). Memory: DuckDB's
 * limit, the hour's cells, and a number per ad, minute and text that a cap counts.
 */
export async function recompute(
  inputs: Inputs,
  ruleSet: RuleSet,
  paths: readonly string[],
  memoryMb: number,
): Promise<Recomputed> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`set memory_limit = '${String(memoryMb)}MiB'; set threads = 1`);
    await takeClicks(connection, inputs, paths);
    return {
      ...(await judgeClicks(connection, ruleSet)),
      received: await perMinute(connection, 'true'),
      duplicate: await perMinute(connection, 'nth > 1'),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * Clicks of the hour below the cut, numbered within (ad, id) so that 1 is the first in the log. Of
 * one partition that is the lowest offset, whatever the broker's clock said meanwhile; of these, one
 * per partition, the first by append time, topic and partition.
 */
async function takeClicks(
  connection: DuckDBConnection,
  { hourMs, cut }: Inputs,
  paths: readonly string[],
): Promise<void> {
  const below = cut.map(
    ({ topic, partition, nextOffset }) =>
      `(topic = ${quoted(topic)} and partition = ${String(partition)}
        and log_offset < ${String(nextOffset)})`,
  );
  const source =
    paths.length === 0
      ? `(select null::varchar as topic, 0 as partition, 0 as log_offset, 0 as append_ms,
                 0 as event_ms, '' as ad_id, '' as event_id, '' as rest,
                 ${FIELD_COLUMNS.map((name) => `'' as ${name}`).join(', ')} where false)`
      : `read_parquet([${paths.map(quoted).join(', ')}], hive_partitioning = false)`;
  await connection.run(
    `create table clicks as
     select * exclude (append_ms, event_id, event_ms, head_ms),
            ((event_ms - ${String(hourMs)}) // 60000)::integer as minute,
            row_number() over (partition by ad_id, event_id
                               order by head_ms, topic, partition, log_offset) as nth
       from (select *, arg_min(append_ms, log_offset) over (
                         partition by ad_id, event_id, topic, partition) as head_ms
               from ${source}
              where event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + HOUR_MS)}
                and (${below.length === 0 ? 'false' : below.join(' or ')}))`,
  );
}

/**
 * What a click holds in a field, as one text: `S` and the string, `U` for nothing, `O` for something
 * that is no string, `R` and the rest of the record where only a JSON parser can say.
 */
function rawValueSql(field: string): string {
  const pointer = quoted(`/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  const inRest = `case when rest is null then 'U'
      when contains(rest, '\\u') or not json_valid(rest) then 'R' || rest
      else case coalesce(json_type(rest, ${pointer}), 'NULL')
        when 'VARCHAR' then 'S' || json_extract_string(rest, ${pointer})
        when 'NULL' then 'U' else 'O' end end`;
  const isColumn = (FIELD_COLUMNS as readonly string[]).includes(field);
  return isColumn
    ? `case when ${field} is not null then 'S' || ${field} else ${inRest} end`
    : inRest;
}

function valueOf(raw: string, field: string): FieldValue {
  const text = raw.slice(1);
  switch (raw[0]) {
    case 'S':
      return fieldValue(text);
    case 'R': {
      const rest = JSON.parse(text) as Record<string, unknown>;
      return fieldValue(Object.hasOwn(rest, field) ? rest[field] : undefined);
    }
    case 'O':
      return { kind: 'other' };
    default:
      return { kind: 'absent' };
  }
}

/**
 * What is to be judged, each with how many clicks it stands for: clicks that are alike in all that the
 * rule set reads, or, where it asks how many came before, every click by its place in the log. Ids
 * arrive as bytes: from a text the client would take a leading U+FEFF away, as a byte order mark. The
 * raw values begin with a letter, so they lose nothing.
 */
function clicksSql(fields: readonly string[], hasCaps: boolean): string {
  const raws = fields.map((field) => `, ${rawValueSql(field)}`).join('');
  return hasCaps
    ? `select encode(ad_id), minute, topic || '/' || partition, 1 ${raws}
         from clicks where nth = 1 order by topic, partition, log_offset`
    : `select encode(ad_id), minute, '', count(*)::integer ${raws}
         from clicks where nth = 1 group by all`;
}

async function judgeClicks(
  connection: DuckDBConnection,
  ruleSet: RuleSet,
): Promise<Pick<Recomputed, 'checksum' | 'cells' | 'counted' | 'filteredBy'>> {
  const rules = new RulesInOrder(ruleSet);
  const cells: Cells = new Map();
  const counted = zeros();
  const filteredBy = new Map<string, number[]>();
  const sql = clicksSql(rules.fields, capsOf(ruleSet).length > 0);
  for await (const rows of (await connection.stream(sql)).yieldRows()) {
    for (const [ad, minuteOf, partition, clicks, ...raws] of rows) {
      const [minute, n] = [Number(minuteOf), Number(clicks)];
      const adId = Buffer.from((ad as DuckDBBlobValue).bytes).toString('utf8');
      const fields = rules.fields.map((field, i) => valueOf(String(raws[i]), field));
      const click = { adId, eventId: '', eventMs: minute * MINUTE_MS, fields };
      const { reason, filters } = rules.judge(click, String(partition));
      if (reason !== null) {
        entryOf(filteredBy, reason, zeros)[minute]! += n;
        continue;
      }
      counted[minute]! += n;
      for (const filter of filters) {
        const ads = entryOf(cells, filter, () => new Map<string, Int32Array>());
        entryOf(ads, adId, () => new Int32Array(MINUTES_PER_HOUR))[minute]! += n;
      }
    }
  }
  const reasons = Object.fromEntries(filteredBy);
  return { checksum: checksumOf(cells), cells, counted, filteredBy: reasons };
}

function zeros(): number[] {
  return new Array<number>(MINUTES_PER_HOUR).fill(0);
}

function entryOf<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = create();
  map.set(key, made);
  return made;
}

function checksumOf(cells: Cells): string {
  const checksum = new CellsChecksum();
  for (const filter of [...cells.keys()].sort(bytewise)) {
    const ads = cells.get(filter)!;
    for (const adId of [...ads.keys()].sort(bytewise)) checksum.add(filter, adId, ads.get(adId)!);
  }
  return checksum.digest();
}

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function perMinute(connection: DuckDBConnection, condition: string): Promise<number[]> {
  const reader = await connection.runAndReadAll(
    `select minute, count(*)::integer from clicks where ${condition} group by minute`,
  );
  const counts = zeros();
  for (const [minute, n] of reader.getRows()) counts[Number(minute)] = Number(n);
  return counts;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
