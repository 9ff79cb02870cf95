import { readRow, type Reader } from './connection.js';
import { exactNumber, exactNumberOrNull } from './values.js';

/** How many hours are how far, and the watermark that says so. Each hour is in one of the four. */
export interface HourCounts {
  readonly open: number;
  readonly provisional: number;
  /** Cut, and not final yet. */
  readonly cut: number;
  readonly final: number;
  readonly watermarkMs: number | null;
}

const SQL = `
  with w as (select global_watermark_ms() as ms), h as (
    select hour, cut_at, exists (select from pointers p where p.hour = hours.hour) as final
      from hours
  )
  select w.ms,
         count(*) filter (where h.final) as final,
         count(*) filter (where not h.final and h.cut_at is not null) as cut,
         count(*) filter (where not h.final and h.cut_at is null
                            and minute_state(h.hour + interval '1 hour', w.ms) = 'open') as open,
         count(h.hour) as all
    from w left join h on true
   group by w.ms`;

interface Row {
  ms: string | null;
  final: string;
  cut: string;
  open: string;
  all: string;
}

/** Counts all hours there are, as of now. Throws as `readRow`. */
export async function readHourCounts(reader: Reader): Promise<HourCounts> {
  const row = await readRow<Row>(reader, 'hour counts', SQL, []);
  const final = exactNumber(row.final);
  const cut = exactNumber(row.cut);
  const open = exactNumber(row.open);
  return {
    open,
    cut,
    final,
    provisional: exactNumber(row.all) - open - cut - final,
    watermarkMs: exactNumberOrNull(row.ms),
  };
}
