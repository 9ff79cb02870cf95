import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { WorkflowHandle } from '@temporalio/client';
import { packageFile } from '../../../runtime/package-root.js';

const FOLDER = packageFile('test', 'histories');

/** Set to anything, tests on a real server write the histories of their runs into the repository. */
const RECORDS = process.env['TRUECOUNT_RECORD_HISTORIES'] !== undefined;

type History = ReturnType<typeof historyFromJSON>;

/** Keeps the history of a run as `<type>/<scenario>.json`, if this run of the tests records. */
export async function recordHistory(
  type: string,
  scenario: string,
  handle: Pick<WorkflowHandle, 'fetchHistory'>,
): Promise<void> {
  if (!RECORDS) return;
  const file = join(FOLDER, type, `${scenario}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${historyToJSON(await handle.fetchHistory())}\n`);
}

export interface RecordedHistory {
  readonly type: string;
  readonly scenario: string;
  readonly history: History;
}

/** All recorded histories. A file may go only when no open run of that code can exist. */
export function recordedHistories(): RecordedHistory[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER).flatMap((type) =>
    readdirSync(join(FOLDER, type)).map((file) => ({
      type,
      scenario: file.replace(/\.json$/, ''),
      history: historyFromJSON(JSON.parse(readFileSync(join(FOLDER, type, file), 'utf8'))),
    })),
  );
}
