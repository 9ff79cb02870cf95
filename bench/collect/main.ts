import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../runtime/config.js';
import { end } from '../stream/contestants.js';
import { growth, MemoryWatch, tenthsRow } from '../support/memory.js';
import { cpuSeconds, peakRssBytes } from '../support/proc.js';
import { thousands, type Report } from '../support/report.js';
import { World } from '../support/world.js';
import { countedByStream } from './counted.js';
import { WARM_UP_SECONDS, caughtUpMs, latencyRows, type Outage } from './latency.js';
import type { LoadResult, LoadTask } from './load.js';
import { readLog } from './on-the-log.js';
import { NODE_ARGS, send, startCollector, untilReady } from './processes.js';
import { profileCollector } from './profile.js';

const TOPIC = 'bench-collect';
const CONNECTIONS = 200;
const AFTERMATH_MS = 60_000;
const PROFILE_SECONDS_MAX = 10;

export interface CollectBenchOptions {
  /** Requests a second. */
  readonly rate: number;
  /** Clicks in one request. */
  readonly clicks: number;
  /** Length of the load, without `awaySeconds`. */
  readonly seconds: number;
  /** Kill the broker in the middle, and start it again after so long; absent: leave it alone. */
  readonly awaySeconds?: number | undefined;
}

/** HTTP requests to acknowledged clicks; what clients were told, compared with log and counts. */
export async function benchCollect(options: CollectBenchOptions): Promise<Report[]> {
  const world = await World.start(TOPIC);
  try {
    const config = await world.fresh();
    const task = taskOf(config, options);
    const { awaySeconds = 0 } = options;
    const loaded = await underLoad(world, config, task, options);
    const log = await readLog(world.client(), TOPIC, task, loaded.result);
    const counted = await countedByStream(world, config, log);
    const reports = [
      summary(task, loaded, {
        notes: [log.verdict, ...counted.notes],
        failures: [...log.failures, ...counted.failures],
      }),
      latencies(task, loaded),
      ...(awaySeconds > 0 ? [memoryReport(loaded.memoryAway, awaySeconds)] : []),
    ];
    if (awaySeconds > 0) return reports;
    const seconds = Math.min(PROFILE_SECONDS_MAX, options.seconds);
    const profiled = { ...taskOf(config, options), seconds };
    return [...reports, await profileCollector(world, config, profiled)];
  } finally {
    await world.stop();
  }
}

function taskOf(config: Config, options: CollectBenchOptions): LoadTask {
  const { rate, clicks, seconds, awaySeconds = 0 } = options;
  const { host, port } = config.collect;
  const timeMs = Date.now();
  return {
    host,
    port,
    run: `r${String(timeMs)}`,
    timeMs,
    perSecond: rate,
    seconds: seconds + awaySeconds,
    // Clients that wait ask once a second: together as often as the rate says.
    connections: awaySeconds > 0 ? Math.max(rate, CONNECTIONS) : CONNECTIONS,
    clicks,
    patient: awaySeconds > 0,
    aftermathMs: AFTERMATH_MS + awaySeconds * 1000,
  };
}

interface Loaded {
  readonly result: LoadResult;
  readonly outage: Outage | undefined;
  /** CPU seconds. */
  readonly cpu: { readonly collector: number; readonly broker: number; readonly load: number };
  readonly peakBytes: number;
  /** Resident memory of the collector from the broker's end to its start. */
  readonly memoryAway: readonly number[];
}

async function underLoad(
  world: World,
  config: Config,
  task: LoadTask,
  { seconds, awaySeconds }: CollectBenchOptions,
): Promise<Loaded> {
  const collector = await startCollector(config);
  const pid = collector.pid!;
  try {
    const before = { broker: cpuSeconds(world.kafka.pid), collector: cpuSeconds(pid) };
    const loading = send(task);
    let brokerCpu = -before.broker;
    let broken: Broken | undefined;
    if (awaySeconds !== undefined) {
      await sleep((seconds * 1000) / 2);
      brokerCpu += cpuSeconds(world.kafka.pid);
      broken = await breakBroker(world, config, collector, awaySeconds);
    }
    const { result, cpu } = await loading;
    return {
      result,
      outage: broken,
      cpu: {
        collector: cpuSeconds(pid) - before.collector,
        broker: brokerCpu + cpuSeconds(world.kafka.pid),
        load: cpu,
      },
      peakBytes: peakRssBytes(pid),
      memoryAway: broken?.memory ?? [],
    };
  } finally {
    await end([collector]);
  }
}

type Broken = Outage & { readonly memory: readonly number[] };

async function breakBroker(
  world: World,
  config: Config,
  collector: ChildProcess,
  awaySeconds: number,
): Promise<Broken> {
  const killedMs = Date.now();
  world.killKafka();
  const watch = new MemoryWatch(collector.pid!);
  await sleep(awaySeconds * 1000);
  const memory = watch.stop();
  await world.restartKafka();
  await untilReady(config);
  return { killedMs, readyMs: Date.now(), memory };
}

type Verdict = Required<Pick<Report, 'notes' | 'failures'>>;

function summary(task: LoadTask, loaded: Loaded, verdict: Verdict): Report {
  const { perSecond, clicks, seconds, connections } = task;
  const { result, cpu, peakBytes } = loaded;
  const perClick = (cpuS: number): string => ((cpuS * 1e6) / (result.requests * clicks)).toFixed(1);
  const { statuses, withoutRetryAfter, tookMs } = result;
  return {
    name: `collect: ${thousands(perSecond)} requests/s of ${String(clicks)} click(s) for ${String(seconds)} s`,
    rows: [
      {
        'sent/s': thousands(result.requests / Math.max(seconds, result.sendingMs / 1000)),
        'tried again': thousands(result.tries.reduce((n, tries) => n + Math.max(0, tries - 1), 0)),
        'CPU µs per click: collector': perClick(cpu.collector),
        broker: perClick(cpu.broker),
        load: perClick(cpu.load),
        'collector MB': Math.round(peakBytes / 1e6),
      },
    ],
    notes: [
      ...verdict.notes,
      `answers by status (0: connection broken): ${JSON.stringify(statuses)}`,
      `of the 503, ${thousands(withoutRetryAfter)} were without Retry-After`,
      `${String(connections)} connections; node ${NODE_ARGS.join(' ')}`,
    ],
    failures: [
      ...verdict.failures,
      ...(withoutRetryAfter > 0 ? ['there are 503 without Retry-After'] : []),
    ],
    raw: { statuses, tookMs, withoutRetryAfter },
  };
}

function latencies(task: LoadTask, { result, outage }: Loaded): Report {
  const notes = [
    'from when a request was due to its 202, tries included; ' +
      `the first ${String(WARM_UP_SECONDS)} s do not count`,
  ];
  if (outage !== undefined) {
    const seconds = (ms: number): string => `${((ms - outage.killedMs) / 1000).toFixed(1)} s`;
    const caughtUp = caughtUpMs(result, task.perSecond, outage);
    const gathered = 'what had gathered was sent';
    notes.push(
      `the broker was killed (SIGKILL); the collector was ready after ${seconds(outage.readyMs)}, ` +
        `${gathered} ${caughtUp === undefined ? 'not before the end' : `after ${seconds(caughtUp)}`}`,
    );
  }
  return { name: 'collect: latency', rows: latencyRows(result, task, outage), notes };
}

function memoryReport(samples: readonly number[], seconds: number): Report {
  return {
    name: `collect: most resident MB of the collector while Kafka is away for ${String(seconds)} s`,
    rows: [{ 'by tenths': '', ...tenthsRow(samples) }],
    notes: [],
    failures: growth('the collector', samples),
    raw: samples,
  };
}
