import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApi } from '../../api/app.js';
import { formatTime } from '../../core/range.js';
import { hashRuleSet, ruleSetBody } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { versionFor } from '../../core/rules/versions.js';
import { HOUR_MS } from '../../core/time.js';
import { MIGRATIONS, get, openApi } from './support/open-api.js';
import { Recorder } from './support/recorder.js';
import { emptyTables, seedLog } from './support/world.js';

const FIRST_MS = Date.UTC(2026, 0, 1);
const RULE_SETS: readonly RuleSet[] = ['a', 'b', 'c'].map((field) => ({
  version: 1,
  dimensions: [{ name: 'd', field }],
}));
const HASHES = RULE_SETS.map(hashRuleSet);

interface StaleAnswer {
  readonly stale: number;
  readonly ranges: readonly { from: string; to: string; hours: number }[];
  readonly hours: readonly { hour: string; counted_by: string; in_force: string; age: string }[];
  readonly newer: Omit<StaleAnswer, 'stale' | 'newer'> & { readonly count: number };
}

let open: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  open = await openApi();
  await seedLog(open.database.pool, FIRST_MS);
  for (const [i, ruleSet] of RULE_SETS.entries()) {
    await open.database.pool.query('insert into rule_sets (hash, body) values ($1, $2)', [
      HASHES[i],
      ruleSetBody(ruleSet),
    ]);
  }
});
afterAll(() => open.close());

/** An hour that is live (null), or served by a rule set. */
type World = {
  readonly versions: readonly { readonly rules: number; readonly since: number | null }[];
  readonly hours: readonly (number | null)[];
};

async function load({ versions, hours }: World): Promise<void> {
  const { pool } = open.database;
  await emptyTables(pool, 'hours', 'ledger', 'rule_versions');
  await pool.query('alter sequence generations_id_seq restart');
  await pool.query('update ledger_head set publication = 1');
  await pool.query(
    `insert into ledger (publication, kind, request, body, prev_hash, hash)
     values (1, 'publish', 'x', '{}', 'x', 'x')`,
  );
  await pool.query(
    `insert into rule_versions (version, hash, since, author, reason)
     select v, h, s, 'who', 'why'
       from unnest($1::int[], $2::text[], $3::timestamptz[]) as t (v, h, s)`,
    [
      versions.map((_, i) => i + 1),
      versions.map(({ rules }) => HASHES[rules]),
      versions.map(({ since }) => (since === null ? null : at(since))),
    ],
  );
  const served = hours.flatMap((rules, n) => (rules === null ? [] : [{ n, rules }]));
  await pool.query(
    'insert into hours (hour, rule_set) select h, $2 from unnest($1::timestamptz[]) h',
    [hours.map((_, n) => at(n)), HASHES[0]],
  );
  await pool.query(
    `with made as (
       insert into generations (hour, rule_set, inputs_hash, checksum, rows, cells, received, counted,
                                duplicate, filtered, built_by)
       select h, r, h::text, '', 0, 0, '{}', '{}', '{}', '{}', 'test'
         from unnest($1::timestamptz[], $2::text[]) as t (h, r)
       returning id, hour
     ) insert into pointers select hour, 1, id, 1 from made`,
    [served.map(({ n }) => at(n)), served.map(({ rules }) => HASHES[rules])],
  );
}

const at = (n: number): Date => new Date(FIRST_MS + n * HOUR_MS);
const hour = (n: number): string => formatTime(FIRST_MS + n * HOUR_MS);

const worlds: fc.Arbitrary<World> = fc.record({
  versions: fc
    .array(fc.record({ rules: fc.nat(2), since: fc.option(fc.integer({ min: -2, max: 14 })) }), {
      minLength: 1,
      maxLength: 5,
    })
    .map(([first, ...rest]) => [{ ...first!, since: null }, ...rest]),
  hours: fc.array(fc.option(fc.nat(2)), { minLength: 1, maxLength: 12 }),
});

test('stale are the final hours whose rule set is not the newest that has begun, but for newer ones, by brute force', async () => {
  const found = { older: 0, newer: 0, unlisted: 0 };
  await fc.assert(
    fc.asyncProperty(worlds, fc.nat(11), async (world, from) => {
      await load(world);
      const versions = world.versions.map(({ rules, since }, i) => ({
        ...{ version: i + 1, hash: HASHES[rules]! },
        sinceMs: since === null ? null : at(since).getTime(),
      }));
      const other = world.hours.flatMap((rules, n) => {
        const inForce = versionFor(versions, at(n).getTime())!;
        if (rules === null || HASHES[rules] === inForce.hash) return [];
        const own = versions.filter(({ hash }) => hash === HASHES[rules]);
        const before = own.filter(({ version }) => version < inForce.version);
        const by = versionFor(before, at(n).getTime()) ?? before.at(-1) ?? own.at(-1);
        const [version, newest] = [by?.version ?? null, inForce.version];
        return [
          {
            ...{ hour: hour(n), counted_by: HASHES[rules], counted_by_version: version },
            ...{ in_force: inForce.hash, in_force_version: newest },
            age: version === null ? 'unlisted' : version < newest ? 'older' : 'newer',
          },
        ];
      });
      const [stale, newer] = [true, false].map((is) =>
        other.filter(({ age }) => (age !== 'newer') === is),
      );
      const all = (await get(open.api, '/rules/stale')).body as StaleAnswer;
      for (const { age } of other) found[age as keyof typeof found]++;
      expect(all.hours).toMatchObject(stale!);
      expect(all.newer.hours).toMatchObject(newer!);
      expect([all.stale, all.newer.count]).toEqual([stale!.length, newer!.length]);
      const hoursOf = (of: Pick<StaleAnswer, 'ranges'>): number =>
        of.ranges.reduce((sum, range) => sum + range.hours, 0);
      expect([hoursOf(all), hoursOf(all.newer)]).toEqual([all.stale, all.newer.count]);
      const range = { from: hour(from), to: hour(12) };
      const part = (await get(open.api, '/rules/stale', range)).body as StaleAnswer;
      expect(part.hours).toEqual(all.hours.filter((one) => one.hour >= range.from));
    }),
    { numRuns: 60 },
  );
  for (const age of ['older', 'newer', 'unlisted'] as const) {
    expect(found[age], age).toBeGreaterThan(5);
  }
});

test('of a rule set put several times it is the version before the one in force, begun if there is one', async () => {
  const versions = [
    { rules: 0, since: null },
    { rules: 1, since: 2 },
    { rules: 0, since: 8 },
    { rules: 2, since: 6 },
    { rules: 1, since: 7 },
    { rules: 0, since: 7 },
  ];
  // Live: 0 to 2. In force: v1 for 0 and 1, v2 for 2 to 5, v4 for 6, v6 from 7 on.
  await load({ versions, hours: [null, 1, null, 0, 2, null, 1, 1] });
  const { body } = await get(open.api, '/rules/stale');
  const { hours, newer } = body as StaleAnswer;
  expect(hours).toMatchObject([
    { hour: hour(3), counted_by_version: 1, in_force_version: 2, age: 'older' },
    { hour: hour(6), counted_by_version: 2, in_force_version: 4, age: 'older' },
    { hour: hour(7), counted_by_version: 5, in_force_version: 6, age: 'older' },
  ]);
  expect(newer.hours).toMatchObject([
    { hour: hour(1), counted_by_version: 5, in_force_version: 1, age: 'newer' },
    { hour: hour(4), counted_by_version: 4, in_force_version: 2, age: 'newer' },
  ]);
});

test('of many stale hours the first 1,000 are named, and the ranges and sums are of all', async () => {
  const versions = [{ rules: 1, since: null }];
  await load({ versions, hours: new Array<number>(1_500).fill(0) });
  const { body } = await get(open.api, '/rules/stale');
  const { stale, hours, ranges } = body as StaleAnswer;
  expect([stale, hours.length, hours.at(-1)!.hour]).toEqual([1_500, 1_000, hour(999)]);
  expect(ranges.map((range) => range.hours)).toEqual([744, 744, 12]);
});

test('versions are listed as they were put, and a rule set tells the versions that put it', async () => {
  const versions = [
    { rules: 0, since: null },
    { rules: 1, since: 5 },
    { rules: 0, since: 7 },
  ];
  await load({ versions, hours: [] });
  const { body } = await get(open.api, '/rules');
  expect(body).toMatchObject({
    versions: versions.map(({ rules, since }, i) => ({
      ...{ version: i + 1, rule_set: HASHES[rules], author: 'who', reason: 'why' },
      since: since === null ? null : hour(since),
    })),
  });
  const one = await get(open.api, `/rules/${HASHES[0]!}`);
  expect(one.body).toMatchObject({
    ...{ rule_set: HASHES[0], body: RULE_SETS[0] },
    versions: [{ version: 1 }, { version: 3 }],
  });
  expect((await get(open.api, '/rules/3')).body).toEqual(one.body);
});

test.each([
  ['/rules/0', {}, 400, 'invalid_argument'],
  ['/rules/4', {}, 404, 'not_found'],
  ['/rules/2', { version: 1 }, 400, 'invalid_argument'],
  ['/rules', { from: hour(0) }, 400, 'invalid_argument'],
  ['/rules/stale', { from: hour(0) }, 400, 'invalid_argument'],
  ['/rules/stale', { from: hour(0), to: '2026-01-01T00:30' }, 400, 'invalid_range'],
])('%s with %j is refused', async (path, query, status, code) => {
  expect(await get(open.api, path, query as Record<string, string>)).toMatchObject({
    status,
    body: { code },
  });
});

test('a replay is started by the number of a version', async () => {
  await load({
    versions: [
      { rules: 0, since: null },
      { rules: 2, since: 1 },
    ],
    hours: [],
  });
  const replays = new Recorder();
  const api = await createApi({ pool: open.database.pool, migrations: MIGRATIONS, replays });
  const payload = { from: at(1), to: at(2), rules: '2' };
  const answer = await api.inject({ method: 'POST', url: '/replays', payload });
  expect(answer.statusCode).toBe(202);
  expect(replays.started).toMatchObject([{ rules: HASHES[2] }]);
  await api.close();
});
