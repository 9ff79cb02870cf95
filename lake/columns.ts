/**
 * The columns of a file of clicks (format 1), in order, all of them in every file. A click is kept
 * whole, before any rule: the fields that most rule sets ask for have columns of their own, everything
 * else is in `rest`.
 *
 * - `topic`, `partition`, `log_offset`: the position; `append_ms`: the broker's append time
 * - `event_ms`, `ad_id`, `event_id`: as the one decoder reads them (core/click/parse.ts)
 * - the `FIELD_COLUMNS`: the field's text, where the record holds a string of well-formed Unicode
 *   without control characters (possibly ""); else null
 * - `rest`: canonical JSON of an object with all other members of the record: unknown fields, fields
 *   of FIELD_COLUMNS with any other value (null, numbers, odd text), and `timestamp` as it was written
 *   unless it is `event_ms` as a number or as RFC 3339 with milliseconds and Z; null if there is none
 */
export const FIELD_COLUMNS = ['user_id', 'ip', 'country', 'device', 'ad_format'] as const;

export type FieldColumn = (typeof FIELD_COLUMNS)[number];

/** Names and DuckDB types. */
export const CLICK_COLUMNS = [
  ['topic', 'VARCHAR'],
  ['partition', 'INTEGER'],
  ['log_offset', 'BIGINT'],
  ['append_ms', 'BIGINT'],
  ['event_ms', 'BIGINT'],
  ['ad_id', 'VARCHAR'],
  ['event_id', 'VARCHAR'],
  ...FIELD_COLUMNS.map((name) => [name, 'VARCHAR'] as const),
  ['rest', 'VARCHAR'],
] as const;

/** The columns of a file of cells: sorted by filter, ad_id (bytewise), minute; no zero counts. */
export const CELL_COLUMNS = [
  ['filter', 'VARCHAR'],
  ['ad_id', 'VARCHAR'],
  ['minute', 'INTEGER'],
  ['count', 'BIGINT'],
] as const;
