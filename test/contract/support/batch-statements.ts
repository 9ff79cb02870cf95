import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { countHour } from '../../../batch/duckdb/count-hour.js';
import { emptyFlow } from '../../../batch/flow.js';
import { readCells } from '../../../batch/duckdb/read-cells.js';
import { DuckSession } from '../../../batch/duckdb/session.js';
import type { TestLake } from '../../support/lake-files.js';
import { cellName } from './engine.js';
import type { Engine } from './engine.js';

/**
 * The statements of batch on one file, in one session for all questions: most of what the whole engine
 * takes for a few clicks is opening databases, checking files and merging, which do not know the rules.
 */
export async function batchStatements(
  test: TestLake,
): Promise<{ readonly engine: Engine; readonly close: () => void }> {
  const scratchDir = join(test.folder, 'statements');
  await mkdir(scratchDir, { recursive: true });
  const output = join(scratchDir, 'cells.parquet');
  const session = await DuckSession.open({
    ...{ memoryMb: 128, threads: 1, readPaths: [], scratchDir: test.folder },
  });
  const engine: Engine = {
    name: 'the statements of batch',
    count: async ({ log, hourMs, ruleSet, cut }) => {
      const files = await test.write(log, 1);
      const paths = files.map(({ key }) => join(test.folder, 'lake', key));
      const rows = files.reduce((sum, file) => sum + file.rows, 0);
      if (rows === 0) return { cells: new Map(), flow: emptyFlow() };
      try {
        const input = { paths, rows, hourMs, cut, ruleSet };
        const { flow } = await countHour(session, input, output, () => undefined);
        await dropAll(session);
        const cells = new Map<string, number>();
        for await (const { filter, adId, counts } of readCells(session, [output])) {
          counts.forEach((count, minute) => {
            if (count !== 0) cells.set(cellName(filter, adId, minute), count);
          });
        }
        return { cells, flow };
      } finally {
        await dropAll(session);
        for (const { key } of files) await test.lake.remove(key);
        await rm(output, { force: true });
      }
    },
  };
  return {
    engine,
    close: () => {
      session.close();
    },
  };
}

async function dropAll(session: DuckSession): Promise<void> {
  const tables = await session.rows<{ name: string }>(
    'select table_name as name from duckdb_tables() where temporary',
  );
  for (const { name } of tables) await session.run(`drop table ${name}`);
}
