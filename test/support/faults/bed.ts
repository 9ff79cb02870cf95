import type pg from 'pg';
import { endOffsets } from '../stream.js';
import { until } from '../until.js';
import type { Load } from './load.js';
import type { Servers } from './servers.js';
import { lakeOf } from './subject.js';
import type { PartitionRow, Subject } from './subject.js';
import { WorkerProcess } from './worker-process.js';

export const PARTITIONS = 4;
/** Records counted between two faults, at least. */
const ONWARD_MIN = 5_000;
/** The shortest that a broker allows by default: `group.min.session.timeout.ms`. */
const SESSION_TIMEOUT_MS = 6_000;
/** Recovery of anything; on a quiet machine it takes a tenth. */
export const RECOVERY_MS = 90_000;

/** One worker's part of the log, as Postgres and the broker tell it. */
export interface WorkInFlight {
  /** Records on the log of its partitions that are not committed. */
  readonly behind: number;
  /** Since its last commit or report, ms: the longer, the more of `behind` is in its buffer. */
  readonly quietMs: number;
  readonly inTransaction: boolean;
}

/** What a fault acts on: the running workers, servers and load of one fault test. */
export class FaultBed {
  /** Running workers; a fault that ends one takes it out. */
  readonly workers: WorkerProcess[] = [];
  /** Greatest value of each thing measured, for the report. */
  readonly measured = new Map<string, number>();
  private readonly all: WorkerProcess[] = [];

  constructor(
    readonly servers: Servers,
    readonly topic: string,
    readonly load: Load,
    readonly subject: Subject,
    private readonly flushIntervalMs: number,
    /** Called by a fault right after its blow: retries of clicks from before it are sent. */
    readonly struck: () => void,
  ) {}

  get pool(): pg.Pool {
    return this.servers.pool;
  }

  async startWorker(): Promise<WorkerProcess> {
    const { postgresUrl, brokers, home } = this.servers;
    const worker = await WorkerProcess.start({
      service: this.subject.service,
      postgresUrl,
      brokers,
      home,
      lakeUrl: lakeOf(this.servers),
      topic: this.topic,
      flushIntervalMs: this.flushIntervalMs,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
    });
    this.workers.push(worker);
    this.all.push(worker);
    return worker;
  }

  remove(worker: WorkerProcess): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
  }

  sum(of: (worker: WorkerProcess) => number): number {
    return this.all.reduce((sum, worker) => sum + of(worker), 0);
  }

  measure(what: string, value: number): void {
    this.measured.set(what, Math.max(Math.round(value), this.measured.get(what) ?? 0));
  }

  /** Whatever happened to them: none is left. */
  async killAll(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.kill()));
  }

  partitions(): Promise<PartitionRow[]> {
    return this.subject.partitions(this.pool, this.topic);
  }

  async owned(worker: WorkerProcess): Promise<PartitionRow[]> {
    const rows = await this.partitions();
    return rows.filter((row) => row.owner.endsWith(worker.ownerSuffix));
  }

  /** Every worker owns something, and every partition got further than `since`. */
  async untilSteady(since: readonly PartitionRow[]): Promise<readonly PartitionRow[]> {
    const before = new Map(since.map((row) => [row.partition, row.next]));
    const steady: readonly PartitionRow[] = await until(
      'all workers own partitions, and all partitions are counted further',
      async () => {
        if (this.workers.some((worker) => worker.failure() !== undefined)) return since;
        const rows = await this.partitions();
        const steps = rows.map((row) => row.next - (before.get(row.partition) ?? 0));
        const onward = steps.every((n) => n > 0) && steps.reduce((a, b) => a + b, 0) >= ONWARD_MIN;
        const shared = this.workers.every((worker) =>
          rows.some((row) => row.owner.endsWith(worker.ownerSuffix)),
        );
        return rows.length === PARTITIONS && onward && shared ? rows : undefined;
      },
      { deadlineMs: RECOVERY_MS },
    );
    for (const worker of this.workers) worker.check();
    return steady;
  }

  /** What a worker has read, or is to read, and has not committed. */
  async workOf(worker: WorkerProcess): Promise<WorkInFlight> {
    const ends = await endOffsets(this.servers.brokers, this.topic);
    const owned = await this.owned(worker);
    const behind = owned.reduce((sum, row) => sum + ends.get(row.partition)! - row.next, 0);
    const quietMs = Math.min(...owned.map((row) => row.quietMs));
    return { behind, quietMs, inTransaction: (await this.session(worker)).inTransaction };
  }

  /** Its session in Postgres. */
  async session(
    worker: WorkerProcess,
  ): Promise<{ pid: number; inTransaction: boolean; state: string; waits: string }> {
    const { rows } = await this.pool.query<{ pid: number; xact: boolean; s: string; w: string }>(
      `select pid, xact_start is not null as xact, state as s, coalesce(wait_event_type, '') as w
         from pg_stat_activity
        where datname = current_database() and application_name like $1`,
      [`truecount-${this.subject.service} %${worker.ownerSuffix}`],
    );
    const [row] = rows;
    if (row === undefined) return { pid: 0, inTransaction: false, state: 'none', waits: '' };
    return { pid: row.pid, inTransaction: row.xact, state: row.s, waits: row.w };
  }
}
