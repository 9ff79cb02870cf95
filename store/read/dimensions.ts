import { TruecountError } from '../../core/errors.js';
import { parseFilter } from '../../core/rules/filter.js';
import { TOTAL_FILTER } from '../../core/rules/rule-set.js';
import { readRows, type Reader } from './connection.js';

const SQL = 'select distinct name from rule_set_dimensions order by name';

/**
 * SQL condition on a row with `hour` and `generation` (null: counted live): its rule set has no
 * dimension of this filter, so nobody knows how much of the hour is the filter's. `filter`: a parameter.
 */
export function isUncounted(row: string, filter: string): string {
  return `${filter} <> '' and not exists (
    select from rule_set_dimensions d
     where d.name = split_part(${filter}, ':', 1) and d.hash = ${ruleSetOf(row)}
  ) and ${ruleSetOf(row)} is not null`;
}

/** Of an hour into which nothing was counted: null. */
function ruleSetOf(row: string): string {
  return `coalesce((select rule_set from generations where id = ${row}.generation),
                   (select rule_set from hours where hour = ${row}.hour))`;
}

/**
 * Tells a filter that nobody has clicked from one that nobody counts: `contry:US` must not count 0.
 * @throws TruecountError `invalid_argument` where no rule set has the filter's dimension
 */
export async function checkDimension(reader: Reader, filter: string): Promise<void> {
  if (filter === TOTAL_FILTER) return;
  const { dimension } = parseFilter(filter);
  const known = (await readRows<{ name: string }>(reader, 'dimensions', SQL, [])).map(
    ({ name }) => name,
  );
  if (known.length === 0 || known.includes(dimension)) return;
  throw new TruecountError('invalid_argument', `no rule set counts clicks by ${dimension}`, {
    hint: `the dimensions are ${known.join(', ')}`,
    context: { parameter: 'filter_id', dimension },
  });
}
