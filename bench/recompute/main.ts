import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { scratchFolder } from '../support/end-by-signal.js';
import { mergeCells } from '../../batch/merge-cells.js';
import { planTasks } from '../../batch/plan-tasks.js';
import type { AggregateResult } from '../../batch/task.js';
import type { LakeFile } from '../../core/lake-file.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { openLocalLake } from '../../lake/local-folder.js';
import { packageFile } from '../../runtime/package-root.js';
import { createTaskRunner } from '../../runtime/task-runner.js';
import { childrenOf, cpuSeconds, peakRssBytes } from '../support/proc.js';
import { median, thousands } from '../support/report.js';
import type { Report } from '../support/report.js';
import { HOUR_MS, Workload } from '../support/workload.js';
import { BUCKETS, PARTITIONS, TOPIC, withLongIds, writeHour } from './files.js';

const ROUNDS = 5;
const MEMORY_MB = 1_024;
const CUT = Array.from({ length: PARTITIONS }, (_, partition) => ({
  topic: TOPIC,
  partition,
  nextOffset: 2 ** 40,
}));

interface Run {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Of the largest process. */
  readonly peakRss: number;
}

type Contestant = (files: readonly LakeFile[], folder: string) => Promise<Run>;

/**
 * A recompute, up to its cells in the lake, beside a bare DuckDB query on the same files, in turn in
 * the same run. Everything is in the figures: starting the processes, and for the recompute also
 * the check of every file, exact firsts, the cut, the rule set, and sorted cells made durable.
 */
export async function benchRecompute({ clicks }: { readonly clicks: number }): Promise<Report> {
  const folder = scratchFolder();
  try {
    const workload = new Workload(clicks);
    const short = await writeHour(workload, folder);
    const long = await withLongIds(short, folder);
    const rows: Report['rows'][number][] = [];
    const raw: Record<string, Run[]> = {};
    const notes: string[] = [];
    for (const [ids, files] of [
      ['8-character ids', short],
      ['32-character ids', long],
    ] as const) {
      const stages = new Map<string, number[]>();
      const contestants: readonly (readonly [string, Contestant])[] = [
        [`recompute, ${String(BUCKETS)} tasks`, recompute(stages, workload)],
        [`bare, ${String(BUCKETS)} processes`, bare((all) => all.map((file) => [file]), '1')],
        ['bare, 1 process, 2 threads', bare((all) => [all], '2')],
      ];
      const runs = contestants.map((): Run[] => []);
      for (let round = 0; round <= ROUNDS; round++) {
        for (const [i, [, run]] of contestants.entries()) runs[i]!.push(await run(files, folder));
      }
      const warm = runs.map((all) => all.slice(1));
      const best = Math.min(...warm.slice(1).map((all) => median(all.map((run) => run.wallMs))));
      const bestCpu = Math.min(...warm.slice(1).map((all) => median(all.map((run) => run.cpuMs))));
      notes.push(`where the time goes, ${ids}, median ms per task: ${stageText(stages)}`);
      for (const [i, [name]] of contestants.entries()) {
        rows.push(rowOf(`${name}, ${ids}`, warm[i]!, clicks, best, bestCpu));
        raw[`${name}, ${ids}`] = runs[i]!;
      }
    }
    const bytes = short.reduce((sum, file) => sum + file.bytes, 0);
    return {
      name: `recompute: one hour of ${thousands(clicks)} clicks from the lake`,
      rows,
      notes: [
        `medians of ${String(ROUNDS)} rounds after one, process start included; "of bare" is the time ` +
          'beside the faster arrangement of the bare query',
        `files: ${(bytes / clicks).toFixed(1)} bytes a click with 8-character ids; ` +
          `memory limit ${String(MEMORY_MB)} MiB per process`,
        'the cells of the first rounds were compared with the truth of the load: all equal',
        ...notes,
      ],
      raw,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowOf(
  contestant: string,
  runs: readonly Run[],
  clicks: number,
  bestMs: number,
  bestCpuMs: number,
): Report['rows'][number] {
  const wall = median(runs.map((run) => run.wallMs));
  const cpu = median(runs.map((run) => run.cpuMs));
  return {
    contestant,
    'rows/s': thousands((clicks / wall) * 1000),
    'wall ms': thousands(wall),
    'of bare': (wall / bestMs).toFixed(2),
    'CPU ms': thousands(cpu),
    'CPU of bare': (cpu / bestCpuMs).toFixed(2),
    'peak RSS MB': thousands(Math.max(...runs.map((run) => run.peakRss)) / 1e6),
  };
}

function recompute(stages: Map<string, number[]>, workload: Workload): Contestant {
  const checked = new Set<readonly LakeFile[]>();
  return async (files, folder) => {
    const lake = openLocalLake(folder);
    const runner = createTaskRunner({
      home: join(folder, 'home'),
      lakeUrl: folder,
      postgresPoolSize: 1,
      batch: { memoryMb: MEMORY_MB, threads: 1, rowsPerFileMax: 100_000_000 },
    });
    const inputs = { hourMs: HOUR_MS, cut: CUT, ruleSet: DEFAULT_RULE_SET, files };
    let peakRss = 0;
    const startedMs = performance.now();
    const startedCpu = cpuSeconds(process.pid);
    const results = await Promise.all(
      planTasks(inputs, { rowsPerTaskMin: 1 }).map(async (task) => {
        const watch = new StageWatch(stages);
        const result = await runner.aggregate(task, {
          signal: new AbortController().signal,
          onProgress: ({ stage }) => {
            watch.see(stage);
            for (const pid of childrenOf(process.pid)) {
              peakRss = Math.max(peakRss, peakRssBytes(pid));
            }
          },
        });
        watch.see('');
        return result;
      }),
    );
    const wallMs = performance.now() - startedMs;
    const cpuMs = (cpuSeconds(process.pid) - startedCpu) * 1000;
    if (!checked.has(files)) await check(results, workload, folder);
    checked.add(files);
    for (const { cells } of results) await lake.remove(cells.key);
    return { wallMs, cpuMs, peakRss };
  };
}

/** Adds the time that each stage took. */
class StageWatch {
  private stage = 'start process';
  private sinceMs = performance.now();

  constructor(private readonly stages: Map<string, number[]>) {}

  see(stage: string): void {
    if (stage === this.stage) return;
    const nowMs = performance.now();
    const times = this.stages.get(this.stage) ?? [];
    times.push(nowMs - this.sinceMs);
    this.stages.set(this.stage, times);
    this.stage = stage;
    this.sinceMs = nowMs;
  }
}

function stageText(stages: ReadonlyMap<string, readonly number[]>): string {
  return [...stages].map(([stage, times]) => `${stage} ${thousands(median(times))}`).join(', ');
}

/** Every cell is the truth's, and no other is there. */
async function check(
  results: readonly AggregateResult[],
  workload: Workload,
  folder: string,
): Promise<void> {
  const truth = new Map<string, number>();
  for (const { adId, filter, minuteMs, count } of workload.cells()) {
    truth.set(`${filter}\t${adId}\t${String((minuteMs - HOUR_MS) / 60_000)}`, count);
  }
  const scratchDir = join(folder, 'check');
  await mkdir(scratchDir, { recursive: true });
  const limits = { memoryMb: MEMORY_MB, threads: 1, rowsPerFileMax: 0 };
  const lake = openLocalLake(folder);
  const context = { lake, limits, scratchDir, nowMs: Date.now, onProgress: () => undefined };
  const cells = results.map((result) => result.cells);
  await mergeCells(cells, context, async (rows) => {
    for await (const { filter, adId, counts } of rows) {
      counts.forEach((count, minute) => {
        if (count === 0) return;
        const key = `${filter}\t${adId}\t${String(minute)}`;
        if (truth.get(key) !== count) throw new Error(`a cell is wrong: ${key} ${String(count)}`);
        truth.delete(key);
      });
    }
  });
  if (truth.size > 0) throw new Error(`${String(truth.size)} cells are missing`);
}

function bare(
  arrange: (files: readonly LakeFile[]) => readonly (readonly LakeFile[])[],
  threads: string,
): Contestant {
  return async (files, folder) => {
    const startedMs = performance.now();
    const startedCpu = cpuSeconds(process.pid);
    const peaks = await Promise.all(
      arrange(files).map(async (group, i) => {
        const output = join(folder, `bare-${threads}-${String(i)}`);
        await mkdir(output, { recursive: true });
        const paths = group.map(({ key }) => join(folder, key));
        return runBare([threads, String(MEMORY_MB), output, ...paths]);
      }),
    );
    const wallMs = performance.now() - startedMs;
    const cpuMs = (cpuSeconds(process.pid) - startedCpu) * 1000;
    return { wallMs, cpuMs, peakRss: Math.max(...peaks) };
  };
}

async function runBare(args: readonly string[]): Promise<number> {
  const program = packageFile('dist', 'bench', 'recompute', 'bare.js');
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the bare query ended with ${String(code)}`);
  return Number(said);
}
