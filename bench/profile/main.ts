import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../support/end-by-signal.js';
import { truecount } from '../stream/contestants.js';
import { measure } from '../stream/measure.js';
import { storeTruth } from '../stream/truth.js';
import { fill } from '../support/fill.js';
import type { Report } from '../support/report.js';
import { thousands } from '../support/report.js';
import { Workload } from '../support/workload.js';
import { World } from '../support/world.js';
import { secondsByStage, type CpuProfile } from './stages.js';

const TOPIC = 'bench-clicks';
const SAMPLE_MICROSECONDS = 500;

/** Where the time of one worker goes while it catches up. */
export async function benchProfile({ clicks }: { readonly clicks: number }): Promise<Report> {
  const world = await World.start(TOPIC);
  const dir = scratchFolder('truecount-profile-');
  try {
    const workload = new Workload(clicks);
    await fill(world.kafka.address, TOPIC, world.base.partitions, workload);
    await storeTruth(world.pool, workload);
    const profiled = truecount(1, [
      '--cpu-prof',
      `--cpu-prof-dir=${dir}`,
      `--cpu-prof-interval=${String(SAMPLE_MICROSECONDS)}`,
    ]);
    const run = await measure(world, profiled, clicks);
    const file = join(
      dir,
      readdirSync(dir).find((name) => name.endsWith('.cpuprofile'))!,
    );
    const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
    const stages = secondsByStage(profile);
    const total = [...stages.values()].reduce((sum, seconds) => sum + seconds, 0);
    return {
      name: `profile: one worker catching up on ${thousands(clicks)} clicks`,
      rows: [...stages].map(([stage, seconds]) => ({
        stage,
        seconds: seconds.toFixed(2),
        share: `${((100 * seconds) / total).toFixed(1)} %`,
        'ns per click': thousands((seconds * 1e9) / clicks),
      })),
      notes: [
        `V8 CPU profile, a sample each ${String(SAMPLE_MICROSECONDS)} µs; wall time, so a busy ` +
          'machine makes every stage longer',
        `${thousands(run.clicksPerSecond)} clicks/s while profiled; ` +
          `${String(run.differences)} cells differ from the truth`,
      ],
      raw: { run, stages: Object.fromEntries(stages) },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await world.stop();
  }
}
