import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { countHour } from '../../../batch/duckdb/count-hour.js';
import { emptyFlow } from '../../../batch/flow.js';
import { readCells } from '../../../batch/duckdb/read-cells.js';
import { DuckSession } from '../../../batch/duckdb/session.js';
import { ClickWriter } from '../../../lake/click-writer.js';
import { addAll } from '../../support/lake-files.js';
import { cellName } from './engine.js';
import type { Engine } from './engine.js';

export interface BatchStatements {
  readonly engine: Engine;
  readonly close: () => void;
}

/** Questions whose clicks the writer keeps: it is emptied in more time than it takes to pass over them. */
const KEPT_QUESTIONS = 20;

/**
 * The statements of batch on one file, in one session for all questions: most of what the whole engine
 * takes for a few clicks is opening databases, checking files and merging, which do not know the rules.
 */
export async function batchStatements(parent: string): Promise<BatchStatements> {
  const folder = join(parent, 'statements');
  await mkdir(folder, { recursive: true });
  const session = await DuckSession.open({
    ...{ memoryMb: 128, threads: 1, readPaths: [], scratchDir: folder },
  });
  const writer = await ClickWriter.open({ folder, buckets: 1, memoryMb: 128 });
  let questions = 0;
  const engine: Engine = {
    name: 'the statements of batch',
    count: async ({ log, hourMs, ruleSet, cut }) => {
      if (++questions % KEPT_QUESTIONS === 0) await writer.clear();
      const { sources, clicks } = await addAll(writer, log);
      if (clicks === 0) return { cells: new Map(), flow: emptyFlow() };
      const path = await writer.write({ sources, exceptHoursMs: [] });
      // Each under a name of its own: the session remembers the footers of files.
      const output = join(folder, `cells-${String(questions)}.parquet`);
      try {
        const input = { paths: [path], rows: clicks, hourMs, cut, ruleSet };
        const { flow } = await countHour(session, input, output, () => undefined);
        await session.forget();
        return { cells: await cellsOf(session, output), flow };
      } finally {
        await session.forget();
        for (const file of [path, output]) await rm(file, { force: true });
      }
    },
  };
  return {
    engine,
    close: () => {
      session.close();
      writer.close();
    },
  };
}

async function cellsOf(session: DuckSession, path: string): Promise<Map<string, number>> {
  const cells = new Map<string, number>();
  for await (const { filter, adId, counts } of readCells(session, [path])) {
    counts.forEach((count, minute) => {
      if (count !== 0) cells.set(cellName(filter, adId, minute), count);
    });
  }
  return cells;
}
