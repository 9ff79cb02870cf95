import ipaddr from 'ipaddr.js';

/** An address as a number in the IPv6 space, IPv4 in its place there (::ffff:0:0/96). */
export type Address = bigint;

/** A block of addresses, `first` to `last`, both in it. */
export interface Block {
  readonly first: Address;
  readonly last: Address;
}

const V4_BASE = 0xffff_0000_0000n;
const V6_BITS = 128;
const V4_BITS = 32;

/**
 * Reads an address: IPv4 in four decimal parts without leading zeros, or IPv6 (RFC 4291) without a
 * zone. null: it is none.
 */
export function parseAddress(text: string): Address | null {
  const v4 = text.slice(text.lastIndexOf(':') + 1);
  const dotted = v4.includes('.');
  if (dotted && !ipaddr.IPv4.isValidFourPartDecimal(v4)) return null;
  if (v4 === text) {
    return dotted ? V4_BASE + numberOf(ipaddr.IPv4.parse(text).toByteArray()) : null;
  }
  // The library takes ::1.2.3.4, which is ::102:304, for ::ffff:1.2.3.4.
  const v6 = dotted ? text.slice(0, -v4.length) + inGroups(v4) : text;
  if (v6.includes('%') || !ipaddr.IPv6.isValid(v6)) return null;
  return numberOf(ipaddr.IPv6.parse(v6).toByteArray());
}

/** `1.2.3.4` as the last groups of an IPv6 address, `102:304`. */
function inGroups(v4: string): string {
  const [a, b, c, d] = ipaddr.IPv4.parse(v4).toByteArray() as [number, number, number, number];
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** Reads `10.0.0.0/8`, or a single address. null: it is none, or has bits below its length. */
export function parseBlock(text: string): Block | null {
  const [address, length, ...more] = text.split('/') as [string, ...string[]];
  const first = parseAddress(address);
  if (first === null || more.length > 0) return null;
  if (length === undefined) return { first, last: first };
  const bits = address.includes(':') ? V6_BITS : V4_BITS;
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) return null;
  const rest = (1n << BigInt(bits - Number(length))) - 1n;
  return (first & rest) === 0n ? { first, last: first | rest } : null;
}

/** One text per block, however it was written: `10.0.0.1` and `::FFFF:10.0.0.1/128` give the same. */
export function blockId({ first, last }: Block): string {
  return `${first.toString(16)}-${last.toString(16)}`;
}

function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** Finds what the longest block that an address is in stands for. Blocks nest or are apart. */
export class BlockIndex<T> {
  /** The longest block of `[starts[i], starts[i + 1])` is that of `values[i]`. */
  private readonly starts: Address[] = [];
  private readonly values: (T | undefined)[] = [];

  /** Of equal blocks, which a table has not, the last one counts. */
  constructor(blocks: Iterable<readonly [Block, T]>) {
    const sorted = [...blocks].sort(([a], [b]) => order(a.first, b.first) || order(b.last, a.last));
    const open: { last: Address; value: T }[] = [];
    const closeBefore = (at: Address | null): void => {
      for (let top = open.at(-1); top && (at === null || top.last < at); top = open.at(-1)) {
        open.pop();
        this.mark(top.last + 1n, open.at(-1)?.value);
      }
    };
    for (const [block, value] of sorted) {
      closeBefore(block.first);
      open.push({ last: block.last, value });
      this.mark(block.first, value);
    }
    closeBefore(null);
  }

  find(address: Address): T | undefined {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.values[low - 1];
  }

  private mark(at: Address, value: T | undefined): void {
    if (this.starts.at(-1) === at) this.values[this.values.length - 1] = value;
    else {
      this.starts.push(at);
      this.values.push(value);
    }
  }
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
