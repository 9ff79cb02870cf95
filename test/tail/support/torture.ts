import { once } from 'node:events';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RotatingWriter } from './rotating-writer.js';
import { randomOf } from './rotating-writer.js';
import { TailProcess } from './tail-process.js';
import type { TailProcessOptions } from './tail-process.js';

/**
 * Lets the writer write and rotate while the tail runs and while it is down, kills it `kills` times
 * with SIGKILL, and lets it come to the end at last.
 */
export async function torture(
  writer: RotatingWriter,
  options: TailProcessOptions,
  kills: number,
  seed: number,
): Promise<void> {
  const random = randomOf(seed);
  let tail: TailProcess | undefined;
  try {
    for (let kill = 0; kill < kills; kill++) {
      tail = await TailProcess.start(options);
      const to = (share: number): boolean => writer.share < (kill + share) / (kills + 0.5);
      while (to(0.5) && writer.step()) {
        if (random() % 8 === 0) await delay(1 + (random() % 4));
      }
      while (to(0.8) && writer.step());
      // Every other kill hits the time between the acknowledgement and the saved position.
      if (kill % 2 === 0) await untilSaving(options.home);
      else await delay(random() % 40);
      await tail.end('SIGKILL');
      while (to(1) && writer.step());
    }
    tail = await TailProcess.start(options);
    while (writer.step()) if (random() % 8 === 0) await delay(1);
    await tail.untilDrained();
    const code = await tail.end('SIGTERM');
    if (code !== 0) throw new Error(`SIGTERM: exit ${String(code)}\n${tail.lines.join('\n')}`);
  } finally {
    tail?.child.kill('SIGKILL');
  }
}

/** Resolves when the tail begins to write its state, or has not for a while. */
async function untilSaving(home: string): Promise<void> {
  const changes = watch(join(home, 'tail'));
  const signal = AbortSignal.timeout(5_000);
  await once(changes, 'change', { signal }).catch(() => undefined);
  changes.close();
}
