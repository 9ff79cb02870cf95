import { expect } from 'vitest';
import { FaultBed, PARTITIONS, RECOVERY_MS } from './faults/bed.js';
import type { WorkInFlight } from './faults/bed.js';
import { Load } from './faults/load.js';
import { createTopic, openServers } from './faults/servers.js';
import type { OwnServer } from './faults/servers.js';
import { STREAM } from './faults/subject.js';
import type { PartitionRow, Subject } from './faults/subject.js';
import { Watcher } from './faults/watcher.js';
import type { WorkerProcess } from './faults/worker-process.js';
import { until } from './until.js';

/** Clicks whose second try comes after a fault, at each fault. */
const PAIRS = 40;
/** How long a fault waits to hit a transaction, before unflushed records have to do. */
const AIM_MS = 2_000;
/** So long after its last commit, and with the load going on, a worker has records buffered. */
const BUFFERED_MS = 500;

/** One kind of fault: what it needs, and how it strikes. */
export interface FaultKind {
  readonly name: string;
  readonly own: OwnServer;
  /** The service that is hit. Default: the stream. */
  readonly subject?: Subject;
  readonly flushIntervalMs: number;
  /** Flushes that the fence must have refused, at least. */
  readonly refusedMin: (points: number) => number;
  /** Event hours of the load. */
  readonly hours: (points: number) => number;
  readonly clicksPerSecond?: number;
  /** Records that may wait to be counted while the load goes on. */
  readonly waitingMax?: number;
  /**
   * `buffer`: the victim has unflushed records and is in no transaction; `both`: every other fault
   * aims at a victim inside its flush; `inside`: all do, and the fault itself sees to that.
   */
  readonly aim: 'buffer' | 'both' | 'inside';
  /** Strikes, calls `bed.struck()` right after, and leaves a bed that can recover by itself. */
  readonly inject: (bed: FaultBed, victim: WorkerProcess, point: number) => Promise<void>;
}

export interface FaultReport {
  readonly kind: string;
  readonly faults: number;
  readonly inFlight: number;
  readonly inTransaction: number;
  readonly pairs: number;
  readonly refused: number;
  readonly retries: number;
  readonly takeOvers: number;
  readonly looks: number;
  readonly measured: ReadonlyMap<string, number>;
  /** What was found at the end, compared with the log. */
  readonly verdict: string;
  readonly seconds: number;
}

/**
 * Injects `points` faults of a kind, one after another, into two workers under a continuous load:
 * each only after every partition was counted further than at the one before, and with work in
 * flight as far as can be seen. At the end all cells must equal the truth that the log tells.
 */
export async function runFaults(kind: FaultKind, points: number): Promise<FaultReport> {
  const startedMs = performance.now();
  const subject = kind.subject ?? STREAM;
  const servers = await openServers(kind.own);
  const topic = await createTopic(servers.brokers, PARTITIONS);
  const load: Load = new Load({
    brokers: servers.brokers,
    topic,
    clicksPerSecond: kind.clicksPerSecond ?? 5_000,
    hours: kind.hours(points),
    mayRun: () => load.records - watcher.counted < (kind.waitingMax ?? 50_000),
  });
  const watcher = new Watcher(servers.pool, load, subject);
  const loading = load.run();
  const watching = watcher.run();
  let bed: FaultBed | undefined;
  try {
    const hits = { inFlight: 0, inTransaction: 0, pairs: 0 };
    let pairs: number[] = [];
    const secondTries: Promise<void>[] = [];
    bed = new FaultBed(servers, topic, load, subject, kind.flushIntervalMs, () => {
      secondTries.push(load.sendAgain(pairs));
    });
    await Promise.all([bed.startWorker(), bed.startWorker()]);
    let since: readonly PartitionRow[] = [];
    for (let point = 0; point < points; point++) {
      since = await bed.untilSteady(since);
      const victim = bed.workers[point % bed.workers.length]!;
      pairs = await load.sendFresh(PAIRS);
      const work = await takeAim(bed, victim, kind.aim, point);
      await kind.inject(bed, victim, point);
      const inTransaction = work.inTransaction || kind.aim === 'inside';
      if (work.behind > 0 || inTransaction) hits.inFlight++;
      if (inTransaction) hits.inTransaction++;
      secondTries.push(load.sendAgain(pairs.slice(PAIRS / 2)));
      hits.pairs += PAIRS;
    }
    await bed.untilSteady(since);
    await Promise.all(secondTries);
    load.stop();
    await loading;
    const quietMs = performance.now();
    await subject.untilDone(servers, topic, RECOVERY_MS);
    bed.measure('ms until the rest was committed', performance.now() - quietMs);
    watcher.stop();
    await watching;
    await Promise.all(bed.workers.map((worker) => worker.stop()));
    const verdict = await subject.check(servers, topic);
    const report = {
      kind: kind.name,
      faults: points,
      ...hits,
      refused: bed.sum((worker) => worker.refused),
      retries: bed.sum((worker) => worker.retries),
      takeOvers: await takeOvers(bed),
      looks: watcher.looks,
      measured: bed.measured,
      verdict,
      seconds: Math.round((performance.now() - startedMs) / 1000),
    };
    console.log(describeReport(report));
    expect(watcher.wrong, 'seen by a reader meanwhile').toEqual([]);
    expect(watcher.looks, 'looks of that reader').toBeGreaterThan(points);
    expect(report.inFlight, 'faults that hit work in flight').toBeGreaterThan(points / 2);
    expect(report.refused, 'refused flushes').toBeGreaterThanOrEqual(kind.refusedMin(points));
    return report;
  } finally {
    load.stop();
    watcher.stop();
    await bed?.killAll();
    await Promise.all([loading, watching]);
    await servers.close();
  }
}

/** Waits for the moment to strike; returns what was in flight just before it. */
async function takeAim(
  bed: FaultBed,
  victim: WorkerProcess,
  aim: FaultKind['aim'],
  point: number,
): Promise<WorkInFlight> {
  if (aim === 'inside') return bed.workOf(victim);
  const quietMs = aim === 'buffer' ? BUFFERED_MS : 0;
  const work = await until('the victim has unflushed records', async () => {
    const seen = await bed.workOf(victim);
    const fits = aim === 'both' || !seen.inTransaction;
    return seen.behind > 0 && seen.quietMs > quietMs && fits ? seen : undefined;
  });
  if (aim === 'buffer' || point % 2 === 1) return work;
  const inTransaction = await until(
    'the victim flushes',
    async () => (await bed.session(victim)).inTransaction,
    { deadlineMs: AIM_MS, everyMs: 1 },
  ).catch(() => false);
  return { ...work, inTransaction };
}

async function takeOvers(bed: FaultBed): Promise<number> {
  const { rows } = await bed.pool.query<{ n: string }>(
    `select sum(epoch) - count(*) as n from ${bed.subject.fence} where epoch > 0`,
  );
  return Number(rows[0]!.n);
}

function describeReport(report: FaultReport): string {
  const n = (value: number): string => value.toLocaleString('en-US');
  const measured = [...report.measured].map(([what, most]) => `  ${what}: at most ${n(most)}`);
  return [
    `faults, ${report.kind}: ${n(report.faults)} injected in ${n(report.seconds)} s, ` +
      `${n(report.inFlight)} hit work in flight, ${n(report.inTransaction)} inside a transaction`,
    `  ${n(report.pairs)} clicks sent on both sides of a fault; ${n(report.refused)} flushes ` +
      `refused, ${n(report.retries)} retried, ${n(report.takeOvers)} partitions taken over`,
    `  ${report.verdict}; ${n(report.looks)} looks meanwhile`,
    ...measured,
  ].join('\n');
}
