import type { Config } from '../../runtime/config.js';
import { end, truecount } from '../stream/contestants.js';
import { CELLS_OF_TRUECOUNT } from '../stream/truth.js';
import { thousands, type Report } from '../support/report.js';
import type { World } from '../support/world.js';
import { cellsOf, different } from './cells.js';
import type { OnTheLog } from './on-the-log.js';
import { until } from './processes.js';

/**
 * Lets a stream worker count the whole log into an empty database, and compares each cell with the
 * clicks that are on the log: whether those that were acknowledged are, `readLog` has told.
 */
export async function countedByStream(
  world: World,
  config: Config,
  log: OnTheLog,
): Promise<Pick<Report, 'notes'> & { readonly failures: readonly string[] }> {
  const counting = await truecount(1).start(world, config);
  try {
    await until('the stream has counted', async () => {
      if (counting.processes.some(({ exitCode }) => exitCode !== null))
        throw new Error('the stream worker ended');
      return (await counting.visible()) >= log.records;
    });
  } finally {
    await end(counting.processes);
  }
  const { rows } = await world.pool.query<{ cell: string; count: string }>(
    `select ad_id || ' ' || filter as cell, sum(count) as count
       from (${CELLS_OF_TRUECOUNT}) c group by 1`,
  );
  const counted = new Map(rows.map(({ cell, count }) => [cell, Number(count)]));
  const expected = cellsOf(log.copies);
  const total = rows.reduce(
    (n, { cell, count }) => n + (cell.endsWith(' ') ? Number(count) : 0),
    0,
  );
  const ids = log.copies.reduce((n, times) => n + Math.min(times, 1), 0);
  const cells = different(expected, counted);
  const note =
    `a stream worker counted ${thousands(total)} of the ${thousands(log.records)} records into ` +
    `${thousands(rows.length)} cells; ${thousands(ids)} ids are on the log; ` +
    `${thousands(cells)} cells differ from each of them counted once`;
  const failures = cells > 0 || total !== ids ? ['not every id of the log counts once'] : [];
  return { notes: [note], failures };
}
