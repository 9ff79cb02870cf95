import { readRows, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** How many hours are in which state, and the watermark that says so. */
export interface HourCounts {
  readonly open: number;
  readonly provisional: number;
  readonly cut: number;
  readonly watermarkMs: number | null;
}

const SQL = `
  with w as (select global_watermark_ms() as ms)
  select w.ms,
         count(*) filter (where h.cut_at is not null) as cut,
         count(*) filter (where h.hour is not null and h.cut_at is null
                            and minute_state(h.hour + interval '1 hour', w.ms) = 'open') as open,
         count(h.hour) as all
    from w left join hours h on true
   group by w.ms`;

interface Row {
  ms: string | null;
  cut: string;
  open: string;
  all: string;
}

/** Counts all hours there are. Throws as `readRows`. */
export async function readHourCounts(reader: Reader): Promise<HourCounts> {
  const row = (await readRows<Row>(reader, 'hour counts', SQL, []))[0]!;
  const cut = exactNumber(row.cut);
  const open = exactNumber(row.open);
  return {
    open,
    cut,
    provisional: exactNumber(row.all) - open - cut,
    watermarkMs: exactNumberOrNull(row.ms),
  };
}
