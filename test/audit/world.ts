import type pg from 'pg';
import type { LogRecord } from '../../core/count.js';
import { TruecountError } from '../../core/errors.js';
import { hashRuleSet } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import type { ReadLog } from '../../audit/log-reader.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';

/** 10:00 is cut, 11:00 counts on. */
export const TEN_MS = Date.UTC(2026, 10, 21, 10);
const MINUTE_MS = 60_000;
export const APPEND_MS = TEN_MS + 2 * 3_600_000;

export const RULES: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'device', field: 'device' },
  ],
};

type Fate = 'counted' | 'duplicate' | 'filtered' | 'late' | 'quarantined';

/** A record of the log, and what became of it. */
export interface Written {
  readonly value: string | null;
  readonly fate: Fate | 'unread' | 'control';
  readonly minute?: number;
  readonly ad?: string;
  readonly filters?: readonly string[];
  /** Why it is quarantined or filtered. */
  readonly reason?: string;
}

/** What is counted, how, and how far. */
export interface World {
  readonly rules: RuleSet;
  readonly partitions: readonly (readonly Written[])[];
  /** Ends of the flushes of each partition; the last is its position. */
  readonly flushEnds: readonly (readonly number[])[];
  /** Of ten o'clock, per partition. */
  readonly cut: readonly number[];
}

export function click(
  fate: Fate | 'unread',
  id: string,
  minute: number,
  filters: readonly string[],
  raw: object,
): Written {
  const { ad_id: ad } = raw as { ad_id: string };
  const timestamp = TEN_MS + minute * MINUTE_MS + 7;
  return { fate, minute, ad, filters, value: JSON.stringify({ event_id: id, timestamp, ...raw }) };
}

const US_MOBILE = ['country:US', 'device:mobile'];

/** What is on the log and what became of each record: written down by hand, no engine asked. */
export const PARTITIONS: readonly (readonly Written[])[] = [
  [
    click('counted', 'e1', 0, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    click('counted', 'e2', 1, ['country:GB', 'device:desktop'], {
      ad_id: 'a',
      country: 'UK',
      device: 'desktop',
    }),
    click('duplicate', 'e1', 0, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    { fate: 'quarantined', value: 'no click', reason: 'not_json' },
    click('counted', 'e3', 65, ['country:unknown', 'device:mobile'], {
      ad_id: 'b',
      device: 'mobile',
    }),
    // The cut of 10:00 is here.
    click('late', 'e4', 2, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    click('duplicate', 'e1', 0, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    click('late', 'e4', 2, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    { fate: 'quarantined', value: null, reason: 'empty' },
    click('counted', 'e1', 66, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
    { fate: 'control', value: null },
    click('unread', 'e9', 67, US_MOBILE, { ad_id: 'a', country: 'US', device: 'mobile' }),
  ],
  [
    click('counted', 'e6', 10, US_MOBILE, { ad_id: 'c', country: 'US', device: 'mobile' }),
    click('counted', 'e7', 60, US_MOBILE, { ad_id: 'c', country: 'US', device: 'mobile' }),
  ],
  [],
];

export const CUT = [5, 1];

const PLAIN: World = {
  ...{ rules: RULES, partitions: PARTITIONS, cut: CUT },
  flushEnds: [[5, 8, 11], [2], []],
};

/** A small healthy world: partitions flushed by hand into Postgres. Slots are 1, 2, 3. */
export async function buildWorld(pool: pg.Pool, world = PLAIN): Promise<void> {
  const { rules, partitions, flushEnds, cut } = world;
  await beginWithRuleSet(pool, rules);
  const hash = hashRuleSet(rules);
  for (const [partition, ends] of flushEnds.entries()) {
    await pool.query(
      `insert into stream_progress (topic, partition, epoch, next_offset) values ('t', $1, 1, $2)`,
      [partition, ends.at(-1) ?? 0],
    );
  }
  const ten = new Date(TEN_MS);
  await pool.query(
    `insert into hours (hour, state, rule_set, cut_at) values ($1, 'cut', $2, now()),
       ($1 + interval '1 hour', 'open', $2, null)`.replaceAll('$1', '$1::timestamptz'),
    [ten, hash],
  );
  await pool.query('insert into hour_cuts values ($1, 1, $2), ($1, 2, $3)', [ten, ...cut]);
  for (const [partition, records] of partitions.entries()) {
    let from = 0;
    for (const to of flushEnds[partition]!) {
      await writeFlush(pool, partition + 1, from, to, records.slice(from, to));
      from = to;
    }
  }
}

async function writeFlush(
  pool: pg.Pool,
  slot: number,
  from: number,
  to: number,
  records: readonly Written[],
): Promise<void> {
  const n = (fate: Written['fate']): number => records.filter((r) => r.fate === fate).length;
  await pool.query(`insert into flushes values ($1, $2, $3, 1, $4, $5, $6, $7, $8, 0, $9)`, [
    ...[slot, from, to],
    ...[n('counted'), n('duplicate'), n('filtered'), n('late'), n('quarantined'), n('control')],
  ]);
  for (const [i, record] of records.entries()) {
    const hour = new Date(TEN_MS + Math.floor((record.minute ?? 0) / 60) * 60 * MINUTE_MS);
    const minute = (record.minute ?? 0) % 60;
    if (record.fate === 'quarantined') {
      await pool.query(
        `insert into quarantine values ($1, $2, to_timestamp($3 / 1000.0), $4, '', $5)`,
        [slot, from + i, APPEND_MS, record.reason, record.value],
      );
      continue;
    }
    if (record.fate === 'control') continue;
    await addOne(pool, 'minute_flow', 'hour, slot', [hour, slot], record.fate, minute);
    if (record.fate === 'late') {
      await pool.query('insert into late_clicks values ($1, $2, $3, $4, $5, $6)', [
        ...[hour, slot, from + i, minute, record.ad, record.filters],
      ]);
    }
    if (record.fate === 'filtered') {
      const key = [hour, slot, record.reason];
      await addOne(pool, 'filtered_flow', 'hour, slot, reason', key, 'counts', minute);
    }
    if (record.fate !== 'counted') continue;
    for (const filter of ['', ...record.filters!]) {
      const key = [hour, filter, record.ad, slot];
      await addOne(pool, 'live_cells', 'hour, filter, ad_id, slot', key, 'counts', minute);
    }
  }
}

async function addOne(
  pool: pg.Pool,
  table: string,
  keys: string,
  key: readonly unknown[],
  column: string,
  minute: number,
): Promise<void> {
  const columns =
    table === 'minute_flow' ? ['counted', 'duplicate', 'filtered', 'late'] : ['counts'];
  const zeros = columns.map(() => `array_fill(0, array[60])`).join();
  const marks = key.map((_, i) => `$${String(i + 1)}`).join();
  await pool.query(
    `insert into ${table} (${keys}, ${columns.join()}) values (${marks}, ${zeros})
     on conflict do nothing`,
    [...key],
  );
  const at = `${column}[${String(minute + 1)}]`;
  const where = keys.split(', ').map((name, i) => `${name} = $${String(i + 1)}`);
  await pool.query(`update ${table} set ${at} = ${at} + 1 where ${where.join(' and ')}`, [...key]);
}

export interface LogChanges {
  /** Records of partition 0 below it are gone. */
  readonly startsAt?: number;
  /** The log of partition 0 ends here. */
  readonly endsAt?: number;
  /** Partition 0 does not exist. */
  readonly missing?: boolean;
  /** Value of partition 0's records, by offset. */
  readonly values?: Readonly<Record<number, string>>;
}

/** The log of a world, out of memory. */
export function worldLog(changes: LogChanges = {}, partitions = PARTITIONS): ReadLog {
  return async (topic, partition, endOffset) => {
    const { startsAt = 0, endsAt, missing = false, values = {} } = partition === 0 ? changes : {};
    if (missing) throw new TruecountError('not_found', `Kafka has no topic ${topic}`);
    const written = partitions[partition]!;
    async function* records(): AsyncGenerator<LogRecord> {
      for (const [offset, { fate, value }] of written.entries()) {
        if (offset < startsAt || offset >= Math.min(endOffset, endsAt ?? Infinity)) continue;
        if (fate === 'control') continue;
        const text = values[offset] ?? value;
        const bytes = text === null ? null : Buffer.from(text);
        yield { topic, partition, offset, appendMs: APPEND_MS, value: bytes };
      }
    }
    const logEndOffset = endsAt ?? written.length;
    return { logStartOffset: startsAt, logEndOffset, records: records() };
  };
}
