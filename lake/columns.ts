import { FIELD_COLUMNS } from '../core/click/shred.js';

/**
 * The columns of a file of clicks (format 1), in order, all of them in every file. A click is kept
 * whole, before any rule: the fields that most rule sets ask for have columns of their own, everything
 * else is in `rest`.
 *
 * - `topic`, `partition`, `log_offset`: the position; `append_ms`: the broker's append time
 * - `event_ms`, `ad_id`, `event_id`: as the one decoder reads them (core/click/parse.ts)
 * - the `FIELD_COLUMNS`: the field's text, where the record holds a string of well-formed Unicode
 *   without control characters (possibly ""); else null
 * - `rest`: JSON object with all other members of the record, keys sorted, values as they were
 *   written: unknown fields, fields of FIELD_COLUMNS with any other value (null, numbers, odd text),
 *   and `timestamp` unless it was the number `event_ms` (`""`: it was `event_ms` as RFC 3339 with
 *   milliseconds and Z); null if there is none. core/click/shred.ts writes and reads it
 */
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

export { FIELD_COLUMNS };
export type { FieldColumn } from '../core/click/shred.js';

/** The columns of a file of cells: sorted by filter, ad_id (bytewise), minute; no zero counts. */
export const CELL_COLUMNS = [
  ['filter', 'VARCHAR'],
  ['ad_id', 'VARCHAR'],
  ['minute', 'INTEGER'],
  ['count', 'BIGINT'],
] as const;
