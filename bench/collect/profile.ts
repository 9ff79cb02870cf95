import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../runtime/config.js';
import type { CpuProfile } from '../profile/stages.js';
import { end } from '../stream/contestants.js';
import { cpuSeconds } from '../support/proc.js';
import type { Report } from '../support/report.js';
import type { World } from '../support/world.js';
import type { LoadTask } from './load.js';
import { secondsByPart } from './parts.js';
import { send, startCollector } from './processes.js';

/** Where the time of the collector goes, in a run of its own with V8's profiler. */
export async function profileCollector(
  world: World,
  config: Config,
  task: LoadTask,
): Promise<Report> {
  const folder = join(config.home, 'profile');
  const collector = await startCollector(config, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  const brokerBefore = cpuSeconds(world.kafka.pid);
  const { result } = await send(task).finally(() => end([collector]));
  const brokerCpu = cpuSeconds(world.kafka.pid) - brokerBefore;
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const profiled = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
  const parts = secondsByPart(profiled);
  const total = [...parts.values()].reduce((sum, one) => sum + one, 0);
  return {
    name: `collect: where the time of the collector goes, ${String(task.seconds)} s`,
    rows: [...parts].map(([part, took]) => ({
      part,
      seconds: took.toFixed(2),
      share: `${((100 * took) / total).toFixed(1)} %`,
      'µs per request': ((took * 1e6) / result.requests).toFixed(1),
    })),
    notes: [
      'V8 CPU profile with the start of the process; wall time of samples that were not idle',
      `the broker used ${((brokerCpu * 1e6) / result.requests).toFixed(1)} µs of CPU per request`,
    ],
    raw: Object.fromEntries(parts),
  };
}
