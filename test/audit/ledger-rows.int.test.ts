import pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { audit, type AuditOptions } from '../../audit/audit.js';
import type { AuditReport } from '../../audit/report.js';
import type { PublishKind } from '../../core/ledger.js';
import { publish } from '../../store/publish/publish.js';
import { putRuleSet } from '../../store/rule-versions.js';
import { auditedWorld } from './audited-world.js';
import { TEN_MS } from './world.js';

const EXAMINED = 'examined_cuts';
const HOLDS = 'holds';

const world = auditedWorld();

/**
 * Publications 1 to 5 are those of the world: generation 1, 2, back to 1 (hold), 2 (ends it), and a
 * confirmation of 2. Then: 6 confirms 2 further, 7 goes back to 1, 8 releases, 9 confirms 1,
 * 10 publishes 2, 11 goes back to 1, 12 confirms 1.
 */
beforeEach(goOn);

async function goOn(): Promise<void> {
  const client = new pg.Client({ connectionString: world.database.url });
  await client.connect();
  const step = (
    kind: PublishKind,
    generation: number,
    expectedRevision: number,
    offsets: number[] = [],
  ) =>
    publish(client, {
      ...{ kind, actor: 'test', reason: `${kind} again`, automatic: false },
      request: `again-${kind}-${String(expectedRevision)}`,
      hours: [
        {
          ...{ hourMs: TEN_MS, generation, expectedRevision, reconciliation: null },
          examined: offsets.map((nextOffset, partition) => ({ topic: 't', partition, nextOffset })),
        },
      ],
    });
  try {
    await step('confirm', 2, 4, [12, 3, 1]);
    await step('rollback', 1, 4);
    await step('release', 1, 5);
    await step('confirm', 1, 5, [7, 1]);
    await step('publish', 2, 5);
    await step('rollback', 1, 6);
    await step('confirm', 1, 7, [8, 2]);
  } finally {
    await client.end();
  }
}

async function run(options: Partial<AuditOptions> = {}): Promise<AuditReport> {
  return audit({ pool: world.database.pool, readLog: null, lake: null, ...options });
}

function brokenOf(report: AuditReport): string[] {
  return report.checks.filter(({ status }) => status === 'broken').map(({ name }) => name);
}

it('a world that was confirmed, rolled back and released several times is sound', async () => {
  const report = await run();
  expect(brokenOf(report)).toEqual([]);
  const checked = (name: string) => report.checks.find((check) => check.name === name)?.checked;
  // Two own cuts and four confirmations; three rollbacks.
  expect(checked(EXAMINED)).toMatchObject({ 'examined cuts': 6 });
  expect(checked(HOLDS)).toMatchObject({ holds: 3 });
});

type Alteration = [what: string, sql: string, publication: number];

const ALTERED_CUTS: Alteration[] = [
  [
    'a row of a confirmation names a partition that the ledger does not',
    `insert into examined_cuts values (2, 5, 3, 7)`,
    5,
  ],
  [
    'a row of a confirmation lies above what the ledger names',
    `update examined_cuts set next_offset = 13 where publication = 6 and slot = 1`,
    6,
  ],
  [
    'a row of a confirmation lies below what the ledger names',
    `update examined_cuts set next_offset = 11 where publication = 6 and slot = 1`,
    6,
  ],
  [
    'a row of a confirmation is gone',
    `delete from examined_cuts where publication = 6 and slot = 3`,
    6,
  ],
  ['all rows of a confirmation are gone', `delete from examined_cuts where publication = 9`, 9],
  [
    'a generation has the rows of another one’s confirmation',
    `insert into examined_cuts select 1, 6, slot, next_offset from examined_cuts
      where publication = 6`,
    6,
  ],
  [
    'the rows of a confirmation were moved to another generation',
    `update examined_cuts set generation = 1 where publication = 5`,
    5,
  ],
  [
    'the rows of two confirmations were swapped',
    `delete from examined_cuts where publication in (9, 12);
     insert into examined_cuts values (1, 9, 1, 8), (1, 9, 2, 2), (1, 12, 1, 7), (1, 12, 2, 1)`,
    9,
  ],
  [
    'rows have the number of a publication that is no confirmation',
    `insert into examined_cuts values (1, 11, 1, 12)`,
    11,
  ],
  [
    'rows have a number that no publication can have',
    `insert into examined_cuts values (1, -1, 1, 12)`,
    -1,
  ],
];

const ALTERED_HOLDS: Alteration[] = [
  ['an open hold is gone', `delete from hour_holds where publication = 11`, 11],
  ['an ended hold is gone', `delete from hour_holds where publication = 3`, 3],
  [
    'a hold is of an hour that was not rolled back',
    `insert into hour_holds values ('2026-11-21T11:00Z', 3, 4, 'a test')`,
    3,
  ],
  [
    'a hold is of a publication that is no rollback',
    `insert into hour_holds values ('2026-11-21T10:00Z', 10, 11, 'publish again')`,
    10,
  ],
  [
    'a hold tells another reason',
    `update hour_holds set reason = 'for another reason' where publication = 7`,
    7,
  ],
  [
    'a hold was ended by a confirmation',
    `update hour_holds set released = 12 where publication = 11`,
    11,
  ],
  [
    'a hold was ended before anything ended it',
    `update hour_holds set released = 5 where publication = 3`,
    3,
  ],
  ['a hold was ended by itself', `update hour_holds set released = 11 where publication = 11`, 11],
  [
    'a hold was ended by a later publication than its release',
    `update hour_holds set released = 10 where publication = 7`,
    7,
  ],
  [
    'a hold is open that a release ended',
    `update hour_holds set released = null where publication = 7`,
    7,
  ],
  [
    'a hold is open that a publication ended',
    `update hour_holds set released = null where publication = 3`,
    3,
  ],
];

describe('names what is not as the ledger says when', () => {
  it.each([
    ...ALTERED_CUTS.map((alteration) => [EXAMINED, ...alteration] as const),
    ...ALTERED_HOLDS.map((alteration) => [HOLDS, ...alteration] as const),
  ])('%s: %s', async (broken, _what, sql, publication) => {
    await world.database.pool.query(sql);
    const report = await run();
    expect(brokenOf(report)).toEqual([broken]);
    expect(report.checks.find(({ name }) => name === broken)?.examples).toContainEqual(
      expect.objectContaining({ publication }),
    );
  });

  it('the hour is in the range that was asked for, and only then', async () => {
    await world.database.pool.query(`delete from hour_holds where publication = 11;
      delete from examined_cuts where publication = 9`);
    const hours = (from: number, to: number) => ({
      range: { fromMs: TEN_MS + from * 3_600_000, toMs: TEN_MS + to * 3_600_000 },
    });
    expect(brokenOf(await run(hours(0, 1)))).toEqual([EXAMINED, HOLDS]);
    expect(brokenOf(await run(hours(-1, 0)))).toEqual([]);
    expect(brokenOf(await run(hours(1, 2)))).toEqual([]);
  });

  it('entries cannot be read: their own rows are not judged by them, all others are', async () => {
    await world.database.pool.query(`alter table ledger disable trigger user;
      update ledger set body = '{' where publication in (8, 9)`);
    expect(brokenOf(await run())).toEqual(['ledger_chain']);
    await world.database.pool.query(`update hour_holds set released = 9 where publication = 3;
      delete from examined_cuts where publication = 12`);
    expect(brokenOf(await run()).sort()).toEqual([EXAMINED, HOLDS, 'ledger_chain']);
  });
});

describe('the rules in force', () => {
  beforeEach(async () => {
    const client = new pg.Client({ connectionString: world.database.url });
    await client.connect();
    try {
      for (const dimension of ['device', 'format']) {
        const ruleSet = {
          version: 1 as const,
          dimensions: [{ name: dimension, field: dimension }],
        };
        const since = { sinceMs: TEN_MS + 10 * 3_600_000 };
        await putRuleSet(client, { ruleSet, ...since, author: 'somebody', reason: dimension });
      }
    } finally {
      await client.end();
    }
  });

  it('are told by the ledger, too', async () => {
    const report = await run();
    expect(brokenOf(report)).toEqual([]);
    expect(report.checks.find(({ name }) => name === 'rule_versions')).toMatchObject({
      checked: { 'rule versions': 3 },
    });
  });

  it.each([
    ['another author', `update rule_versions set author = 'x' where version = 2`, 2],
    ['another reason', `update rule_versions set reason = 'x' where version = 3`, 3],
    [
      'another hour',
      `update rule_versions set since = since + interval '1 hour' where version = 2`,
      2,
    ],
    ['no hour', `update rule_versions set since = null where version = 2`, 2],
    [
      'another rule set',
      `update rule_versions set hash = (select hash from rule_versions where version = 1) where version = 3`,
      3,
    ],
    ['no entry', `update rule_versions set publication = null where version = 3`, 3],
    ['the entry of another', `update rule_versions set publication = 13 where version = 3`, 3],
    ['a gap', `delete from rule_versions where version = 2`, 3],
    ['an entry alone', `delete from rule_versions where version = 3`, 3],
  ])('with %s are seen', async (_what, sql, version) => {
    await world.database.pool.query(`alter table rule_versions disable trigger user; ${sql}`);
    const report = await run();
    expect(brokenOf(report)).toEqual(['rule_versions']);
    expect(report.checks.find(({ name }) => name === 'rule_versions')?.examples).toContainEqual(
      expect.objectContaining({ version }),
    );
  });
});
