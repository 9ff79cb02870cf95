import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { chainFault } from '../../core/ledger.js';
import { formatTime } from '../../core/range.js';
import { DEFAULT_RULE_SET, hashRuleSet } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { publish } from '../../store/publish/publish.js';
import { readLedger } from '../../store/read/ledger.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';
import { get, openApi } from '../api/support/open-api.js';
import type { Outcome } from '../support/command-line.js';
import { seedGeneration } from '../support/generations.js';

const FIRST_MS = Date.UTC(2026, 10, 18);
const HOURS = 8;
const hour = (n: number): string => formatTime(FIRST_MS + n * HOUR_MS);

/** In force from the beginning, in which UK was forgotten. */
const MISTAKE: RuleSet = { version: 1, dimensions: [{ name: 'country', field: 'country' }] };
const FIXED: RuleSet = {
  version: 1,
  dimensions: [{ name: 'country', field: 'country', map: { UK: 'GB' } }],
};

let open: Awaited<ReturnType<typeof openApi>>;
let client: pg.Client;
let folder: string;
let fixed: string;

beforeAll(async () => {
  open = await openApi();
  folder = mkdtempSync(join(tmpdir(), 'rules-verbs-'));
  fixed = join(folder, 'fixed.yaml');
  writeFileSync(
    fixed,
    'version: 1\ndimensions:\n  - {name: country, field: country, map: {UK: GB}}\n',
  );
  client = new pg.Client({ connectionString: open.database.url });
  await client.connect();
  await beginWithRuleSet(client, MISTAKE);
  // Final: 1 to 6, the fifth of them by the right rules already. 0 and 7 are live.
  for (let n = 0; n < HOURS; n++) {
    await client.query('insert into hours (hour, rule_set) values ($1, $2)', [
      hour(n),
      hashRuleSet(MISTAKE),
    ]);
    if (n > 0 && n < HOURS - 1) await serve(n, n === 5 ? FIXED : MISTAKE);
  }
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await client.end();
  await open.close();
});

/** Makes an hour final, with two files of the lake. */
async function serve(n: number, ruleSet: RuleSet, expectedRevision = 0): Promise<void> {
  const hourMs = FIRST_MS + n * HOUR_MS;
  const generation = await seedGeneration(client, {
    hourMs,
    ruleSet,
    cells: [['', 'a', { 3: n }]],
  });
  const wanted = { hourMs, generation, expectedRevision, reconciliation: null };
  await publish(client, {
    ...{ request: `serve ${String(n)} ${String(expectedRevision)}`, kind: 'publish' },
    ...{ hours: [wanted], actor: 'test', reason: 'test', automatic: false },
  });
  if (expectedRevision > 0) return;
  for (const part of ['a', 'b']) {
    await client.query(
      `with file as (
         insert into lake_files (key, bytes, sha256, rows, bucket, buckets, min_event_ms, max_event_ms)
         values ($1, 100, repeat('0', 64), 10, 0, 1, 0, 0) returning id
       ) insert into lake_file_hours select $2, id, $3 from file`,
      [`${String(n)}${part}`, hour(n), n],
    );
  }
}

/** Runs the command line in this process, as `main.ts` does. */
async function run(...args: readonly string[]): Promise<Outcome> {
  const out = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      out[name] += String(chunk);
      return true;
    }),
  );
  try {
    const code = await main([...args, '--set', `postgresUrl=${open.database.url}`]);
    return { code, ...out };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
}

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(...args, '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function failure(...args: readonly string[]) {
  const { code, stdout } = await run(...args, '--json');
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  return { exit: code, ...error };
}

const stale = async (...args: readonly string[]): Promise<string[]> => {
  const { hours } = (await json('rules', 'stale', ...args)) as { hours: { hour: string }[] };
  return hours.map((one) => one.hour);
};

describe('before anything is put', () => {
  it('the first version is in force for all hours, and the API says the same', async () => {
    const answer = await json('rules', 'list');
    expect(answer).toEqual((await get(open.api, '/rules')).body);
    expect(answer).toMatchObject({
      versions: [{ version: 1, rule_set: hashRuleSet(MISTAKE), since: null, publication: null }],
    });
    expect((await run('rules', 'list')).stdout).toMatch(/1, in force +ever +[0-9a-f]{64} /);
  });

  it('an hour that serves another rule set than that in force is stale, by how it came to that', async () => {
    expect(await stale()).toEqual([hour(5)]);
  });

  it('a dry run names the hours that would be stale and the replay, and changes nothing', async () => {
    const put = ['rules', 'put', fixed, '--since', hour(3), '--reason', 'UK is GB', '--dry-run'];
    expect(await json(...put)).toMatchObject({
      ...{ rule_set: hashRuleSet(FIXED), since: hour(3), dry_run: true },
      stale: {
        ...{ stale: 3, files: 6, bytes: 600, clicks: 2 * (3 + 4 + 6) },
        ranges: [
          { from: hour(3), to: hour(5), hours: 2, files: 4, clicks: 14 },
          {
            ...{ from: hour(6), to: hour(7) },
            replay: expect.stringContaining(`--rules ${fixed} --plan`) as string,
          },
        ],
      },
    });
    expect((await run(...put)).stdout).toContain('3 final hours are stale: 6 files, 600 B');
    expect((await json('rules', 'list'))['versions']).toHaveLength(1);
    expect(await stale()).toEqual([hour(5)]);
  });
});

describe('put', () => {
  it('makes the next version, with its entry in the ledger, and names what is stale now', async () => {
    const put = ['rules', 'put', fixed, '--since', hour(2), '--reason', 'UK counts as GB'];
    const document = await json(...put);
    expect(document).toMatchObject({
      ...{ version: 2, rule_set: hashRuleSet(FIXED), since: hour(2), existed: false },
      ...{ reason: 'UK counts as GB', author: expect.stringContaining('@') as string },
      publication: HOURS - 1,
      stale: {
        stale: 4,
        ranges: [
          { from: hour(2), to: hour(5) },
          { from: hour(6), to: hour(7) },
        ],
      },
    });
    const { entries } = await readLedger(client, 0, 100);
    expect(chainFault(entries)).toBeNull();
    expect(entries.at(-1)).toMatchObject({ kind: 'rules', publication: HOURS - 1 });
    expect(entries.at(-1)!.body).toContain('UK counts as GB');
  });

  it('put again changes nothing', async () => {
    const put = ['rules', 'put', fixed, '--since', hour(2), '--reason', 'once more'];
    expect(await json(...put)).toMatchObject({ version: 2, existed: true, publication: HOURS - 1 });
    expect((await json('rules', 'list'))['versions']).toHaveLength(2);
  });

  it.each([
    [['none.yaml', '--reason', 'x'], 3, 'not_found'],
    [['fixed.yaml', '--reason', 'x', '--since', '2026-11-18T00:30'], 2, 'invalid_range'],
    [['fixed.yaml', '--reason', 'two\nlines'], 2, 'invalid_argument'],
    [['wrong.yaml', '--reason', 'x'], 2, 'invalid_rule_set'],
  ])('%j is refused', async ([name, ...options], exit, code) => {
    writeFileSync(join(folder, 'wrong.yaml'), 'version: 1\ndimensions:\n  - {name: A, field: a}\n');
    const error = await failure('rules', 'put', join(folder, name!), ...options);
    expect(error).toMatchObject({ exit, code });
    if (name === 'wrong.yaml')
      expect(error.message).toContain('wrong.yaml, line 3: dimensions[0].');
    expect((await json('rules', 'list'))['versions']).toHaveLength(2);
  });
});

describe('stale', () => {
  it('is of a range what it is of all hours, and the API says the same', async () => {
    expect(await stale()).toEqual([2, 3, 4, 6].map(hour));
    expect(await stale('--from', hour(3), '--to', hour(6))).toEqual([3, 4].map(hour));
    const { body } = await get(open.api, '/rules/stale', { from: hour(3), to: hour(6) });
    expect(body).toMatchObject({
      stale: 2,
      ranges: [{ counted_by: hashRuleSet(MISTAKE), in_force: hashRuleSet(FIXED), bytes: 400 }],
      hours: [{ hour: hour(3), revision: 1, held: false, files: 2, clicks: 6 }, {}],
    });
    expect(await failure('rules', 'stale', '--from', hour(3))).toMatchObject({ exit: 2 });
    expect((await get(open.api, '/rules/stale', { to: hour(3) })).status).toBe(400);
  });

  it('prints ranges, what there is to read, and the command of each replay', async () => {
    const { stdout } = await run('rules', 'stale');
    expect(stdout).toContain('4 final hours are stale: 8 files, 800 B, 30 clicks to read');
    expect(stdout).toContain(
      `npx truecount replay --from ${hour(2)} --to ${hour(5)} --rules 2 --plan`,
    );
    expect(stdout).toMatch(new RegExp(`${hour(6)} +${hour(7)} +1 +v1 +v2 +2 +200 B +12\n`));
  });

  it('an hour counted by what is in force is not stale any more', async () => {
    await serve(3, FIXED, 1);
    expect(await stale()).toEqual([2, 4, 6].map(hour));
  });
});

describe('show and diff', () => {
  it('find a rule set by version, hash and file', async () => {
    const hash = hashRuleSet(FIXED);
    const byVersion = await json('rules', 'show', '2');
    expect(byVersion).toMatchObject({ rule_set: hash, versions: [{ version: 2 }], body: FIXED });
    expect(await json('rules', 'show', hash)).toEqual(byVersion);
    expect(await json('rules', 'show', fixed)).toEqual({ ...byVersion, versions: [] });
    expect((await get(open.api, '/rules/2')).body).toEqual(byVersion);
    expect((await get(open.api, `/rules/${hash}`)).body).toEqual(byVersion);
    expect((await run('rules', 'show', '2')).stdout).toMatch(
      /^# rule set [0-9a-f]{64}\n# version 2, since .* UK counts as GB\nversion: 1\ndimensions:\n/,
    );
  });

  it('what is not known is not found: exit code 3, and 404', async () => {
    expect(await failure('rules', 'show', '3')).toMatchObject({ exit: 3, code: 'not_found' });
    expect(await failure('rules', 'show', 'v1')).toMatchObject({ exit: 3, code: 'not_found' });
    const unknown = '0'.repeat(64);
    expect(await failure('rules', 'show', unknown)).toMatchObject({ exit: 3 });
    expect(await get(open.api, `/rules/${unknown}`)).toMatchObject({ status: 404 });
    expect(await get(open.api, '/rules/latest')).toMatchObject({ status: 400 });
  });

  it('a difference names the entry that came', async () => {
    expect(await json('rules', 'diff', '1', '2')).toMatchObject({
      ...{ equal: false, same_meaning: false, filters: [], tables: [] },
      dimensions: [
        { name: 'country', change: 'changed', members: [{ place: 'map', after: { UK: 'GB' } }] },
      ],
    });
    expect((await run('rules', 'diff', '2', fixed)).stdout).toBe('they are equal\n');
    const { stdout } = await run('rules', 'diff', '1', '2');
    expect(stdout).toContain('~ country: changed\n    map: + {"UK":"GB"}');
  });

  it('long tables are abbreviated for people, and whole with --json', async () => {
    const rows = Array.from({ length: 9 }, (_, i) => [`ad-${String(i)}`, 'c']);
    const path = join(folder, 'table.json');
    const table = { key: 'text', columns: ['campaign'], rows };
    writeFileSync(path, JSON.stringify({ ...DEFAULT_RULE_SET, tables: { ads: table } }));
    const { stdout } = await run('rules', 'show', path);
    expect(stdout).toContain('- ad-2 | c\n      - "… and 6 more rows: --json shows all"');
    expect(await json('rules', 'show', path)).toMatchObject({ body: { tables: { ads: table } } });
  });
});

it('replays and recomputes take the number of a version', async () => {
  const range = ['--from', hour(2), '--to', hour(4)];
  const plan = await json('replay', ...range, '--rules', '2', '--plan', '--no-what-if');
  const hash = hashRuleSet(FIXED);
  expect(plan).toMatchObject({ hours: [{ rule_set: hash }, { rule_set: hash }] });
  const recompute = await json('recompute', ...range, '--rules', '2', '--plan');
  expect(recompute).toMatchObject({ hours: [{ rule_set: hash }, { rule_set: hash }] });
  expect(await failure('replay', ...range, '--rules', '9', '--plan')).toMatchObject({ exit: 3 });
});
