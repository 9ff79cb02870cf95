import type { Config } from './config.js';
import { runToEnd } from './run-to-end.js';
import { SERVICES, type ServiceName } from './services.js';

/** Runs one of the services in this process; see `runToEnd`. */
export function runService(name: ServiceName, config: Config): Promise<number> {
  return runToEnd(name, config, (log) => SERVICES[name](config, log));
}
