import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isRunning, processRef, type ProcessRef } from '../../runtime/stack/process.js';
import { readState } from '../../runtime/stack/state.js';
import { truecount, type Outcome } from '../support/command-line.js';
import { until } from '../support/until.js';

// The tests follow one stack through its life, in order. Temporal has its own test (stack.int):
// here its address is given, and nothing is started for it.
let home: string;
const UP_MS = 180_000;

function run(...args: string[]): Promise<Outcome> {
  const TRUECOUNT_TEMPORAL_ADDRESS = '127.0.0.1:1';
  return truecount(args, {
    TRUECOUNT_HOME: home,
    TRUECOUNT_TEMPORAL_ADDRESS,
    TRUECOUNT_API_PORT: '0',
    TRUECOUNT_COLLECT_PORT: '0',
    TRUECOUNT_STREAM_FLUSH_INTERVAL_MS: '200',
  });
}

interface StatusDocument {
  readonly api: string;
  readonly collect: string;
  readonly postgres: string;
  readonly kafka: string;
  readonly temporal_ui: string | null;
  readonly health: readonly { readonly name: string; readonly ok: boolean }[];
}

async function status(): Promise<StatusDocument> {
  return JSON.parse((await run('status', '--json')).stdout) as StatusDocument;
}

/** All but Temporal, whose address leads nowhere. */
async function untilHealthy(): Promise<StatusDocument> {
  return until(
    'everything answers',
    async () => {
      const now = await status();
      const rest = now.health.filter(({ name }) => name !== 'temporal');
      return rest.length === 10 && rest.every(({ ok }) => ok) ? now : undefined;
    },
    { deadlineMs: 90_000, everyMs: 500 },
  );
}

/** Kills the named process of the stack and waits until another has taken its place. */
async function killAndReplace(name: string): Promise<void> {
  const before = processOf(name);
  if (before === undefined) throw new Error(`${name} does not run`);
  process.kill(before.pid, 'SIGKILL');
  await until(
    `${name} runs again`,
    () => {
      const now = processOf(name);
      return now !== undefined && now.pid !== before.pid && isRunning(now);
    },
    { deadlineMs: 90_000 },
  );
}

function processOf(name: string): ProcessRef | undefined {
  const { components, services } = readState(home);
  if (name === 'postgres' || name === 'kafka') return components[name]?.process;
  return services.find((service) => service.name === name)?.process ?? undefined;
}

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'truecount-up-'));
});

afterAll(async () => {
  await run('down');
  rmSync(home, { recursive: true, force: true });
}, UP_MS);

it(
  'starts everything, creates schema and topic, and says where it is',
  async () => {
    const up = await run('up', '--detach', '--json');
    expect(up).toMatchObject({ code: 0 });
    const endpoints = JSON.parse(up.stdout) as StatusDocument;
    expect((await fetch(`${endpoints.api}/health/ready`)).status).toBe(200);
    expect(await untilHealthy()).toMatchObject(endpoints);
    expect(readState(home).components.temporal).toBeUndefined();
    expect((await run('migrate', '--check')).code).toBe(0);
    const doctor = await run('doctor');
    expect(doctor.stdout).toMatch(/ok\s+topic clicks\s+4 partitions, kept for 168.0 h/);
  },
  UP_MS,
);

it('says that it runs already, with exit code 4', async () => {
  const again = await run('up');
  expect(again.code).toBe(4);
  expect(again.stderr).toMatch(/stack_already_running.*\n.*status/);
});

it('counts what is sent to its collector, and leads nobody anywhere without a key', async () => {
  const { api, collect } = await status();
  expect(new URL(collect).hostname).toBe('127.0.0.1');
  const click = { event_id: 'c-1', ad_id: 'ad-1', timestamp: '2026-11-21T10:00:00Z' };
  const sent = await fetch(`${collect}/clicks`, { method: 'POST', body: JSON.stringify(click) });
  expect([sent.status, await sent.json()]).toEqual([202, { accepted: 1, rejected: [] }]);
  const range = 'from=2026-11-21T10:00&to=2026-11-21T11:00';
  await until('the click counts', async () => {
    const answer = await fetch(`${api}/ads/ad-1/aggregated_count?${range}`);
    return ((await answer.json()) as { count: number }).count === 1;
  });
  const link = `${collect}/c/ad-1?to=${encodeURIComponent('https://example.com/')}`;
  const led = await fetch(link, { redirect: 'manual' });
  expect([led.status, led.headers.get('location')]).toEqual([403, null]);
});

it.each(['postgres', 'kafka', 'stream-1', 'archive-1', 'worker-1', 'api', 'collect'])(
  'starts %s again after kill -9',
  async (name) => {
    const before = await status();
    await killAndReplace(name);
    const after = await untilHealthy();
    expect(after).toMatchObject({
      postgres: before.postgres,
      kafka: before.kafka,
      api: before.api,
      collect: before.collect,
    });
  },
  UP_MS,
);

it(
  'finds the components again after kill -9 of the supervisor, and its services have ended',
  async () => {
    const before = readState(home);
    const postgres = before.components.postgres;
    if (before.supervisor === null) throw new Error('there is no supervisor');
    process.kill(before.supervisor.pid, 'SIGKILL');
    expect((await run('up', '--detach')).code).toBe(0);
    expect(readState(home).components.postgres).toEqual(postgres);
    for (const { process: ref } of before.services)
      expect(ref !== null && isRunning(ref)).toBe(false);
    await untilHealthy();
  },
  UP_MS,
);

it(
  'ends everything, also what a killed supervisor left',
  async () => {
    const { components, services, supervisor } = readState(home);
    if (supervisor === null) throw new Error('there is no supervisor');
    process.kill(supervisor.pid, 'SIGKILL');
    const down = await run('down', '--json');
    expect(down.code).toBe(0);
    const parts = [...Object.values(components), ...services];
    const refs = parts.flatMap((part) => part.process ?? []);
    expect(refs).toHaveLength(8);
    expect(refs.filter(isRunning)).toEqual([]);
    expect((await run('down', '--json')).stdout).toBe('{\n  "stopped": []\n}\n');
    expect(processRef(supervisor.pid)?.started).not.toBe(supervisor.started);
  },
  UP_MS,
);
