import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { loadConfig, type Config } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { freePort } from '../../runtime/stack/ports.js';
import { ensureTopics } from '../../runtime/topics.js';
import type { CpuProfile } from '../profile/stages.js';
import { cpuSeconds, peakRssBytes } from '../support/proc.js';
import { percentile, thousands, type Report } from '../support/report.js';
import { serviceEnvironment } from '../support/world.js';
import { LOAD_PROGRAM, bodyOf, type LoadResult, type LoadTask } from './load.js';
import { secondsByPart } from './parts.js';

const TOPIC = 'bench-collect';
/** Seconds at the start of which latencies do not count: processes warm up. */
const WARM_UP_SECONDS = 3;
const DEADLINE_MS = 60_000;
/** As docs/how-to/collect-over-http.md advises for high rates: fewer collections of young objects. */
const NODE_ARGS = ['--max-semi-space-size=64'];

export interface CollectBenchOptions {
  /** Requests a second. */
  readonly rate: number;
  /** Clicks in one request. */
  readonly clicks: number;
  readonly seconds: number;
  /** Kill the broker in the middle, and start it again. */
  readonly restart: boolean;
  readonly connections?: number;
}

/** HTTP requests to acknowledged clicks; what clients were told, compared with the log. */
export async function benchCollect(options: CollectBenchOptions): Promise<Report[]> {
  const dir = mkdtempSync(join(tmpdir(), 'truecount-bench-'));
  let kafka = await startKafka({ dir: join(dir, 'kafka') });
  try {
    const flags = {
      home: dir,
      'kafka.brokers': [kafka.address],
      topics: [TOPIC],
      'collect.port': await freePort(),
    };
    const { config } = loadConfig({ flags, env: {}, useStack: false });
    await ensureTopics(config);
    const measured = await run(config, kafka, options, async () => {
      process.kill(kafka.pid, 'SIGKILL');
      kafka = await startKafka({ dir: join(dir, 'kafka') });
      return kafka;
    });
    const profiled = await profile(config, kafka, options, dir);
    return [measured, profiled];
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function run(
  config: Config,
  kafka: Running,
  options: CollectBenchOptions,
  killBroker: () => Promise<Running>,
): Promise<Report> {
  const { seconds, restart } = options;
  const collector = await startService(config, []);
  try {
    const before = { broker: cpuSeconds(kafka.pid), collector: cpuSeconds(collector.pid!) };
    const task = taskOf(config, options, seconds);
    const loading = send(task);
    let brokerCpu = 0;
    let broker = kafka;
    if (restart) {
      await sleep((seconds * 1000) / 2);
      brokerCpu = cpuSeconds(kafka.pid) - before.broker;
      broker = await killBroker();
      before.broker = 0;
    }
    const { result, cpu } = await loading;
    const collectorCpu = cpuSeconds(collector.pid!) - before.collector;
    brokerCpu += cpuSeconds(broker.pid) - before.broker;
    const checked = await compare(config, task, result);
    const perClick = (cpuS: number): string =>
      ((cpuS * 1e6) / (result.requests * options.clicks)).toFixed(1);
    const latencies = [...result.latenciesMs.subarray(WARM_UP_SECONDS * options.rate)];
    const known = latencies.filter((ms) => !Number.isNaN(ms));
    const latency = (p: number): string =>
      known.length === 0 ? 'none' : percentile(known, p).toFixed(1);
    return {
      name: `collect: ${thousands(options.rate)} requests/s of ${String(options.clicks)} click(s) for ${String(seconds)} s`,
      rows: [
        {
          'sent/s': thousands(result.requests / Math.max(seconds, result.sendingMs / 1000)),
          'p50 ms': latency(0.5),
          'p99 ms': latency(0.99),
          'max ms': latency(1),
          'tried again': thousands(
            result.tries.reduce((n, tries) => n + Math.max(0, tries - 1), 0),
          ),
          'CPU µs per click: collector': perClick(collectorCpu),
          broker: perClick(brokerCpu),
          load: perClick(cpu),
          'collector MB': Math.round(peakRssBytes(collector.pid!) / 1e6),
        },
      ],
      notes: [
        checked.verdict,
        `answers by status (0: connection broken): ${JSON.stringify(result.statuses)}`,
        `${String(task.connections)} connections; latency from when a request was due to its 202, ` +
          `tries included; the first ${String(WARM_UP_SECONDS)} s do not count`,
        `node ${NODE_ARGS.join(' ')}`,
        ...(restart ? ['the broker was killed (SIGKILL) in the middle and started again'] : []),
      ],
      raw: { ...checked, statuses: result.statuses, tookMs: result.tookMs },
    };
  } finally {
    await stop(collector);
  }
}

/** Where the time of the collector goes, in a shorter run with V8's profiler. */
async function profile(
  config: Config,
  kafka: Running,
  options: CollectBenchOptions,
  dir: string,
): Promise<Report> {
  const folder = join(dir, 'profile');
  const collector = await startService(config, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  const seconds = Math.min(10, options.seconds);
  const brokerBefore = cpuSeconds(kafka.pid);
  const task = taskOf(config, options, seconds);
  const { result } = await send(task).finally(() => stop(collector));
  const brokerCpu = cpuSeconds(kafka.pid) - brokerBefore;
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const profiled = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
  const parts = secondsByPart(profiled);
  const total = [...parts.values()].reduce((sum, one) => sum + one, 0);
  return {
    name: `collect: where the time of the collector goes, ${String(seconds)} s`,
    rows: [...parts].map(([part, took]) => ({
      part,
      seconds: took.toFixed(2),
      share: `${((100 * took) / total).toFixed(1)} %`,
      'µs per request': ((took * 1e6) / result.requests).toFixed(1),
    })),
    notes: [
      'V8 CPU profile with the start of the process; wall time of samples that were not idle',
      `the broker used ${((brokerCpu * 1e6) / result.requests).toFixed(1)} µs of CPU per request`,
    ],
    raw: Object.fromEntries(parts),
  };
}

function taskOf(config: Config, options: CollectBenchOptions, seconds: number): LoadTask {
  const { host, port } = config.collect;
  const now = Date.now();
  return {
    host,
    port,
    run: `r${String(now)}`,
    timeMs: now,
    perSecond: options.rate,
    seconds,
    connections: options.connections ?? 200,
    clicks: options.clicks,
  };
}

async function send(task: LoadTask): Promise<{ result: LoadResult; cpu: number }> {
  const child = fork(LOAD_PROGRAM, { serialization: 'advanced' });
  child.send(task);
  let cpu = 0;
  const watch = setInterval(() => (cpu = Math.max(cpu, cpuSeconds(child.pid!))), 250);
  try {
    const result = await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', (message) => {
        resolve(message as LoadResult);
      });
      child.once('exit', () => {
        reject(new Error('the load ended without a result'));
      });
    });
    return { result, cpu };
  } finally {
    clearInterval(watch);
  }
}

interface Compared {
  readonly verdict: string;
  readonly lost: number;
  readonly changed: number;
  readonly foreign: number;
}

/** Reads the topic: every acknowledged click must be there just as it was sent. */
async function compare(config: Config, task: LoadTask, result: LoadResult): Promise<Compared> {
  const clicks = result.requests * task.clicks;
  const copies = new Uint16Array(clicks);
  let [changed, foreign] = [0, 0];
  const prefix = `{"event_id":"${task.run}-`;
  await eachValue(config.kafka.brokers!, (value) => {
    const n = value.startsWith(prefix) ? Number.parseInt(value.slice(prefix.length), 10) : -1;
    if (n < 0 || n >= clicks) foreign++;
    else if (value !== bodyOf(task, n)) changed++;
    else copies[n]!++;
  });
  const acknowledged = (n: number): boolean =>
    !Number.isNaN(result.latenciesMs[Math.floor(n / task.clicks)]!);
  const sum = (of: (n: number) => boolean): number =>
    copies.reduce((count, _, n) => count + (of(n) ? 1 : 0), 0);
  const lost = sum((n) => acknowledged(n) && copies[n] === 0);
  const repeated = sum((n) => copies[n]! > 1);
  const unacknowledged = sum((n) => !acknowledged(n));
  const stored = sum((n) => !acknowledged(n) && copies[n]! > 0);
  return {
    verdict:
      `${thousands(clicks - unacknowledged)} clicks acknowledged, ${thousands(lost)} of them not on ` +
      `the log; ${thousands(unacknowledged)} not acknowledged, ${thousands(stored)} of them on the ` +
      `log; ${thousands(repeated)} ids on it more than once (they count once); ` +
      `${thousands(changed)} changed, ${thousands(foreign)} foreign`,
    lost,
    changed,
    foreign,
  };
}

async function eachValue(brokers: readonly string[], see: (value: string) => void): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const [admin, consumer] = [
    kafka.admin(),
    kafka.consumer({ groupId: `check-${String(Date.now())}` }),
  ];
  await Promise.all([admin.connect(), consumer.connect()]);
  const ends = await admin.fetchTopicOffsets(TOPIC);
  const next = new Map<number, number>();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      for (const { offset, value } of batch.messages) {
        if (Number(offset) < (next.get(batch.partition) ?? 0)) continue;
        next.set(batch.partition, Number(offset) + 1);
        see(String(value));
      }
      return Promise.resolve();
    },
  });
  const atEnd = (): boolean =>
    ends.every(({ partition, high }) => (next.get(partition) ?? 0) >= Number(high));
  await until('the topic is read', () => Promise.resolve(atEnd()));
  await Promise.all([admin.disconnect(), consumer.disconnect()]);
}

async function startService(config: Config, nodeArgs: readonly string[]): Promise<ChildProcess> {
  const program = packageFile('dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [...NODE_ARGS, ...nodeArgs, program, 'run', 'collect'], {
    env: serviceEnvironment(config),
    stdio: 'ignore',
  });
  const { host, port } = config.collect;
  await until('the collector is ready', async () => {
    const answer = await fetch(`http://${host}:${String(port)}/health/ready`).catch(
      () => undefined,
    );
    return answer?.status === 200;
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}`);
    await sleep(50);
  }
}
