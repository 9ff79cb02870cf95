import { fork, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import { cpuSeconds } from '../support/proc.js';
import { serviceEnvironment } from '../support/world.js';
import type { LoadResult, LoadTask } from './load.js';

/** As docs/how-to/collect-over-http.md advises for high rates: fewer collections of young objects. */
export const NODE_ARGS = ['--max-semi-space-size=64'];
const DEADLINE_MS = 60_000;

/** `truecount run collect`, ready. */
export async function startCollector(
  config: Config,
  nodeArgs: readonly string[] = [],
): Promise<ChildProcess> {
  const program = packageFile('dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [...NODE_ARGS, ...nodeArgs, program, 'run', 'collect'], {
    env: serviceEnvironment(config),
    stdio: 'ignore',
  });
  await untilReady(config);
  return child;
}

/** Waits until the collector takes clicks. */
export async function untilReady({ collect: { host, port } }: Config): Promise<void> {
  await until('the collector is ready', async () => {
    const url = `http://${host}:${String(port)}/health/ready`;
    return (await fetch(url).catch(() => undefined))?.status === 200;
  });
}

/** Runs the load in a process of its own; with the CPU seconds that it took. */
export async function send(task: LoadTask): Promise<{ result: LoadResult; cpu: number }> {
  const child = fork(packageFile('dist', 'bench', 'collect', 'load.js'), {
    serialization: 'advanced',
  });
  child.send(task);
  let cpu = 0;
  const watch = setInterval(() => (cpu = Math.max(cpu, cpuSeconds(child.pid!))), 250);
  try {
    const result = await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', (message) => {
        resolve(message as LoadResult);
      });
      child.once('exit', () => {
        reject(new Error('the load ended without a result'));
      });
    });
    return { result, cpu };
  } finally {
    clearInterval(watch);
  }
}

export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}`);
    await sleep(50);
  }
}
