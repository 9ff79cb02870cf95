/**
 * Counts not yet flushed: rows of 60 minute counts per (group, filter, ad), where a group is one
 * (partition, hour). Flat memory; a click adds to one row per filter and allocates nothing.
 */
import { MINUTES_PER_HOUR } from '../core/time.js';

const ROWS_MIN = 1024;
/** Group, filter and ad of a row lie together: a lookup touches one cache line, not three. */
const KEY = 4;

function hashOf(group: number, filter: number, ad: number): number {
  let h = Math.imul(ad, 0x9e3779b1) ^ Math.imul(filter, 0x85ebca6b) ^ Math.imul(group, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

export class CellBuffer {
  private table = new Int32Array(ROWS_MIN * 2).fill(-1);
  private keys = new Int32Array(ROWS_MIN * KEY);
  private cells = new Int32Array(ROWS_MIN * MINUTES_PER_HOUR);
  private count = 0;

  get rows(): number {
    return this.count;
  }

  groupOf(row: number): number {
    return this.keys[row * KEY]!;
  }

  filterOf(row: number): number {
    return this.keys[row * KEY + 1]!;
  }

  adOf(row: number): number {
    return this.keys[row * KEY + 2]!;
  }

  /** The minute counts of all rows, 60 each; valid until the next `add`. */
  counts(): Int32Array {
    return this.cells;
  }

  add(group: number, filter: number, ad: number, minute: number): void {
    const { table, keys } = this;
    const mask = table.length - 1;
    let at = hashOf(group, filter, ad) & mask;
    for (;;) {
      const row = table[at]!;
      if (row < 0) {
        this.insert(at, group, filter, ad, minute);
        return;
      }
      const key = row * KEY;
      if (keys[key + 2] === ad && keys[key + 1] === filter && keys[key] === group) {
        const cell = row * MINUTES_PER_HOUR + minute;
        this.cells[cell] = this.cells[cell]! + 1;
        return;
      }
      at = (at + 1) & mask;
    }
  }

  clear(): void {
    this.cells.fill(0, 0, this.count * MINUTES_PER_HOUR);
    this.table.fill(-1);
    this.count = 0;
  }

  private insert(at: number, group: number, filter: number, ad: number, minute: number): void {
    const row = this.count++;
    if (row * KEY === this.keys.length) this.growRows();
    this.keys[row * KEY] = group;
    this.keys[row * KEY + 1] = filter;
    this.keys[row * KEY + 2] = ad;
    this.cells[row * MINUTES_PER_HOUR + minute] = 1;
    this.table[at] = row;
    if (this.count * 2 > this.table.length) this.growTable();
  }

  private growRows(): void {
    this.keys = doubled(this.keys);
    this.cells = doubled(this.cells);
  }

  private growTable(): void {
    const old = this.table;
    this.table = new Int32Array(old.length * 2).fill(-1);
    const mask = this.table.length - 1;
    for (let row = 0; row < this.count; row++) {
      let at = hashOf(this.groupOf(row), this.filterOf(row), this.adOf(row)) & mask;
      while (this.table[at]! >= 0) at = (at + 1) & mask;
      this.table[at] = row;
    }
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
