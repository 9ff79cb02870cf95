import { Readable } from 'node:stream';
import type pg from 'pg';
import { formatTime } from '../core/range.js';
import {
  changingCells,
  type ComparedHour,
  type WouldChangeCell,
} from '../store/read/what-if-cells.js';
import { writeTo } from './output-file.js';
import { Progress } from './output.js';

const CHUNK_CHARS = 65_536;

/**
 * Writes every cell that would change as a line of NDJSON, as they are read; how many these were.
 * @param client in a transaction that is one snapshot
 * @param path a file, or `-` for stdout
 * @throws TruecountError `invalid_argument` where it cannot be written; those of a read
 */
export async function writeCells(
  client: pg.ClientBase,
  hours: readonly ComparedHour[],
  path: string,
): Promise<number> {
  const progress = new Progress();
  let written = 0;
  async function* lines(): AsyncGenerator<string> {
    let text = '';
    for await (const cell of changingCells(client, hours)) {
      written += 1;
      text += `${JSON.stringify(cellDocument(cell))}\n`;
      if (text.length < CHUNK_CHARS) continue;
      yield text;
      text = '';
      progress.update(`wrote ${String(written)} cells, as far as ${formatTime(cell.minuteMs)}`);
    }
    if (text !== '') yield text;
  }
  try {
    await writeTo(path, Readable.from(lines()));
  } finally {
    progress.done();
  }
  return written;
}

/** A cell is named as in /changes and /reconciliations: without `filter_id` it is the total. */
function cellDocument({ adId, minuteMs, filter, before, byRules, after }: WouldChangeCell) {
  return {
    ad_id: adId,
    minute: formatTime(minuteMs),
    ...(filter === '' ? {} : { filter_id: filter }),
    ...{ before, after, by_rules: byRules - before, by_late: after - byRules },
  };
}
