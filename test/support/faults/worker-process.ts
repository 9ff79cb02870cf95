import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { packageFile } from '../../../runtime/package-root.js';
import { until } from '../until.js';

const LOG_LINES_KEPT = 40;

/** How a worker of a fault test differs from the usual settings; times in ms. */
export interface WorkerSettings {
  readonly service: 'stream' | 'archive';
  readonly postgresUrl: string;
  readonly brokers: readonly string[];
  readonly lakeUrl: string;
  readonly topic: string;
  readonly flushIntervalMs: number;
  readonly sessionTimeoutMs: number;
  /** Where no settings file and no stack of anybody lies. */
  readonly home: string;
}

/** A worker as production runs it: `truecount run stream`. Ends with the test process. */
export class WorkerProcess {
  refused = 0;
  retries = 0;
  private readonly lines: string[] = [];
  private url = '';
  private told: 'nothing' | 'stop' | 'kill' = 'nothing';

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (message: { url?: string }) => (this.url = message.url ?? ''));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.read(line);
    });
  }

  /** Starts the process; resolves when it says that it runs. */
  static async start(settings: WorkerSettings): Promise<WorkerProcess> {
    const env = {
      PATH: process.env['PATH'],
      TRUECOUNT_HOME: settings.home,
      TRUECOUNT_POSTGRES_URL: settings.postgresUrl,
      TRUECOUNT_KAFKA_BROKERS: settings.brokers.join(),
      TRUECOUNT_TOPICS: settings.topic,
      TRUECOUNT_GROUP_ID: `stream-${settings.topic}`,
      TRUECOUNT_ARCHIVE_GROUP_ID: `archive-${settings.topic}`,
      TRUECOUNT_ARCHIVE_FLUSH_INTERVAL_MS: String(settings.flushIntervalMs),
      TRUECOUNT_LAKE_URL: settings.lakeUrl,
      TRUECOUNT_STREAM_FLUSH_INTERVAL_MS: String(settings.flushIntervalMs),
      TRUECOUNT_STREAM_SESSION_TIMEOUT_MS: String(settings.sessionTimeoutMs),
    };
    const child = spawn(
      process.execPath,
      [packageFile('dist', 'cli', 'main.js'), 'run', settings.service],
      {
        cwd: settings.home,
        env,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    );
    const worker = new WorkerProcess(child);
    await until('the worker runs', () => worker.url !== '' || worker.failure());
    worker.check();
    return worker;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Its name as an owner of partitions ends with this. */
  get ownerSuffix(): string {
    return `:${String(this.pid)}`;
  }

  /** Resident memory, bytes. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${String(this.pid)}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  wake(): void {
    this.child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.told = 'kill';
    this.child.kill('SIGKILL');
    await this.untilGone();
  }

  /** SIGTERM; throws unless it ends in its orderly way. */
  async stop(): Promise<void> {
    this.told = 'stop';
    this.child.kill('SIGTERM');
    await this.untilGone();
    if (this.child.exitCode !== 0) throw new Error(`a worker did not stop cleanly:${this.tail()}`);
  }

  /** Throws what `failure` says. */
  check(): void {
    const failure = this.failure();
    if (failure !== undefined) throw new Error(failure);
  }

  /** A metric of its own /metrics, summed over labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      if (line.startsWith(name) && /^[ {]/.test(line.slice(name.length))) {
        sum += Number(line.slice(line.lastIndexOf(' ')));
      }
    }
    return sum;
  }

  /** Why it ended although nobody told it to; undefined while it runs, or if somebody did. */
  failure(): string | undefined {
    const { exitCode, signalCode } = this.child;
    if (this.told !== 'nothing' || (exitCode === null && signalCode === null)) return undefined;
    return `a worker ended by itself (${String(exitCode ?? signalCode)}):${this.tail()}`;
  }

  private tail(): string {
    return ['', ...this.lines].join('\n  ');
  }

  private async untilGone(): Promise<void> {
    await until('the worker is gone', () => {
      return this.child.exitCode !== null || this.child.signalCode !== null;
    });
  }

  private read(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LOG_LINES_KEPT) this.lines.shift();
    if (process.env['TEST_LOG'] !== undefined) console.log(`${String(this.pid)} ${line}`);
    if (line.includes('"outcome":"refused"')) this.refused++;
    if (line.includes('Postgres will be tried again')) this.retries++;
  }
}
