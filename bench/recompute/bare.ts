/**
 * What a person would type into DuckDB, as a process: drop duplicates, count by ad and minute and
 * by each dimension, write Parquet. No check of a file, no cut, no rule set, no order of first, no
 * sorted cells. Arguments: threads, MiB of memory, output folder, files. Says its peak memory.
 */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { sqlText, textList } from '../../batch/duckdb/session.js';

const [threads = '1', memoryMb = '1024', output = '', ...paths] = process.argv.slice(2);

const instance = await DuckDBInstance.create(':memory:', {
  threads,
  memory_limit: `${memoryMb}MiB`,
  preserve_insertion_order: 'false',
  temp_directory: join(output, 'spill'),
});
const connection = await instance.connect();
await connection.run(
  `create temp table clicks as
     select ad_id, minute, country, device, ad_format
       from (select distinct event_id, ad_id, (event_ms // 60000)::integer as minute,
                    country, device, ad_format
               from read_parquet(${textList(paths)}))`,
);
for (const value of [null, 'country', 'device', 'ad_format']) {
  const columns = ['ad_id', 'minute', ...(value === null ? [] : [value])].join(', ');
  const file = join(output, `${String(value)}.parquet`);
  await connection.run(
    `copy (select ${columns}, count(*) as count from clicks group by all)
       to ${sqlText(file)} (format parquet, compression snappy)`,
  );
}
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
