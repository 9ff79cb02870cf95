/** What is in a generation: the same rows for every layout, another set for each revision. */
import { encodeInt4Array } from '../../store/pg-array.js';

export interface CellRow {
  readonly filter: string;
  readonly adId: string;
  /** Clicks of minutes 0..59. */
  readonly counts: Int32Array;
}

export const adName = (rank: number): string => `ad-${String(rank).padStart(6, '0')}`;

/** `country:C03` and so on; the first is the empty filter. */
export function filterNames(n: number): string[] {
  const named = (i: number) => `country:C${String(i).padStart(2, '0')}`;
  return Array.from({ length: n }, (_, i) => (i === 0 ? '' : named(i)));
}

/**
 * Rows of one hour by (filter, ad), bytewise. `shareOfMinutes` says how many of the minutes of the ad
 * of this rank have clicks (1..9 each); a row has at least one.
 */
export function cellRows(
  seed: number,
  filters: number,
  ads: number,
  shareOfMinutes: (rank: number) => number,
): CellRow[] {
  const random = mulberry32(seed);
  return filterNames(filters).flatMap((filter) =>
    Array.from({ length: ads }, (_, rank) => {
      const share = shareOfMinutes(rank);
      const some = () => 1 + Math.floor(random() * 9);
      const counts = Int32Array.from({ length: 60 }, () => (random() < share ? some() : 0));
      if (counts.every((count) => count === 0)) counts[Math.floor(random() * 60)] = some();
      return { filter, adId: adName(rank), counts };
    }),
  );
}

/** The cells of a row with clicks, as [minute, count]. */
export function cellsOf(row: CellRow): [number, number][] {
  return [...row.counts.entries()].filter(([, count]) => count > 0);
}

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

/** Rows for `COPY … (format binary)`. */
export function copyBody(rows: Iterable<readonly Buffer[]>): Buffer {
  const parts: Buffer[] = [SIGNATURE];
  for (const fields of rows) {
    const head = Buffer.alloc(2);
    head.writeInt16BE(fields.length);
    parts.push(head);
    for (const field of fields) parts.push(int4(field.length), field);
  }
  parts.push(Buffer.of(0xff, 0xff));
  return Buffer.concat(parts);
}

export function int8(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return buffer;
}

export function int4(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

const POSTGRES_EPOCH_MS = 946_684_800_000;

export function timestamp(ms: number): Buffer {
  return int8((ms - POSTGRES_EPOCH_MS) * 1000);
}

export const text = (value: string): Buffer => Buffer.from(value);

export const allMinutes = (counts: Int32Array): Buffer => encodeInt4Array(counts);

/** From the first minute with clicks to the last; subscripts stay those of the whole hour. */
export function trimmedMinutes(counts: Int32Array): Buffer {
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  const encoded = encodeInt4Array(counts.subarray(first, last + 1));
  encoded.writeInt32BE(first + 1, 16); // the lower bound: after dimensions, flags, type and length
  return encoded;
}

/** Uniform in [0, 1), the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
