import type pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import type { Cut } from '../../core/cut.js';
import { generationCut } from '../generations/cut.js';

/**
 * The cut up to which a generation that serves is confirmed by another one: that of the other, if it
 * has the same cells of the same hour by the same rule set. Generations never change, so this holds
 * whenever it is asked.
 * @throws TruecountError `not_found`, `invalid_argument`
 */
export async function examinedCut(
  client: pg.ClientBase,
  served: number,
  examinedBy: number,
): Promise<Cut> {
  const cut = await generationCut(client, examinedBy);
  const { rows } = await client.query<{ same: boolean }>(
    `select count(distinct (hour, rule_set, checksum)) = 1 as same
       from generations where id = any ($1::bigint[])`,
    [[served, examinedBy]],
  );
  if (rows[0]!.same) return cut;
  throw new TruecountError(
    'invalid_argument',
    `generation ${String(examinedBy)} confirms nothing of generation ${String(served)}: it has ` +
      'another hour, other rules or other cells',
    { hint: 'publish it, if it is the truth' },
  );
}
