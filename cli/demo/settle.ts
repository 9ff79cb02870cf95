import type { Progress } from '../output.js';
import { allCounted, send } from './flow.js';
import type { Load } from './load.js';
import { line, number, plural, seconds } from './say.js';
import { readLake, readServed } from './served.js';
import type { Stage } from './stage.js';

/** The schedule makes every hour final: nobody asks for it. */
export async function settle(stage: Stage, progress: Progress): Promise<void> {
  const startMs = performance.now();
  progress.update('the worker starts');
  await stage.openBatch();
  await stage.untilSettled((text) => {
    progress.update(text);
  });
  progress.done();
  const { hours, publication } = await readServed(stage.pool);
  const { files, bytes, clicks } = await readLake(stage.pool);
  const perClick = clicks === 0 ? '' : `, ${(bytes / clicks).toFixed(1)} bytes a click`;
  line('settle', `the schedule cut ${plural(hours, 'hour')}, counted them again from the lake`);
  line('', `(${plural(files, 'file')} of Parquet${perClick}), found live and lake the same,`);
  line('', `and published them: final, publication ${number(publication)}, ${seconds(startMs)}`);
}

/** Clicks that come after their hour was final: the next settlement takes them in. */
export async function settleLate(stage: Stage, load: Load, progress: Progress): Promise<boolean> {
  const startMs = performance.now();
  const { sent } = await send(stage, load.late(), Infinity, () => undefined);
  if (sent === 0) return false;
  await allCounted(stage);
  const { latePending } = await readServed(stage.pool);
  progress.update(`${number(latePending)} late clicks wait`);
  await stage.untilSettled((text) => {
    progress.update(text);
  });
  progress.done();
  const { revision, publication } = await readServed(stage.pool);
  line('late', `${number(sent)} more records came for hours that were final: recorded, not lost;`);
  line('', `the next settlement published revision ${String(revision)} (publication`);
  line('', `${number(publication)}), ${seconds(startMs)} after they were sent`);
  return true;
}
