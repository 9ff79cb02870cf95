import { spawnSync } from 'node:child_process';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { PROGRAM, cleanEnvironment, truecount } from '../support/command-line.js';

const RULES = packageFile('examples', 'rules.yaml');
const folder = mkdtempSync(join(tmpdir(), 'rules-try-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const AT = '2026-11-21T10:00:00Z';
const click = (id: string, fields: object = {}): string =>
  JSON.stringify({ event_id: id, ad_id: 'ad_0000', timestamp: AT, ...fields });

const CLICKS = [
  click('e1', { country: ' uk', device: 'Mobile', user_id: 'u' }),
  click('e2', { user_agent: 'Googlebot/2.1', user_id: 'u' }),
  click('e1', { country: 'US' }),
  '',
  'no click',
  ...Array.from({ length: 10 }, (_, i) => click(`u${String(i)}`, { user_id: 'u' })),
  click('\u202e', { device: 'a\u202eb' }),
];
const path = join(folder, 'clicks.ndjson');
writeFileSync(path, CLICKS.join('\n'));

/** No address of anything: what is needed is a rule file and clicks. */
const NOWHERE = { TRUECOUNT_HOME: folder };

it('shows of each click what became of it and why, as NDJSON, without any stack', async () => {
  const { code, stdout, stderr } = await truecount(
    ['rules', 'try', RULES, path, '--json'],
    NOWHERE,
  );
  expect(code).toBe(0);
  const trials = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(trials).toHaveLength(CLICKS.length - 1);
  expect(trials[0]).toMatchObject({
    ...{ line: 1, fate: 'counted', reason: null, ad_id: 'ad_0000', timestamp: AT },
    cells: expect.arrayContaining(['', 'country:GB', 'device:mobile', 'market:europe']) as object,
    caps: [{ reason: 'too_many', before: 0, above: false, value: { kind: 'value', text: 'u' } }],
  });
  expect(trials[1]).toMatchObject({ fate: 'filtered', reason: 'robot', cells: [], caps: null });
  expect(trials[2]).toMatchObject({ line: 3, fate: 'duplicate', of_line: 1 });
  expect(trials[3]).toMatchObject({ line: 5, fate: 'quarantined', reason: 'not_json' });
  // The robot is none to the cap: the eleventh click of the user that comes to it is above.
  expect(trials[12]).toMatchObject({ fate: 'counted' });
  expect(trials[13]).toMatchObject({
    fate: 'filtered',
    reason: 'too_many',
    caps: [{ before: 10 }],
  });
  expect(stderr).toContain('11 counted, 2 filtered, 1 duplicate, 1 quarantined');
});

it('prints a trace that people can read, and nothing that acts on a terminal; clicks from stdin', () => {
  const { status, stdout } = spawnSync(process.execPath, [PROGRAM, 'rules', 'try', RULES], {
    ...{ input: CLICKS.join('\n'), encoding: 'utf8' },
    env: cleanEnvironment(NOWHERE),
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/country " uk" → trim "uk" → case "UK" → unknown "UK" → map "GB" += GB\n/);
  expect(stdout).toContain('line 2: ad_0000, e2, 2026-11-21T10:00:00Z: filtered as robot\n');
  expect(stdout).toContain('agent "robot" in [robot, tool]: yes');
  expect(stdout).toMatch(/too_many +user_id "u" is click 11, at most 10 count += above\n/);
  expect(stdout).toContain('line 3: ad_0000, e1, 2026-11-21T10:00:00Z: duplicate of line 1\n');
  expect(stdout).toContain('device:a\\u{202e}b');
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

it.each([
  ['no such rules', ['none.yaml', path], 3],
  ['no such clicks', [RULES, join(folder, 'none')], 3],
  ['a version where there is no stack', ['1', path], 5],
])('%s: the exit code says so', async (_what, args, code) => {
  expect((await truecount(['rules', 'try', ...args], NOWHERE)).code).toBe(code);
});
