import type { DuckDBUBigIntVector, DuckDBUIntegerVector } from '@duckdb/node-api';
import type { DuckSession } from './session.js';

/** Bits per click: one click in sixteen, at most, finds its bit taken by another. */
const BITS_PER_ROW = 16;
const BITS_MIN = 2 ** 16;
/** 128 MiB: reached at 67 million clicks; beyond it more of them are looked at, not fewer found. */
const BITS_MAX = 2 ** 30;
/** Hashes kept at most (16 MiB): with more than this, all clicks are looked at. */
const SUSPECTS_MAX = 2_000_000;
const PROGRESS_ROWS = 250_000;

/**
 * Finds the clicks that may be duplicates, in one cheap pass: the hash of every id sets a bit, and
 * an id that finds its bit set is a suspect. Every id that occurs twice is among them, besides few
 * that share a bit with another (B. Bloom, "Space/Time Trade-offs in Hash Coding", with one hash).
 * So only a few clicks have to be told apart by their ids, exactly, and grouping all ids of an hour,
 * the bulk of a plain GROUP BY's work and memory, is not needed. What a hash says is never believed:
 * it only decides which clicks are looked at.
 *
 * `clicks` is a FROM clause with a column `h`, the hash; `rows` is how many there are at most. Leaves
 * the suspects' hashes in the temp table `suspects(h)`, and returns how many there are; null: too
 * many to keep, all clicks are to be looked at.
 */
export async function findSuspects(
  session: DuckSession,
  clicks: string,
  rows: number,
  onRows: (rows: number) => void,
): Promise<number | null> {
  const bits = 2 ** Math.ceil(Math.log2(Math.max(BITS_MIN, rows * BITS_PER_ROW)));
  const seen = new Uint32Array(Math.min(bits, BITS_MAX) / 32);
  const mask = seen.length * 32 - 1;
  const suspects: bigint[] = [];
  let read = 0;
  let told = 0;
  const sql = `select (h & 4294967295)::uinteger as low, h ${clicks}`;
  for await (const chunk of session.chunks(sql)) {
    const low = chunk.getColumnVector(0) as DuckDBUIntegerVector;
    const whole = chunk.getColumnVector(1) as DuckDBUBigIntVector;
    const count = chunk.rowCount;
    for (let row = 0; row < count; row++) {
      const bit = low.getItem(row)! & mask;
      const word = bit >>> 5;
      const flag = 1 << (bit & 31);
      if ((seen[word]! & flag) === 0) seen[word]! |= flag;
      else if (suspects.length <= SUSPECTS_MAX) suspects.push(whole.getItem(row)!);
    }
    read += count;
    if (read - told >= PROGRESS_ROWS) onRows((told = read));
  }
  onRows(read);
  if (suspects.length > SUSPECTS_MAX) return null;
  await session.run('create temp table suspects (h ubigint)');
  await session.append(
    'suspects',
    suspects.map((hash) => [hash]),
  );
  return suspects.length;
}
