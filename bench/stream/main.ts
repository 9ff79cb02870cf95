import type { Report, Row } from '../support/report.js';
import { median, thousands } from '../support/report.js';
import { fill } from '../support/fill.js';
import { Workload } from '../support/workload.js';
import { World } from '../support/world.js';
import { naiveNode, truecount } from './contestants.js';
import { measure, type Run } from './measure.js';
import { storeTruth } from './truth.js';

const TOPIC = 'bench-clicks';

export interface StreamOptions {
  readonly clicks: number;
  readonly rounds: number;
}

/** Clicks a second from Kafka to Postgres, beside an ordinary consumer, in alternating runs. */
export async function benchStream({ clicks, rounds }: StreamOptions): Promise<Report> {
  const world = await World.start(TOPIC);
  try {
    const workload = new Workload(clicks);
    const { partitions } = world.base;
    const filled = await fill(world.kafka.address, TOPIC, partitions, workload);
    const cells = await storeTruth(world.pool, workload);
    console.error(`filled ${thousands(clicks)} clicks in ${filled.seconds.toFixed(1)} s`);
    const contestants = [truecount(1), naiveNode(1), truecount(2), naiveNode(2)];
    const runs: Run[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const contestant of contestants) {
        const run = await measure(world, contestant, clicks);
        console.error(said(run));
        runs.push(run);
      }
    }
    const inexact = runs.filter((run) => run.differences > 0);
    return {
      name: `stream: catch-up of ${thousands(clicks)} clicks, ${String(rounds)} rounds`,
      rows: table(runs),
      notes: [
        `${String(partitions)} partitions (${filled.perPartition.map(thousands).join(', ')}), ` +
          `${(filled.bytes / clicks).toFixed(0)} bytes a click, ` +
          `${thousands(workload.duplicates)} duplicates, ${thousands(cells)} true cells`,
        'clicks/s from the first record read to the last row visible; medians of the exact runs',
        'CPU in seconds over that time; broker, Postgres and contestant share the cores; what ' +
          'else runs on them lowers clicks/s, and clicks per CPU second hardly',
        `every cell compared with the truth in each run: ${String(inexact.length)} of ` +
          `${String(runs.length)} runs differed and do not count`,
      ],
      raw: { filled, cells, runs },
    };
  } finally {
    await world.stop();
  }
}

function said(run: Run): string {
  const { node, broker, postgres } = run.cpu;
  const cpu = [node, broker, postgres].map((s) => s.toFixed(1)).join(' / ');
  return (
    `${run.contestant} x${String(run.processes)}: ${thousands(run.clicksPerSecond)}/s, ` +
    `CPU ${cpu} s, ${thousands(run.peakRssBytes / 1e6)} MB, ${String(run.differences)} differ`
  );
}

/** CPU seconds of everything that takes part: hardly touched by what else the machine does. */
function cpuOf({ cpu }: Run): number {
  return cpu.node + cpu.broker + cpu.postgres;
}

function table(runs: readonly Run[]): Row[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs.filter(({ differences }) => differences === 0)) {
    const key = `${run.contestant}, ${String(run.processes)}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const rate = (group: readonly Run[]): number => median(group.map((run) => run.clicksPerSecond));
  const thrift = (group: readonly Run[]): number =>
    median(group.map((run) => (run.clicksPerSecond * run.seconds) / cpuOf(run)));
  const peers = new Map(
    [...groups.values()]
      .filter((group) => group[0]!.contestant !== 'truecount')
      .map((group) => [group[0]!.processes, group]),
  );
  return [...groups].map(([name, group]) => {
    const of = (value: (run: Run) => number): number => median(group.map(value));
    const peer = peers.get(group[0]!.processes);
    return {
      'contestant, processes': name,
      runs: group.length,
      'clicks/s': thousands(rate(group)),
      'x ordinary': peer === undefined ? '-' : (rate(group) / rate(peer)).toFixed(1),
      'clicks per CPU s': thousands(thrift(group)),
      'x ordinary, CPU': peer === undefined ? '-' : (thrift(group) / thrift(peer)).toFixed(1),
      'CPU node': of((run) => run.cpu.node).toFixed(1),
      'CPU broker': of((run) => run.cpu.broker).toFixed(1),
      'CPU Postgres': of((run) => run.cpu.postgres).toFixed(1),
      'peak RSS MB': thousands(of((run) => run.peakRssBytes) / 1e6),
    };
  });
}
