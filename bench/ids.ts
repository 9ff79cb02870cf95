import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hash128 } from '../stream/hash128.js';
import { IdSet } from '../stream/id-set.js';
import type { Report, Row } from './support/report.js';
import { thousands } from './support/report.js';

const SIZES = [10_000, 100_000, 1_000_000, 10_000_000];
/** 24 characters, as of a ULID or a shortened UUID. */
const ID_CHARS = 24;
const BLOCK = 1_000;

interface Measured {
  readonly bytes: number;
  readonly nsPerAdd: number;
  readonly longestMs: number;
}

/** Bytes per remembered id and time per add, beside a `Set` of the ids as strings. */
export async function benchIds(): Promise<Report> {
  const rows: Row[] = [];
  const raw: Record<string, { idSet: Measured; set: Measured }> = {};
  for (const size of SIZES) {
    const idSet = measureIdSet(size);
    const set = measureSet(size);
    raw[String(size)] = { idSet, set };
    rows.push({
      ids: thousands(size),
      'bytes/id': (idSet.bytes / size).toFixed(1),
      'ns/add': idSet.nsPerAdd.toFixed(0),
      'longest add ms': idSet.longestMs.toFixed(2),
      'Set bytes/id': (set.bytes / size).toFixed(1),
      'Set ns/add': set.nsPerAdd.toFixed(0),
      'Set longest ms': set.longestMs.toFixed(2),
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    name: 'ids: what is remembered to find duplicates',
    rows,
    notes: [
      `bytes of the heap and its buffers after a full collection; ids of ${String(ID_CHARS)} characters`,
      'ns/add: hashing the id and adding it (Set: adding the string, which is made outside the time)',
      'longest add: growing included; of the second of two fills, the first warms the code up',
    ],
    raw,
  };
}

function measureIdSet(size: number): Measured {
  fillIdSet(Math.min(size, 100_000));
  const before = heldBytes();
  const { set, totalMs, longestMs } = fillIdSet(size);
  const bytes = heldBytes() - before;
  if (set.size !== size) throw new Error(`${String(set.size)} ids instead of ${String(size)}`);
  return { bytes, nsPerAdd: (totalMs * 1e6) / size, longestMs };
}

function fillIdSet(size: number): { set: IdSet; totalMs: number; longestMs: number } {
  const set = new IdSet();
  const seeds = Int32Array.of(1, 2, 3, 4);
  const words = new Int32Array(4);
  const ids = Buffer.alloc(BLOCK * ID_CHARS);
  let totalMs = 0;
  let longestMs = 0;
  for (let at = 0; at < size; at += BLOCK) {
    for (let i = 0; i < BLOCK; i++) ids.write(idText(at + i), i * ID_CHARS, 'latin1');
    const block = performance.now();
    let last = block;
    for (let i = 0; i < BLOCK; i++) {
      hash128(ids, i * ID_CHARS, (i + 1) * ID_CHARS, seeds, 0, words, 0);
      set.add(words[0]!, words[1]!, words[2]!, words[3]!);
      const now = performance.now();
      if (now - last > longestMs) longestMs = now - last;
      last = now;
    }
    totalMs += last - block;
  }
  return { set, totalMs, longestMs };
}

function measureSet(size: number): Measured {
  fillSet(Math.min(size, 100_000));
  const before = heldBytes();
  const { set, totalMs, longestMs } = fillSet(size);
  const bytes = heldBytes() - before;
  if (set.size !== size) throw new Error(`${String(set.size)} ids instead of ${String(size)}`);
  return { bytes, nsPerAdd: (totalMs * 1e6) / size, longestMs };
}

function fillSet(size: number): { set: Set<string>; totalMs: number; longestMs: number } {
  const set = new Set<string>();
  let totalMs = 0;
  let longestMs = 0;
  for (let at = 0; at < size; at += BLOCK) {
    // Flat strings with characters of their own, as JSON.parse makes them.
    const ids = Array.from({ length: BLOCK }, (_, i) => Buffer.from(idText(at + i)).toString());
    const block = performance.now();
    let last = block;
    for (const id of ids) {
      set.add(id);
      const now = performance.now();
      if (now - last > longestMs) longestMs = now - last;
      last = now;
    }
    totalMs += last - block;
  }
  return { set, totalMs, longestMs };
}

function idText(n: number): string {
  return `click-${n.toString(36)}`.padEnd(ID_CHARS, 'x');
}

let collect: (() => void) | undefined;

function heldBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
