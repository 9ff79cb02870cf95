import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { countHour } from '../../../batch/duckdb/count-hour.js';
import { readCells } from '../../../batch/duckdb/read-cells.js';
import { DuckSession } from '../../../batch/duckdb/session.js';
import { addFlows } from '../../../batch/flow.js';
import { planTasks } from '../../../batch/plan-tasks.js';
import type { AggregateTask, Flow } from '../../../batch/task.js';
import type { LogRecord } from '../../../core/count.js';
import type { LakeFile } from '../../../core/lake-file.js';
import { ClickWriter } from '../../../lake/click-writer.js';
import type { FileSelection } from '../../../lake/click-writer.js';
import { addAll } from '../../support/lake-files.js';
import { cellName } from './engine.js';
import type { Answer, Engine } from './engine.js';
import type { Spread } from './spread.js';

/** Commits whose clicks a writer keeps: it is emptied in more time than it takes to pass over them. */
const KEPT_COMMITS = 20;

/**
 * The statements of batch on the files of a spread, in one session for all questions: most of what the
 * whole engine takes for a few clicks is opening databases and checking files, which do not know the
 * rules.
 */
export class BatchStatements {
  private readonly writers = new Map<number, ClickWriter>();
  private commits = 0;
  private files = 0;

  private constructor(
    private readonly folder: string,
    private readonly session: DuckSession,
  ) {}

  static async open(parent: string): Promise<BatchStatements> {
    const folder = join(parent, 'statements');
    await mkdir(folder, { recursive: true });
    const session = await DuckSession.open({
      ...{ memoryMb: 128, threads: 1, readPaths: [], scratchDir: folder },
    });
    return new BatchStatements(folder, session);
  }

  engine(spread: Spread): Engine {
    return {
      name: `the statements of ${spread.name}`,
      count: async ({ log, ...inputs }) => {
        const files: LakeFile[] = [];
        for (const commit of spread.split(log)) {
          files.push(...(await this.write(commit, inputs.hourMs, spread.buckets)));
        }
        const options = { tasksMax: spread.tasksMax, rowsPerTaskMin: 1 };
        try {
          return await this.run(planTasks({ ...inputs, files }, options));
        } finally {
          for (const { key } of files) await rm(key, { force: true });
        }
      },
    };
  }

  close(): void {
    this.session.close();
    for (const writer of this.writers.values()) writer.close();
  }

  private async run(tasks: readonly AggregateTask[]): Promise<Answer> {
    const flows: Flow[] = [];
    const outputs: string[] = [];
    try {
      for (const { files, ...inputs } of tasks) {
        // Each under a name of its own: the session remembers the footers of files.
        const output = join(this.folder, `cells-${String(++this.files)}.parquet`);
        outputs.push(output);
        const paths = files.map(({ key }) => key);
        const rows = files.reduce((sum, file) => sum + file.rows, 0);
        const input = { ...inputs, paths, rows };
        flows.push((await countHour(this.session, input, output, () => undefined)).flow);
        await this.session.forget();
      }
      return { cells: await this.cellsOf(outputs), flow: addFlows(flows) };
    } finally {
      await this.session.forget();
      for (const output of outputs) await rm(output, { force: true });
    }
  }

  private async cellsOf(paths: readonly string[]): Promise<Map<string, number>> {
    const cells = new Map<string, number>();
    if (paths.length === 0) return cells;
    for await (const { filter, adId, counts } of readCells(this.session, paths)) {
      counts.forEach((count, minute) => {
        if (count !== 0) cells.set(cellName(filter, adId, minute), count);
      });
    }
    return cells;
  }

  /** The files of one commit: one of all hours, or one per bucket of the hour. */
  private async write(
    commit: readonly LogRecord[],
    hourMs: number,
    buckets: number,
  ): Promise<LakeFile[]> {
    const writer = await this.writerOf(buckets);
    if (++this.commits % KEPT_COMMITS === 0) await writer.clear();
    const { sources, clicks } = await addAll(writer, commit);
    if (clicks === 0) return [];
    const file = async (selection: FileSelection, rows: number, bucket: number) => ({
      ...{ id: ++this.files, key: await writer.write(selection), bytes: 0, sha256: '' },
      ...{ rows, bucket, buckets },
    });
    if (buckets === 1) return [await file({ sources, exceptHoursMs: [] }, clicks, 0)];
    const rows = new Map<number, number>();
    for (const group of await writer.groups(sources)) {
      if (group.hourMs !== hourMs) continue;
      rows.set(group.bucket, (rows.get(group.bucket) ?? 0) + group.rows);
    }
    const files: LakeFile[] = [];
    for (const [bucket, n] of rows) {
      files.push(await file({ sources, onlyHourMs: hourMs, bucket }, n, bucket));
    }
    return files;
  }

  private async writerOf(buckets: number): Promise<ClickWriter> {
    const folder = join(this.folder, String(buckets));
    await mkdir(folder, { recursive: true });
    const writer =
      this.writers.get(buckets) ?? (await ClickWriter.open({ folder, buckets, memoryMb: 128 }));
    this.writers.set(buckets, writer);
    return writer;
  }
}
