import { TruecountError } from '../../core/errors.js';
import { parseFilter } from '../../core/rules/filter.js';
import { TOTAL_FILTER } from '../../core/rules/rule-set.js';
import { readRows, type Reader } from './connection.js';

const SQL = `
  select distinct d ->> 'name' as name
    from rule_sets r cross join lateral jsonb_array_elements(r.body -> 'dimensions') d
   order by name`;

/**
 * Tells a filter that nobody has clicked from one that nobody counts: `contry:US` must not count 0.
 * Asked only about filters that count nothing, since rule sets may be large.
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
