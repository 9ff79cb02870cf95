import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, peakRssBytes } from '../support/proc.js';
import type { World } from '../support/world.js';
import { end } from './contestants.js';
import type { Contestant, Counting } from './contestants.js';
import { differingCells } from './truth.js';

const POLL_MS = 25;
const DEADLINE_MS = 180_000;

/** One catch-up of the whole topic by one contestant. */
export interface Run {
  readonly contestant: string;
  readonly processes: number;
  readonly clicksPerSecond: number;
  /** First record read to last row visible. */
  readonly seconds: number;
  /** CPU seconds meanwhile. */
  readonly cpu: { readonly node: number; readonly broker: number; readonly postgres: number };
  /** Of the contestant's processes together. */
  readonly peakRssBytes: number;
  /** Cells that differ from the truth; a run with any does not count. */
  readonly differences: number;
}

/** Starts the contestant on an empty schema, waits until every record is visible, and compares. */
export async function measure(world: World, contestant: Contestant, records: number): Promise<Run> {
  const config = await world.fresh();
  const counting = await contestant.start(world, config);
  const spent = (): Run['cpu'] => ({
    node: counting.processes.reduce((sum, child) => sum + cpuSeconds(child.pid!), 0),
    broker: cpuSeconds(world.kafka.pid),
    postgres: cpuSeconds(world.postgres.pid),
  });
  try {
    // What starting costs is not the rate: up to the group's join the CPU is not counted.
    let before = spent();
    while (!(await started(counting))) before = spent();
    const deadline = Date.now() + DEADLINE_MS;
    while ((await counting.visible()) < records) {
      if (Date.now() > deadline) throw new Error(`${contestant.name} did not finish`);
      failIfEnded(counting, contestant);
      await sleep(POLL_MS);
    }
    const seconds = (Date.now() - counting.firstMs()!) / 1000;
    const after = spent();
    const rss = counting.processes.reduce((sum, child) => sum + peakRssBytes(child.pid!), 0);
    await end(counting.processes);
    return {
      contestant: contestant.name,
      processes: contestant.processes,
      clicksPerSecond: records / seconds,
      seconds,
      cpu: {
        node: after.node - before.node,
        broker: after.broker - before.broker,
        postgres: after.postgres - before.postgres,
      },
      peakRssBytes: rss,
      differences: await differingCells(world.pool, contestant.cells),
    };
  } finally {
    await end(counting.processes);
  }
}

async function started(counting: Counting): Promise<boolean> {
  await sleep(POLL_MS);
  return counting.firstMs() !== undefined;
}

function failIfEnded(counting: Counting, { name }: Contestant): void {
  for (const child of counting.processes) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${String(child.exitCode)}`);
  }
}
