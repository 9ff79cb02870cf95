import { fieldValue } from '../../core/click/parse.js';
import { textOfField } from '../../core/rules/value-text.js';
import type { FieldSource } from '../plan-rules.js';
import { sqlText, textList } from './session.js';
import type { DuckSession } from './session.js';
import { mapTexts } from './text.js';

/** A field that is asked for, and what its text is mapped to. */
export interface Member extends FieldSource {
  readonly of: (text: string) => string;
}

/** What `rest` says of some members, in their order; nothing is read of it but where it may. */
export interface RestRead {
  /** Joins the table of it, `rests`, to the rows of the files; '' if it says nothing. */
  readonly join: string;
  /** Expressions of what a member's text is mapped to, null where `rest` does not name it. */
  readonly columns: readonly (string | null)[];
}

/**
 * Reads fields from every distinct `rest` that names one of them, where the column of the field, if
 * it has one, has no text. `where` says which rows of the files are looked at.
 */
export async function readRest(
  session: DuckSession,
  members: readonly Member[],
  paths: readonly string[],
  where: string,
): Promise<RestRead> {
  const nulls = await readNulls(session, paths);
  const silent = ({ column }: FieldSource): boolean =>
    nulls.all.has('rest') || (column !== null && nulls.none.has(column));
  const asked = members.filter((member) => !silent(member));
  const named = new Set<number>();
  if (asked.length > 0) await readDistinct(session, { members, asked, paths, where }, named);
  const columns = members.map((_, i) => (named.has(i) ? `rests.x${String(i)}` : null));
  if (named.size === 0) return { join: '', columns };
  const looked = members.filter((_, i) => named.has(i)).map(({ column }) => missing(column));
  const rest = looked.includes('true') ? 'rest' : `case when ${looked.join(' or ')} then rest end`;
  return { join: `left join rests on (${rest}) = rests.raw`, columns };
}

interface Asked {
  readonly members: readonly Member[];
  readonly asked: readonly Member[];
  readonly paths: readonly string[];
  readonly where: string;
}

/** Makes `rests` (raw, x0, x1, …), and adds to `named` the members that are found in it. */
async function readDistinct(
  session: DuckSession,
  { members, asked, paths, where }: Asked,
  named: Set<number>,
): Promise<void> {
  const held = asked.map(({ column, field }) => {
    const key = sqlText(`${JSON.stringify(field)}:`);
    return `(${missing(column)} and contains(rest, ${key}))`;
  });
  await session.run(
    `create temp table raws as
       select distinct rest as raw from read_parquet(${textList(paths)}, hive_partitioning = false)
        where ${where} and (${held.join(' or ')})`,
  );
  const target = { table: 'rests', columns: members.map((_, i) => `x${String(i)}`) };
  await mapTexts(session, { table: 'raws', columns: ['raw'] }, target, ([rest]) => {
    const record = JSON.parse(rest!) as Record<string, unknown>;
    return members.map(({ field, of }, i) => {
      // The name may stand deeper inside: then the record has no such member, and is absent.
      if (!Object.hasOwn(record, field)) return null;
      named.add(i);
      return of(textOfField(fieldValue(record[field])));
    });
  });
  await session.run('drop table raws');
}

/** Condition: the column has no text. */
function missing(column: string | null): string {
  return column === null ? 'true' : `${column} is null`;
}

/**
 * Columns that are null in all rows, and in none, as the footers say; a footer that does not say it
 * is in neither. Most files have no `rest` at all, or no click without a country.
 */
async function readNulls(session: DuckSession, paths: readonly string[]) {
  const facts = await session.rows<{ name: string; all_null: boolean; none_null: boolean }>(
    `select path_in_schema as name,
            bool_and(coalesce(stats_null_count = num_values, false)) as all_null,
            bool_and(coalesce(stats_null_count = 0, false)) as none_null
       from parquet_metadata(${textList(paths)}) group by name`,
  );
  return {
    all: new Set(facts.filter((fact) => fact.all_null).map(({ name }) => name)),
    none: new Set(facts.filter((fact) => fact.none_null).map(({ name }) => name)),
  };
}
