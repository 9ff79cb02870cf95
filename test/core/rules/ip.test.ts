import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockIndex, parseAddress, parseBlock } from '../../../core/rules/ip.js';
import type { Block } from '../../../core/rules/ip.js';

const group = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16)),
  fc.constantFrom('0', '0000', 'ffff', 'FFFF', '00a', '12345', 'g', ''),
);
const octet = fc.oneof(
  { weight: 5, arbitrary: fc.nat(255).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('256', '00', '01', '', '1e1', '0x1', ' 1', '１') },
);
const v4 = fc
  .oneof(
    { weight: 9, arbitrary: fc.tuple(octet, octet, octet, octet) },
    { weight: 1, arbitrary: fc.array(octet, { maxLength: 6 }) },
  )
  .map((parts) => parts.join('.'));

/** Groups with `::` somewhere, and perhaps an IPv4 address at the end. */
const v6 = fc
  .record({
    head: fc.array(group, { maxLength: 8 }),
    tail: fc.array(group, { maxLength: 8 }),
    gap: fc.constantFrom('::', '::', ':', ':::'),
    last: fc.option(v4, { freq: 3 }),
  })
  .map(({ head, tail, gap, last }) => {
    const end = last === null ? tail : [...tail.slice(0, 6), last];
    return `${head.join(':')}${gap}${end.join(':')}`;
  });
/** What looks like an address, and often is one. */
const address = fc.oneof(v4, v6, fc.string({ unit: fc.constantFrom(...'0123af:.:%/ ') }));

/** The reading of RFC 4291, written out. For texts that are addresses. */
function valueOf(text: string): bigint {
  const dotted = /^(.*?)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    return valueOf(dotted[1] === '' ? `::ffff:${hex}` : dotted[1]! + hex);
  }
  const [head, tail] = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const gap = tail === undefined ? [] : Array<string>(8 - head!.length - tail.length).fill('0');
  const groups = [...head!, ...gap, ...(tail ?? [])];
  return groups.reduce((sum, hex) => (sum << 16n) | BigInt(`0x${hex}`), 0n);
}

describe('an address', () => {
  test('is what Node takes for one, and has the number that RFC 4291 gives it', () => {
    let addresses = 0;
    fc.assert(
      fc.property(address, (text) => {
        fc.pre(!text.includes('%'));
        const read = parseAddress(text);
        expect(read !== null, text).toBe(isIP(text) !== 0);
        if (read === null) return;
        addresses++;
        expect(read, text).toBe(valueOf(text));
      }),
      { numRuns: 10_000 },
    );
    expect(addresses).toBeGreaterThan(1_000);
  });

  test('of IPv6 has no zone: what it means is known to one host only', () => {
    expect(isIP('fe80::1%eth0')).toBe(6);
    expect(parseAddress('fe80::1%eth0')).toBeNull();
    expect(parseAddress('fe80::1')).not.toBeNull();
  });

  test('of IPv4 is the same one mapped to IPv6', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const read = parseAddress(text);
        expect(read).not.toBeNull();
        expect(parseAddress(`::ffff:${text}`)).toBe(read);
        expect(parseAddress(`0:0:0:0:0:FFFF:${text}`)).toBe(read);
        expect(parseAddress(`::${text}`)).toBe(read! - 0xffff_0000_0000n);
      }),
    );
  });
});

describe('a block', () => {
  test.each<[string, bigint, bigint]>([
    ['10.0.0.0/8', 0xffff_0a00_0000n, 0xffff_0aff_ffffn],
    ['10.1.2.3', 0xffff_0a01_0203n, 0xffff_0a01_0203n],
    ['10.1.2.3/32', 0xffff_0a01_0203n, 0xffff_0a01_0203n],
    ['0.0.0.0/0', 0xffff_0000_0000n, 0xffff_ffff_ffffn],
    ['::ffff:10.0.0.0/104', 0xffff_0a00_0000n, 0xffff_0aff_ffffn],
    ['::/0', 0n, (1n << 128n) - 1n],
    ['::1/128', 1n, 1n],
    ['8000::/1', 1n << 127n, (1n << 128n) - 1n],
  ])('%s is from its first address to its last', (text, first, last) => {
    expect(parseBlock(text)).toEqual({ first, last });
  });

  test.each([
    ...['', '/', '10.0.0.0/', '/8', '10.0.0.0/33', '::/129', '10.0.0.0/08', '10.0.0.0/ 8'],
    ...['10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/8.0', '10.0.0.0/255.0.0.0', '10.0.0.0/1e1'],
    ...['10.0.0.1/8', '2001:db8::1/32', '::1/0', '10.0.0/8', '10/8', '10.0.0.0 /8', 'x/8'],
  ])('is not %j', (text) => {
    expect(parseBlock(text)).toBeNull();
  });
});

/** Blocks of the last 12 bits of an address: few enough to try all. */
const BITS = 12;
const block = fc
  .record({ at: fc.nat((1 << BITS) - 1), length: fc.integer({ min: 0, max: BITS }) })
  .map(({ at, length }): Block => {
    const rest = (1n << BigInt(BITS - length)) - 1n;
    const first = BigInt(at) & ~rest;
    return { first, last: first | rest };
  });

describe('an index of blocks', () => {
  test('finds the longest block, of equal ones the last, as going through all of them does', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 30 }), (blocks) => {
        const index = new BlockIndex(blocks.map((one, i) => [one, i] as const));
        const borders = blocks.flatMap(({ first, last }) => [first - 1n, first, last, last + 1n]);
        for (const at of new Set([0n, 100n, 4095n, ...borders])) {
          expect(index.find(at), String(at)).toBe(longest(blocks, at));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  function longest(blocks: readonly Block[], at: bigint): number | undefined {
    let found: number | undefined;
    const size = ({ first, last }: Block): bigint => last - first;
    blocks.forEach((one, i) => {
      if (at < one.first || at > one.last) return;
      if (found === undefined || size(one) <= size(blocks[found]!)) found = i;
    });
    return found;
  }

  test('without blocks finds nothing', () => {
    expect(new BlockIndex([]).find(0n)).toBeUndefined();
  });
});
