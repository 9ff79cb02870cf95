import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { end, isRunning, processRef } from '../../runtime/stack/process.js';

/** A process that is there until it is killed; `ignoring` signals that ask. */
async function sleeper(ignoring: boolean): Promise<number> {
  const trap = ignoring ? "process.on('SIGTERM', () => undefined);" : '';
  const script = `${trap} console.log('ready'); setInterval(() => undefined, 1000)`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

it('tells a process from a later one with its pid', async () => {
  const ref = processRef(await sleeper(false));
  if (ref === undefined) throw new Error('the process was not found');
  expect(isRunning(ref)).toBe(true);
  expect(isRunning({ ...ref, started: `${ref.started}0` })).toBe(false);
  await end(ref, { deadlineMs: 5_000 });
  expect(isRunning(ref)).toBe(false);
});

it('does not signal a process that only has the pid', async () => {
  const ref = processRef(await sleeper(false));
  if (ref === undefined) throw new Error('the process was not found');
  await end({ ...ref, started: 'before' }, { deadlineMs: 100 });
  expect(isRunning(ref)).toBe(true);
  await end(ref, { deadlineMs: 5_000 });
});

it('ends by force a process that does not end when asked', async () => {
  const ref = processRef(await sleeper(true));
  if (ref === undefined) throw new Error('the process was not found');
  await end(ref, { deadlineMs: 100 });
  expect(isRunning(ref)).toBe(false);
});
