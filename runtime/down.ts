import type { Config } from './config.js';
import { stopComponents } from './stack/components.js';
import { end, isRunning } from './stack/process.js';
import { clearState, readState } from './stack/state.js';

/** Components get 20 s each to stop in order, after the services. */
const COMPONENTS_MS = 75_000;

/**
 * Stops the supervisor, which stops everything else; where it was killed, stops what it left
 * behind. Returns names of what was running.
 */
export async function stopStack(config: Config): Promise<string[]> {
  const state = readState(config.home);
  const stopped: string[] = [];
  if (state.supervisor !== null && isRunning(state.supervisor)) {
    const names = [...state.services.map(({ name }) => name), ...Object.keys(state.components)];
    await end(state.supervisor, { deadlineMs: config.stream.shutdownTimeoutMs + COMPONENTS_MS });
    stopped.push(...names);
  }
  const deadlineMs = config.stream.shutdownTimeoutMs;
  for (const { name, process: ref } of state.services) {
    if (ref === null || !isRunning(ref)) continue;
    await end(ref, { deadlineMs });
    stopped.push(name);
  }
  stopped.push(...(await stopComponents(config)));
  clearState(config.home);
  return stopped;
}
