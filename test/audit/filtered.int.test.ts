import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../../audit/audit.js';
import type { AuditReport, Check } from '../../audit/report.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { FILTERED } from './filtered-world.js';
import { buildWorld, worldLog } from './world.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await freshDatabase();
  await buildWorld(database.pool, FILTERED);
});

afterEach(async () => {
  await database.close();
});

const run = (): Promise<AuditReport> =>
  audit({ pool: database.pool, readLog: worldLog({}, FILTERED.partitions), lake: null });

function broken(report: AuditReport): string[] {
  const checks = report.checks.filter((check) => check.status === 'broken');
  return checks.map((check) => `${check.invariant} ${check.name}`).sort();
}

function find(report: AuditReport, name: string): Check {
  return report.checks.find((check) => check.name === name)!;
}

describe('a healthy world whose rule set filters', () => {
  it('passes every check, and each filtered click below the cut was looked at', async () => {
    const report = await run();
    expect(report.checks.filter((check) => check.status === 'broken')).toEqual([]);
    expect(find(report, 'filtered_against_log').checked).toMatchObject({ 'filtered clicks': 3 });
    expect(find(report, 'flow_reasons').checked).toMatchObject({ 'hours of partitions': 3 });
    expect(find(report, 'late_against_log').checked).toMatchObject({ 'late clicks': 3 });
  });
});

const AT_TEN = `slot = 1 and hour = '2026-11-21T10:00Z'`;

// Each damages one thing. The list is all that the audit then calls broken.
const DAMAGES: [what: string, sql: string, broken: string[]][] = [
  [
    'a click is filtered for another reason',
    `update filtered_flow set reason = 'another' where reason = 'too_many'`,
    ['I3 filtered_against_log'],
  ],
  [
    'a reason counts in another minute',
    `update filtered_flow set counts[1] = 0, counts[9] = 1 where reason = 'too_many'`,
    ['I3 filtered_against_log', 'I3 flow_reasons'],
  ],
  [
    'a reason is gone',
    `delete from filtered_flow where reason = 'robot' and ${AT_TEN}`,
    ['I3 filtered_against_log', 'I3 flow_reasons'],
  ],
  [
    'two reasons make up for each other',
    `update filtered_flow set counts[3] = case reason when 'robot' then 1 else -1 end
      where ${AT_TEN}`,
    ['I3 filtered_against_log', 'I3 flow_reasons'],
  ],
  [
    'a filtered click is booked as a duplicate',
    `update flushes set filtered = filtered - 1, duplicate = duplicate + 1
      where slot = 1 and from_offset = 4;
     update minute_flow set filtered[1] = 1, duplicate[1] = duplicate[1] + 1 where ${AT_TEN};
     delete from filtered_flow where reason = 'too_many'`,
    ['I3 filtered_against_log'],
  ],
  [
    'a filtered click is counted',
    `update flushes set filtered = filtered - 1, counted = counted + 1
      where slot = 1 and from_offset = 4;
     update minute_flow set filtered[1] = 1, counted[1] = counted[1] + 1 where ${AT_TEN};
     update live_cells set counts[1] = counts[1] + 1 where ${AT_TEN};
     delete from filtered_flow where reason = 'too_many'`,
    ['I1 cells_against_log', 'I3 filtered_against_log'],
  ],
  [
    'a flush filtered a click more',
    `update flushes set filtered = filtered + 1, duplicate = duplicate - 1
      where slot = 1 and from_offset = 0`,
    ['I3 flow_sums'],
  ],
  [
    'a late click that a filter would take out is not recorded',
    `delete from late_clicks where log_offset = 9`,
    ['I3 flow_late', 'I3 late_rows', 'I6 late_against_log'],
  ],
  [
    'clicks are filtered in an hour without a row',
    `insert into filtered_flow values ('2026-11-21T13:00Z', 1, 'robot', array_fill(0, array[60]))`,
    ['I10 hour_rows'],
  ],
];

describe('names what is broken when', () => {
  it.each(DAMAGES)('%s', async (_, sql, names) => {
    await database.pool.query(sql);
    const report = await run();
    expect(broken(report)).toEqual(names);
    for (const check of report.checks.filter(({ status }) => status === 'broken')) {
      expect(check.examples.length).toBeGreaterThan(0);
    }
  });
});

describe('a memory of ids that was given up', () => {
  const CAUSE = `insert into hour_causes values ('2026-11-21T10:00Z', 1, 'dedupe_overflow', 'a test')`;

  it('excuses a duplicate that was taken for one click too many', async () => {
    await database.pool.query(`${CAUSE};
      update minute_flow set filtered[1] = 3, duplicate[1] = duplicate[1] - 1 where ${AT_TEN};
      update filtered_flow set counts[1] = 2 where reason = 'too_many';
      update flushes set filtered = filtered + 1, duplicate = duplicate - 1
       where slot = 1 and from_offset = 4`);
    const report = await run();
    expect(broken(report)).toEqual([]);
    expect(find(report, 'filtered_against_log')).toMatchObject({
      checked: { excused: 1 },
      examples: [{ reason: 'too_many', stream: 2, log: 1, cause: 'dedupe_overflow' }],
    });
  });

  it('excuses a cell that is too low where the rule set has caps, and the sums still count', async () => {
    await database.pool.query(`${CAUSE};
      update live_cells set counts[1] = counts[1] - 1 where ${AT_TEN} and filter = 'country:US';
      insert into live_cells select hour, 'country:GB', ad_id, slot,
             array_prepend(1, array_fill(0, array[59]))
        from live_cells where ${AT_TEN} and filter = ''`);
    const report = await run();
    expect(broken(report)).toEqual([]);
    expect(find(report, 'cells_against_log').checked).toMatchObject({ excused: 2 });
  });
});
