import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { TruecountError } from '../core/errors.js';
import { ChildService } from './child-service.js';
import { loadConfig, type Config, type ConfigInputs } from './config.js';
import { prepareDatabase } from './database.js';
import { asEnvironment } from './describe-config.js';
import { packageFile } from './package-root.js';
import type { ServiceName } from './services.js';
import type { Log, Running } from './stack/component.js';
import { componentDir, componentsToStart } from './stack/components.js';
import { freePort } from './stack/ports.js';
import { end, isRunning, processRef } from './stack/process.js';
import { clearState, readState, writeState, type ComponentState } from './stack/state.js';
import { ensureTopics } from './topics.js';

const WATCH_MS = 1_000;

/**
 * What `up` runs: starts (or finds) the components that have no address, prepares database and
 * topics, runs the services as child processes, and starts again what dies, until it is stopped.
 * All of it is written to `stack.json`.
 */
export class Supervisor {
  readonly #components = new Map<string, Running>();
  #services: ChildService[] = [];
  #watch: NodeJS.Timeout | undefined;
  #mending: Promise<void> | undefined;
  #stopping = false;
  readonly #log: Logger;
  #config: Config;

  private constructor(
    private readonly inputs: ConfigInputs,
    private readonly say: Log,
  ) {
    this.#config = loadConfig({ ...inputs, useStack: false }).config;
    mkdirSync(join(this.#config.home, 'logs'), { recursive: true });
    const file = join(this.#config.home, 'logs', 'supervisor.log');
    const sink = pino.destination({ dest: file, sync: true });
    this.#log = pino({ name: 'truecount-up', level: this.#config.logLevel }, sink);
  }

  /**
   * @throws TruecountError `stack_already_running` if another supervisor has this home folder,
   * `component_unavailable` or `dependency_unreachable` if something does not come up: then what
   * was started is stopped again.
   */
  static async start(inputs: ConfigInputs, say: Log): Promise<Supervisor> {
    const supervisor = new Supervisor(inputs, say);
    await supervisor.#claim();
    try {
      await supervisor.#startComponents();
      await supervisor.#startServices();
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
    supervisor.#watch = setInterval(() => {
      supervisor.#mending ??= supervisor.#mend().finally(() => (supervisor.#mending = undefined));
    }, WATCH_MS);
    return supervisor;
  }

  get config(): Config {
    return this.#config;
  }

  async #claim(): Promise<void> {
    const { home } = this.#config;
    const before = readState(home);
    if (before.supervisor !== null && isRunning(before.supervisor)) {
      const pid = String(before.supervisor.pid);
      throw new TruecountError('stack_already_running', `the stack of ${home} runs (pid ${pid})`, {
        hint: 'npx truecount status shows it, npx truecount down stops it',
        context: { home, pid: before.supervisor.pid },
      });
    }
    // Services of a supervisor that was killed end by themselves; they are not waited for long.
    const deadlineMs = this.#config.stream.shutdownTimeoutMs;
    const orphans = before.services.flatMap(({ process: ref }) => ref ?? []);
    await Promise.all(orphans.map((ref) => end(ref, { deadlineMs })));
    this.#write();
  }

  async #startComponents(): Promise<void> {
    const loaded = loadConfig({ ...this.inputs, useStack: false });
    const started = await Promise.allSettled(
      componentsToStart(loaded).map(async ({ name, start }) => {
        const dir = componentDir(this.#config, name);
        const component = await start({ dir, log: this.say });
        this.#components.set(name, component);
        this.#write();
        const how = component.attached ? 'found running' : 'started';
        this.say(`${name}: ${how} (pid ${String(component.pid)})`);
      }),
    );
    for (const result of started) if (result.status === 'rejected') throw result.reason;
    // With the addresses that are known now.
    this.#config = loadConfig(this.inputs).config;
  }

  async #startServices(): Promise<void> {
    const { pending } = await prepareDatabase(this.#config);
    if (pending.length > 0) this.say(`database: applied ${pending.join(', ')}`);
    const created = await ensureTopics(this.#config);
    if (created.length > 0) this.say(`kafka: created topic ${created.join(', ')}`);
    this.#services = await this.#makeServices();
    for (const service of this.#services) service.start();
    await this.#untilReady();
    this.say(`services: ${this.#services.map(({ name }) => name).join(', ')} run`);
  }

  async #makeServices(): Promise<ChildService[]> {
    const env = await this.#serviceEnvironment();
    const workers = Array.from({ length: this.#config.stream.workers }, (_, i) =>
      this.#service(`stream-${String(i + 1)}`, 'stream', env),
    );
    return [
      ...workers,
      this.#service('archive-1', 'archive', env),
      this.#service('worker-1', 'worker', env),
      this.#service('api', 'api', env),
      this.#service('collect', 'collect', env),
    ];
  }

  #service(name: string, service: ServiceName, env: NodeJS.ProcessEnv): ChildService {
    return new ChildService({
      name,
      service,
      program: packageFile('dist', 'cli', 'main.js'),
      env,
      logFile: join(this.#config.home, 'logs', `${name}.log`),
      log: this.#log,
      onChange: () => {
        if (!this.#stopping) this.#write();
      },
    });
  }

  /** Every setting in force, so that a service sees just what the supervisor saw. */
  async #serviceEnvironment(): Promise<NodeJS.ProcessEnv> {
    const env: NodeJS.ProcessEnv = { ...process.env };
    Object.assign(env, asEnvironment(this.#config));
    env['TRUECOUNT_API_PORT'] = String(await freePort(this.#config.api.port));
    env['TRUECOUNT_COLLECT_PORT'] = String(await freePort(this.#config.collect.port));
    env['TRUECOUNT_METRICS_PORT'] = '0';
    return env;
  }

  /** Another process took the port of a component meanwhile: the services need its new address. */
  async #moveServices(): Promise<void> {
    this.#config = loadConfig(this.inputs).config;
    await Promise.all(this.#services.map((service) => service.stop(this.#stopMs)));
    this.#services = await this.#makeServices();
    for (const service of this.#services) service.start();
  }

  get #stopMs(): number {
    return this.#config.stream.shutdownTimeoutMs + 2_000;
  }

  async #untilReady(): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!this.#services.every((service) => service.ready)) {
      if (performance.now() > endMs) {
        throw new TruecountError('not_ready', 'the services did not come up within 60 s', {
          hint: `their logs are in ${join(this.#config.home, 'logs')}`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Starts components again that died: on the same ports and data, so clients find them. */
  async #mend(): Promise<void> {
    for (const { name, start } of componentsToStart(
      loadConfig({ ...this.inputs, useStack: false }),
    )) {
      const before = this.#components.get(name);
      if (this.#stopping || before === undefined || isRunning(before.process)) continue;
      this.#log.warn({ component: name, pid: before.pid }, 'a component died; starting it again');
      try {
        const again = await start({ dir: componentDir(this.#config, name), log: this.say });
        this.#components.set(name, again);
        this.#write();
        this.say(`${name}: died and was started again (pid ${String(again.pid)})`);
        if (again.address !== before.address) await this.#moveServices();
      } catch (error) {
        this.#log.error({ component: name, err: error }, 'it did not start; trying again');
      }
    }
  }

  /** Ends services, then components, last started first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    await this.#mending;
    await Promise.all(this.#services.map((service) => service.stop(this.#stopMs)));
    for (const component of [...this.#components.values()].reverse()) await component.stop();
    clearState(this.#config.home);
  }

  #write(): void {
    const components: Record<string, ComponentState> = {};
    for (const [name, { process: ref, address, ui }] of this.#components) {
      components[name] = { process: ref, address, ...(ui === undefined ? {} : { ui }) };
    }
    writeState(this.#config.home, {
      version: 1,
      supervisor: processRef(process.pid) ?? null,
      components,
      services: this.#services.map((service) => service.state()),
    });
  }
}
