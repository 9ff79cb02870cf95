import { fieldValue } from '../../core/click/parse.js';
import { isText, textOfField } from '../../core/rules/value-text.js';
import type { CapPlan } from '../plan-rules.js';
import type { Clicks } from './clicks.js';
import type { Outputs } from './outputs.js';
import type { DuckSession } from './session.js';
import { mapTexts } from './text.js';

/** What a cap counts by. */
const GROUP = 'topic, partition, ad_id, m, key';

/**
 * Makes `capped`: the clicks above a cap that are neither in `repeats` nor have a verdict, with the
 * columns of `repeats` and the number of the first cap that they are above. Each cap counts by
 * itself: a click above one of them is a click to the others.
 */
export async function findCapped(
  session: DuckSession,
  caps: readonly CapPlan[],
  clicks: Clicks,
  outputs: Outputs,
): Promise<void> {
  await session.run('create temp table capped as select *, 0 as cap from repeats limit 0');
  for (const [i, { max }] of caps.entries()) {
    const key = clicks.keys[i];
    if (key === null || key === undefined) continue;
    await findCrowds(session, clicks, key, max);
    await takeAbove(session, clicks, outputs, max, i);
    for (const table of ['looked', 'texts']) await session.run(`drop table ${table}`);
  }
}

/**
 * Makes `looked`: the clicks of all groups that may have more than `max`; few clicks are in such a
 * crowd. Groups are told by their hashes here: two that share one are both looked at. And `texts`
 * (raw, key): those of the field's texts that core says are some.
 */
async function findCrowds(
  session: DuckSession,
  { source, columns, names }: Clicks,
  key: string,
  max: number,
): Promise<void> {
  const keyed = `select ${columns}, topic, partition, log_offset, ${key} as key ${source}`;
  await session.run(
    `create temp table crowds as
       select hash(${GROUP}) as h from (${keyed}) where key <> ''
        group by h having count(*) > ${String(max)}`,
  );
  await session.run(
    `create temp table looked as
       select ${names}, topic, partition, log_offset, key from (${keyed})
        where key <> '' and hash(${GROUP}) in (select h from crowds)`,
  );
  await session.run('drop table crowds');
  await session.run('create temp table raws as select distinct key as raw from looked');
  const target = { table: 'texts', columns: ['text'] };
  await mapTexts(session, { table: 'raws', columns: ['raw'] }, target, ([raw]) => {
    const text = textOfField(fieldValue(raw));
    return isText(text) ? [text] : null;
  });
  await session.run('drop table raws');
}

async function takeAbove(
  session: DuckSession,
  { names }: Clicks,
  { joins, verdict }: Outputs,
  max: number,
  cap: number,
): Promise<void> {
  const position = 'using (topic, partition, log_offset)';
  await session.run(
    `insert into capped by name
       select ${names}, topic, partition, log_offset, ${String(cap)} as cap
         from (select ${names}, topic, partition, log_offset
                 from (select looked.* from looked join texts on key = raw
                       anti join repeats ${position})
                 ${verdict === null ? '' : joins}
                ${verdict === null ? '' : `where ${verdict} = ''`}
              qualify row_number() over (partition by ${GROUP} order by log_offset)
                        > ${String(max)})
         anti join capped ${position}`,
  );
}
