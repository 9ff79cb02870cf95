import { expect } from 'vitest';
import { HOUR_MS } from '../../core/time.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { openSession } from '../../store/session.js';
import type { FaultKind } from '../support/faults.js';
import { RECOVERY_MS } from '../support/faults/bed.js';
import type { FaultBed } from '../support/faults/bed.js';
import { LOAD_START_MS } from '../support/faults/load.js';
import { ARCHIVE } from '../support/faults/subject.js';
import type { WorkerProcess } from '../support/faults/worker-process.js';
import { until } from '../support/until.js';

const usual = {
  own: 'none',
  flushIntervalMs: 200,
  refusedMin: () => 0,
  hours: () => 5,
  aim: 'both',
} as const satisfies Partial<FaultKind>;

const killed: FaultKind = {
  ...usual,
  name: 'worker killed -9',
  inject: async (bed, victim) => {
    const dead = victim.kill();
    bed.struck();
    await dead;
    bed.remove(victim);
    await bed.startWorker();
  },
};

const frozen: FaultKind = {
  ...usual,
  name: 'worker frozen and woken',
  // Long enough that the frozen one has something to flush when it wakes.
  flushIntervalMs: 1_500,
  refusedMin: () => 1,
  aim: 'buffer',
  inject: async (bed, victim) => {
    victim.freeze();
    bed.struck();
    await untilTakenOver(bed, victim);
    victim.wake();
  },
};

/** Longest that anybody may wait for a frozen transaction: 5 s until it is ended, and slack. */
const FROZEN_TRANSACTION_MS = 20_000;

const frozenInTransaction: FaultKind = {
  ...usual,
  name: 'worker frozen inside its flush',
  hours: (points) => points + 3,
  aim: 'inside',
  inject: async (bed, victim, point) => {
    const hourMs = LOAD_START_MS + point * HOUR_MS;
    await freezeInFlush(bed, victim, point % 2 === 0 ? 'hour' : 'partition', hourMs);
    bed.struck();
    const [cutMs, takenMs] = await Promise.all([
      timed(() => cut(bed, hourMs)),
      timed(() => untilTakenOver(bed, victim)),
    ]);
    bed.measure('ms until the hour was cut', cutMs);
    bed.measure('ms until a successor counted', takenMs);
    expect(cutMs, 'ms until the hour was cut').toBeLessThan(FROZEN_TRANSACTION_MS);
    expect(takenMs, 'ms until a successor counted').toBeLessThan(2 * FROZEN_TRANSACTION_MS);
    victim.wake();
  },
};

const rebalanced: FaultKind = {
  ...usual,
  name: 'workers added and removed',
  inject: async (bed, victim, point) => {
    if (point % 2 === 0) {
      const added = bed.startWorker();
      bed.struck();
      await added;
      return;
    }
    const stopped = victim.stop();
    bed.struck();
    bed.remove(victim);
    await stopped;
  },
};

const postgresCrashed: FaultKind = {
  ...usual,
  name: 'Postgres crashed',
  own: 'postgres',
  inject: async (bed, _victim, point) => {
    // SIGQUIT is the immediate shutdown: no checkpoint, recovery at the next start, as with -9.
    const crashed = bed.servers.crash(point % 2 === 0 ? 'SIGKILL' : 'SIGQUIT');
    bed.struck();
    await crashed;
    await bed.servers.restart();
  },
};

/** How long Postgres stays away, and the memory that a worker may have meanwhile (design §5). */
const AWAY_MS = 20_000;
const RESIDENT_BYTES_MAX = 600e6;

const postgresAway: FaultKind = {
  ...usual,
  name: 'Postgres away for 20 s',
  own: 'postgres',
  clicksPerSecond: 8_000,
  waitingMax: 1_000_000,
  inject: async (bed) => {
    const sinceMs = performance.now();
    const { records } = bed.load;
    await bed.servers.crash('SIGINT');
    bed.struck();
    await until(
      'Postgres was away long enough, and clicks went on',
      () => performance.now() - sinceMs > AWAY_MS && bed.load.records > records + 50_000,
      { deadlineMs: RECOVERY_MS },
    );
    for (const worker of bed.workers) {
      worker.check();
      const bytes = worker.residentBytes();
      bed.measure('MB resident in a worker meanwhile', bytes / 1e6);
      expect(bytes, 'resident bytes of a waiting worker').toBeLessThan(RESIDENT_BYTES_MAX);
    }
    bed.measure('records sent meanwhile', bed.load.records - records);
    await bed.servers.restart();
  },
};

const brokerCrashed: FaultKind = {
  ...usual,
  name: 'broker killed -9',
  own: 'kafka',
  inject: async (bed) => {
    const crashed = bed.servers.crash('SIGKILL');
    bed.struck();
    await crashed;
    await bed.servers.restart();
  },
};

/** The same blows against archivers; what is half written must never be listed. */
const archive = { subject: ARCHIVE, flushIntervalMs: 500 } as const;

const archiverFrozenInCommit: FaultKind = {
  ...usual,
  ...archive,
  name: 'archiver frozen inside its commit',
  refusedMin: () => 1,
  aim: 'inside',
  inject: async (bed, victim) => {
    await freezeInFlush(bed, victim, 'partition', 0);
    bed.struck();
    const takenMs = await timed(() => untilTakenOver(bed, victim));
    bed.measure('ms until a successor archived', takenMs);
    expect(takenMs, 'ms until a successor archived').toBeLessThan(2 * FROZEN_TRANSACTION_MS);
    victim.wake();
  },
};

export const ARCHIVE_FAULT_KINDS = {
  killed: { ...killed, ...archive, name: 'archiver killed -9' },
  frozen: { ...frozen, ...archive, flushIntervalMs: 3_000, name: 'archiver frozen and woken' },
  frozenInCommit: archiverFrozenInCommit,
  rebalanced: { ...rebalanced, ...archive, name: 'archivers added and removed' },
  postgresCrashed: { ...postgresCrashed, ...archive, name: 'Postgres crashed under archivers' },
  brokerCrashed: { ...brokerCrashed, ...archive, name: 'broker killed -9 under archivers' },
} as const satisfies Record<string, FaultKind>;

export const FAULT_KINDS = {
  killed,
  frozen,
  frozenInTransaction,
  rebalanced,
  postgresCrashed,
  postgresAway,
  brokerCrashed,
} as const;

/** Others own all that the victim owned, and have counted further. */
async function untilTakenOver(bed: FaultBed, victim: WorkerProcess): Promise<void> {
  const lost = await bed.owned(victim);
  expect(lost.length, 'partitions of the victim').toBeGreaterThan(0);
  const next = new Map(lost.map((row) => [row.partition, row.next]));
  await until(
    'a successor counts what the victim owned',
    async () => {
      const rows = (await bed.partitions()).filter((row) => next.has(row.partition));
      return rows.every(
        (row) => !row.owner.endsWith(victim.ownerSuffix) && row.next > next.get(row.partition)!,
      );
    },
    { deadlineMs: RECOVERY_MS },
  );
}

/**
 * Freezes the victim while its flush waits for a lock that the test holds; when the lock is let go,
 * the server finishes the statement and the session is left idle in its transaction, holding its
 * fence rows and hours.
 */
async function freezeInFlush(
  bed: FaultBed,
  victim: WorkerProcess,
  what: 'hour' | 'partition',
  hourMs: number,
): Promise<void> {
  const lock = await bed.pool.connect();
  try {
    await until(
      'the victim is frozen inside its flush',
      async () => {
        await lock.query('begin');
        if (what === 'hour') await lockHour(lock, hourMs);
        else await lockLastSlot(bed, lock, victim);
        const caught = await until(
          'its flush waits for the lock',
          async () => (await bed.session(victim)).waits === 'Lock',
          { deadlineMs: 3_000, everyMs: 5 },
        ).catch(() => false);
        if (caught) victim.freeze();
        await lock.query('rollback');
        if (!caught) return false;
        // Had its lock timeout come just before, it would be idle: let it run and try again.
        const inside = await until(
          'its session is idle in the transaction',
          async () => (await bed.session(victim)).state === 'idle in transaction',
          { deadlineMs: 2_000, everyMs: 5 },
        ).catch(() => false);
        if (!inside) victim.wake();
        return inside;
      },
      { deadlineMs: RECOVERY_MS },
    );
  } finally {
    lock.release();
  }
}

interface Queryable {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

async function lockHour(lock: Queryable, hourMs: number): Promise<void> {
  await lock.query('select pg_advisory_xact_lock(hour_lock_class(), hour_lock_key($1))', [
    new Date(hourMs),
  ]);
}

/** The last fence row that its flush takes: it holds the others when it comes to wait. */
async function lockLastSlot(bed: FaultBed, lock: Queryable, victim: WorkerProcess): Promise<void> {
  const slot = (await bed.owned(victim)).at(-1)!.slot;
  await lock.query(`select from ${bed.subject.fence} where slot = $1 for update`, [slot]);
}

async function cut(bed: FaultBed, hourMs: number): Promise<void> {
  const session = await openSession({
    connection: { connectionString: bed.servers.postgresUrl },
    applicationName: 'test-cut',
  });
  try {
    await cutHours(session, { fromMs: hourMs, toMs: hourMs + HOUR_MS }, () => undefined);
  } finally {
    await session.end();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
