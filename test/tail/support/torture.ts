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
      const until = (kill + 0.7) / (kills + 0.5);
      while (writer.share < until && writer.step()) {
        if (random() % 8 === 0) await delay(1 + (random() % 4));
      }
      await delay(random() % 60);
      await tail.end('SIGKILL');
      while (writer.share < (kill + 1) / (kills + 0.5) && writer.step());
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
