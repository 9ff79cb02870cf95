import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hash128 } from '../stream/hash128.js';
import { IdSet } from '../stream/id-set.js';
import type { Report, Row } from './support/report.js';
import { thousands } from './support/report.js';

const SIZES = [10_000, 100_000, 1_000_000, 10_000_000];
/** As of a ULID or a shortened UUID. */
const ID_CHARS = 24;
/** Ids are made in blocks, outside the time that is measured. */
const BLOCK = 1_000;
const WARM_UP = 300_000;

/** A memory of ids under test. */
interface Memory {
  readonly size: number;
  /** Makes ids `from` to `from + BLOCK`. */
  prepare(from: number): void;
  /** Adds the i-th of them. */
  add(i: number): void;
}

interface Measured {
  readonly bytesPerId: number;
  readonly nsPerAdd: number;
  readonly longestMs: number;
}

/** Bytes per remembered id and time per add, beside a `Set` of the ids as strings. */
export async function benchIds(): Promise<Report> {
  const raw: { size: number; idSet: Measured; set: Measured }[] = [];
  for (const size of SIZES) {
    const idSet = await measure(idSetMemory, size);
    raw.push({ size, idSet, set: await measure(setMemory, size) });
  }
  return {
    name: 'ids: what is remembered to find duplicates',
    rows: raw.map(({ size, idSet, set }): Row => ({
      ids: thousands(size),
      'bytes/id': idSet.bytesPerId.toFixed(1),
      'ns/add': idSet.nsPerAdd.toFixed(0),
      'longest add ms': idSet.longestMs.toFixed(2),
      'Set bytes/id': set.bytesPerId.toFixed(1),
      'Set ns/add': set.nsPerAdd.toFixed(0),
      'Set longest ms': set.longestMs.toFixed(2),
    })),
    notes: [
      `ids of ${String(ID_CHARS)} characters; bytes of heap and buffers after a full collection`,
      'ns/add: hashing the id and adding it; of the Set: adding a string that exists',
      'longest add: the growth pause; the least of three fills (one at 10 million), as a busy ' +
        'machine makes it longer',
    ],
    raw,
  };
}

async function measure(make: () => Memory, size: number): Promise<Measured> {
  fill(make(), WARM_UP, false);
  const before = await heldBytes();
  const memory = make();
  const { totalMs } = fill(memory, size, false);
  const bytesPerId = ((await heldBytes()) - before) / size;
  if (memory.size !== size) throw new Error(`${String(memory.size)} instead of ${String(size)}`);
  const fills = size > 1_000_000 ? 1 : 3;
  const longest = Array.from({ length: fills }, () => fill(make(), size, true).longestMs);
  return { bytesPerId, nsPerAdd: (totalMs * 1e6) / size, longestMs: Math.min(...longest) };
}

/** Adds `size` ids; `each`: looks at the clock after every one, which costs more than the add. */
function fill(
  memory: Memory,
  size: number,
  each: boolean,
): { readonly totalMs: number; readonly longestMs: number } {
  let totalMs = 0;
  let longestMs = 0;
  for (let at = 0; at < size; at += BLOCK) {
    memory.prepare(at);
    const startedMs = performance.now();
    let lastMs = startedMs;
    for (let i = 0; i < BLOCK; i++) {
      memory.add(i);
      if (!each) continue;
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
    }
    totalMs += performance.now() - startedMs;
  }
  return { totalMs, longestMs };
}

function idSetMemory(): Memory {
  const set = new IdSet();
  const seeds = Int32Array.of(1, 2, 3, 4);
  const words = new Int32Array(4);
  const ids = Buffer.alloc(BLOCK * ID_CHARS);
  return {
    get size() {
      return set.size;
    },
    prepare(from) {
      for (let i = 0; i < BLOCK; i++) ids.write(idText(from + i), i * ID_CHARS, 'latin1');
    },
    add(i) {
      hash128(ids, i * ID_CHARS, (i + 1) * ID_CHARS, seeds, 0, words, 0);
      set.add(words[0]!, words[1]!, words[2]!, words[3]!);
    },
  };
}

function setMemory(): Memory {
  const set = new Set<string>();
  let ids: string[] = [];
  return {
    get size() {
      return set.size;
    },
    prepare(from) {
      // Flat strings with characters of their own, as JSON.parse makes them.
      ids = Array.from({ length: BLOCK }, (_, i) => Buffer.from(idText(from + i)).toString());
    },
    add(i) {
      set.add(ids[i]!);
    },
  };
}

function idText(n: number): string {
  return `click-${n.toString(36)}`.padEnd(ID_CHARS, '.');
}

let collect: (() => void) | undefined;

/** Buffers that a collection finds dead are given back by another thread, a little later. */
async function heldBytes(): Promise<number> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(100);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
