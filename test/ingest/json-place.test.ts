import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whereNotJson } from '../../ingest/formats/json-place.js';

describe('where a line stops being JSON', () => {
  it.each([
    ['{"a":x}', 6],
    ['{"a":1,}', 8],
    ['{"a" 1}', 6],
    ['{a:1}', 2],
    ['{"a":1}{"b":2}', 8],
    ['{"a":1} x', 9],
    ['{"a":NaN}', 6],
    ['{"a":trueish}', 10],
    ['{"a":tru', 9],
    ['{"a":"\\u12', 11],
    ['{"a":"\\u12g4"}', 11],
    ['{"a":"\\q"}', 8],
    ['{"a":"\t"}', 7],
    ['{"a":01}', 7],
    ['{"a":1.}', 8],
    ['{"a":-}', 7],
    ['{"a":1e+', 9],
    ['{"a":"', 7],
    ['', 1],
    ['hello', 1],
    ['\uFEFF{"a":x}', 6],
    ['{"😀":x}', 6],
    ["{'a':1}", 2],
  ])('%j: at character %i', (line, column) => {
    expect(whereNotJson(line)).toBe(column);
  });

  it('is nowhere in JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(whereNotJson(text)).toBeUndefined();
      }),
    );
  });

  it('is behind the end of one that was cut off', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, at) => {
        const whole = `{"a":${text}}`;
        const cut = whole.slice(0, at % whole.length);
        expect(whereNotJson(cut)).toBe(Array.from(cut).length + 1);
      }),
      { numRuns: 2_000 },
    );
  });
});
