import { fieldValue } from '../../core/click/parse.js';
import { textOfField } from '../../core/rules/value-text.js';
import type { FieldPlan, OutputPlan, RulesPlan } from '../plan-rules.js';
import type { Clicks, FieldRead } from './clicks.js';
import type { DuckSession } from './session.js';
import { mapTexts } from './text.js';

/** How a relation with the columns `Clicks.names` gets its outputs. */
export interface Outputs {
  readonly joins: string;
  /** Per dimension, `r<i>`: the rank of its filter in the table `filters`. */
  readonly ranks: readonly string[];
  /** `v`: the reason why it is not counted, or ''; null: nothing says so. */
  readonly verdict: string | null;
}

/**
 * Asks core for the outputs of every mark, or combination of marks, that `combos` has. Makes the
 * tables `field<i>` (value, mark), `out<i>` (m0, …, text) of the outputs in the order of the
 * dimensions, the verdict at their end, and `filters` (filter, rank) of all filters, ranked
 * bytewise; rank 0 is the total.
 */
export async function makeOutputs(
  session: DuckSession,
  { fields, dimensions, verdict }: RulesPlan,
  clicks: Clicks,
): Promise<Outputs> {
  for (const [i, field] of fields.entries()) {
    await makeField(session, field, clicks.fields[i]!, String(i));
  }
  const outputs = verdict === null ? dimensions : [...dimensions, verdict];
  for (const [i, output] of outputs.entries()) await makeOutput(session, output, clicks, i);
  await rankFilters(session, dimensions.length);
  const tables = outputs.map((output, i): OutputTable => {
    const isFilter = i < dimensions.length;
    const out = `out${String(i)}`;
    return {
      fields: output.fields,
      name: out,
      gives: isFilter ? `r${String(i)}` : 'v',
      from: isFilter
        ? `(select ${out}.*, rank as r${String(i)} from ${out} join filters on text = filter)`
        : `(select *, text as v from ${out})`,
    };
  });
  return {
    joins: joinsOf(tables, clicks.fields),
    ranks: dimensions.map((_, i) => `r${String(i)}`),
    verdict: verdict === null ? null : 'v',
  };
}

/** An output as a relation (m0, …, and the column `gives`). */
interface OutputTable extends Pick<OutputPlan, 'fields'> {
  readonly name: string;
  readonly from: string;
  readonly gives: string;
}

/**
 * What depends on one field is joined to the field's few values first, so that the many rows are
 * joined once per field; what depends on several follows by their marks.
 */
function joinsOf(tables: readonly OutputTable[], fields: readonly FieldRead[]): string {
  const ofFields = fields.map((field, i) => {
    const own = tables.filter((table) => table.fields.length === 1 && table.fields[0] === i);
    const columns = ['value', 'mark', ...own.map(({ gives }) => gives)].join(', ');
    const joins = own.map(({ from, name }) => `join ${from} as ${name} on mark = ${name}.m0`);
    const values = `(select ${columns} from field${String(i)} ${joins.join(' ')})`;
    return `join ${values} as f${String(i)} on ${valueOf(field)} = f${String(i)}.value`;
  });
  const ofSeveral = tables
    .filter((table) => table.fields.length > 1)
    .map(({ from, name, fields: several }) => {
      const on = several.map((field, m) => `f${String(field)}.mark = ${name}.m${String(m)}`);
      return `join ${from} as ${name} on ${on.join(' and ')}`;
    });
  return [...ofFields, ...ofSeveral].join(' ');
}

async function makeField(
  session: DuckSession,
  { markOf }: FieldPlan,
  read: FieldRead,
  i: string,
): Promise<void> {
  const table = `field${i}`;
  const values = `select distinct ${valueOf(read)} as value from combos`;
  if (!read.plain) {
    await session.run(`create temp table ${table} as select value, value as mark from (${values})`);
    return;
  }
  await session.run(`create temp table raws as ${values}`);
  await mapTexts(
    session,
    { table: 'raws', columns: ['value'] },
    { table, columns: ['mark'] },
    ([raw]) => [markOf(textOfField(fieldValue(raw)))],
  );
  await session.run('drop table raws');
}

async function makeOutput(
  session: DuckSession,
  { fields, of }: OutputPlan,
  clicks: Clicks,
  i: number,
): Promise<void> {
  const columns = fields.map((_, m) => `m${String(m)}`);
  const marks = fields.map((field, m) => `f${String(field)}.mark as m${String(m)}`).join(', ');
  const values = fields.map((field) => clicks.fields[field]!.value).join(', ');
  const joins = fields.map((field) => {
    const table = `f${String(field)}`;
    return `join field${String(field)} as ${table}
              on ${valueOf(clicks.fields[field]!)} = ${table}.value`;
  });
  const all =
    fields.length === 1
      ? `select distinct mark as m0 from field${String(fields[0])}`
      : `select distinct ${marks} from (select distinct ${values} from combos) ${joins.join(' ')}`;
  await session.run(`create temp table marks as ${all}`);
  const target = { table: `out${String(i)}`, columns: ['text'] };
  await mapTexts(session, { table: 'marks', columns }, target, (texts) => [of(texts)]);
  await session.run('drop table marks');
}

async function rankFilters(session: DuckSession, dimensions: number): Promise<void> {
  const found = Array.from({ length: dimensions }, (_, i) => `select text from out${String(i)}`);
  const all = ["select '' as filter", ...found].join(' union ');
  await session.run(
    `create temp table filters as
       select filter, (row_number() over (order by filter) - 1)::integer as rank from (${all})`,
  );
}

function valueOf({ plain, value }: FieldRead): string {
  return plain ? `coalesce(${value}, '')` : value;
}
