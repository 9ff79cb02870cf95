import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type pg from 'pg';
import { hourOf } from '../../../core/time.js';
import { loadConfig, type Config } from '../../../runtime/config.js';
import { prepareDatabase } from '../../../runtime/database.js';
import { openTemporal, type TemporalConnection } from '../../../runtime/temporal/client.js';
import { packageFile } from '../../../runtime/package-root.js';
import type { StartOptions } from '../../../workflows/start-options.js';
import type { ArchiveServiceOptions } from '../../../stream/archive/service.js';
import { startArchiver, type Archiver } from '../../support/archive.js';
import { freshDatabase, freshTopic, kafkaBrokers, type TestDatabase } from '../../support/stack.js';
import { produce, startWorker, type LogRecord, type Worker } from '../../support/stream.js';
import { freshTemporal, type TestTemporal } from '../../support/temporal.js';
import { until } from '../../support/until.js';

export interface RigOptions {
  readonly partitions?: number;
  /** Settings over those of tests, by the name of the environment variable. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: a fresh one on the shared server. */
  readonly database?: TestDatabase;
  /** False: nobody archives until `startArchive` is called. */
  readonly archive?: boolean;
}

/** Everything between the log and what is served, with Temporal; workers are processes. */
export class Rig {
  readonly workers: WorkerProcess[] = [];
  #archiver: Archiver | undefined;

  private constructor(
    readonly config: Config,
    readonly env: Readonly<Record<string, string>>,
    readonly topic: string,
    readonly database: TestDatabase,
    readonly temporal: TestTemporal,
    readonly connection: TemporalConnection,
    private readonly stream: Worker,
    readonly folder: string,
  ) {}

  static async start(options: RigOptions = {}): Promise<Rig> {
    const folder = mkdtempSync(join(tmpdir(), 'truecount-rig-'));
    const [database, topic, temporal] = await Promise.all([
      options.database ?? freshDatabase(),
      freshTopic(options.partitions ?? 2),
      freshTemporal(),
    ]);
    const env = {
      TRUECOUNT_HOME: folder,
      TRUECOUNT_POSTGRES_URL: database.url,
      TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(),
      TRUECOUNT_TOPICS: topic,
      TRUECOUNT_TEMPORAL_ADDRESS: temporal.address,
      TRUECOUNT_TEMPORAL_NAMESPACE: temporal.namespace,
      TRUECOUNT_LAKE_URL: join(folder, 'lake'),
      TRUECOUNT_STREAM_IDLE_TIMEOUT_MS: '500',
      TRUECOUNT_STREAM_GRACE_MS: '0',
      // Tests settle when they want to: ticks are counted from 1970, so an hour would have one at each
      // full hour of the clock. This one ticks at midnight.
      TRUECOUNT_SETTLE_INTERVAL_MS: '86400000',
      TRUECOUNT_SETTLE_LATE_AFTER_MS: '0',
      ...options.settings,
    };
    try {
      const { config } = loadConfig({ env, cwd: folder, useStack: false });
      await prepareDatabase(config);
      const connection = await openTemporal(config);
      const stream = startWorker(kafkaBrokers(), database, [topic]);
      const rig = new Rig(config, env, topic, database, temporal, connection, stream, folder);
      if (options.archive !== false) await rig.startArchive();
      return rig;
    } catch (error) {
      await temporal.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get client(): Client {
    return this.connection.client;
  }

  get pool(): pg.Pool {
    return this.database.pool;
  }

  async startArchive(overrides: Partial<ArchiveServiceOptions> = {}): Promise<void> {
    const { openLake } = await import('../../../lake/open.js');
    this.#archiver = await startArchiver(this.database, [this.topic], {
      folder: this.folder,
      lake: openLake(this.config.lakeUrl),
      ...overrides,
    });
  }

  /** Nothing is archived until `startArchive` is called again. */
  async stopArchive(): Promise<void> {
    await this.#archiver?.stop();
    this.#archiver = undefined;
  }

  produce(records: Iterable<LogRecord>): Promise<number> {
    return produce(kafkaBrokers(), this.topic, records);
  }

  /** Starts `truecount run worker` and waits until it works. */
  async startWorker(settings: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start({ ...this.env, ...settings }, this.folder);
    this.workers.push(worker);
    return worker;
  }

  /** Starts a workflow and waits for its result. */
  async run<T>(options: StartOptions, input: object): Promise<T> {
    const { workflowType, ...rest } = options;
    return this.client.workflow.execute(workflowType, { ...rest, args: [input] }) as Promise<T>;
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
    await this.connection.close();
    await this.#archiver?.stop();
    await this.stream.stop();
    await this.temporal.close();
    await this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A worker as production runs it. Ends with the test process. */
export class WorkerProcess {
  #url = '';
  #log = '';

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (message: { url?: string }) => (this.#url = message.url ?? ''));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString('utf8')).slice(-20_000);
      if (process.env['TEST_LOG'] !== undefined) process.stderr.write(chunk);
    });
  }

  static async start(env: Readonly<Record<string, string>>, cwd: string): Promise<WorkerProcess> {
    const program = packageFile('dist', 'cli', 'main.js');
    const child = spawn(process.execPath, [program, 'run', 'worker'], {
      cwd,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const worker = new WorkerProcess(child);
    await until(
      'the worker works',
      async () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${worker.#log}`);
        if (worker.#url === '') return false;
        return (await fetch(`${worker.#url}/health/ready`)).ok;
      },
      { deadlineMs: 60_000 },
    ).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw new Error(`${String(error)}\n${worker.#log}`);
    });
    return worker;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get url(): string {
    return this.#url;
  }

  get log(): string {
    return this.#log;
  }

  /** As the server names it. */
  get identitySuffix(): string {
    return `#${String(this.pid)}`;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#gone();
  }

  /** SIGTERM; its exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    await this.#gone();
    return this.child.exitCode;
  }

  async #gone(): Promise<void> {
    await until(
      'the worker is gone',
      () => this.child.exitCode !== null || this.child.signalCode !== null,
    );
  }
}

/** Clicks of one hour: `n` ids, spread over ads and minutes; every tenth is sent twice. */
export function* clicksOf(hourMs: number, n: number, first = 0): Generator<LogRecord> {
  for (let i = first; i < first + n; i++) {
    const adId = `ad-${String(i % 17)}`;
    const click = {
      event_id: `e-${String(hourOf(hourMs))}-${String(i)}`,
      ad_id: adId,
      timestamp: hourMs + ((i * 7_919) % 3_600_000),
      country: ['US', 'UK', 'DE'][i % 3],
      device: ['mobile', 'desktop'][i % 2],
    };
    const record = { key: adId, line: JSON.stringify(click) };
    yield record;
    if (i % 10 === 0) yield record;
  }
}
