import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApi } from '../../api/app.js';
import { main } from '../../cli/program.js';
import { oneAtATime, verifyCell } from '../../runtime/verify-cell.js';
import { MIGRATIONS, get } from '../api/support/open-api.js';
import { formatTime } from '../../core/range.js';
import { HOUR_MS } from '../../core/time.js';
import { PAUSE_SIGNAL } from '../../workflows/contract.js';
import { publishRangeStart, replayRangeStart } from '../../workflows/start-options.js';
import { exitCodeOf } from '../../cli/report-error.js';
import { runWorkflows } from '../../cli/workflow-run.js';
import { runningOf } from '../../cli/workflow-start.js';
import { spawnTruecount, type Outcome } from '../support/command-line.js';
import { kafkaBrokers } from '../support/stack.js';
import { untilCounted } from '../support/stream.js';
import { until } from '../support/until.js';
import { Rig, clicksOf } from '../workflows/support/rig.js';

const FIRST_MS = Date.UTC(2025, 10, 21, 10);
const HOURS = 2;
const CLICKS = 600;
const from = formatTime(FIRST_MS);
const to = formatTime(FIRST_MS + HOURS * HOUR_MS);
const RANGE = ['--from', from, '--to', to];
const WORKFLOW = `replay/${from}--${to}`;
const NOWHERE = { TRUECOUNT_TEMPORAL_ADDRESS: '127.0.0.1:1' };
const OTHER_RULES = {
  version: 1,
  dimensions: [{ name: 'country', field: 'country', map: { UK: 'GB', DE: 'GB' } }],
};

let rig: Rig;
let rulesFile: string;
let settings: string;

beforeAll(async () => {
  rig = await Rig.start({ settings: { TRUECOUNT_TEMPORAL_UI_URL: 'http://ui.example' } });
  rulesFile = join(rig.folder, "it's rules.json");
  settings = join(rig.folder, 'settings.yaml');
  writeFileSync(settings, JSON.stringify(rig.config)); // JSON is YAML
  writeFileSync(rulesFile, JSON.stringify(OTHER_RULES));
  for (let i = 0; i <= HOURS; i++) await rig.produce(clicksOf(FIRST_MS + i * HOUR_MS, CLICKS));
  await rig.startWorker();
  await until('all is counted and archived', async () => {
    const { rows } = await rig.pool.query<{ n: number }>(
      `select count(*)::int as n from (
         select sum(rows) as archived from lake_file_hours group by hour) h
        where archived = $1`,
      [CLICKS * 1.1],
    );
    return rows[0]!.n === HOURS + 1;
  });
});

afterAll(async () => {
  await rig?.close();
});

/**
 * Runs the command line in this process, as `main.ts` does: many starts of a process would be most
 * of the time of this file.
 */
async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const out = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      out[name] += String(chunk);
      return true;
    }),
  );
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    const code = await main([...args, '--config', settings]);
    return { code, ...out };
  } finally {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

/** Runs a verb with `--json` and gives its document, and its exit code. */
async function json(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; document: Record<string, unknown>; stderr: string }> {
  const { code, stdout, stderr } = await run([...args, '--json'], env);
  if (stdout === '') throw new Error(stderr);
  return { code, document: JSON.parse(stdout) as Record<string, unknown>, stderr };
}

async function errorOf(args: readonly string[], env: Record<string, string> = {}) {
  const { code, document } = await json(args, env);
  return { exit: code, ...(document['error'] as { code: string; message: string }) };
}

async function planHash(args: readonly string[]): Promise<string> {
  const { document } = await json([...args, '--plan'], NOWHERE);
  return document['plan_hash'] as string;
}

async function runs(): Promise<number> {
  return (await rig.client.workflow.count(`WorkflowId = '${WORKFLOW}'`)).count;
}

describe('before anything runs', () => {
  it('a plan shows hours, files, bytes and rows, without any Temporal', async () => {
    const { code, document } = await json(['replay', ...RANGE, '--plan'], NOWHERE);
    expect(code).toBe(0);
    expect(document).toMatchObject({
      ...{ verb: 'replay', from, to, expected_ms: null, rows: HOURS * CLICKS * 1.1 },
      hours: [
        {
          hour: from,
          state: 'live',
          revision: 0,
          steps: expect.arrayContaining(['cut']) as object,
        },
        { state: 'live', rows: CLICKS * 1.1 },
      ],
    });
    expect(document['bytes']).toBeGreaterThan(1_000);
    expect((await run(['replay', ...RANGE, '--plan'], NOWHERE)).stdout).toContain(
      `plan ${document['plan_hash'] as string}`,
    );
    expect(await runs()).toBe(0);
  });

  it('a plan that changed since is refused with exit code 4', async () => {
    const stale = await planHash(['replay', ...RANGE, '--rules', rulesFile, '--no-what-if']);
    expect(await errorOf(['replay', ...RANGE, '--approve', stale])).toMatchObject({
      ...{ exit: 4, code: 'approval_stale' },
    });
    expect(await runs()).toBe(0);
  });

  it('hours that are not cut are not recomputed: exit code 4', async () => {
    expect(await errorOf(['recompute', ...RANGE])).toMatchObject({ exit: 4, code: 'conflict' });
  });

  it('a Temporal that is away is told as unreachable: exit code 5', async () => {
    expect(await errorOf(['replay', ...RANGE], NOWHERE)).toMatchObject({
      ...{ exit: 5, code: 'dependency_unreachable' },
    });
  });
});

describe('a replay', () => {
  let printed: string;

  it('runs the approved plan, shows its progress, and prints id, link, command and result', async () => {
    const hash = await planHash(['replay', ...RANGE]);
    const { code, document, stderr } = await json(['replay', ...RANGE, '--approve', hash]);
    expect(stderr).toMatch(/recompute, \d\/2 hours/);
    expect({ code, ...document }).toMatchObject({
      ...{ code: 0, workflow_id: WORKFLOW, started: true },
      temporal_ui: expect.stringContaining(
        `http://ui.example/namespaces/${rig.temporal.namespace}/workflows/replay%2F`,
      ) as string,
      result: { hours: HOURS, published: HOURS, confirmed: 0, cellsDiffer: 0, publication: 1 },
    });
    printed = document['command'] as string;
    expect(stderr).toContain(printed);
    expect(stderr).not.toContain('goes on without you');
  });

  it('is started again by the printed command, as it is', async () => {
    await promisify(execFile)('sh', ['-c', printed]);
    const handle = rig.client.workflow.getHandle(WORKFLOW);
    expect(await handle.result()).toMatchObject({ hours: HOURS, published: 0, unchanged: HOURS });
    const { type, taskQueue } = await handle.describe();
    expect({ type, taskQueue }).toEqual({ type: 'replayRange', taskQueue: 'truecount-replay' });
  });
});

describe('step by step', () => {
  it('recompute, reconcile and publish give the revision of another rule set', async () => {
    const recomputed = await json(['recompute', ...RANGE, '--rules', rulesFile]);
    const { workflows } = recomputed.document as { workflows: { result: object }[] };
    expect(workflows.map(({ result }) => result)).toMatchObject([
      { clicks: CLICKS, existed: false },
      { clicks: CLICKS, existed: false },
    ]);
    const own = await json(['reconcile', ...RANGE]);
    expect(own.document).toMatchObject({
      workflows: [{ result: { cellsDiffer: 0 } }, { result: { cellsDiffer: 0 } }],
    });
    const reconciled = await json(['reconcile', ...RANGE, '--rules', rulesFile]);
    const diffs = reconciled.document as { workflows: { result: { cellsDiffer: number } }[] };
    expect(diffs.workflows[0]!.result.cellsDiffer).toBeGreaterThan(0);
    const published = await json(['publish', ...RANGE, '--reason', 'DE is GB', '--release']);
    expect(published.document).toMatchObject({
      result: { hours: [{ hour: from, revision: 2 }, { revision: 2 }] },
    });
  });

  it('rollback serves what was before, and holds the hours until they are released', async () => {
    const back = await json(['rollback', ...RANGE, '--reason', 'not yet']);
    expect(back.document).toMatchObject({ result: { hours: [{ revision: 3 }, { revision: 3 }] } });
    expect(await errorOf(['publish', ...RANGE])).toMatchObject({ exit: 4, code: 'hour_held' });
    const back2 = await errorOf(['rollback', ...RANGE]);
    expect(back2.message).toContain('no revision from before what serves');
    const forward = await json(['publish', ...RANGE, '--release']);
    expect(forward.document).toMatchObject({ result: { hours: [{ revision: 4 }, {}] } });
    const again = await json(['rollback', ...RANGE, '--to-revision', '1']);
    expect(again.document).toMatchObject({ result: { hours: [{ revision: 5 }, {}] } });
    const { workflow_id: id } = again.document as { workflow_id: string };
    const progress = await rig.client.workflow.getHandle(id).query('progress');
    expect(progress).toMatchObject({ stage: 'done', hoursDone: HOURS, hoursTotal: HOURS });
    const nothing = await errorOf(['rollback', ...RANGE, '--to-revision', '9']);
    expect(nothing).toMatchObject({ exit: 4 });
    expect(nothing.message).toContain('there is nothing to roll back: ');
  });

  it('release lets go what a rollback holds, and what serves stays', async () => {
    const released = await json(['release', ...RANGE, '--reason', 'it was right']);
    expect(released.document).toMatchObject({ result: { hours: [{ revision: 5 }, {}] } });
    const { rows } = await rig.pool.query('select from hour_holds where released is null');
    expect(rows).toEqual([]);
    const nothing = await errorOf(['release', ...RANGE]);
    expect(nothing).toMatchObject({ exit: 4 });
    expect(nothing.message).toContain('there is nothing to release: ');
  });
});

it('a publication that comes too late fails with the code of the run, and the revision now', async () => {
  const hours = [{ hour: from, generation: 1, expectedRevision: 1 }];
  const input = { hours, kind: 'publish', actor: 'somebody', reason: 'too late' } as const;
  const options = publishRangeStart(input, 'too-late');
  const error: unknown = await runWorkflows(rig.config, [{ options, input }], {
    ...{ wait: true, again: '' },
  }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({
    code: 'revision_conflict',
    context: { revision: 5, expected: 1, workflow_id: 'publish/too-late' },
  });
  expect(exitCodeOf(error)).toBe(4);
});

describe('while a replay runs', () => {
  const input = { from, to, reason: 'another', actor: 'somebody' };

  async function pausedReplay(): Promise<void> {
    const { workflowType, ...options } = replayRangeStart(input);
    const signal = PAUSE_SIGNAL;
    await rig.client.workflow.signalWithStart(workflowType, { ...options, args: [input], signal });
  }

  it('the same range with another rule set is a conflict: exit code 4', async () => {
    await pausedReplay();
    const refused = await errorOf(['replay', ...RANGE, '--rules', rulesFile]);
    expect(refused).toMatchObject({ exit: 4, code: 'conflict' });
    expect(refused.message).toContain('another input');
  });

  it('the same question follows it; Ctrl-C leaves it running, and says how to follow again', async () => {
    const child = spawnTruecount(['replay', ...RANGE], rig.env);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await until('it follows', () => said.includes('(paused)'));
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    expect(said).toContain(`follows  ${WORKFLOW}`);
    expect(said).toContain(`npx truecount replay --from ${from} --to ${to}`);
    expect(await runningOf(rig.client, WORKFLOW)).not.toBeNull();
  });

  it('it goes on after --resume, and --pause stops what is not there with exit code 3', async () => {
    const { document } = await json(['replay', '--resume', WORKFLOW]);
    expect(document).toMatchObject({ workflow_id: WORKFLOW, signal: 'resume' });
    await rig.client.workflow.getHandle(WORKFLOW).result();
    expect(await errorOf(['replay', '--pause', WORKFLOW])).toMatchObject({ exit: 3 });
  });

  it('--cancel ends it', async () => {
    await pausedReplay();
    const { document } = await json(['replay', ...RANGE, '--cancel']);
    expect(document).toEqual({ cancelled: [WORKFLOW] });
    await expect(rig.client.workflow.getHandle(WORKFLOW).result()).rejects.toMatchObject({
      cause: { name: 'CancelledFailure' },
    });
    expect(await errorOf(['replay', ...RANGE, '--cancel'])).toMatchObject({ exit: 3 });
  });

  it('a replay under review publishes once its plan is approved', async () => {
    const review = ['replay', ...RANGE, '--rules', rulesFile, '--review'];
    const started = await json([...review, '--no-wait']);
    expect(started.document).toMatchObject({ started: true, result: null });
    const handle = rig.client.workflow.getHandle(WORKFLOW);
    const hash = await until('it waits', async () => {
      const progress = await handle.query<{ awaitsApproval: string | null }>('progress');
      return progress.awaitsApproval ?? undefined;
    });
    expect(await errorOf([...review, '--approve', 'f'.repeat(64)])).toMatchObject({
      ...{ exit: 4, code: 'approval_stale' },
    });
    const { code, document } = await json([...review, '--approve', hash]);
    expect(code).toBe(0);
    expect(document).toMatchObject({
      started: false,
      result: { planHash: hash, published: HOURS },
    });
  });
});

describe('step by step, where late clicks were taken in', () => {
  const HOUR = ['--from', from, '--to', formatTime(FIRST_MS + HOUR_MS)];
  const LATE = 20;

  interface Change {
    readonly hours: number;
    readonly cells: number;
    readonly before: number;
    readonly after: number;
    readonly filters: readonly { filter: string; before: number; after: number }[];
  }

  async function whatIf(rules: string): Promise<Change & { late: Change }> {
    const { document } = await json(['replay', ...HOUR, '--rules', rules, '--plan']);
    return (document as { what_if: Change & { late: Change } }).what_if;
  }

  it('a plan tells what other rules would change from what late clicks would', async () => {
    const other = join(rig.folder, 'device.json');
    const dimensions = [{ name: 'device', field: 'device' }];
    writeFileSync(other, JSON.stringify({ version: 1, dimensions }));
    const before = await whatIf(other);
    expect(before.cells).toBeGreaterThan(0);
    expect(before.late).toMatchObject({ hours: 0, late_pending: 0, cells: 0, filters: [] });

    await rig.produce(clicksOf(FIRST_MS, LATE, CLICKS));
    await untilCounted(rig.pool, kafkaBrokers(), rig.topic);
    // By the rules that count the hour already: all that would change is what the late clicks add.
    const same = await whatIf(rulesFile);
    expect(same).toMatchObject({ hours: 1, cells: 0, before: 0, after: 0, filters: [] });
    // Every tenth was sent twice.
    expect(same.late).toMatchObject({ hours: 1, late_pending: LATE * 1.1 });
    const total = same.late.filters.find(({ filter }) => filter === '')!;
    expect(total.after - total.before).toBe(LATE);
    const { stdout } = await run(['replay', ...HOUR, '--rules', rulesFile, '--plan']);
    expect(stdout).toContain('these rules would change 0 cells in 1 hours\n');
    expect(stdout).toContain(
      'whatever the rules, the replay would also take in 22 late clicks of 1 hours: counted by these ' +
        `rules, they change ${String(same.late.cells)} cells more\n`,
    );
    expect(stdout).toMatch(/FILTER +CELLS +WITHOUT +THEN +CHANGE\n/);

    // By others: the rules change what they changed without the late clicks, and these add theirs.
    const { late, ...rules } = await whatIf(other);
    expect({ ...rules, late: before.late }).toEqual(before);
    const added = late.filters.map((one) => [one.filter, one.after - one.before]);
    expect(added.sort()).toEqual([
      ['', LATE],
      ['device:desktop', LATE / 2],
      ['device:mobile', LATE / 2],
    ]);
  });

  it('each cell is written with what rules and late clicks do to it, and the plan elsewhere', async () => {
    const other = join(rig.folder, 'device.json');
    const asked = ['replay', ...HOUR, '--rules', other, '--plan'];
    const { stdout, stderr } = await run([...asked, '--json', '--cells', '-']);
    const { what_if: sums } = JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as {
      what_if: Change & { late: Change; cells_written: number };
    };
    const cells = stdout
      .trimEnd()
      .split('\n')
      .map(
        (line) => JSON.parse(line) as Record<'before' | 'after' | 'by_rules' | 'by_late', number>,
      );
    expect(cells).toHaveLength(sums.cells_written);
    expect(cells.filter((cell) => cell.by_rules !== 0)).toHaveLength(sums.cells);
    expect(cells.filter((cell) => cell.by_late !== 0)).toHaveLength(sums.late.cells);
    for (const cell of cells) expect(cell.before + cell.by_rules + cell.by_late).toBe(cell.after);
    const words = await run([...asked, '--cells', '-']);
    expect(words.stdout).toBe(stdout);
    expect(words.stderr).toContain(`${String(cells.length)} cells written`);
    expect((await run(asked)).stdout).toMatch(
      /every cell.*\n {2}npx truecount replay .*--plan --cells/,
    );
  });

  it('cells are refused where nothing is counted by other rules', async () => {
    for (const more of [
      ['--plan'],
      ['--rules', rulesFile],
      ['--rules', '1', '--plan', '--no-what-if'],
    ]) {
      expect(await errorOf(['replay', ...HOUR, ...more, '--cells', '-'])).toMatchObject({
        ...{ exit: 2, code: 'invalid_argument' },
      });
    }
  });

  it('a recompute goes up to what serves, so that its result can be published', async () => {
    const late = await json(['replay', ...HOUR, '--reason', 'late clicks']);
    expect(late.document).toMatchObject({ result: { published: 1 } });
    const { rows } = await rig.pool.query<{ hash: string }>('select hash from rule_versions');
    const rules = ['--rules', rows[0]!.hash];
    const { document } = await json(['recompute', ...HOUR, ...rules, '--plan']);
    expect(document).toMatchObject({ hours: [{ steps: ['recompute at the served cut'] }] });
    const recomputed = await json(['recompute', ...HOUR, ...rules]);
    expect(recomputed.document).toMatchObject({
      workflows: [{ result: { clicks: CLICKS + LATE, existed: false } }],
    });
    const reconciled = await json(['reconcile', ...HOUR, ...rules]);
    expect(reconciled.document).toMatchObject({
      workflows: [{ result: { decision: 'publish_alert' } }],
    });
    const published = await json(['publish', ...HOUR, '--reason', 'UK is not GB']);
    expect(published.document).toMatchObject({ result: { hours: [{ hour: from }] } });
  });

  it('one that goes up to the first cut of the hour is told apart, and is held', async () => {
    const others = join(rig.folder, 'others.json');
    writeFileSync(others, JSON.stringify({ ...OTHER_RULES, dimensions: [] }));
    const first = [...HOUR, '--cut', 'hour', '--rules', others];
    const { document } = await json(['recompute', ...first, '--plan']);
    expect(document).toMatchObject({ hours: [{ steps: ['recompute at its first cut'] }] });
    await json(['recompute', ...first]);
    const reconciled = await json(['reconcile', ...HOUR, '--rules', others]);
    expect(reconciled.document).toMatchObject({ workflows: [{ result: { decision: 'hold' } }] });
  });
});

describe('explain', () => {
  const minute = from;
  const cell = ['explain', 'ad-0', minute];

  it('verifies a final number from the lake, and lists its clicks', async () => {
    const { code, document } = await json([...cell, '--verify', '--clicks', '3']);
    expect(document).toMatchObject({ state: 'final', verification: { verified: true } });
    expect(code).toBe(0);
    const { value, clicks } = document as { value: number; clicks: object[] };
    expect(value).toBeGreaterThan(0);
    expect(clicks).toHaveLength(Math.min(3, value));
    expect((await run([...cell, '--verify'])).stdout).toContain('verified: true');
  });

  it('verifies a live number once the archive holds all that was counted', async () => {
    const live = formatTime(FIRST_MS + HOURS * HOUR_MS);
    const { code, document } = await json(['explain', 'ad-0', live, '--verify', '--timeout', '30']);
    expect(document).toMatchObject({
      ...{ revision: 0, counted_by: 'stream' },
      verification: { verified: true },
    });
    expect(code).toBe(0);
  });

  it('over HTTP gives the same document, and verifies one cell at a time', async () => {
    const gate = { begun: false, open: (): void => undefined };
    const opened = new Promise<void>((resolve) => (gate.open = resolve));
    const verify = oneAtATime(async (reader, explained, max) => {
      gate.begun = true;
      await opened;
      return verifyCell(rig.config, reader, explained, max);
    });
    const api = await createApi({ pool: rig.pool, migrations: MIGRATIONS, verifyCell: verify });
    try {
      const ask = () => get(api, '/ads/ad-0/explain', { minute, verify: 'true', clicks: 3 });
      const first = ask();
      await until('the first is being verified', () => gate.begun);
      expect((await ask()).status).toBe(503);
      gate.open();
      const { document } = await json([...cell, '--verify', '--clicks', '3']);
      expect(await first).toMatchObject({ status: 200, body: document });
    } finally {
      await api.close();
    }
  });

  it('finds a number that was altered: exit code 1', async () => {
    await rig.pool.query(
      `update generation_cells set counts[1] = counts[1] + 1 where filter = '' and ad_id = 'ad-0'`,
    );
    const { code, document } = await json([...cell, '--verify']);
    expect(document).toMatchObject({ verification: { verified: false } });
    expect(code).toBe(1);
  });
});
