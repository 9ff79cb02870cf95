import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { attemptsOf, entriesOf } from '../support/faults/final-checks.js';
import { RECOVERY_MS } from '../support/faults/final-world.js';
import type { FinalWorld, Replay } from '../support/faults/final-world.js';
import {
  isAlive,
  killIdleTaskProcesses,
  taskProcessesOf,
} from '../support/faults/task-processes.js';
import { until } from '../support/until.js';
import type { WorkerProcess } from '../workflows/support/rig.js';

/** A publication must be struck within its lock timeout, 4 s. */
const soon = { everyMs: 5, deadlineMs: RECOVERY_MS };

const TASKS_TRIED_MAX = 10;

/** Strikes once at all of its points, and leaves a world that recovers by itself. */
export interface Strike {
  readonly name: string;
  /** What is hit, each by its own replay. */
  readonly points: readonly string[];
  readonly strike: (world: FinalWorld, round: number) => Promise<void>;
}

/**
 * One kill -9 of a worker that is in the middle of six replays. The worker is stopped first, so that
 * it can report nothing of what is let go then: what is committed, is committed before the kill and
 * never told.
 */
const worker: Strike = {
  name: 'worker killed -9',
  points: ['task', 'load: cells copied', 'load: committed', 'publish: waits for the head'].concat([
    'publish: locks held',
    'publish: committed',
  ]),
  strike: async (world) => {
    const { gates, servers } = world;
    const victim = await world.currentWorker();
    await gates.close('copied', (await world.free(1)).fromMs);
    const copied = await world.begin(1);
    await gates.close('loaded', (await world.free(1)).fromMs);
    const loaded = await world.begin(1);
    const published = await begunToPublish(world, 'published');
    const queued = [await begunToPublish(world, 'locked'), await begunToPublish(world, 'locked')];
    const plan = await world.plan(published);
    const plans = await Promise.all(queued.map((replay) => world.plan(replay)));
    await until('loads wait', () => gates.isReached('copied', copied.range.fromMs), soon);
    await until('loads wait', () => gates.isReached('loaded', loaded.range.fromMs), soon);
    const { task, frozen } = await freezeTask(world, victim);

    await plan.approve();
    await until('it is about to commit', () => atPublished(world, published), soon);
    await Promise.all(plans.map((one) => one.approve()));
    await until(
      'one publication commits, and two wait for the head',
      async () => (await atPublished(world, published)) && (await waitingForHead(world)) >= 2,
      soon,
    );
    process.kill(victim.pid, 'SIGSTOP');
    const tasks = taskProcessesOf(victim.pid);
    await gates.open('loaded', loaded.range.fromMs);
    await gates.open('published', published.range.fromMs);
    const publication = await until(
      'the ledger has the entry',
      async () => (await entriesOf(servers.pool, published))[0],
      soon,
    );
    await until('the generation is there', () => hasGeneration(world, loaded), soon);
    await until('one holds the head, another waits for it', () => headIsHeld(world), soon);
    expect(frozen.every(isAlive), 'the task is alive').toBe(true);
    expect(await gates.isReached('copied', copied.range.fromMs), 'the load waits').toBe(true);
    await victim.kill();
    for (const pid of frozen) process.kill(pid, 'SIGKILL');
    await gates.openAll();
    world.replaceWorker();
    await until('no task outlives its worker', () => !tasks.some(isAlive));

    for (const point of worker.points) world.hit(point);
    expectAttempts(world.recomputeOf(task), task, 'aggregateTask');
    expectAttempts(world.recomputeOf(copied), copied, 'loadGeneration');
    const recompute = world.recomputeOf(loaded);
    expectAttempts(recompute, loaded, 'loadGeneration');
    loaded.expectations.push(async () => {
      expect(await recompute.result(), 'the load found its own').toMatchObject({ existed: true });
    });
    for (const replay of [published, ...queued]) expectAttempts(replay.handle, replay, 'publish');
    published.expectations.push((result) => {
      expect(result.publication, 'the entry from before the kill').toBe(publication);
      return Promise.resolve();
    });
  },
};

/**
 * One kill -9 of a worker that has begun to carry out a publication, for which it has sent nothing to
 * Postgres yet: it does not even have its session. Nothing may remain of that attempt.
 */
const early: Strike = {
  name: 'worker killed -9 before a transaction',
  points: ['publish: before its transaction'],
  strike: async (world) => {
    const { gates, servers } = world;
    const replay = await world.begin(1, true);
    const plan = await world.plan(replay);
    const victim = await world.currentWorker();
    await gates.closeDoor();
    await plan.approve();
    await until(
      'the server knows of the publication, and its session is not let in',
      async () => (await gates.isAtDoor()) && (await isAtWork(replay.handle, 'publish', victim)),
      soon,
    );
    process.kill(victim.pid, 'SIGSTOP');
    expect(await isAtWork(replay.handle, 'publish', victim), 'it has not ended').toBe(true);
    expect(await gates.isAtDoor(), 'it waits for its session').toBe(true);
    await victim.kill();
    await gates.openAll();
    expect(await entriesOf(servers.pool, replay), 'entries of what was not begun').toEqual([]);
    world.replaceWorker();
    world.hit('publish: before its transaction');
    expectAttempts(replay.handle, replay, 'publish');
  },
};

/** Temporal is killed while a load and a publication are at work; they may end while it is away. */
const temporal: Strike = {
  name: 'Temporal killed -9',
  points: ['Temporal'],
  strike: async (world, round) => {
    await midwayBoth(world);
    const back = world.rig.temporal.server!.restart();
    if (round % 2 === 0) await world.gates.openAll();
    await back;
    await world.gates.openAll();
    world.hit('Temporal');
  },
};

/** Postgres is crashed in the middle of the transactions of a load and of a publication. */
const postgres: Strike = {
  name: 'Postgres crashed',
  points: ['Postgres'],
  strike: async (world, round) => {
    const { load, publish } = await midwayBoth(world);
    world.reader.mayFail = true;
    await world.servers.crash(round % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
    await world.servers.restart();
    await world.gates.renew();
    await until('a reader is answered again', () => entriesOf(world.servers.pool, publish));
    world.reader.mayFail = false;
    world.hit('Postgres');
    expectAttempts(world.recomputeOf(load), load, 'loadGeneration');
    expectAttempts(publish.handle, publish, 'publish');
  },
};

export const FINAL_STRIKES = { worker, early, temporal, postgres } as const;

/** A load that has copied its cells, and a publication that holds the head. */
async function midwayBoth(world: FinalWorld): Promise<{ load: Replay; publish: Replay }> {
  const { gates } = world;
  await gates.close('copied', (await world.free(1)).fromMs);
  const load = await world.begin(1);
  const publish = await begunToPublish(world, 'locked');
  await (await world.plan(publish)).approve();
  await until(
    'a load and a publication stand in the middle',
    async () =>
      (await gates.isReached('copied', load.range.fromMs)) &&
      (await gates.isReached('locked', publish.range.fromMs)),
    soon,
  );
  return { load, publish };
}

/** A replay of two hours that waits for approval; its publication is going to wait at the gate. */
async function begunToPublish(world: FinalWorld, gate: 'locked' | 'published'): Promise<Replay> {
  await world.gates.close(gate, (await world.free(2)).fromMs);
  return world.begin(2, true);
}

/**
 * Begins a replay of an hour and freezes the process of its task while the server knows it at work.
 * The task is short, and may be done before it is looked at: then the next replay is tried.
 */
async function freezeTask(
  world: FinalWorld,
  victim: WorkerProcess,
): Promise<{ task: Replay; frozen: number[] }> {
  for (let tries = 0; tries < TASKS_TRIED_MAX; tries++) {
    killIdleTaskProcesses(victim.pid);
    const before = new Set(taskProcessesOf(victim.pid, 'busy'));
    const frozen = new Set<number>();
    const task = await world.begin(1);
    const handle = world.recomputeOf(task);
    const isCaught = await until(
      'a task is caught at work, or done',
      async () => {
        for (const pid of taskProcessesOf(victim.pid, 'busy')) {
          if (before.has(pid) || frozen.has(pid)) continue;
          process.kill(pid, 'SIGSTOP');
          frozen.add(pid);
        }
        if (frozen.size > 0 && (await isAtWork(handle, 'aggregateTask', victim))) return 'caught';
        return (await handle.describe()).status.name === 'COMPLETED' ? 'done' : undefined;
      },
      soon,
    );
    if (isCaught === 'caught') return { task, frozen: [...frozen] };
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
  }
  throw new Error(`${String(TASKS_TRIED_MAX)} tasks were done before they could be frozen`);
}

/** Whether the server has handed an activity of this type of the run to the worker. */
async function isAtWork(
  handle: WorkflowHandle,
  activity: string,
  worker: WorkerProcess,
): Promise<boolean> {
  const { raw } = await handle.describe();
  return (raw.pendingActivities ?? []).some(
    ({ activityType, lastWorkerIdentity, state }) =>
      activityType?.name === activity &&
      lastWorkerIdentity?.endsWith(worker.identitySuffix) === true &&
      Number(state) === 2, // PENDING_ACTIVITY_STATE_STARTED
  );
}

function atPublished({ gates }: FinalWorld, { range }: Replay): Promise<boolean> {
  return gates.isReached('published', range.fromMs);
}

const OF_HEAD = `from pg_stat_activity w where application_name = 'truecount worker'
  and query like 'update ledger_head set publication%'`;

/** Publications whose first statement waits. */
async function waitingForHead({ servers }: FinalWorld): Promise<number> {
  const { rows } = await servers.pool.query(`select ${OF_HEAD} and wait_event_type = 'Lock'`);
  return rows.length;
}

/** A publication has the head and can do nothing, since its client is stopped; another waits. */
async function headIsHeld({ servers }: FinalWorld): Promise<boolean> {
  const { rows } = await servers.pool.query(
    `select ${OF_HEAD} and wait_event_type = 'Lock' and exists (
       select from pg_stat_activity h where h.pid = any (pg_blocking_pids(w.pid))
          and h.state = 'idle in transaction' and h.query like 'update ledger_head%')`,
  );
  return rows.length > 0;
}

async function hasGeneration({ servers }: FinalWorld, { range, rules }: Replay): Promise<boolean> {
  const { rows } = await servers.pool.query(
    'select from generations where hour = $1 and rule_set = $2',
    [new Date(range.fromMs), rules],
  );
  return rows.length > 0;
}

/** Nobody had been told the outcome of the attempt that was hit: another had to follow. */
function expectAttempts(handle: WorkflowHandle, replay: Replay, activity: string): void {
  replay.expectations.push(async () => {
    const attempts = await attemptsOf(handle, activity);
    expect(attempts, `attempts of ${activity} of ${handle.workflowId}`).toBeGreaterThan(1);
  });
}
