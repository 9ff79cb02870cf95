import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endingWith } from '../../cli/detached-call.js';

const RUNS = 12;
const CALLS = 12;

let warnings: string[];
const warned = (warning: Error): void => {
  warnings.push(warning.name);
};

beforeEach(() => {
  warnings = [];
  process.on('warning', warned);
});

afterEach(() => {
  process.removeListener('warning', warned);
});

/** Keeps a listener for every call, as the client of Temporal does. */
function clientOf(): {
  cancelled: number;
  call: () => void;
  withAbortSignal: <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;
} {
  let current: AbortSignal | undefined;
  const client = {
    cancelled: 0,
    call: (): void => {
      current?.addEventListener('abort', () => (client.cancelled += 1));
    },
    withAbortSignal: <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
      current = signal;
      return work();
    },
  };
  return client;
}

it('many runs of many calls leave no listener behind, and no warning', async () => {
  const detach = new AbortController();
  const client = clientOf();
  for (let run = 0; run < RUNS; run++) {
    await endingWith(client, detach.signal, async () => {
      for (let call = 0; call < CALLS; call++) client.call();
      await setImmediate();
    });
  }
  await setImmediate();
  expect(warnings).toEqual([]);
  expect(getEventListeners(detach.signal, 'abort')).toHaveLength(0);
});

it('a detachment ends the calls under way', async () => {
  const detach = new AbortController();
  const client = clientOf();
  await endingWith(client, detach.signal, async () => {
    client.call();
    detach.abort();
    await setImmediate();
  });
  expect(client.cancelled).toBe(1);
});
