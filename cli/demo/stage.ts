import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { ChildService } from '../../runtime/child-service.js';
import { loadConfig, type Config } from '../../runtime/config.js';
import { postgresPoolOptions } from '../../runtime/connections.js';
import { prepareDatabase } from '../../runtime/database.js';
import { asEnvironment } from '../../runtime/describe-config.js';
import { packageFile } from '../../runtime/package-root.js';
import type { Running } from '../../runtime/stack/component.js';
import { COMPONENTS, componentDir, componentsToStart } from '../../runtime/stack/components.js';
import { freePort } from '../../runtime/stack/ports.js';
import { ensureTopics } from '../../runtime/topics.js';

/** What this form of the demo needs of the stack. */
const NEEDED = ['postgres', 'kafka'];
/** The least that a broker allows: the frozen worker is to lose its partitions soon. */
const SESSION_TIMEOUT_MS = 6_000;

/**
 * The demo's own world: Postgres and Kafka in a throw-away folder (or those of the environment,
 * then with a database and a topic of its own), two stream workers and the API as processes.
 */
export class Stage {
  readonly pool: pg.Pool;
  readonly workers: readonly ChildService[];
  readonly api: ChildService;

  private constructor(
    readonly config: Config,
    private readonly dir: string,
    private readonly components: readonly Running[],
    services: { workers: readonly ChildService[]; api: ChildService },
  ) {
    this.pool = new pg.Pool({ ...postgresPoolOptions(config), max: 4 });
    this.workers = services.workers;
    this.api = services.api;
  }

  static async set(say: (line: string) => void): Promise<Stage> {
    const dir = mkdtempSync(join(tmpdir(), 'truecount-demo-'));
    const name = `demo_${String(Date.now())}`;
    const flags = {
      home: dir,
      topics: [`truecount-${name}`],
      groupId: `truecount-${name}`,
      'stream.sessionTimeoutMs': SESSION_TIMEOUT_MS,
      'api.port': await freePort(),
    };
    const bare = loadConfig({ flags, useStack: false });
    const components: Running[] = [];
    for (const { name: component, start } of componentsToStart(bare)) {
      if (!NEEDED.includes(component)) continue;
      components.push(await start({ dir: componentDir(bare.config, component), log: say }));
    }
    const addresses = Object.fromEntries(
      components.map(({ name: component, address }) => {
        const { setting } = COMPONENTS.find((kind) => kind.name === component)!;
        return [setting, setting === 'kafka.brokers' ? [address] : address];
      }),
    );
    const known = loadConfig({ flags: { ...flags, ...addresses }, useStack: false }).config;
    const postgresUrl = await ownDatabase(known, name);
    const final = { ...flags, ...addresses, postgresUrl };
    const { config } = loadConfig({ flags: final, useStack: false });
    await prepareDatabase(config);
    await ensureTopics(config);
    return new Stage(config, dir, components, services(config));
  }

  /** Starts the processes and waits until each says that it runs. */
  async open(): Promise<void> {
    const all = [...this.workers, this.api];
    for (const service of all) service.start();
    await this.until('the services run', () => all.every((service) => service.ready));
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

  /** Polls a condition; fails by name after a minute. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!(await condition())) {
      if (performance.now() > endMs) throw new Error(`waited a minute, still not: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends everything; with `keep` only says so in the words of whoever calls. */
  async clear(): Promise<void> {
    await Promise.all([...this.workers, this.api].map((service) => service.stop(10_000)));
    await this.pool.end();
    for (const component of [...this.components].reverse()) await component.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
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

function services(config: Config): { workers: ChildService[]; api: ChildService } {
  const env = { ...process.env, ...asEnvironment(config), TRUECOUNT_METRICS_PORT: '0' };
  const child = (name: string, service: 'stream' | 'api'): ChildService =>
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
    workers: [child('worker 1', 'stream'), child('worker 2', 'stream')],
    api: child('api', 'api'),
  };
}
