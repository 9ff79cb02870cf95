import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { repeatedKey } from '../../runtime/rules/json-keys.js';

describe('a repeated key', () => {
  it.each([
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', null],
    ['{"a":["a","a",{"b":"a"}],"b":"a"}', null],
    ['{"a":"\\\\","b":"\\",\\"a\\":","c":"{\\"x\\":1,\\"x\\":1}"}', null],
    ['[["a","a"],"a","a"]', null],
    ['"a"', null],
    ['{"a":1,"a":1}', { key: 'a', index: 7 }],
    ['{"a":{},"b":[{}],\n"a":1}', { key: 'a', index: 18 }],
    ['{"UK":1,"\\u0055K":1}', { key: 'UK', index: 8 }],
    ['{"a/":1,"a\\/":1}', { key: 'a/', index: 8 }],
    ['[{"x":{"\\\\":1 ,\t"\\\\" : 1}}]', { key: '\\', index: 16 }],
    ['{"":1,"":1}', { key: '', index: 6 }],
    ['{"__proto__":1,"__proto__":1}', { key: '__proto__', index: 15 }],
  ])('of %s is %j', (json, expected) => {
    expect(() => JSON.parse(json) as unknown).not.toThrow();
    expect(repeatedKey(json)).toEqual(expected);
  });

  it('is there exactly where YAML finds one', () => {
    const key = fc.constantFrom('a', 'b', '"', '\\', '', ',', '{', ':');
    const json = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        key.map((text) => JSON.stringify(text)),
        fc.constantFrom('1', 'null', '[]', '{}'),
        fc.array(tie('node'), { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
        fc
          .array(fc.tuple(key, tie('node')), { maxLength: 4 })
          .map((all) => `{${all.map(([k, v]) => `${JSON.stringify(k)}: ${v}`).join(', ')}}`),
      ),
    })).node;
    let repeated = 0;
    fc.assert(
      fc.property(json, (text) => {
        const { errors } = parseDocument(text);
        const found = errors.some(({ code }) => code === 'DUPLICATE_KEY');
        expect(repeatedKey(text) !== null).toBe(found);
        if (found) repeated++;
      }),
      { numRuns: 1_000 },
    );
    expect(repeated).toBeGreaterThan(50);
  });
});
