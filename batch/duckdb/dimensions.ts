import { fieldValue } from '../../core/click/parse.js';
import { filterOf } from '../../core/rules/rule-set.js';
import type { Dimension, RuleSet } from '../../core/rules/rule-set.js';
import { FIELD_COLUMNS } from '../../lake/columns.js';
import { sqlText, textList } from './session.js';
import type { DuckSession } from './session.js';
import { mapTexts } from './text.js';

/**
 * How a click's value of one dimension is found. Which filter a value counts under is said by core,
 * in JavaScript, once per distinct value; the engine only joins. So there is one meaning of a rule
 * set, and no text of a click or a rule set becomes SQL.
 */
export interface DimensionPlan {
  readonly dimension: Dimension;
  /** Column of the files with the field's text, if it has one. */
  readonly column: string | null;
  /** Table (raw, filter) of what `rest` says where the column has no text; null: nothing does. */
  readonly restTable: string | null;
  /** Filter of a click that has no value at all. */
  readonly absent: string;
}

/** Plans the dimensions of a rule set, and reads what `rest` has to say. `hour` is a WHERE clause. */
export async function planDimensions(
  session: DuckSession,
  ruleSet: RuleSet,
  paths: readonly string[],
  hour: string,
): Promise<DimensionPlan[]> {
  const nulls = await readNulls(session, paths);
  const plans: DimensionPlan[] = [];
  for (const [i, dimension] of ruleSet.dimensions.entries()) {
    const { field } = dimension;
    const column = (FIELD_COLUMNS as readonly string[]).includes(field) ? field : null;
    const silent = nulls.all.has('rest') || (column !== null && nulls.none.has(column));
    const restTable = silent ? null : `rest${String(i)}`;
    if (restTable !== null) {
      const missing = column === null ? '' : `and ${column} is null`;
      const source = `read_parquet(${textList(paths)}, hive_partitioning = false)
        where ${hour} ${missing} and contains(rest, ${sqlText(`${JSON.stringify(field)}:`)})`;
      await readRest(session, dimension, source, restTable);
    }
    plans.push({ dimension, column, restTable, absent: filterOf(dimension, { kind: 'absent' }) });
  }
  return plans;
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

/** Reads the field from every distinct `rest` that names it: `source` is a FROM clause. */
async function readRest(
  session: DuckSession,
  dimension: Dimension,
  source: string,
  target: string,
): Promise<void> {
  await session.run(`create temp table raws as select distinct rest as raw from ${source}`);
  await mapTexts(session, 'raws', target, (rest) => {
    const record = JSON.parse(rest) as Record<string, unknown>;
    // The name may stand deeper inside: then the record has no such member, and is absent.
    if (!Object.hasOwn(record, dimension.field)) return null;
    return filterOf(dimension, fieldValue(record[dimension.field]));
  });
  await session.run('drop table raws');
}

/**
 * Makes a table `map<i>` (raw, filter) per dimension from the texts that `combos` has, and the table
 * `filters` (filter, rank) of all filters that can occur, ranked bytewise; rank 0 is the total.
 */
export async function mapDimensions(
  session: DuckSession,
  plans: readonly DimensionPlan[],
): Promise<void> {
  const found: string[] = [];
  for (const [i, { dimension, column, restTable, absent }] of plans.entries()) {
    const map = `map${String(i)}`;
    found.push(`select ${sqlText(absent)}`);
    if (restTable !== null) found.push(`select filter from ${restTable}`);
    if (column === null) continue;
    const text = `d${String(i)}`;
    await session.run(
      `create temp table raws as select distinct ${text} as raw from combos
        where ${text} is not null`,
    );
    await mapTexts(session, 'raws', map, (raw) => filterOf(dimension, fieldValue(raw)));
    await session.run('drop table raws');
    found.push(`select filter from ${map}`);
  }
  const all = ["select '' as filter", ...found].join(' union ');
  await session.run(
    `create temp table filters as
       select filter, (row_number() over (order by filter) - 1)::integer as rank from (${all})`,
  );
}
