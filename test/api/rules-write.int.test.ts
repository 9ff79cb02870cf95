import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApi } from '../../api/app.js';
import { RULES_BODY_BYTES_MAX } from '../../api/answers/rules-inline.js';
import type { Api } from '../../api/type-provider.js';
import { main } from '../../cli/program.js';
import { CLICK_LIMITS } from '../../core/click/click.js';
import { chainFault } from '../../core/ledger.js';
import { formatTime } from '../../core/range.js';
import { hashRuleSet } from '../../core/rules/rule-set.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { HOUR_MS } from '../../core/time.js';
import { loadConfig } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import { readRuleFile } from '../../runtime/rules/rule-file.js';
import { rulePuts } from '../../runtime/rules/put-rules.js';
import { TrialRuns } from '../../runtime/rules/trial-runs.js';
import { publish } from '../../store/publish/publish.js';
import { openReadPool } from '../../store/read/connection.js';
import { readLedger } from '../../store/read/ledger.js';
import { beginWithRuleSet } from '../../store/rule-versions.js';
import { captureOutput } from '../support/captured-output.js';
import { seedGeneration } from '../support/generations.js';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { until } from '../support/until.js';
import { MIGRATIONS, get } from './support/open-api.js';
import { emptyTables } from './support/world.js';

const FIRST_MS = Date.UTC(2026, 10, 18);
const hour = (n: number): string => formatTime(FIRST_MS + n * HOUR_MS);
const MISTAKE: RuleSet = { version: 1, dimensions: [{ name: 'country', field: 'country' }] };
const FIXED: RuleSet = {
  version: 1,
  dimensions: [{ name: 'country', field: 'country', map: { UK: 'GB' } }],
};
const EXAMPLE = packageFile('examples', 'rules.yaml');
const SIGNED = { reason: 'UK counts as GB', actor: 'eve@example.org' };

let database: TestDatabase;
let pool: ReturnType<typeof openReadPool>;
let api: Api;
let client: pg.Client;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rules-write-'));
  database = await freshDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  // As in the service: what reads can't write, and what writes is handed in.
  pool = openReadPool({
    ...{ url: database.url, applicationName: 'test api', max: 2 },
    ...{ statementTimeoutMs: 20_000, connectTimeoutMs: 5_000 },
  });
  const flags = { postgresUrl: database.url };
  const { config } = loadConfig({ flags, env: {}, useStack: false });
  const trials = new TrialRuns();
  api = await createApi({
    ...{ pool, migrations: MIGRATIONS, putRules: rulePuts(config) },
    tryRules: (order) => trials.run(order),
  });
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await api.close();
  await pool.end();
  await client.end();
  await database.close();
});

/** The first version is for all hours; of four hours three are final by it. */
beforeEach(async () => {
  await emptyTables(database.pool, 'hours', 'ledger', 'rule_versions', 'rule_sets');
  await database.pool.query('update ledger_head set publication = 0, hash = default');
  await beginWithRuleSet(client, MISTAKE);
  const hours = [];
  for (let n = 0; n < 4; n++) {
    await client.query('insert into hours (hour, rule_set) values ($1, $2)', [
      ...[hour(n), hashRuleSet(MISTAKE)],
    ]);
    const hourMs = FIRST_MS + n * HOUR_MS;
    const generation = await seedGeneration(client, { hourMs, ruleSet: MISTAKE, cells: [] });
    hours.push({ hourMs, generation, expectedRevision: 0, reconciliation: null });
  }
  await publish(client, {
    ...{ request: 'serve', kind: 'publish', hours: hours.slice(0, 3) },
    ...{ actor: 'test', reason: 'test', automatic: false },
  });
});

interface Answer {
  readonly status: number;
  readonly location: unknown;
  readonly retryAfter: unknown;
  readonly body: Record<string, unknown>;
}

async function post(url: string, payload: object | string, to = api): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const answer = await to.inject({ method: 'POST', url, payload, headers });
  const { statusCode: status, headers: told } = answer;
  return { status, location: told.location, retryAfter: told['retry-after'], body: answer.json() };
}

/** What the command line prints with `--json`. */
async function printed(...args: readonly string[]): Promise<string> {
  const output = captureOutput();
  try {
    await main([...args, '--json', '--set', `postgresUrl=${database.url}`]);
  } finally {
    process.exitCode = undefined;
    vi.restoreAllMocks();
  }
  return output.stdout;
}

async function cli(...args: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await printed(...args)) as Record<string, unknown>;
}

const versions = async (): Promise<{ version: number; rule_set: string }[]> =>
  ((await get(api, '/rules')).body as { versions: { version: number; rule_set: string }[] })
    .versions;

/** How many rows each table has that a put writes to. */
async function stored(): Promise<unknown> {
  const { rows } = await database.pool.query(
    `select (select count(*) from rule_sets) s, (select count(*) from rule_versions) v,
            (select count(*) from ledger) l, (select publication from ledger_head) p`,
  );
  return rows[0];
}

describe('POST /rules', () => {
  it('puts the next version: listed, in the ledger, and what is stale by it is named', async () => {
    const put = await post('/rules', { rule_set: FIXED, since: '2026-11-18T01', ...SIGNED });
    expect(put).toMatchObject({
      ...{ status: 201, location: '/rules/2' },
      body: {
        ...{ version: 2, rule_set: hashRuleSet(FIXED), since: hour(1), existed: false },
        ...{ author: SIGNED.actor, reason: SIGNED.reason, publication: 2 },
        stale: { stale: 2, ranges: [{ from: hour(1), to: hour(3) }] },
      },
    });
    const listed = await versions();
    expect(listed).toHaveLength(2);
    expect(put.body).toMatchObject(listed[1]!);
    expect((await get(api, String(put.location))).body).toMatchObject({ body: FIXED });
    const { entries } = await readLedger(database.pool, 0, 10);
    expect(chainFault(entries)).toBeNull();
    expect(entries.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { kind: 'publish' },
      {
        ...{ kind: 'rules', request: 'rules v2', actor: SIGNED.actor, reason: SIGNED.reason },
        rules: { version: 2, rule_set: hashRuleSet(FIXED), since: hour(1) },
      },
    ]);
  });

  it('put again, by the API or the command line, the newest changes nothing', async () => {
    const body = { rule_set: FIXED, since: hour(1), ...SIGNED };
    const first = await post('/rules', body);
    const before = await stored();
    const again = await post('/rules', { ...body, reason: 'once more' });
    expect(again).toEqual({
      ...{ status: 200, location: undefined },
      body: { ...first.body, existed: true },
    });
    const file = join(folder, 'fixed.json');
    writeFileSync(file, JSON.stringify(FIXED));
    const line = await cli('rules', 'put', file, '--since', hour(1), '--reason', 'x');
    // But for the commands that it adds to the ranges.
    const text = JSON.stringify(line, (key, value: unknown) =>
      key === 'replay' ? undefined : value,
    );
    expect(JSON.parse(text)).toEqual(again.body);
    expect(await stored()).toEqual(before);
  });

  it('left out, the beginning is the first hour that nobody has begun to count', async () => {
    const { rows } = await database.pool.query<{ now: Date }>('select now()');
    const { status, body } = await post('/rules', { rule_set: FIXED, ...SIGNED });
    expect([status, body['stale']]).toMatchObject([201, { stale: 0 }]);
    const since = Date.parse(String(body['since']));
    expect(since).toBeGreaterThan(Math.max(rows[0]!.now.getTime(), Date.parse(hour(3))));
    expect(since % HOUR_MS).toBe(0);
  });

  it('a dry run says what the command line says, and stores nothing', async () => {
    const before = await stored();
    const body = { rule_set: FIXED, since: hour(2), ...SIGNED, dry_run: true };
    const { status, body: would } = await post('/rules', body);
    expect([status, would]).toMatchObject([
      200,
      {
        ...{ rule_set: hashRuleSet(FIXED), since: hour(2), dry_run: true },
        stale: { stale: 1, hours: [{ hour: hour(2), in_force: hashRuleSet(FIXED) }] },
      },
    ]);
    const file = join(folder, 'rehearsed.json');
    writeFileSync(file, JSON.stringify(FIXED));
    const put = ['rules', 'put', file, '--since', hour(2), '--reason', 'x', '--dry-run'];
    expect(await cli(...put)).toMatchObject(would);
    const open = await post('/rules', { rule_set: FIXED, ...SIGNED, dry_run: true });
    expect(open.body).toMatchObject({ existed: false, dry_run: true, stale: { stale: 0 } });
    const nextHour = (Math.floor(Date.now() / HOUR_MS) + 1) * HOUR_MS;
    // By the database's clock, which may be an hour on if the hour ends just now.
    expect([0, HOUR_MS]).toContain(Date.parse(String(open.body['since'])) - nextHour);
    const again = { rule_set: MISTAKE, ...SIGNED, dry_run: true };
    expect((await post('/rules', again)).body).toMatchObject({ existed: true, since: null });
    expect(await stored()).toEqual(before);
  });

  it('says which versions it takes hours from, and is refused where another is the newest than expected', async () => {
    const third = { version: 1, dimensions: [{ name: 'device', field: 'device' }] };
    const first = { rule_set: FIXED, since: hour(8), expect: 1, ...SIGNED };
    expect((await post('/rules', first)).body).toMatchObject({
      ...{ version: 2, superseded: [{ version: 1, from: hour(8), to: null }] },
    });
    const second = { rule_set: third, since: hour(7), expect: 1, ...SIGNED };
    for (const body of [second, { ...second, dry_run: true }]) {
      const refused = await post('/rules', body);
      expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
      expect(refused.body['detail']).toBe(
        `version 1 is not the newest: it is 2, put by ${SIGNED.actor}: ${SIGNED.reason}`,
      );
    }
    expect(await versions()).toHaveLength(2);
    // Asked again, what was put is there, whatever was expected.
    expect((await post('/rules', first)).body).toMatchObject({ version: 2, existed: true });

    const file = join(folder, 'third.json');
    writeFileSync(file, JSON.stringify(third));
    const put = ['rules', 'put', file, '--since', hour(7), '--reason', 'x'];
    expect(await cli(...put, '--expect', '1')).toMatchObject({ error: { code: 'conflict' } });
    const superseded = [
      { version: 1, from: hour(7), to: hour(8) },
      { version: 2, from: hour(8), to: null },
    ];
    expect((await post('/rules', { ...second, expect: 2, dry_run: true })).body).toMatchObject({
      superseded,
    });
    const output = captureOutput();
    await main([...put, '--expect', '2', '--set', `postgresUrl=${database.url}`]);
    vi.restoreAllMocks();
    expect(output.stdout).toContain(
      `v2 was in force, or to be, from ${hour(8)} on: it no longer is\n`,
    );
    expect((await versions()).map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  it('of puts at the same time each is a version, and the same one is put once', async () => {
    const third = { version: 1, dimensions: [{ name: 'device', field: 'device' }] };
    const wanted = [FIXED, FIXED, third, third].map((ruleSet) =>
      post('/rules', { rule_set: ruleSet, since: hour(1), ...SIGNED }),
    );
    const statuses = (await Promise.all(wanted)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 200, 201, 201]);
    expect((await versions()).map(({ version }) => version)).toEqual([1, 2, 3]);
    const { entries } = await readLedger(database.pool, 0, 10);
    expect([entries.length, chainFault(entries)]).toEqual([3, null]);
  });

  it('keeps keys that look like members of JavaScript objects', async () => {
    const map = '{"__proto__": "x", "constructor": "y"}';
    const ruleSet = `{"version": 1, "dimensions": [{"name": "d", "field": "f", "map": ${map}}]}`;
    const words = JSON.stringify(SIGNED).slice(1);
    const { status, body } = await post('/rules', `{"rule_set": ${ruleSet}, ${words}`);
    expect([status, body['rule_set']]).toEqual([201, hashRuleSet(JSON.parse(ruleSet) as RuleSet)]);
  });

  const FILE = {
    version: 1,
    dimensions: [],
    tables: { ads: { file: '/etc/passwd', key: 'text' } },
  };
  it.each([
    ['no reason', { rule_set: FIXED, actor: 'x' }, 'invalid_argument', 'reason is missing'],
    ['no actor', { rule_set: FIXED, reason: 'x' }, 'invalid_argument', 'actor is missing'],
    ['no rule set', SIGNED, 'invalid_argument', 'rule_set is missing'],
    ['two lines', { rule_set: FIXED, ...SIGNED, reason: 'a\nb' }, 'invalid_argument', 'reason has'],
    [
      'a long actor',
      { rule_set: FIXED, ...SIGNED, actor: 'x'.repeat(201) },
      'invalid_argument',
      '',
    ],
    ['a misspelt member', { rule_set: FIXED, ...SIGNED, dryrun: 1 }, 'invalid_argument', 'dryrun'],
    [
      'half an hour',
      { rule_set: FIXED, ...SIGNED, since: '2026-11-18T00:30' },
      'invalid_range',
      '',
    ],
    ['no time', { rule_set: FIXED, ...SIGNED, since: 'now' }, 'invalid_argument', 'since'],
    ['no object', { rule_set: 'rules.yaml', ...SIGNED }, 'invalid_rule_set', 'must be an object'],
    ['null', { rule_set: null, ...SIGNED }, 'invalid_rule_set', 'must be an object'],
    [
      'a wrong rule set',
      { rule_set: { version: 1, dimensions: [{ name: 'A', field: 'a' }] }, ...SIGNED },
      ...(['invalid_rule_set', 'dimensions[0].name'] as const),
    ],
    [
      'a table by file',
      { rule_set: FILE, ...SIGNED },
      'invalid_rule_set',
      'tables["ads"] is a file',
    ],
    ['no JSON', '{"rule_set": ', 'invalid_argument', ''],
    ['too much', ' '.repeat(RULES_BODY_BYTES_MAX + 1), 'invalid_argument', 'too large'],
  ])('%s is refused, dry or not, and nothing is stored', async (_what, body, code, words) => {
    const before = await stored();
    const dry = typeof body === 'string' ? body : { ...body, dry_run: true };
    for (const wrong of [body, dry]) {
      const answer = await post('/rules', wrong);
      expect(answer).toMatchObject({ status: 400, body: { code, status: 400 } });
      expect(String(answer.body['detail'])).toContain(words);
    }
    expect(await stored()).toEqual(before);
  });

  it('a service that only reads says so, but rehearses and refuses what is wrong', async () => {
    const reading = await createApi({ pool, migrations: MIGRATIONS });
    const body = { rule_set: FIXED, since: hour(1), ...SIGNED };
    expect(await post('/rules', body, reading)).toMatchObject({
      ...{ status: 503, body: { code: 'component_unavailable' } },
    });
    const dry = await post('/rules', { ...body, dry_run: true }, reading);
    expect(dry).toMatchObject({ status: 200, body: { stale: { stale: 2 } } });
    expect((await post('/rules', { ...body, rule_set: {} }, reading)).status).toBe(400);
    const attempt = await post('/rules/try', { rules: 1, clicks: ['x'] }, reading);
    expect(attempt).toMatchObject({ status: 503, body: { code: 'component_unavailable' } });
    await reading.close();
  });

  it('without Postgres a put is refused, and the next one goes on', async () => {
    const flags = { postgresUrl: 'postgres://postgres@127.0.0.1:1/none' };
    const { config } = loadConfig({ flags, env: {}, useStack: false });
    const putRules = rulePuts(config);
    const away = await createApi({ pool, migrations: MIGRATIONS, putRules });
    for (let i = 0; i < 2; i++) {
      const answer = await post('/rules', { rule_set: FIXED, ...SIGNED }, away);
      expect(answer).toMatchObject({ status: 503, body: { code: 'dependency_unreachable' } });
    }
    await away.close();
  });
});

describe('GET /rules/diff', () => {
  it('is the document of the command line, by version and by hash', async () => {
    const example = readRuleFile(EXAMPLE);
    const { tables = {}, ...rest } = example;
    const [[name, table]] = Object.entries(tables) as [[string, (typeof tables)[string]]];
    const fewer = { ...tables, [name]: { ...table, rows: table.rows.slice(1) } };
    const moved = [...(rest.filters ?? [])].reverse();
    const changed: RuleSet = { ...rest, tables: fewer, filters: moved };
    for (const ruleSet of [FIXED, example, changed]) {
      expect((await post('/rules', { rule_set: ruleSet, ...SIGNED })).status).toBe(201);
    }
    for (const [a, b] of [
      ['1', '2'],
      ['2', '3'],
      ['3', '4'],
      ['4', '4'],
      [hashRuleSet(changed), '1'],
    ] as const) {
      const { status, body } = await get(api, '/rules/diff', { a, b });
      expect([status, body]).toEqual([200, await cli('rules', 'diff', a, b)]);
    }
    const { body } = await get(api, '/rules/diff', { a: 3, b: 4 });
    expect(body).toMatchObject({
      ...{ before: hashRuleSet(example), after: hashRuleSet(changed), filters_moved: true },
      tables: [{ name, change: 'changed', removed: [table.rows[0]] }],
    });
  });

  it.each([
    [{ a: '1' }, 400, 'invalid_argument'],
    [{ a: '1', b: '9' }, 404, 'not_found'],
    [{ a: '0'.repeat(64), b: '1' }, 404, 'not_found'],
    [{ a: '1', b: 'rules.yaml' }, 400, 'invalid_argument'],
    [{ a: '1', b: '1', c: '1' }, 400, 'invalid_argument'],
  ])('%j is refused', async (query, status, code) => {
    expect(await get(api, '/rules/diff', query as Record<string, string>)).toMatchObject({
      ...{ status, body: { code } },
    });
  });
});

describe('POST /rules/try', () => {
  const click = (id: string, fields: object = {}): object => ({
    ...{ event_id: id, ad_id: 'ad_0000', timestamp: hour(0) },
    ...fields,
  });
  const CLICKS = [
    click('e1', { country: ' uk', device: 'Mobile', user_id: 'u' }),
    click('e2', { user_agent: 'Googlebot/2.1', user_id: 'u' }),
    click('e1', { country: 'US' }),
    'no click',
    JSON.stringify(click('e3', { country: 'a "quoted" \u202e\ud800' })),
    click('e4', { country: 5, user_id: ['u'] }),
    ...Array.from({ length: 11 }, (_, i) => click(`u${String(i)}`, { user_id: 'u' })),
    'x'.repeat(CLICK_LIMITS.recordBytesMax + 1),
  ];

  it('is what the command line prints, by version, hash and rule set, and stores nothing', async () => {
    const example = readRuleFile(EXAMPLE);
    await post('/rules', { rule_set: example, ...SIGNED });
    const before = await stored();
    const path = join(folder, 'clicks.ndjson');
    const lines = CLICKS.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    writeFileSync(path, lines.join('\n'));
    const shown = (await printed('rules', 'try', EXAMPLE, path)).trimEnd().split('\n');
    const trials = shown.map((line) => JSON.parse(line) as { fate: string });
    const fates = trials.map(({ fate }) => fate);
    expect(new Set(fates).size).toBe(4);
    const hash = hashRuleSet(example);
    for (const rules of [2, '2', hash, example]) {
      const answer = await post('/rules/try', { rules, clicks: CLICKS });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ rule_set: hash, trials });
    }
    expect(await stored()).toEqual(before);
  });

  it.each([
    ['no clicks', { rules: 1, clicks: [] }, 400, 'invalid_argument'],
    ['too many', { rules: 1, clicks: new Array(101).fill('x') }, 400, 'invalid_argument'],
    ['one click', { rules: 1, clicks: {} }, 400, 'invalid_argument'],
    ['a number', { rules: 1, clicks: [5] }, 400, 'invalid_argument'],
    ['a list', { rules: 1, clicks: [[]] }, 400, 'invalid_argument'],
    ['no rules', { clicks: ['x'] }, 400, 'invalid_argument'],
    ['an unknown version', { rules: 7, clicks: ['x'] }, 404, 'not_found'],
    ['half a version', { rules: 1.5, clicks: ['x'] }, 400, 'invalid_argument'],
    ['a wrong rule set', { rules: { version: 2 }, clicks: ['x'] }, 400, 'invalid_rule_set'],
    ['null', { rules: null, clicks: ['x'] }, 400, 'invalid_rule_set'],
  ])('%s is refused', async (_what, body, status, code) => {
    expect(await post('/rules/try', body)).toMatchObject({ status, body: { code } });
  });

  it('an answer that would grow without bound is refused', async () => {
    const values = Array.from({ length: 60 }, (_, i) => ({ name: `v${String(i)}`, field: 'f' }));
    const rules = { version: 1, values, dimensions: [{ name: 'd', field: 'f' }] };
    const clicks = Array.from({ length: 100 }, (_, i) =>
      click(String(i), { f: 'x'.repeat(4_000) }),
    );
    const answer = await post('/rules/try', { rules, clicks });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_argument' } });
    expect(String(answer.body['detail'])).toMatch(
      /^click \d+ makes the answer larger than 8388608/,
    );
    const few = await post('/rules/try', { rules, clicks: clicks.slice(0, 5) });
    expect(few.status).toBe(200);
  });

  it('while it takes long all else is answered; it is given up, and a third at once is refused', async () => {
    // As large as a rule set may be: minutes for these clicks.
    const match = Array.from({ length: 24 }, (_, i) => ({
      pattern: `(?i)[a-c]{0,50}[b-d]{0,50}[a-z]{0,100}q${String(i)}`,
      as: 'x',
    }));
    const rules = { version: 1, dimensions: [{ name: 'd', field: 'f', match }] };
    const clicks = Array.from({ length: 100 }, (_, i) =>
      click(String(i), { f: 'abcdxyz'.repeat(580) }),
    );
    const trials = new TrialRuns(3_000);
    const slow = await createApi({
      ...{ pool, migrations: MIGRATIONS },
      tryRules: (order) => trials.run(order),
    });
    let ended = 0;
    const two = [1, 2].map(() =>
      post('/rules/try', { rules, clicks }, slow).finally(() => ended++),
    );
    const third = await until('two are tried', async () => {
      const answer = await post('/rules/try', { rules: 1, clicks: ['x'] }, slow);
      return answer.status === 503 ? answer : undefined;
    });
    expect(third).toMatchObject({ retryAfter: '1', body: { code: 'not_ready' } });
    expect(third.body['detail']).toBe('other rule sets are being tried');
    expect((await get(slow, '/health/live')).status).toBe(200);
    expect(ended, 'still tried').toBe(0);
    for (const answer of await Promise.all(two)) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'not_ready' } });
      expect(answer.body['detail']).toBe('the trial took too long and was given up');
    }
    expect((await post('/rules/try', { rules: 1, clicks: ['x'] }, slow)).status).toBe(200);
    const last = post('/rules/try', { rules, clicks }, slow);
    const closing = await until('it is tried', () => {
      trials.close();
      return Promise.race([last, Promise.resolve(undefined)]);
    });
    expect(closing.status).toBe(503);
    await slow.close();
  });
});
