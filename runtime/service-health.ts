import { isRunning } from './stack/process.js';
import type { ServiceState, StackState } from './stack/state.js';
import type { Health } from './status.js';

const ANSWER_MS = 3_000;

/** Where a service of the stack is reached; null while it does not run. */
export function runningUrl({ services }: StackState, name: string): string | null {
  const { process: ref = null, url = null } = services.find((one) => one.name === name) ?? {};
  return ref !== null && isRunning(ref) ? url : null;
}

/**
 * A service is up when it runs and has said where. The collector has to take clicks as well: it
 * runs without Kafka too.
 */
export async function serviceHealth(service: ServiceState): Promise<Health> {
  const { name, process: ref, url, restarts } = service;
  const again = `restarts ${String(restarts)}`;
  if (ref === null || !isRunning(ref)) return { name, ok: false, detail: `ended, ${again}` };
  const detail = `pid ${String(ref.pid)}, ${url ?? 'starting'}, ${again}`;
  if (url === null) return { name, ok: false, detail };
  const problem = name === 'collect' ? await notReady(url) : undefined;
  if (problem === undefined) return { name, ok: true, detail };
  return { name, ok: false, detail: `${detail}: ${problem}` };
}

/** Why a service says that it is not ready; undefined if it is. */
async function notReady(url: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(`${url}/health/ready`, { signal });
    const { detail } = (await answer.json()) as { detail?: string };
    return answer.ok ? undefined : (detail ?? `answers ${String(answer.status)}`);
  } catch (error) {
    return `does not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}
