import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalBytes, canonicalJson, sha256Hex } from '../../../core/rules/canonical-json.js';
import type { JsonValue } from '../../../core/rules/canonical-json.js';
import { parseRuleSet, parseRuleSetJson } from '../../../core/rules/parse.js';
import { DEFAULT_RULE_SET, hashRuleSet, ruleSetBody } from '../../../core/rules/rule-set.js';
import { ruleSets } from '../../contract/support/rule-sets.js';

describe('a rule set', () => {
  test('of the first days has the hash that hours pinned then', () => {
    expect(hashRuleSet(DEFAULT_RULE_SET)).toBe(
      'c692c642096606844f3ea1de58c41312e811ebf9c90bf73555a6f9decec96b51',
    );
    // Of `{"dimensions":[],"version":1}`.
    expect(hashRuleSet(parseRuleSet({ version: 1, dimensions: [] }))).toBe(
      '7c1b7666712b20f0814fefa6716391be2daed3b8366830292e910ffd1576035b',
    );
  });

  test('read again from its body is the same, under the same hash', () => {
    fc.assert(
      fc.property(ruleSets, (ruleSet) => {
        const again = parseRuleSetJson(ruleSetBody(ruleSet));
        expect(again).toEqual(ruleSet);
        expect(hashRuleSet(again)).toBe(hashRuleSet(ruleSet));
      }),
    );
  });

  test('has another hash when a text in a table or a weight differs', () => {
    const of = (said: string, weight: number): string =>
      hashRuleSet(
        parseRuleSet({
          version: 1,
          tables: { t: { key: 'text', columns: ['c'], rows: [['a', said]] } },
          values: [{ name: 'v', field: 'ad_id', lookup: { table: 't', column: 'c' } }],
          dimensions: [
            {
              name: 's',
              score: {
                terms: [{ value: 'v', weights: { x: weight } }],
                levels: [],
                otherwise: 'n',
              },
            },
          ],
        }),
      );
    expect(new Set([of('x', 1), of('y', 1), of('x', 2), of('', 1)]).size).toBe(4);
    expect(of('x', -0)).toBe(of('x', 0));
  });

  test('has one hash, however its JSON is written', () => {
    const reordered = `{"dimensions":[{"map":{"UK":"GB"},"field":"country","name":"country"},
      {"field":"device","name":"device"},{"field":"ad_format","name":"format"}],"version":1}`;
    expect(hashRuleSet(parseRuleSetJson(reordered))).toBe(hashRuleSet(DEFAULT_RULE_SET));
    expect(hashRuleSet(DEFAULT_RULE_SET)).toBe(sha256Hex(ruleSetBody(DEFAULT_RULE_SET)));
    expect(ruleSetBody(DEFAULT_RULE_SET)).toBe(
      '{"dimensions":[{"field":"country","map":{"UK":"GB"},"name":"country"},' +
        '{"field":"device","name":"device"},{"field":"ad_format","name":"format"}],"version":1}',
    );
  });

  test('has another hash when anything in it differs, the order of dimensions included', () => {
    const base = { version: 1, dimensions: [{ name: 'a', field: 'x' }] };
    const hashes = [
      base,
      { version: 1, dimensions: [] },
      { version: 1, dimensions: [{ name: 'b', field: 'x' }] },
      { version: 1, dimensions: [{ name: 'a', field: 'y' }] },
      { version: 1, dimensions: [{ name: 'a', field: 'x', map: {} }] },
      { version: 1, dimensions: [{ name: 'a', field: 'x', map: { __proto: 'q' } }] },
      { version: 1, dimensions: [...base.dimensions, { name: 'c', field: 'z' }] },
      { version: 1, dimensions: [{ name: 'c', field: 'z' }, ...base.dimensions] },
    ].map((body) => hashRuleSet(parseRuleSet(body)));
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('canonical JSON', () => {
  test('writes the example of RFC 8785', () => {
    const example = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(example)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('says the same as the value, and the same for every order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const text = canonicalJson(json as JsonValue);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(json)));
        expect(canonicalJson(reversed(json as JsonValue))).toBe(text);
      }),
    );
  });

  test('has as many bytes as are counted without it', () => {
    const json = fc.jsonValue();
    fc.assert(
      fc.property(
        fc.oneof(json, fc.constantFrom('\ud800', 'é€\u{10ffff}', '\u0000"\\', -0, 1e21)),
        (value) => {
          const text = canonicalJson(value as JsonValue);
          expect(canonicalBytes(value as JsonValue)).toBe(Buffer.byteLength(text));
        },
      ),
    );
  });

  function reversed(json: JsonValue): JsonValue {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map(reversed);
    const entries = Object.entries(json as Record<string, JsonValue>).reverse();
    return Object.fromEntries(entries.map(([key, item]) => [key, reversed(item)]));
  }
});
