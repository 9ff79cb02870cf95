import type pg from 'pg';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../core/time.js';

const MINUTE_SUMS = Array.from(
  { length: MINUTES_PER_HOUR },
  (_, i) => `sum(counts[${String(i + 1)}])`,
).join();

/**
 * I4 over the rows of one generation: for every ad and minute, the values of each dimension of its
 * rule set add up to the unfiltered total. Returns an ad for which they do not; null: it holds.
 *
 * Exact, and Postgres bounds the memory. A sum for each minute beats an aggregate over arrays; it
 * takes about half as long as the COPY of the same rows (300,000 rows: 2.5 s against 4.5 s).
 */
export async function adOffDimensions(
  client: pg.ClientBase,
  generation: number,
  ruleSet: RuleSet,
): Promise<string | null> {
  const { rows } = await client.query<{ ad_id: string }>(
    `select ad_id
       from (select ad_id, array[${MINUTE_SUMS}] as sums
               from generation_cells where generation = $1
              group by ad_id, split_part(filter, ':', 1)) s
      group by ad_id
     having count(*) <> $2 or min(sums) <> max(sums)
      limit 1`,
    [generation, ruleSet.dimensions.length + 1],
  );
  return rows[0]?.ad_id ?? null;
}
