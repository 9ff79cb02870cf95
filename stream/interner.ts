/**
 * Byte strings as small integers: the hot path compares and combines ids, and the text is looked
 * at again only when a flush is written. Ids are dense from 0 in order of first sight.
 */
import { hash128 } from './hash128.js';

/** What an empty interner has room for. */
const ARENA_BYTES = 4096;
const IDS = 256;
const EMPTY_BYTES = Int32Array.BYTES_PER_ELEMENT * (IDS + 4 * IDS + 2 * IDS);
const NO_SEED = new Int32Array(4);
/** Texts found without hashing them, by their length and last bytes; a power of two. */
const RECENT = 4096;
const RECENT_SHIFT = 32 - Math.log2(RECENT);

function recentPlace(source: Uint8Array, start: number, end: number): number {
  let h = end - start;
  for (let i = h > 4 ? end - 4 : start; i < end; i++) h = (h << 7) ^ (h >>> 25) ^ source[i]!;
  return Math.imul(h, 0x9e3779b1) >>> RECENT_SHIFT;
}

export class ByteInterner {
  private arena: Uint8Array = new Uint8Array(ARENA_BYTES);
  private used = 0;
  private starts = new Int32Array(IDS);
  /** Four hash words per id: see `wordsAt`. */
  private hashes = new Int32Array(IDS * 4);
  private table = new Int32Array(2 * IDS).fill(-1);
  private readonly recent = new Int32Array(RECENT).fill(-1);
  private count = 0;
  private readonly scratch = new Int32Array(4);

  constructor(private readonly seeds: Int32Array = NO_SEED) {}

  get size(): number {
    return this.count;
  }

  /** What texts have taken so far; nothing after `clear`. The owner clears it when there is too much. */
  get bytes(): number {
    const { starts, hashes, table } = this;
    return this.used + starts.byteLength + hashes.byteLength + table.byteLength - EMPTY_BYTES;
  }

  intern(source: Uint8Array, start: number, end: number): number {
    const place = recentPlace(source, start, end);
    const last = this.recent[place]!;
    if (last >= 0 && this.equals(last, source, start, end)) return last;
    const id = this.find(source, start, end);
    this.recent[place] = id;
    return id;
  }

  /** The four hash words of an id, as seeds for a further hash: `words()[wordsAt(id)…]`. */
  words(): Int32Array {
    return this.hashes;
  }

  wordsAt(id: number): number {
    return id * 4;
  }

  start(id: number): number {
    return this.starts[id]!;
  }

  end(id: number): number {
    return this.starts[id + 1]!;
  }

  /** Where `start` and `end` point into. Changes when text is added. */
  text(): Uint8Array {
    return this.arena;
  }

  toString(id: number): string {
    return Buffer.from(this.arena.buffer, this.start(id), this.end(id) - this.start(id)).toString();
  }

  /** Forgets all texts, and gives back what they took. */
  clear(): void {
    this.used = 0;
    this.count = 0;
    if (this.arena.length > ARENA_BYTES) this.arena = new Uint8Array(ARENA_BYTES);
    if (this.starts.length > IDS) {
      this.starts = new Int32Array(IDS);
      this.hashes = new Int32Array(IDS * 4);
    }
    this.table = new Int32Array(2 * IDS).fill(-1);
    this.recent.fill(-1);
  }

  private find(source: Uint8Array, start: number, end: number): number {
    const scratch = this.scratch;
    hash128(source, start, end, this.seeds, 0, scratch, 0);
    const mask = this.table.length - 1;
    let at = scratch[0]! & mask;
    for (;;) {
      const id = this.table[at]!;
      if (id < 0) return this.insert(at, source, start, end);
      if (this.hashes[id * 4] === scratch[0] && this.equals(id, source, start, end)) return id;
      at = (at + 1) & mask;
    }
  }

  private equals(id: number, source: Uint8Array, start: number, end: number): boolean {
    let at = this.starts[id]!;
    if (this.starts[id + 1]! - at !== end - start) return false;
    const arena = this.arena;
    for (let i = start; i < end; i++) if (arena[at++] !== source[i]) return false;
    return true;
  }

  private insert(at: number, source: Uint8Array, start: number, end: number): number {
    const id = this.count++;
    if (id + 2 > this.starts.length) this.growIds();
    const length = end - start;
    if (this.used + length > this.arena.length) this.growArena(length);
    this.arena.set(source.subarray(start, end), this.used);
    this.starts[id] = this.used;
    this.used += length;
    this.starts[id + 1] = this.used;
    this.hashes.set(this.scratch, id * 4);
    this.table[at] = id;
    if (this.count * 2 > this.table.length) this.growTable();
    return id;
  }

  private growIds(): void {
    const starts = new Int32Array(this.starts.length * 2);
    starts.set(this.starts);
    this.starts = starts;
    const hashes = new Int32Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
  }

  private growArena(extra: number): void {
    const arena = new Uint8Array(Math.max(this.arena.length * 2, this.used + extra));
    arena.set(this.arena);
    this.arena = arena;
  }

  private growTable(): void {
    this.table = new Int32Array(this.table.length * 2).fill(-1);
    const mask = this.table.length - 1;
    for (let id = 0; id < this.count; id++) {
      let at = this.hashes[id * 4]! & mask;
      while (this.table[at]! >= 0) at = (at + 1) & mask;
      this.table[at] = id;
    }
  }
}
