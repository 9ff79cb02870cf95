import type pg from 'pg';

/** What the stream has to know of an hour: whether counting into it has ended, and by which rules. */
export interface HourState {
  readonly hourMs: number;
  readonly cut: boolean;
  /** Content hash of the rule set that the hour has pinned. */
  readonly pin: string;
}

/**
 * The hours asked for, or all there are: a row an hour of event time, so ten years are 88 thousand.
 */
export async function loadHours(
  client: pg.Client,
  hoursMs?: readonly number[],
): Promise<HourState[]> {
  const { rows } = await client.query<{ hour: Date; state: string; rule_set: string }>(
    'select hour, state, rule_set from hours where $1::timestamptz[] is null or hour = any ($1)',
    [hoursMs?.map((ms) => new Date(ms)) ?? null],
  );
  return rows.map((row) => ({
    hourMs: row.hour.getTime(),
    cut: row.state === 'cut',
    pin: row.rule_set,
  }));
}

/** Hours whose dedupe memory a partition has given up, by slot: they are never checked again. */
export async function loadOverflows(
  client: pg.Client,
): Promise<readonly { slot: number; hourMs: number }[]> {
  const { rows } = await client.query<{ slot: number; hour: Date }>(
    `select slot, hour from hour_causes where cause = 'dedupe_overflow'`,
  );
  return rows.map((row) => ({ slot: row.slot, hourMs: row.hour.getTime() }));
}
