/**
 * The positions behind what is buffered: until the commit, every counted click can still turn out
 * to be late (its hour was cut meanwhile), and a late click is recorded by position. Columns, so
 * that a click costs about 30 bytes and no object.
 */
export class PositionLog {
  private offsets = new Float64Array(4096);
  private groups = new Int32Array(4096);
  private minutes = new Uint8Array(4096);
  private ads = new Int32Array(4096);
  private filters: Int32Array;
  private count = 0;

  /** `width`: the most filters (other than the total) a click can have. */
  constructor(private readonly width: number) {
    this.filters = new Int32Array(4096 * width);
  }

  get size(): number {
    return this.count;
  }

  /** The filters are `filters[at, at + width)`. */
  add(
    offset: number,
    group: number,
    minute: number,
    ad: number,
    filters: Int32Array,
    at: number,
  ): void {
    const i = this.count++;
    if (i === this.offsets.length) this.grow();
    this.offsets[i] = offset;
    this.groups[i] = group;
    this.minutes[i] = minute;
    this.ads[i] = ad;
    for (let f = 0; f < this.width; f++) this.filters[i * this.width + f] = filters[at + f]!;
  }

  offset(i: number): number {
    return this.offsets[i]!;
  }

  group(i: number): number {
    return this.groups[i]!;
  }

  minute(i: number): number {
    return this.minutes[i]!;
  }

  ad(i: number): number {
    return this.ads[i]!;
  }

  filter(i: number, dimension: number): number {
    return this.filters[i * this.width + dimension]!;
  }

  clear(): void {
    this.count = 0;
  }

  private grow(): void {
    const n = this.offsets.length * 2;
    const copy = <T extends Float64Array | Int32Array | Uint8Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.offsets = copy(new Float64Array(n), this.offsets);
    this.groups = copy(new Int32Array(n), this.groups);
    this.minutes = copy(new Uint8Array(n), this.minutes);
    this.ads = copy(new Int32Array(n), this.ads);
    this.filters = copy(new Int32Array(n * this.width), this.filters);
  }
}
