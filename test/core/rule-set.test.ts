import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldValue } from '../../core/click/click.js';
import { TruecountError } from '../../core/errors.js';
import { canonicalJson, sha256Hex } from '../../core/rules/canonical-json.js';
import type { JsonValue } from '../../core/rules/canonical-json.js';
import { parseFilter } from '../../core/rules/filter.js';
import { parseRuleSet, parseRuleSetJson } from '../../core/rules/parse.js';
import {
  DEFAULT_RULE_SET,
  fieldsOf,
  filterOf,
  filtersOf,
  hashRuleSet,
  ruleSetBody,
} from '../../core/rules/rule-set.js';

function refusal(run: () => unknown): TruecountError {
  try {
    run();
  } catch (error) {
    if (error instanceof TruecountError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const value = (text: string): FieldValue => ({ kind: 'value', text });
const dimension = (extra: object): unknown => ({
  version: 1,
  dimensions: [{ name: 'a', field: 'f', ...extra }],
});

describe('a rule set', () => {
  test('by default counts country, device and format', () => {
    expect(parseRuleSetJson(JSON.stringify(DEFAULT_RULE_SET))).toEqual(DEFAULT_RULE_SET);
    expect(fieldsOf(DEFAULT_RULE_SET)).toEqual(['country', 'device', 'ad_format']);
  });

  test('may have no dimension: then a click has its total only', () => {
    expect(filtersOf([], parseRuleSet({ version: 1, dimensions: [] }))).toEqual(['']);
  });

  test.each<[unknown, string]>([
    [[], 'the rule set must be an object'],
    [null, 'the rule set must be an object'],
    [{ dimensions: [] }, 'version must be 1'],
    [{ version: 2, dimensions: [] }, 'version must be 1'],
    [{ version: 1 }, 'dimensions must be an array'],
    [{ version: 1, dimensions: [], filters: [] }, 'has an unknown key "filters"'],
    [{ version: 1, dimensions: [3] }, 'dimensions[0] must be an object'],
    [{ version: 1, dimensions: Array.from({ length: 17 }) }, 'dimensions has 17, at most 16 fit'],
    [dimension({ name: 'A' }), 'dimensions[0].name must match'],
    [dimension({ name: 'a:b' }), 'dimensions[0].name must match'],
    [dimension({ name: 'a'.repeat(33) }), 'dimensions[0].name must match'],
    [dimension({ name: '1a' }), 'dimensions[0].name must match'],
    [dimension({ field: '' }), 'dimensions[0].field must be a string'],
    [dimension({ field: 3 }), 'dimensions[0].field must be a string'],
    [dimension({ field: 'f\0' }), 'dimensions[0].field must hold no control characters'],
    [dimension({ field: 'event_id' }), 'dimensions[0].field must not be event_id'],
    [dimension({ maps: {} }), 'dimensions[0] has an unknown key "maps"'],
    [dimension({ map: [] }), 'dimensions[0].map must be an object'],
    [dimension({ map: { UK: 1 } }), 'dimensions[0].map["UK"] must be 1 to 256 bytes'],
    [dimension({ map: { UK: '' } }), 'dimensions[0].map["UK"] must be 1 to 256 bytes'],
    [dimension({ map: { UK: 'x'.repeat(257) } }), 'dimensions[0].map["UK"] must be'],
    [dimension({ map: { '': 'x' } }), 'dimensions[0].map key "" must be'],
    [dimension({ map: { 'a\ud800': 'x' } }), 'dimensions[0].map key "a\\ud800" must be'],
  ])('like %.60j is refused, with place and reason', (body, message) => {
    const error = refusal(() => parseRuleSet(body));
    expect(error.code).toBe('invalid_rule_set');
    expect(error.message).toContain(message);
  });

  test('with a name or a field twice is refused', () => {
    const two = (a: object, b: object): unknown => ({ version: 1, dimensions: [a, b] });
    const names = two({ name: 'a', field: 'x' }, { name: 'a', field: 'y' });
    const fields = two({ name: 'a', field: 'x' }, { name: 'b', field: 'x' });
    expect(refusal(() => parseRuleSet(names)).message).toContain('dimensions[1].name repeats "a"');
    expect(refusal(() => parseRuleSet(fields)).message).toContain('dimensions[1].field repeats');
  });

  test('that is not JSON is refused', () => {
    expect(refusal(() => parseRuleSetJson('{')).code).toBe('invalid_rule_set');
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

describe('the filter of a field value', () => {
  const country = { name: 'country', field: 'country', map: { UK: 'GB', GB: 'XX' } };

  test.each<[FieldValue, string]>([
    [value('US'), 'country:US'],
    [value('UK'), 'country:GB'],
    [value('GB'), 'country:XX'],
    [value('a:b'), 'country:a:b'],
    [value('toString'), 'country:toString'],
    [value('__proto__'), 'country:__proto__'],
    [{ kind: 'absent' }, 'country:unknown'],
    [value('unknown'), 'country:unknown'],
    [{ kind: 'other' }, 'country:other'],
    [value('other'), 'country:other'],
  ])('%j is %s', (field, expected) => {
    expect(filterOf(country, field)).toBe(expected);
  });

  test('follows a map whose key is __proto__', () => {
    const body = '{"version":1,"dimensions":[{"name":"a","field":"f","map":{"__proto__":"x"}}]}';
    const ruleSet = parseRuleSetJson(body);
    expect(filtersOf([value('__proto__')], ruleSet)).toEqual(['', 'a:x']);
    expect(ruleSetBody(ruleSet)).toContain('"map":{"__proto__":"x"}');
  });

  test('stands after the total in the filters of a click, one per dimension', () => {
    expect(
      filtersOf([value('UK'), { kind: 'absent' }, { kind: 'other' }], DEFAULT_RULE_SET),
    ).toEqual(['', 'country:GB', 'device:unknown', 'format:other']);
  });
});

describe('a filter given as text', () => {
  test('is split at its first colon', () => {
    expect(parseFilter('country:US')).toEqual({ dimension: 'country', value: 'US' });
    expect(parseFilter('os:iOS:17 é')).toEqual({ dimension: 'os', value: 'iOS:17 é' });
  });

  test.each(['', 'country', ':US', 'country:', 'Country:US', 'a b:c', 'a:\0', 'a:\ud800'])(
    '%j is refused',
    (text) => {
      const error = refusal(() => parseFilter(text));
      expect(error.code).toBe('invalid_argument');
      expect(error.hint).toContain('country:US');
    },
  );

  test('with a value of 257 bytes is refused, without repeating all of it', () => {
    const error = refusal(() => parseFilter(`a:${'x'.repeat(100_000)}`));
    expect(error.message.length).toBeLessThan(300);
  });

  test('reads back every filter that a click can have', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(text, (raw) => {
        const filter = filterOf({ name: 'country', field: 'x' }, value(raw));
        expect(parseFilter(filter)).toEqual({ dimension: 'country', value: raw });
      }),
    );
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

  function reversed(json: JsonValue): JsonValue {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map(reversed);
    const entries = Object.entries(json as Record<string, JsonValue>).reverse();
    return Object.fromEntries(entries.map(([key, item]) => [key, reversed(item)]));
  }
});
