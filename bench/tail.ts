import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { scratchFolder } from './support/end-by-signal.js';
import { generateClicks } from '../ingest/generator/generate.js';
import { loadConfig } from '../runtime/config.js';
import type { Config } from '../runtime/config.js';
import { packageFile } from '../runtime/package-root.js';
import { startKafka } from '../runtime/stack/kafka.js';
import { ensureTopics } from '../runtime/topics.js';
import { growth, MemoryWatch } from './support/memory.js';
import { cpuSeconds } from './support/proc.js';
import { thousands } from './support/report.js';
import type { Report, Row } from './support/report.js';
import { serviceEnvironment } from './support/world.js';

const TOPIC = 'bench-tail';
const BLOCK_CLICKS = 50_000;
const SAMPLE_MS = 250;
const IDLE_MS = 10_000;

export interface TailBenchOptions {
  /** Size of what is appended in each phase. */
  readonly megabytes: number;
  /** Length of the outage. */
  readonly seconds: number;
}

/**
 * `truecount tail` on one log: memory and CPU while nothing is written, while it catches up with
 * what is written at once, and while Kafka is away and the log grows on; and how it ends then.
 */
export async function benchTail({ megabytes, seconds }: TailBenchOptions): Promise<Report> {
  const dir = scratchFolder();
  const kafka = await startKafka({ dir: join(dir, 'kafka') });
  const flags = { home: dir, 'kafka.brokers': [kafka.address], topics: [TOPIC] };
  const { config } = loadConfig({ flags, env: {}, useStack: false });
  await ensureTopics(config);
  const log = join(dir, 'clicks.ndjson');
  appendFileSync(log, '');
  const tail = await TailUnderTest.start(config, log);
  try {
    await delay(3_000);
    const phases = [await tail.phase('nothing is written', () => delay(IDLE_MS))];
    const clicks = append(log, megabytes);
    phases.push(
      await tail.phase('catching up', async () => {
        while ((await tail.metric('truecount_tail_lag_bytes')) > 0) await delay(SAMPLE_MS);
      }),
    );
    await kafka.stop();
    append(log, megabytes);
    const away = await tail.phase('Kafka is away', () => delay(seconds * 1_000));
    const lag = await tail.metric('truecount_tail_lag_bytes');
    const { code, ms } = await tail.end();
    const notes = [
      `${thousands(megabytes)} MB (${thousands(clicks)} records) are appended before each of the last two`,
      `lag at the end ${thousands(lag / 1e6)} MB; SIGTERM then: exit ${String(code)} after ${thousands(ms)} ms`,
    ];
    const rows = [...phases, away].map(({ row }) => row);
    const failures = growth('the tail while Kafka is away', away.samples);
    return { name: 'Tail of a log', rows, notes, failures };
  } finally {
    tail.kill();
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Appends a block until the size is reached; how many records that were. */
function append(path: string, megabytes: number): number {
  const load = generateClicks({ clicks: BLOCK_CLICKS, seed: 7, withTruth: false });
  const lines = Array.from(load, ({ line }) => Buffer.concat([Buffer.from(line), Buffer.of(10)]));
  const block = Buffer.concat(lines);
  const blocks = Math.ceil((megabytes * 1e6) / block.length);
  for (let i = 0; i < blocks; i++) appendFileSync(path, block);
  return blocks * lines.length;
}

interface Phase {
  readonly row: Row;
  /** As `MemoryWatch` takes them. */
  readonly samples: readonly number[];
}

class TailUnderTest {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {}

  static async start(config: Config, log: string): Promise<TailUnderTest> {
    const program = packageFile('dist', 'cli', 'main.js');
    const child = spawn(process.execPath, [program, 'tail', log], {
      env: serviceEnvironment(config),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message: { url: string }) => {
        resolve(message.url);
      });
      child.once('exit', (code) => {
        reject(new Error(`truecount tail ended with ${String(code)}`));
      });
    });
    return new TailUnderTest(child, url);
  }

  /** Measures while `wait` waits. */
  async phase(name: string, wait: () => Promise<void>): Promise<Phase> {
    const pid = this.child.pid!;
    const watch = new MemoryWatch(pid);
    const [cpuBefore, sentBefore] = [
      cpuSeconds(pid),
      await this.metric('truecount_tail_sent_total'),
    ];
    const startedMs = performance.now();
    await wait();
    const seconds = (performance.now() - startedMs) / 1_000;
    const samples = watch.stop();
    const sent = (await this.metric('truecount_tail_sent_total')) - sentBefore;
    const row = {
      while: name,
      seconds: seconds.toFixed(1),
      'records/s': thousands(sent / seconds),
      'CPU s': (cpuSeconds(pid) - cpuBefore).toFixed(2),
      'first MB': thousands(samples[0]! / 1e6),
      'last MB': thousands(samples.at(-1)! / 1e6),
      'most MB': thousands(Math.max(...samples) / 1e6),
    };
    return { row, samples };
  }

  async metric(name: string): Promise<number> {
    // A connection that was kept may have been closed while this process wrote.
    const page = (): Promise<Response> => fetch(`${this.url}/metrics`);
    const text = await (await page().catch(page)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async end(): Promise<{ code: number | null; ms: number }> {
    const startedMs = performance.now();
    const code = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    return { code: await code, ms: performance.now() - startedMs };
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
