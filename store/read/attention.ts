import { readRow, type Reader } from './connection.js';
import { exactNumber } from './values.js';

/** Hours that automation leaves to people, and those that it published although much had changed. */
export interface Attention {
  /** Of them a comparison of a settlement said that a person has to decide; not those in `held`. */
  readonly waiting: number;
  /** Somebody holds them: automatic publication keeps off. */
  readonly held: number;
  /** What serves them was published with an alert since the time asked for. */
  readonly alerted: number;
}

// Only hours that somebody decided about have rows to look at: neither part reads all hours.
const SQL = `
  select (select count(*)
            from (select distinct hour from reconciliations
                   where decision = 'hold' and made_by like 'settleDueHours %') h
           where holding_reconciliation(h.hour) is not null
             and not nothing_to_settle(h.hour)) as waiting,
         (select count(distinct hour) from hour_holds where released is null) as held,
         (select count(*)
            from ledger l join pointers p using (publication)
           where l.at >= $1
             and not exists (select from pointers x
                              where x.hour = p.hour and x.revision > p.revision)
             and alerting_reconciliation(p.hour, p.revision, p.generation) is not null) as alerted`;

interface Row {
  waiting: string;
  held: string;
  alerted: string;
}

/** Counts them, as of now. Throws as `readRow`. */
export async function readAttention(reader: Reader, alertedSinceMs: number): Promise<Attention> {
  const row = await readRow<Row>(reader, 'hours for people', SQL, [new Date(alertedSinceMs)]);
  return {
    waiting: exactNumber(row.waiting),
    held: exactNumber(row.held),
    alerted: exactNumber(row.alerted),
  };
}
