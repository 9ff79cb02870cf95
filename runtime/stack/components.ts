import { join } from 'node:path';
import type { Config, LoadedConfig } from '../config.js';
import type { Running, StartOptions } from './component.js';
import { readRecord, runningProcess } from './component.js';
import { startKafka } from './kafka.js';
import { startPostgres } from './postgres.js';
import { gone, signal } from './process.js';
import type { ComponentName } from './state.js';
import { startTemporal } from './temporal.js';

interface ComponentKind {
  readonly name: ComponentName;
  /** The setting that names one of somebody else's; if it is set, nothing is started. */
  readonly setting: string;
  readonly start: (options: StartOptions) => Promise<Running>;
  /** Signal that asks it to end in its orderly way. */
  readonly stopSignal: NodeJS.Signals;
}

/** The components in the order in which they are started; they are stopped in the reverse. */
export const COMPONENTS: readonly ComponentKind[] = [
  { name: 'postgres', setting: 'postgresUrl', start: startPostgres, stopSignal: 'SIGINT' },
  { name: 'kafka', setting: 'kafka.brokers', start: startKafka, stopSignal: 'SIGTERM' },
  { name: 'temporal', setting: 'temporalAddress', start: startTemporal, stopSignal: 'SIGTERM' },
];

/** Folder of a component under home. */
export function componentDir(config: Config, name: ComponentName): string {
  return join(config.home, name);
}

/** The components that nobody gave an address for, so that the stack starts them. */
export function componentsToStart(loaded: LoadedConfig): ComponentKind[] {
  return COMPONENTS.filter(({ setting }) => {
    const source = loaded.sources.get(setting);
    return source === undefined || source.kind === 'stack';
  });
}

/** Ends whatever components still run under home, last started first; names those it ended. */
export async function stopComponents(config: Config): Promise<ComponentName[]> {
  const stopped: ComponentName[] = [];
  for (const { name, stopSignal } of [...COMPONENTS].reverse()) {
    const ref = runningProcess(readRecord(componentDir(config, name)));
    if (ref === undefined) continue;
    signal(ref, stopSignal);
    if (!(await gone(ref, 20_000))) {
      signal(ref, 'SIGKILL');
      await gone(ref, 5_000);
    }
    stopped.push(name);
  }
  return stopped;
}
