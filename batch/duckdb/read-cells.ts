import type { DuckDBBigIntVector, DuckDBDataChunk, DuckDBIntegerVector } from '@duckdb/node-api';
import { TruecountError } from '../../core/errors.js';
import type { CellRow } from '../../core/generation-draft.js';
import { MINUTES_PER_HOUR } from '../../core/time.js';
import { textList, toNumber } from './session.js';
import type { DuckSession } from './session.js';
import { textsOf } from './text.js';

const COUNT_MAX = 2 ** 31 - 1;

/**
 * The cells of files of cells as rows of 60 counts, by filter, then ad_id, both bytewise; the counts
 * of a cell that is in several files add up. The engine sorts, and spills what does not fit; it
 * gives each text a rank, so that a text is decoded once per row and not once per cell.
 */
export async function* readCells(
  session: DuckSession,
  paths: readonly string[],
): AsyncGenerator<CellRow> {
  const files = `read_parquet(${textList(paths)}, hive_partitioning = false)`;
  for (const [table, column] of [
    ['filters', 'filter'],
    ['ads', 'ad_id'],
  ] as const) {
    await session.run(
      `create temp table ${table} as
         select ${column}, row_number() over (order by ${column})::integer as rank
           from (select distinct ${column} from ${files})`,
    );
  }
  const fold = new RowFold();
  const sql = `select filters.rank, ads.rank, minute, count, encode(filter), encode(ad_id)
                 from ${files} join filters using (filter) join ads using (ad_id)
                order by filters.rank, ads.rank, minute`;
  for await (const chunk of session.chunks(sql)) yield* fold.rows(chunk);
  if (fold.row !== null) yield fold.row;
}

/** Folds sorted cells into rows. */
class RowFold {
  /** The row that is not finished. */
  row: CellRow | null = null;
  private filterRank = 0;
  private adRank = 0;

  /** The rows that this chunk finishes. */
  *rows(chunk: DuckDBDataChunk): Generator<CellRow> {
    const [filters, ads, minutes] = [0, 1, 2].map(
      (column) => chunk.getColumnVector(column) as DuckDBIntegerVector,
    );
    const counts = chunk.getColumnVector(3) as DuckDBBigIntVector;
    const filterText = textsOf(chunk, 4);
    const adText = textsOf(chunk, 5);
    for (let i = 0; i < chunk.rowCount; i++) {
      const filterRank = filters!.getItem(i)!;
      const adRank = ads!.getItem(i)!;
      if (adRank !== this.adRank || filterRank !== this.filterRank) {
        if (this.row !== null) yield this.row;
        const filter = filterRank === this.filterRank ? this.row!.filter : filterText(i);
        const sixty = new Int32Array(MINUTES_PER_HOUR);
        this.row = { filter, adId: adText(i), counts: sixty };
        this.filterRank = filterRank;
        this.adRank = adRank;
      }
      add(this.row!, minutes!.getItem(i)!, toNumber(counts.getItem(i)));
    }
  }
}

function add({ filter, adId, counts }: CellRow, minute: number, count: number): void {
  const sum = (counts[minute] ?? NaN) + count;
  if (sum >= 0 && sum <= COUNT_MAX) {
    counts[minute] = sum;
    return;
  }
  const cell = JSON.stringify({ filter, adId, minute });
  throw new TruecountError('kernel_failed', `a cell cannot hold ${String(sum)}: ${cell}`, {
    hint: 'an hour has 60 minutes, and a cell at most 2,147,483,647 clicks',
  });
}
