import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { ruleSetBody, type RuleSet } from '../../core/rules/rule-set.js';
import { ChildService } from '../../runtime/child-service.js';
import { loadConfig, type Config, type LoadedConfig } from '../../runtime/config.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { prepareDatabase } from '../../runtime/database.js';
import { asEnvironment } from '../../runtime/describe-config.js';
import { packageFile } from '../../runtime/package-root.js';
import type { ServiceName } from '../../runtime/services.js';
import type { Running } from '../../runtime/stack/component.js';
import { COMPONENTS, componentDir, componentsToStart } from '../../runtime/stack/components.js';
import { freePort } from '../../runtime/stack/ports.js';
import { openTemporal, type TemporalConnection } from '../../runtime/temporal/client.js';
import { ensureTopics } from '../../runtime/topics.js';
import { readServed } from './served.js';

/** The least that a broker allows: the frozen worker is to lose its partitions soon. */
const SESSION_TIMEOUT_MS = 6_000;
/** For a busy machine: nothing here takes that long on a quiet one. */
const PATIENCE_MS = 300_000;
/** A demo does not wait: what is due is looked for all the time, and late clicks after a second. */
const IMPATIENT = {
  'stream.sessionTimeoutMs': SESSION_TIMEOUT_MS,
  'stream.idleTimeoutMs': 1_000,
  'archive.flushIntervalMs': 2_000,
  'settle.intervalMs': 2_000,
  'settle.lateAfterMs': 1_000,
};

interface Services {
  readonly workers: readonly ChildService[];
  readonly archive: ChildService;
  readonly batch: ChildService;
  readonly api: ChildService;
}

/**
 * The demo's own world: Postgres, Kafka and Temporal in a throw-away folder (or those of the
 * environment, then with a database, a topic and a namespace of its own), a lake, and the services
 * as processes.
 */
export class Stage {
  readonly pool: pg.Pool;
  readonly workers: readonly ChildService[];

  private constructor(
    readonly config: Config,
    readonly dir: string,
    private readonly components: readonly Running[],
    private readonly services: Services,
  ) {
    this.pool = new pg.Pool({ ...postgresPoolOptions(config), max: 4 });
    this.pool.on('error', () => undefined); // a query that fails says so itself
    this.workers = services.workers;
  }

  static async set(ruleSet: RuleSet, say: (line: string) => void): Promise<Stage> {
    const dir = mkdtempSync(join(tmpdir(), 'truecount-demo-'));
    const name = `demo_${String(Date.now())}`;
    const rulesFile = join(dir, 'rules.json');
    writeFileSync(rulesFile, ruleSetBody(ruleSet));
    const asked = componentsToStart(loadConfig({ flags: { home: dir }, useStack: false }));
    const ownBroker = asked.some((component) => component.name === 'kafka');
    const flags = {
      ...IMPATIENT,
      home: dir,
      rulesFile,
      lakeUrl: join(dir, 'lake'),
      topics: [ownBroker ? 'clicks' : `truecount-${name}`],
      groupId: `truecount-${name}`,
      'archive.groupId': `truecount-archive-${name}`,
      'api.port': await freePort(),
    };
    const bare = loadConfig({ flags, useStack: false });
    const components = await startAll(bare, say);
    const ui = components.find((component) => component.ui !== undefined)?.ui;
    const addresses = Object.fromEntries(
      components.map(({ name: component, address }) => {
        const { setting } = COMPONENTS.find((kind) => kind.name === component)!;
        return [setting, setting === 'kafka.brokers' ? [address] : address];
      }),
    );
    const known = loadConfig({ flags: { ...flags, ...addresses }, useStack: false }).config;
    const theirs = !components.some((component) => component.name === 'temporal');
    const { config } = loadConfig({
      flags: {
        ...flags,
        ...addresses,
        postgresUrl: await ownDatabase(known, name),
        ...(theirs ? { 'temporal.namespace': await ownNamespace(known, name) } : {}),
        ...(ui === undefined ? {} : { 'temporal.uiUrl': ui }),
      },
      useStack: false,
    });
    await prepareDatabase(config);
    await ensureTopics(config);
    return new Stage(config, dir, components, services(config));
  }

  /** Starts the processes and waits until each says that it runs. */
  async open(): Promise<void> {
    const { workers, archive, api } = this.services;
    const all = [...workers, archive, api];
    for (const service of all) service.start();
    await this.until('the services run', () => all.every((service) => service.ready));
  }

  /** Starts the worker that settles hours, with its schedule, and recomputes them. */
  async openBatch(): Promise<void> {
    this.services.batch.start();
    await this.until('the worker runs', () => this.services.batch.ready);
  }

  /** Waits until every hour is final and every late click was looked at. */
  async untilSettled(tell: (text: string) => void): Promise<void> {
    await this.until('every hour is final', async (moved) => {
      const { hours, final, computed, latePending } = await readServed(this.pool);
      moved(computed + final - latePending);
      tell(
        `${String(final)} of ${String(hours)} hours final, ${String(computed)} computed, ` +
          `${String(latePending)} late clicks wait`,
      );
      return hours > 0 && final === hours && latePending === 0;
    });
  }

  /** The settings of this world, for a process that is to live in it. */
  get environment(): Record<string, string> {
    return asEnvironment(this.config);
  }

  get topic(): string {
    return this.config.topics[0]!;
  }

  get apiUrl(): string {
    return `http://${this.config.api.host}:${String(this.config.api.port)}`;
  }

  /** Sends a signal to a worker's process. */
  signal(worker: ChildService, name: NodeJS.Signals): void {
    const pid = worker.state().process?.pid;
    if (pid === undefined) throw new Error('the worker does not run');
    process.kill(pid, name);
  }

  /** The name under which a worker owns partitions. */
  owner(worker: ChildService): string {
    return `${hostname()}:${String(worker.state().process?.pid)}`;
  }

  /** Records committed so far. */
  async committed(): Promise<number> {
    const { rows } = await this.pool.query<{ n: string }>(
      'select coalesce(sum(next_offset), 0) as n from stream_progress',
    );
    return Number(rows[0]!.n);
  }

  /** A counter of a worker's /metrics, summed over its labels. */
  async metric(worker: ChildService, name: string): Promise<number> {
    const url = worker.state().url;
    if (url === undefined || url === null) return 0;
    const text = await (await fetch(`${url}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /**
   * Polls a condition; fails by name when patience ends. A condition may say how far it is (`moved`):
   * then patience begins anew with each step.
   */
  async until(
    what: string,
    condition: (moved: (to: number) => void) => boolean | Promise<boolean>,
  ): Promise<void> {
    let endMs = performance.now() + PATIENCE_MS;
    let at: number | undefined;
    const moved = (to: number): void => {
      if (to !== at) endMs = performance.now() + PATIENCE_MS;
      at = to;
    };
    while (!(await condition(moved))) {
      if (performance.now() > endMs) throw new Error(`waited for minutes, still not: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends everything and removes the folder, but for the logs where they are to be kept. */
  async clear(keepLogs: boolean): Promise<void> {
    const { workers, archive, batch, api } = this.services;
    const all = [...workers, archive, batch, api];
    await Promise.all(all.map((service) => service.stop(10_000)));
    await this.pool.end();
    for (const component of [...this.components].reverse()) await component.stop();
    for (const name of readdirSync(this.dir)) {
      if (keepLogs && name === 'logs') continue;
      rmSync(join(this.dir, name), { recursive: true, force: true });
    }
    if (!keepLogs) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Starts what nobody gave an address for, all at once; if one fails, none is left running. */
async function startAll(loaded: LoadedConfig, say: (line: string) => void): Promise<Running[]> {
  const started = await Promise.allSettled(
    componentsToStart(loaded).map(({ name, start }) =>
      start({ dir: componentDir(loaded.config, name), log: say }),
    ),
  );
  const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed === undefined) return running;
  for (const component of running.reverse()) await component.stop();
  throw failed.reason;
}

async function ownDatabase(config: Config, name: string): Promise<string> {
  const client = new pg.Client(postgresPoolOptions(config));
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(config.postgresUrl!);
  url.pathname = `/${name}`;
  return url.toString();
}

type Register = TemporalConnection['connection']['workflowService']['registerNamespace'];
type Seconds = NonNullable<
  NonNullable<Parameters<Register>[0]['workflowExecutionRetentionPeriod']>['seconds']
>;

/** In somebody's Temporal: workflow and schedule ids are unique within a namespace. */
async function ownNamespace(config: Config, name: string): Promise<string> {
  const namespace = `truecount-${name.replace('_', '-')}`;
  const temporal = await openTemporal(config);
  try {
    const seconds = 86_400 as unknown as Seconds; // a protobuf int64, sent as it is
    const workflowExecutionRetentionPeriod = { seconds };
    await temporal.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod,
    });
    return namespace;
  } finally {
    await temporal.close();
  }
}

function services(config: Config): Services {
  const env = { ...process.env, ...asEnvironment(config), TRUECOUNT_METRICS_PORT: '0' };
  const child = (name: string, service: ServiceName): ChildService =>
    new ChildService({
      name,
      service,
      program: packageFile('dist', 'cli', 'main.js'),
      env,
      logFile: join(config.home, 'logs', `${name}.log`),
      log: pino({ level: 'silent' }),
      onChange: () => undefined,
    });
  return {
    workers: [child('stream-1', 'stream'), child('stream-2', 'stream')],
    archive: child('archive', 'archive'),
    batch: child('worker', 'worker'),
    api: child('api', 'api'),
  };
}
