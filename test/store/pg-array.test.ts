import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  encodeInt4Array,
  encodeInt8Array,
  encodeTextArray,
  encodeTextArrayFromStrings,
  encodeTimestamptzArray,
} from '../../store/pg-array.js';

/** An independent reader of the wire form, written from array_recv. */
function elementsOf(buffer: Buffer, expectedOid: number): Buffer[] {
  const dimensions = buffer.readInt32BE(0);
  expect(buffer.readInt32BE(4)).toBe(0);
  expect(buffer.readInt32BE(8)).toBe(expectedOid);
  if (dimensions === 0) {
    expect(buffer.length).toBe(12);
    return [];
  }
  expect(dimensions).toBe(1);
  expect(buffer.readInt32BE(16)).toBe(1);
  const elements: Buffer[] = [];
  let at = 20;
  for (let i = buffer.readInt32BE(12); i > 0; i--) {
    const length = buffer.readInt32BE(at);
    elements.push(buffer.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  expect(at).toBe(buffer.length);
  return elements;
}

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('binary arrays', () => {
  it('give back any 32-bit integers', () => {
    fc.assert(
      fc.property(fc.array(int32), (values) => {
        const read = elementsOf(encodeInt4Array(Int32Array.from(values)), 23);
        expect(read.map((b) => b.readInt32BE())).toEqual(values);
      }),
    );
  });

  it('give back any safe integers, and any 64-bit integers given as bigint', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger()), (values) => {
        const read = elementsOf(encodeInt8Array(Float64Array.from(values)), 20);
        expect(read.map((b) => Number(b.readBigInt64BE()))).toEqual(values);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        const read = elementsOf(encodeInt8Array(BigInt64Array.from(values)), 20);
        expect(read.map((b) => b.readBigInt64BE())).toEqual(values);
      }),
    );
  });

  it('refuse a number that is no safe integer', () => {
    for (const value of [2 ** 53, 0.5, Number.NaN, Infinity]) {
      expect(() => encodeInt8Array(Float64Array.of(value))).toThrow(RangeError);
    }
  });

  it('count time in microseconds from the year 2000, before and after it', () => {
    const epochMs = [0, 946_684_800_000, 946_684_799_999, Date.UTC(2026, 10, 21, 10)];
    const read = elementsOf(encodeTimestamptzArray(Float64Array.from(epochMs)), 1184);
    expect(read.map((b) => Number(b.readBigInt64BE()) / 1000 + 946_684_800_000)).toEqual(epochMs);
  });

  it('give back text from strings and from byte ranges, the same bytes from both', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 80 })), (values) => {
        const parts = values.map((v) => Buffer.from(v));
        const ends = Int32Array.from(
          parts,
          (
            (sum) => (p) =>
              (sum += p.length)
          )(0),
        );
        const starts = ends.map((end, i) => end - parts[i]!.length);
        const ranges = encodeTextArray(Buffer.concat(parts), starts, ends);
        expect(elementsOf(ranges, 25)).toEqual(parts);
        expect(encodeTextArrayFromStrings(values).equals(ranges)).toBe(true);
      }),
    );
  });

  it('take only the first n, and no elements make an array without dimension', () => {
    expect(elementsOf(encodeInt4Array(Int32Array.of(1, 2, 3), 2), 23)).toHaveLength(2);
    expect(elementsOf(encodeTextArrayFromStrings(['a', 'b'], 1), 25)).toHaveLength(1);
    expect(elementsOf(encodeInt8Array(new Float64Array(9), 0), 20)).toEqual([]);
    expect(elementsOf(encodeTimestamptzArray(new Float64Array(0)), 1184)).toEqual([]);
  });

  it('refuse a count or a byte range outside of what was given', () => {
    expect(() => encodeInt4Array(new Int32Array(2), 3)).toThrow(RangeError);
    expect(() => encodeInt4Array(new Int32Array(2), -1)).toThrow(RangeError);
    const bytes = new Uint8Array(4);
    expect(() => encodeTextArray(bytes, Int32Array.of(2), Int32Array.of(5))).toThrow(RangeError);
    expect(() => encodeTextArray(bytes, Int32Array.of(2), Int32Array.of(1))).toThrow(RangeError);
  });
});
