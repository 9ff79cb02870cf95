import { fork, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOUR_MS } from '../../core/time.js';
import type { Config } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import { end, truecount } from '../stream/contestants.js';
import { cpuSeconds } from '../support/proc.js';
import { percentile, thousands, type Report } from '../support/report.js';
import { World, serviceEnvironment } from '../support/world.js';
import { markerAds } from './producer.js';
import type { Marker, ProducerMessage, ProducerTask } from './producer.js';

const TOPIC = 'bench-fresh';
const WORKERS = 2;
/** Seconds at the start that do not count: processes warm up. */
const WARM_UP_SECONDS = 5;
/** Pause between two rounds of questions: what is measured is late by up to this. */
const ASK_MS = 10;
const DEADLINE_MS = 60_000;

export interface FreshnessOptions {
  /** Clicks a second. */
  readonly rate: number;
  readonly seconds: number;
}

/** From the broker's append of a click to an answer of the HTTP API that counts it. */
export async function benchFreshness({ rate, seconds }: FreshnessOptions): Promise<Report> {
  const world = await World.start(TOPIC);
  let services: readonly ChildProcess[] = [];
  try {
    const config = await world.fresh();
    const counting = await truecount(WORKERS).start(world, config);
    const api = spawn(process.execPath, [packageFile('dist', 'cli', 'main.js'), 'run', 'api'], {
      env: serviceEnvironment(config),
      stdio: 'ignore',
    });
    services = [...counting.processes, api];
    await until(() => Promise.resolve(counting.firstMs() !== undefined));
    await until(() => answers(config));
    const cpuBefore = services.map((child) => cpuSeconds(child.pid!));
    const task = {
      address: world.kafka.address,
      topic: TOPIC,
      partitions: config.partitions,
      rate,
      seconds: seconds + WARM_UP_SECONDS,
    };
    const { markers, seenMs, sent, took } = await watch(config, task);
    const cpu = services.map((child, i) => cpuSeconds(child.pid!) - cpuBefore[i]!);
    const counted = markers.filter(
      ({ appendMs }) => appendMs > markers[0]!.appendMs + WARM_UP_SECONDS * 1000,
    );
    const delays = counted.map((marker) => seenMs.get(keyOf(marker))! - marker.appendMs);
    return {
      name: `freshness: broker append to HTTP answer at ${thousands(rate)} clicks/s`,
      rows: [
        {
          markers: delays.length,
          'p50 ms': percentile(delays, 0.5),
          'p90 ms': percentile(delays, 0.9),
          'p99 ms': percentile(delays, 0.99),
          'max ms': percentile(delays, 1),
          'sent/s': thousands(sent / took),
          'CPU s: workers': cpu
            .slice(0, WORKERS)
            .reduce((a, b) => a + b)
            .toFixed(1),
          'CPU s: API': cpu[WORKERS]!.toFixed(1),
        },
      ],
      notes: [
        `${String(WORKERS)} workers, flushIntervalMs ${String(config.stream.flushIntervalMs)}, ` +
          `${took.toFixed(0)} s, of which the first ${String(WARM_UP_SECONDS)} s do not count`,
        'a marker click each 50 ms in each partition; append time as the broker gave it',
        `the API is asked every ${String(ASK_MS)} ms and more: the figures include that pause`,
      ],
      raw: { delays },
    };
  } finally {
    await end(services);
    await world.stop();
  }
}

interface Watched {
  /** In the order of their append times per ad. */
  readonly markers: readonly Marker[];
  /** When the API's count of the ad first held the marker. */
  readonly seenMs: ReadonlyMap<string, number>;
  readonly sent: number;
  readonly took: number;
}

/** Runs the producer and asks for the counts of the marker ads until all markers were seen. */
async function watch(config: Config, task: ProducerTask): Promise<Watched> {
  const markers: Marker[] = [];
  const seenMs = new Map<string, number>();
  let done: { sent: number; seconds: number } | undefined;
  const producer = fork(packageFile('dist', 'bench', 'freshness', 'producer.js'));
  producer.on('message', (message: ProducerMessage) => {
    if (message.kind === 'marker') markers.push(message.marker);
    else done = message;
  });
  producer.send(task);
  const ads = markerAds(task.partitions).map((ad) => ({ ad, seen: 0 }));
  const deadline = Date.now() + task.seconds * 1000 + DEADLINE_MS;
  while (done === undefined || seenMs.size < markers.length) {
    if (Date.now() > deadline) throw new Error('not every marker became visible');
    for (const entry of ads) {
      const count = await countOf(config, entry.ad);
      const now = Date.now();
      while (entry.seen < count) seenMs.set(keyOf({ ad: entry.ad, n: ++entry.seen }), now);
    }
    await sleep(ASK_MS);
  }
  return { markers, seenMs, sent: done.sent, took: done.seconds };
}

function keyOf({ ad, n }: { readonly ad: string; readonly n: number }): string {
  return `${ad}/${String(n)}`;
}

/** Of the hour before, this one and the next: the run may cross an hour. */
async function countOf(config: Config, ad: string): Promise<number> {
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const from = new Date(hour - HOUR_MS).toISOString();
  const to = new Date(hour + 2 * HOUR_MS).toISOString();
  const { host, port } = config.api;
  const url = `http://${host}:${String(port)}/ads/${ad}/aggregated_count?from=${from}&to=${to}`;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${String(response.status)}`);
  return ((await response.json()) as { count: number }).count;
}

async function answers(config: Config): Promise<boolean> {
  try {
    await countOf(config, 'none');
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the services did not start');
    await sleep(50);
  }
}
