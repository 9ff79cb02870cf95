import type { HourInput } from '../../batch/duckdb/count-hour.js';
import { findSuspects } from '../../batch/duckdb/repeats.js';
import { sqlText, textList } from '../../batch/duckdb/session.js';
import type { DuckSession } from '../../batch/duckdb/session.js';

const VALUES = ['country', 'device', 'format'] as const;

/** The default rules as SQL; a text of the lake's columns is null or '' where a click has none. */
const FILTER = {
  country: `case when coalesce(country, '') = '' then 'country:unknown'
                 when strlen(country) > 256 then 'country:other'
                 when country = 'UK' then 'country:GB' else 'country:' || country end`,
  device: `case when coalesce(device, '') = '' then 'device:unknown'
                when strlen(device) > 256 then 'device:other' else 'device:' || device end`,
  format: `case when coalesce(ad_format, '') = '' then 'format:unknown'
                when strlen(ad_format) > 256 then 'format:other' else 'format:' || ad_format end`,
};

/**
 * The default rules as somebody would write them in SQL who never has others, with the same
 * guarantees: of each (ad_id, event_id) the first in the log below the cut, exactly, sorted cells in
 * Parquet. `firsts` says how a duplicate is found: as a window over all clicks, or as the product
 * does, among suspects only.
 */
export async function countByHand(
  session: DuckSession,
  { paths, rows, hourMs, cut }: HourInput,
  output: string,
  firsts: 'window' | 'suspects',
): Promise<void> {
  const files = `read_parquet(${textList(paths)}, hive_partitioning = false)`;
  const within = `event_ms >= ${String(hourMs)} and event_ms < ${String(hourMs + 3_600_000)}`;
  const next = cut.map(
    ({ topic, partition, nextOffset }) =>
      `(${sqlText(topic)}, ${String(partition)}, ${String(nextOffset)}::bigint)`,
  );
  const source = `from ${files}
    join (values ${next.join(', ')}) cut (topic, partition, next_offset) using (topic, partition)
   where ${within} and log_offset < next_offset`;
  const click = `ad_id, ((event_ms - ${String(hourMs)}) // 60000)::utinyint as m, country, device, ad_format`;
  const names = 'ad_id, m, country, device, ad_format';
  const ranked = (where: string, keep: string): string =>
    `select ${names} from (select *, first_value(append_ms) over (
                         partition by ad_id, event_id, topic, partition order by log_offset) as first_ms
              from (select ${click}, event_id, append_ms, topic, partition, log_offset ${source} ${where}))
      qualify row_number() over (partition by ad_id, event_id
                                 order by first_ms, topic, partition, log_offset) ${keep}`;
  if (firsts === 'window') {
    await session.run(
      `create temp table counted as
         select ${names}, count(*)::bigint as n from (${ranked('', '= 1')}) group by all`,
    );
  } else {
    const hashed = `from (select hash(ad_id, event_id) as h from ${files} where ${within})`;
    await findSuspects(session, hashed, rows, () => undefined);
    const suspect = 'and hash(ad_id, event_id) in (select h from suspects)';
    await session.run(
      `create temp table combos as select ${click}, count(*)::bigint as n ${source} group by all`,
    );
    await session.run(
      `create temp table counted as
         select ${names}, sum(n)::bigint as n
           from (select * from combos
                 union all select ${names}, -1::bigint from (${ranked(suspect, '> 1')}))
          group by all having sum(n) <> 0`,
    );
  }
  const filtered = VALUES.map((name) => `${FILTER[name]} as ${name}`).join(', ');
  await session.run(`create temp table judged as select ad_id, m, n, ${filtered} from counted`);
  const groups = ["''", ...VALUES].map(
    (name) => `select ${name} as filter, ad_id, m, sum(n)::bigint as n from judged group by all`,
  );
  await session.run(
    `copy (select filter, ad_id, m::integer as minute, n as count from (${groups.join(' union all ')})
            order by filter, ad_id, m)
       to ${sqlText(output)} (format parquet, compression snappy, parquet_version v1)`,
  );
}
