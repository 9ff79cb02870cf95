import { readRow, type Reader } from './connection.js';

/**
 * Resolves when Postgres answers and holds all that readers use.
 * @throws TruecountError `dependency_unreachable`, `schema_out_of_date`
 */
export async function checkReadable(reader: Reader): Promise<void> {
  await readRow(
    reader,
    'readable',
    `select global_watermark_ms(), hour_slices(now(), now()), publication,
            exists (select from ad_click_counts limit 0), exists (select from quarantine limit 0)
       from ledger_head cross join reading_settings`,
    [],
  );
}
