import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../../audit/audit.js';
import type { ReadLog } from '../../audit/log-reader.js';
import type { AuditReport, Check, CheckStatus } from '../../audit/report.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { TEN_MS, buildWorld, worldLog } from './world.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await freshDatabase();
  await buildWorld(database.pool);
});

afterEach(async () => {
  await database.close();
});

const HOUR_MS = 3_600_000;
/** This world has no final half: test/audit/final.int.test.ts has. */
const WITHOUT_LAKE = ['I10 lake_files', 'I10 recomputed', 'I9 lake_strays'];
const run = (readLog: ReadLog | null = worldLog()): Promise<AuditReport> =>
  audit({ pool: database.pool, readLog, lake: null });

function names(report: AuditReport, status: CheckStatus): string[] {
  return report.checks
    .filter((check) => check.status === status && check.name !== 'suite')
    .map((check) => `${check.invariant} ${check.name}`)
    .sort();
}

function find(report: AuditReport, name: string): Check {
  const check = report.checks.find((c) => `${c.invariant} ${c.name}` === name);
  if (check === undefined) throw new Error(`no check ${name}`);
  return check;
}

describe('a healthy world', () => {
  it('passes every check of state, and names a suite or a reason for the other invariants', async () => {
    const report = await run();
    expect(report.checks.filter((check) => check.status === 'broken')).toEqual([]);
    expect(names(report, 'unchecked')).toEqual(WITHOUT_LAKE);
    expect(names(report, 'ok')).toHaveLength(51);
    expect(report.ok).toBe(true);
    expect(new Set(report.checks.map((check) => check.invariant)).size).toBe(13);
  });

  it('looks at the log only up to the positions, and at all partitions', async () => {
    const { checked } = find(await run(), 'I1 cells_against_log');
    expect(checked).toMatchObject({ partitions: 3, records: 12, 'live cells': 18 });
  });

  it('without the log, says of each check against it that it was not made', async () => {
    const report = await run(null);
    expect(report.ok).toBe(true);
    expect(names(report, 'unchecked')).toEqual([
      'I1 cells_against_log',
      'I10 lake_files',
      'I10 recomputed',
      'I3 filtered_against_log',
      'I3 quarantine_against_log',
      'I3 received_against_log',
      'I6 late_against_log',
      'I9 lake_strays',
    ]);
  });

  it('leaves nothing behind: the snapshot is closed and nothing was written', async () => {
    await run();
    const { rows } = await database.pool.query(
      `select state from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'`,
    );
    expect(rows).toEqual([]);
  });

  it('an empty database passes as well', async () => {
    const empty = await freshDatabase();
    try {
      const report = await audit({ pool: empty.pool, readLog: worldLog(), lake: null });
      expect(names(report, 'broken')).toEqual([]);
    } finally {
      await empty.close();
    }
  });
});

/** Moves a count of an hour's cells to another ad in all filters: every sum stays right. */
const OTHER_AD = `update live_cells set ad_id = 'z' where ad_id = 'b'`;

// Each damages one thing. The list is all that the audit then calls broken.
const DAMAGES: [what: string, sql: string, broken: string[]][] = [
  ['clicks are counted for another ad', OTHER_AD, ['I1 cells_against_log']],
  [
    'a live cell is one too high',
    `update live_cells set counts[1] = counts[1] + 1 where filter = '' and ad_id = 'a'
        and hour = '2026-11-21T10:00Z'`,
    ['I1 cells_against_log', 'I3 flow_cells', 'I4 dimension_sums'],
  ],
  [
    'a live cell is missing',
    `delete from live_cells where filter = 'country:GB'`,
    ['I1 cells_against_log', 'I4 dimension_sums'],
  ],
  [
    'cells of a dimension that is none',
    `insert into live_cells select hour, 'colour:red', ad_id, slot, counts from live_cells
      where filter = '' and ad_id = 'c'`,
    ['I1 cells_against_log', 'I4 dimension_sums'],
  ],
  [
    'a value of a dimension is another one',
    `update live_cells set filter = 'country:FR' where filter = 'country:GB'`,
    ['I1 cells_against_log'],
  ],
  [
    'a cell has 59 minutes',
    `update live_cells set counts = counts[1:59] where ad_id = 'a' and filter = 'country:GB'`,
    ['I4 cell_shape'],
  ],
  [
    'a flush begins too late',
    `update flushes set from_offset = 6, late = late - 1 where slot = 1 and from_offset = 5`,
    ['I3 flow_sums', 'I3 flush_ranges', 'I3 late_rows', 'I3 received_against_log'],
  ],
  [
    'the last flush is gone',
    `delete from flushes where slot = 2`,
    ['I3 flow_sums', 'I3 flush_ranges', 'I3 received_against_log'],
  ],
  [
    'a flush of no partition',
    `insert into flushes values (9, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1)`,
    ['I3 flush_ranges'],
  ],
  [
    'a fate is one too many',
    `update flushes set control = control + 1 where slot = 1 and from_offset = 0`,
    ['I3 fates', 'I3 received_against_log'],
  ],
  [
    'a record is booked as a marker',
    `with f as (update flushes set control = 1, quarantined = 0 where from_offset = 0 and slot = 1)
     delete from quarantine where log_offset = 3`,
    ['I3 quarantine_against_log', 'I3 received_against_log'],
  ],
  [
    'a quarantined record is gone',
    `delete from quarantine where slot = 1 and log_offset = 3`,
    ['I3 quarantine_against_log', 'I3 quarantine_rows'],
  ],
  [
    'a quarantined record has another position',
    `update quarantine set log_offset = 4 where slot = 1 and log_offset = 3`,
    ['I3 quarantine_against_log'],
  ],
  [
    'a quarantined record has another reason',
    `update quarantine set reason = 'not_utf8' where slot = 1 and log_offset = 3`,
    ['I3 quarantine_against_log'],
  ],
  [
    'a late click is not recorded',
    `delete from late_clicks where log_offset = 5`,
    ['I3 flow_late', 'I3 late_rows', 'I6 late_against_log'],
  ],
  [
    'a late click is recorded for another ad',
    `update late_clicks set ad_id = 'z' where log_offset = 5`,
    ['I6 late_against_log'],
  ],
  [
    'a late click is recorded where no click is',
    `update late_clicks set log_offset = 10 where log_offset = 7;
     update flushes set late = 1, duplicate = 2 where slot = 1 and from_offset = 5;
     update flushes set late = 1, counted = 0 where slot = 1 and from_offset = 8`,
    ['I3 flow_sums', 'I6 late_against_log'],
  ],
  [
    'a late click lies below the cut',
    `update hour_cuts set next_offset = 6 where slot = 1`,
    ['I1 cells_against_log', 'I6 cut_positions'],
  ],
  [
    'a late click of an hour that is not cut',
    `update hours set state = 'open', cut_at = null; delete from hour_cuts`,
    ['I1 cells_against_log', 'I6 cut_positions'],
  ],
  [
    'a cut lies above the position',
    `update hour_cuts set next_offset = 3 where slot = 2`,
    ['I6 cut_positions'],
  ],
  [
    'a cut lies below clicks that are live',
    `update hour_cuts set next_offset = 0 where slot = 2`,
    ['I1 cells_against_log', 'I6 late_against_log'],
  ],
  ['a loss interval, at its place', LOSS(3, 4), ['I3 loss']],
  [
    'a loss interval that no flush knows',
    `insert into loss_intervals values (1, 3, 4, 'gap')`,
    ['I3 loss', 'I3 lost_offsets'],
  ],
  [
    'the flow of a minute is one too high',
    `update minute_flow set duplicate[1] = duplicate[1] + 1 where slot = 1`,
    ['I3 flow_sums'],
  ],
  [
    'counted flow is in another minute',
    `update minute_flow set counted[1] = 0, counted[9] = counted[1] where slot = 1
        and hour = '2026-11-21T10:00Z'`,
    ['I3 flow_cells'],
  ],
  [
    'late flow is in another minute',
    `update minute_flow set late[3] = 0, late[9] = late[3] where slot = 1
        and hour = '2026-11-21T10:00Z'`,
    ['I3 flow_late'],
  ],
  [
    'an hour has no row',
    `delete from hours where hour = '2026-11-21T11:00Z'`,
    ['I1 cells_against_log', 'I10 hour_rows', 'I4 dimension_sums'],
  ],
  [
    'a stored rule set is not what its hash says',
    `alter table rule_sets disable trigger user;
     update rule_sets set body = jsonb_set(body, '{dimensions,0,map,UK}', '"FR"')`,
    ['I10 rule_sets'],
  ],
  ['the publication number is gone', `delete from ledger_head`, ['I11 ledger_head']],
];

/** A loss of an offset that held a record, booked as a flush does. */
function LOSS(from: number, to: number): string {
  return `with f as (update flushes set lost = 1, quarantined = 0 where from_offset = 0 and slot = 1),
               q as (delete from quarantine where log_offset = 3)
     insert into loss_intervals values (1, ${String(from)}, ${String(to)}, 'gap')`;
}

describe('names what is broken when', () => {
  it.each(DAMAGES)('%s', async (what, sql, broken) => {
    await database.pool.query(sql);
    // The lost record is in the log of this world; a log without it has a gap there.
    const inLog = what === 'a loss interval, at its place';
    const report = await run(inLog ? without(3) : undefined);
    expect(names(report, 'broken')).toEqual(broken);
    expect(report.ok).toBe(false);
    for (const name of broken) expect(find(report, name).examples.length).toBeGreaterThan(0);
  });
});

/** The world's log without the record at one offset of partition 0. */
function without(missing: number): ReadLog {
  return async (topic, partition, endOffset) => {
    const log = await worldLog()(topic, partition, endOffset);
    async function* records(): typeof log.records {
      for await (const record of log.records) {
        if (partition !== 0 || record.offset !== missing) yield record;
      }
    }
    return { ...log, records: records() };
  };
}

describe('what the log can no longer say', () => {
  const GONE = 'the log begins at 4: 4 counted offsets are gone';

  it('is unchecked, with the reason, for each hour that may have lost records', async () => {
    const report = await run(worldLog({ startsAt: 4 }));
    expect(names(report, 'broken')).toEqual([]);
    expect(names(report, 'unchecked')).toEqual([
      'I1 cells_against_log',
      'I10 lake_files',
      'I10 recomputed',
      'I3 filtered_against_log',
      'I3 quarantine_against_log',
      'I3 received_against_log',
      'I6 late_against_log',
      'I9 lake_strays',
    ]);
    const { examples, detail } = find(report, 'I1 cells_against_log');
    expect(detail).toContain(GONE);
    expect(examples).toEqual(
      ['2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'].map((hour) => ({
        hour,
        topic: 't',
        partition: 0,
        reason: GONE,
      })),
    );
  });

  it('does not hide an uncut hour that lies above rebuild_from altogether', async () => {
    await database.pool.query('update stream_progress set rebuild_from = 4 where slot = 1');
    await database.pool.query(OTHER_AD);
    const report = await run(worldLog({ startsAt: 4 }));
    expect(names(report, 'broken')).toEqual(['I1 cells_against_log']);
    expect(find(report, 'I1 cells_against_log').checked['unchecked']).toBe(1);
  });

  it('is checked when the offsets that are gone were never read', async () => {
    const shifted = `update flushes set to_offset = 2 where slot = 2;
      update stream_progress set next_offset = 2 where slot = 2;
      insert into stream_progress (topic, partition, next_offset) values ('t', 0 + 7, 5);
      insert into flushes values (4, 0, 5, 1, 0, 0, 0, 0, 0, 5, 0);
      insert into loss_intervals values (4, 0, 5, 'retention')`;
    await database.pool.query(shifted);
    const log: ReadLog = (topic, partition, end) =>
      partition === 7
        ? Promise.resolve({ logStartOffset: 5, logEndOffset: 5, records: nothing() })
        : worldLog()(topic, partition, end);
    const report = await run(log);
    expect(names(report, 'broken')).toEqual(['I3 loss']);
    expect(names(report, 'unchecked')).toEqual(WITHOUT_LAKE);
    expect(find(report, 'I3 loss').examples).toMatchObject([
      { topic: 't', partition: 7, from_offset: 0, to_offset: 5, reason: 'retention' },
    ]);
  });

  it('is unchecked for a topic that is gone', async () => {
    const report = await run(worldLog({ missing: true }));
    expect(names(report, 'broken')).toEqual([]);
    expect(find(report, 'I1 cells_against_log')).toMatchObject({ status: 'unchecked' });
    expect(find(report, 'I3 received_against_log')).toMatchObject({ status: 'unchecked' });
  });

  it('is broken when the log ends below the position', async () => {
    const report = await run(worldLog({ endsAt: 9 }));
    expect(names(report, 'broken')).toEqual(['I1 cells_against_log']);
    expect(find(report, 'I1 cells_against_log').examples[0]).toMatchObject({ position: 11 });
  });
});

async function* nothing(): AsyncGenerator<never> {
  // no records
}

describe('a named cause', () => {
  const TOO_HIGH = `update live_cells set counts[6] = counts[6] + 1
     where ad_id = 'b' and hour = '2026-11-21T11:00Z'`;
  const TOO_LOW = TOO_HIGH.replace('+ 1', '- 1');
  const cause = (name: string) =>
    `insert into hour_causes values ('2026-11-21T11:00Z', 1, '${name}', 'a test')`;
  const cells = 'I1 cells_against_log';

  it('excuses a count that is too high, and the difference is still shown', async () => {
    await database.pool.query(TOO_HIGH);
    expect(find(await run(), cells).status).toBe('broken');
    await database.pool.query(cause('dedupe_overflow'));
    const check = find(await run(), cells);
    expect(check).toMatchObject({ status: 'ok', checked: { excused: 3 } });
    expect(check.examples[0]).toMatchObject({ cause: 'dedupe_overflow', live: 2, log: 1 });
  });

  it('of a given up memory excuses no count that is too low', async () => {
    await database.pool.query(TOO_LOW);
    await database.pool.query(cause('dedupe_overflow'));
    expect(find(await run(), cells).status).toBe('broken');
  });

  it('excuses nothing in another partition', async () => {
    await database.pool.query(`${TOO_HIGH}; ${cause('dedupe_overflow')};
      update hour_causes set slot = 2`);
    expect(find(await run(), cells).status).toBe('broken');
  });
});

describe('a range', () => {
  it('limits the checks by hour to its hours', async () => {
    await database.pool.query(OTHER_AD);
    const at = (fromMs: number) =>
      audit({
        pool: database.pool,
        readLog: worldLog(),
        lake: null,
        range: { fromMs, toMs: fromMs + HOUR_MS },
      });
    expect(names(await at(TEN_MS), 'broken')).toEqual([]);
    expect(names(await at(TEN_MS + HOUR_MS), 'broken')).toEqual(['I1 cells_against_log']);
  });
});
