import type pg from 'pg';
import type { TimeRange } from '../core/range.js';
import { plural } from './report.js';
import type { Check, Example, Invariant } from './report.js';

/** A check that Postgres can answer alone. */
export interface SqlCheck {
  readonly invariant: Invariant;
  readonly name: string;
  /** The sentence that is true if nothing is broken. */
  readonly holds: string;
  /** What is looked at, in the plural. */
  readonly unit: string;
  /**
   * Common table expressions; among them `looked`, one row for each thing looked at, and `bad`, one
   * row for each finding, whose columns become the example. `asked` has the range of hours as
   * `lo` and `hi`; `place` the topic and partition of each slot; `judged` the generations of these
   * hours that serve, or all of them where the audit was asked for all.
   */
  readonly sql: string;
  /**
   * Where the check has to say less than elsewhere, or nothing: a further table expression `spared`
   * has one row for each such place. If nothing is left to look at, the check is `unchecked`.
   */
  readonly spared?: { readonly unit: string; readonly why: string };
}

interface Row {
  broken: string;
  looked: string;
  spared: string;
  examples: Example[];
}

/** What an audit looks at. */
export interface Scope {
  readonly range: TimeRange | undefined;
  /** Also generations that do not serve any more, or never did. */
  readonly allGenerations: boolean;
}

/** Generations in scope, as a statement over $1, $2 (hours) and $3 (all of them). */
export const JUDGED = `
  select g.* from generations g
   where g.hour >= $1::timestamptz and g.hour < $2::timestamptz and g.collected_at is null
     and ($3::boolean or g.id = (select p.generation from pointers p where p.hour = g.hour
                                  order by p.revision desc limit 1))`;

/** The parameters of JUDGED. */
export function scopeParameters({ range, allGenerations }: Scope): readonly unknown[] {
  return [...rangeParameters(range), allGenerations];
}

/** Runs one check on the snapshot of `client`'s transaction. */
export async function runSqlCheck(
  client: pg.ClientBase,
  check: SqlCheck,
  scope: Scope,
): Promise<Check> {
  const { spared } = check;
  const { rows } = await client.query<Row>(
    `with recursive asked as (select $1::timestamptz as lo, $2::timestamptz as hi),
     place as (select slot, topic, partition from stream_progress),
     judged as (${JUDGED}),
     ${check.sql},
     listed as (select * from bad order by 1, 2, 3 limit 10)
     select (select count(*) from bad) as broken, (select count(*) from looked) as looked,
            ${spared === undefined ? '0' : '(select count(*) from spared)'} as spared,
            (select coalesce(json_agg(listed), '[]') from listed) as examples`,
    [...scopeParameters(scope)],
  );
  return checkOf(check, rows[0]!);
}

function checkOf({ invariant, name, holds, unit, spared }: SqlCheck, row: Row): Check {
  const broken = Number(row.broken);
  const looked = Number(row.looked);
  const sparedRows = Number(row.spared);
  const found =
    broken > 0
      ? `${plural(broken, 'finding')} in ${String(looked)} ${unit}; it should be: ${holds}`
      : `${holds} (${String(looked)} ${unit})`;
  const less =
    spared === undefined || sparedRows === 0
      ? ''
      : `; ${spared.unit}: ${String(sparedRows)}, ${spared.why}`;
  return {
    invariant,
    name,
    status: broken > 0 ? 'broken' : looked === 0 && sparedRows > 0 ? 'unchecked' : 'ok',
    detail: found + less,
    examples: row.examples.map(withShortTimes),
    checked: {
      [unit]: looked,
      findings: broken,
      ...(spared === undefined ? {} : { [spared.unit]: sparedRows }),
    },
  };
}

/** `[from, to)` as parameters of a statement; all of time without a range. */
export function rangeParameters(range: TimeRange | undefined): [Date | string, Date | string] {
  if (range === undefined) return ['-infinity', 'infinity'];
  return [new Date(range.fromMs), new Date(range.toMs)];
}

/** Postgres writes UTC as +00:00; everything else here writes Z. */
function withShortTimes(example: Example): Example {
  return Object.fromEntries(
    Object.entries(example).map(([key, value]) => [
      key,
      typeof value === 'string'
        ? value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)\+00:00$/, '$1Z')
        : value,
    ]),
  );
}

/** `array[f(1), …, f(60)]`: one expression for each minute of an hour, subscripts from 1. */
export function perMinute(expression: (subscript: string) => string): string {
  return `array[${Array.from({ length: 60 }, (_, i) => expression(String(i + 1))).join()}]`;
}

/** A `bigint` or `numeric`, which arrives as text, as a number: exact below 2^53, else an error. */
export function exactNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new RangeError(`${text} is no offset or count`);
}
