import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBBlobValue } from '@duckdb/node-api';
import type { Mapping } from '../../ingest/mapping/mapping-schema.js';
import type { Cells } from './load.js';

/** Columns as the built-in rule set counts them: dimension → field of the click. */
const DIMENSIONS = { country: 'country', device: 'device', format: 'ad_format' } as const;

const PATTERN_PARTS: readonly (readonly [RegExp, string])[] = [
  [/yyyy/g, '%Y'],
  [/MM/g, '%m'],
  [/dd/g, '%d'],
  [/HH/g, '%H'],
  [/mm/g, '%M'],
  [/ss/g, '%S'],
  [/SSS/g, '%g'],
];

/** A value of a dimension that counts as another one. */
export interface Fix {
  readonly dimension: keyof typeof DIMENSIONS;
  readonly from: string;
  readonly to: string;
}

/** The one that the built-in rule set has. */
export const UK_IS_GB: Fix = { dimension: 'country', from: 'UK', to: 'GB' };

/**
 * Counts a file by SQL in DuckDB: another engine, another language, another author of every
 * function in it. The rules are those of the built-in rule set, written a second time on purpose:
 * one click per id, ad and event hour, the first in the file wins; a value that is to be fixed
 * counts as another (null: none is); no value is `unknown`, one over 256 bytes is `other`. Cells
 * arrive as bytes: from a text the client would take a leading U+FEFF away.
 */
export async function sqlTruth(
  file: string,
  format: 'csv' | 'ndjson',
  mapping: Mapping | undefined,
  fix: Fix | null = UK_IS_GB,
): Promise<Cells> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  try {
    await connection.run(`set TimeZone = 'UTC'; set preserve_insertion_order = true`);
    const reader = await connection.runAndReadAll(truthSql(file, format, mapping, fix));
    const cells: Cells = new Map();
    for (const [cell, count] of reader.getRows()) {
      cells.set(Buffer.from((cell as DuckDBBlobValue).bytes).toString('utf8'), Number(count));
    }
    return cells;
  } finally {
    connection.closeSync();
  }
}

function truthSql(
  file: string,
  format: 'csv' | 'ndjson',
  mapping: Mapping | undefined,
  fix: Fix | null,
): string {
  const source =
    format === 'csv'
      ? `read_csv(${text(file)}, all_varchar = true, header = true)`
      : `read_json(${text(file)}, format = 'newline_delimited', ignore_errors = true, columns = {
           event_id: 'VARCHAR', ad_id: 'VARCHAR', timestamp: 'VARCHAR',
           country: 'VARCHAR', device: 'VARCHAR', ad_format: 'VARCHAR'})`;
  const values = Object.entries(DIMENSIONS).map(
    ([dimension, field]) =>
      `${valueSql(field, mapping, fix?.dimension === dimension ? fix : null)} as ${dimension}`,
  );
  const filters = Object.keys(DIMENSIONS).map((d) => `'${d}:' || ${d}`);
  const byPosition = mapping !== undefined && 'position' in mapping.event_id;
  const eventId = byPosition ? 'row_number() over ()::varchar' : fieldSql('event_id', mapping);
  return `
    with clicks as (
      select row_number() over () as line, ${eventId} as event_id,
             ${fieldSql('ad_id', mapping)} as ad_id, ${timeSql(mapping)} as event_at,
             ${values.join(', ')}
        from ${source}),
    firsts as (
      select * from clicks where event_id <> '' and ad_id <> '' and event_at is not null
      qualify row_number() over (
        partition by ad_id, event_id, date_trunc('hour', event_at) order by line) = 1)
    select encode(ad_id || '|' || epoch_ms(date_trunc('minute', event_at)) || '|' || filter) as cell,
           count(*) as n
      from (select ad_id, event_at, unnest(['', ${filters.join(', ')}]) as filter from firsts)
     group by cell`;
}

/** A field of the click as text: a column, a constant of the mapping, or null. */
function fieldSql(field: string, mapping: Mapping | undefined): string {
  if (mapping === undefined) return column(field);
  const sources: Readonly<Record<string, unknown>> = {
    ...mapping.fields,
    event_id: mapping.event_id,
    ad_id: mapping.ad_id,
    timestamp: mapping.timestamp,
  };
  const source = sources[field] as { column?: string; value?: string } | undefined;
  if (source?.column !== undefined) return column(source.column);
  return source?.value === undefined ? 'null::varchar' : text(source.value);
}

function valueSql(field: string, mapping: Mapping | undefined, fix: Fix | null): string {
  const raw = `nullif(${fieldSql(field, mapping)}, '')`;
  const mapped =
    fix === null ? raw : `case ${raw} when ${text(fix.from)} then ${text(fix.to)} else ${raw} end`;
  return `case when ${raw} is null then 'unknown'
               when octet_length(encode(${raw})) > 256 then 'other' else ${mapped} end`;
}

function timeSql(mapping: Mapping | undefined): string {
  const raw = fieldSql('timestamp', mapping);
  const format = mapping?.timestamp.format ?? 'any';
  if (format === 'epoch_ms') return `epoch_ms(try_cast(${raw} as bigint))`;
  if (format === 'epoch_s') return `epoch_ms(try_cast(${raw} as bigint) * 1000)`;
  if (format === 'rfc3339') return `try_cast(${raw} as timestamptz)::timestamp`;
  if (format === 'any') {
    return `case when regexp_full_match(${raw}, '[0-9]+') then epoch_ms(try_cast(${raw} as bigint))
                 else try_cast(${raw} as timestamptz)::timestamp end`;
  }
  const pattern = PATTERN_PARTS.reduce((p, [part, code]) => p.replace(part, code), format);
  return `try_strptime(${raw}, ${text(pattern)})`;
}

function column(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
