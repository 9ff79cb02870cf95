import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
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
  const text = historyToJSON(await handle.fetchHistory());
  writeFileSync(file, `${JSON.stringify(withoutMachine(JSON.parse(text)))}\n`);
}

/** Names of machines and paths say nothing about a run. Sticky queues are named after a worker. */
function withoutMachine(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMachine);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'stackTrace')
      .map(([name, inner]) => {
        const named = ['identity', 'name'].includes(name) && typeof inner === 'string';
        return [name, named ? inner.replace(/@.*$/, '@host') : withoutMachine(inner)];
      }),
  );
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
