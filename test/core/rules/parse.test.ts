import { describe, expect, test } from 'vitest';
import { parseRuleSet, parseRuleSetJson } from '../../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import { refusal } from './refusal.js';

const value = (extra: object) => ({ name: 'v', field: 'f', ...extra });
const ofField = (extra: object) => ({
  version: 1,
  dimensions: [{ name: 'a', field: 'f', ...extra }],
});
const ofSource = (source: object) => ({
  version: 1,
  values: [value({}), { name: 'w', field: 'f' }],
  dimensions: [{ name: 'a', ...source }],
});
const ofTable = (table: unknown, name = 't') => ({
  version: 1,
  tables: { [name]: table },
  dimensions: [],
});
const ofRows = (key: string, ...rows: unknown[]) => ofTable({ key, columns: ['c', 'd'], rows });
const ofFilter = (filter: unknown) => ({ version: 1, filters: [filter], dimensions: [] });
const ofCondition = (condition: unknown) => ofFilter({ reason: 'r', when: [condition] });
const ofScore = (score: object) =>
  ofSource({
    score: { terms: [{ value: 'v', weights: {} }], levels: [], otherwise: 'x', ...score },
  });
const TERMS = 'dimensions[0].score.terms';
const many = (n: number) => Array.from({ length: n }, (_, i) => String(i));

function expectRefused(body: unknown, message: string): void {
  const error = refusal(() => parseRuleSet(body));
  expect(error.code).toBe('invalid_rule_set');
  expect(error.message).toContain(`invalid rule set: ${message}`);
  const { place, reason } = error.context as { place: string; reason: string };
  expect(error.message).toBe(`invalid rule set: ${place} ${reason}`);
}

describe('a rule set is refused, with place and reason,', () => {
  test.each<[unknown, string]>([
    [[], 'the rule set must be an object'],
    [null, 'the rule set must be an object'],
    [{ dimensions: [] }, 'version must be 1'],
    [{ version: 2, dimensions: [] }, 'version must be 1'],
    [{ version: '1', dimensions: [] }, 'version must be 1'],
    [{ version: 1 }, 'dimensions is missing'],
    [{ version: 1, dimensions: {} }, 'dimensions must be an array'],
    [{ version: 1, dimensions: [], rules: [] }, 'the rule set has an unknown key "rules"'],
    [{ version: 1, dimensions: [3] }, 'dimensions[0] must be an object'],
    [{ version: 1, dimensions: Array.from({ length: 17 }) }, 'dimensions has 17, at most 16 fit'],
    [{ version: 1, values: many(65), dimensions: [] }, 'values has 65, at most 64 fit'],
    [{ version: 1, filters: many(65), dimensions: [] }, 'filters has 65, at most 64 fit'],
    [{ version: 1, values: {}, dimensions: [] }, 'values must be an array'],
    [{ version: 1, values: null, dimensions: [] }, 'values must be an array'],
    [{ version: 1, filters: {}, dimensions: [] }, 'filters must be an array'],
    [{ version: 1, tables: [], dimensions: [] }, 'tables must be an object'],
  ])('as a whole: %.60j', expectRefused);

  test.each<[unknown, string]>([
    [ofField({ name: 'A' }), 'dimensions[0].name must match'],
    [ofField({ name: 'a:b' }), 'dimensions[0].name must match'],
    [ofField({ name: 'a'.repeat(33) }), 'dimensions[0].name must match'],
    [ofField({ name: '1a' }), 'dimensions[0].name must match'],
    [ofField({ name: undefined }), 'dimensions[0].name must match'],
    [ofField({ field: '' }), 'dimensions[0].field must be a string of 1 to 128 characters'],
    [ofField({ field: 'x'.repeat(129) }), 'dimensions[0].field must be a string of 1 to 128'],
    [ofField({ field: 3 }), 'dimensions[0].field must be a string'],
    [ofField({ field: 'f\0' }), 'dimensions[0].field must hold no control characters'],
    [ofField({ field: '\ud800' }), 'dimensions[0].field must hold no control characters'],
    [ofField({ field: 'event_id' }), 'dimensions[0].field must not be event_id'],
    [ofField({ field: 'timestamp' }), 'dimensions[0].field must not be timestamp'],
    [ofField({ field: 'ad_id' }), 'dimensions[0].field is ad_id, which needs a lookup'],
    [ofField({ value: 'b' }), 'dimensions[0] must have one of field, value, first, cross, score;'],
    [ofField({ field: undefined }), 'dimensions[0] must have one of field, value, first, cross'],
  ])('for the name and the field of a value: %.80j', expectRefused);

  test.each<[unknown, string]>([
    [ofField({ maps: {} }), 'dimensions[0] has an unknown key "maps"'],
    [ofField({ trim: false }), 'dimensions[0].trim must be true, or left out'],
    [ofField({ trim: 'yes' }), 'dimensions[0].trim must be true, or left out'],
    [ofField({ case: 'title' }), 'dimensions[0].case must be one of lower, upper'],
    [ofField({ unknown: 'n/a' }), 'dimensions[0].unknown must be an array'],
    [ofField({ unknown: [] }), 'dimensions[0].unknown needs 1 or more'],
    [ofField({ unknown: ['a', ''] }), 'dimensions[0].unknown[1] must be 1 to 256 bytes'],
    [ofField({ unknown: many(10_001) }), 'dimensions[0].unknown has 10001, at most 10000 fit'],
    [ofField({ map: [] }), 'dimensions[0].map must be an object'],
    [ofField({ map: { UK: 1 } }), 'dimensions[0].map["UK"] must be 1 to 256 bytes'],
    [ofField({ map: { UK: '' } }), 'dimensions[0].map["UK"] must be 1 to 256 bytes'],
    [ofField({ map: { UK: 'x'.repeat(257) } }), 'dimensions[0].map["UK"] must be'],
    [ofField({ map: { '': 'x' } }), 'dimensions[0].map[""] as a key must be'],
    [ofField({ map: { 'a\ud800': 'x' } }), 'dimensions[0].map["a\\ud800"] as a key must be'],
    [
      ofField({ map: Object.fromEntries(many(10_001).map((k) => [k, k])) }),
      'dimensions[0].map has',
    ],
    [ofField({ match: [] }), 'dimensions[0].match needs 1 or more'],
    [ofField({ match: Array.from({ length: 101 }) }), 'dimensions[0].match has 101, at most 100'],
    [ofField({ match: ['a'] }), 'dimensions[0].match[0] must be an object'],
    [ofField({ match: [{ pattern: 'a' }] }), 'dimensions[0].match[0].as must be 1 to 256 bytes'],
    [ofField({ match: [{ as: 'a' }] }), 'dimensions[0].match[0].pattern must be a pattern of 1'],
    [
      ofField({ match: [{ pattern: 'a', as: 'a', x: 1 }] }),
      'dimensions[0].match[0] has an unknown',
    ],
    [ofField({ match: [{ pattern: '(?=a)', as: 'a' }] }), 'dimensions[0].match[0].pattern is no'],
    [ofField({ match: [{ pattern: '(a)\\1', as: 'a' }] }), 'dimensions[0].match[0].pattern is no'],
    [
      ofField({ match: [{ pattern: 'a\u0000b', as: 'a' }] }),
      'dimensions[0].match[0].pattern must hold no control characters or lone surrogates',
    ],
    [
      ofField({ match: [{ pattern: 'a'.repeat(1001), as: 'a' }] }),
      'dimensions[0].match[0].pattern',
    ],
    [ofField({ maxBytes: 0 }), 'dimensions[0].maxBytes must be a whole number from 1 to 256'],
    [ofField({ maxBytes: 257 }), 'dimensions[0].maxBytes must be a whole number from 1 to 256'],
    [ofField({ maxBytes: 1.5 }), 'dimensions[0].maxBytes must be a whole number'],
    [ofField({ maxBytes: '9' }), 'dimensions[0].maxBytes must be a whole number'],
    [ofField({ lookup: 't' }), 'dimensions[0].lookup must be an object'],
    [ofField({ lookup: { table: 't' } }), 'dimensions[0].lookup.column must match'],
    [ofField({ lookup: { table: 't', column: 'c', x: 1 } }), 'dimensions[0].lookup has an unknown'],
    [ofField({ lookup: { table: 't', column: 'c' } }), 'dimensions[0].lookup.table names t, which'],
  ])('for the steps of a value: %.80j', expectRefused);

  test.each<[unknown, string]>([
    [ofSource({ value: 'x' }), 'dimensions[0].value names x, which is no value before it'],
    [ofSource({ value: 'a' }), 'dimensions[0].value names a, which is no value before it'],
    [ofSource({ value: 'toString' }), 'dimensions[0].value must match'],
    [
      ofSource({ value: 'constructor' }),
      'dimensions[0].value names constructor, which is no value',
    ],
    [ofSource({ first: 'v' }), 'dimensions[0].first must be an array'],
    [ofSource({ first: [] }), 'dimensions[0].first needs 1 or more'],
    [ofSource({ first: ['v', 'x'] }), 'dimensions[0].first[1] names x, which is no value'],
    [ofSource({ first: Array(17).fill('v') }), 'dimensions[0].first has 17, at most 16 fit'],
    [ofSource({ cross: ['v'] }), 'dimensions[0].cross needs 2 or more'],
    [ofSource({ cross: ['v', 'x'] }), 'dimensions[0].cross[1] names x, which is no value'],
    [ofSource({ score: [] }), 'dimensions[0].score must be an object'],
    [ofScore({ terms: [] }), `${TERMS} needs 1 or more`],
    [
      ofScore({ terms: Array(17).fill({ value: 'v', weights: {} }) }),
      `${TERMS} has 17, at most 16`,
    ],
    [ofScore({ terms: [{ value: 'x', weights: {} }] }), `${TERMS}[0].value names x, which is no`],
    [ofScore({ terms: [{ value: 'v' }] }), `${TERMS}[0].weights must be an object`],
    [ofScore({ terms: [{ value: 'v', weights: { '': 1 } }] }), `${TERMS}[0].weights[""] as a key`],
    [
      ofScore({ terms: [{ value: 'v', weights: { x: 0.5 } }] }),
      `${TERMS}[0].weights["x"] must be a`,
    ],
    [
      ofScore({ terms: [{ value: 'v', weights: { x: 1e12 + 1 } }] }),
      `${TERMS}[0].weights["x"] must`,
    ],
    [
      ofScore({ terms: [{ value: 'v', weights: {}, otherwise: NaN }] }),
      `${TERMS}[0].otherwise must`,
    ],
    [ofScore({ bias: -1e13 }), 'dimensions[0].score.bias must be a whole number'],
    [ofScore({ levels: [{ atLeast: 1 }] }), 'dimensions[0].score.levels[0].as must be 1 to 256'],
    [
      ofScore({ levels: [{ atLeast: 1e14, as: 'x' }] }),
      'dimensions[0].score.levels[0].atLeast must',
    ],
    [
      ofScore({ levels: [1, 1].map((atLeast) => ({ atLeast, as: 'x' })) }),
      'dimensions[0].score.levels[1].atLeast must be below that of the level before',
    ],
    [ofScore({ otherwise: undefined }), 'dimensions[0].score.otherwise must be 1 to 256 bytes'],
    [ofScore({ weights: {} }), 'dimensions[0].score has an unknown key "weights"'],
  ])('for what a value is made of: %.80j', expectRefused);

  test.each<[unknown, string]>([
    [ofTable([]), 'tables["t"] must be an object'],
    [ofTable({ key: 'text', columns: ['c'], rows: [] }, 'T'), 'tables["T"] as a name must match'],
    [ofTable({ key: 'cidr', columns: ['c'], rows: [] }), 'tables["t"].key must be one of text, ip'],
    [ofTable({ key: 'text', columns: [], rows: [] }), 'tables["t"].columns needs 1 or more'],
    [ofTable({ key: 'text', columns: ['C'], rows: [] }), 'tables["t"].columns[0] must match'],
    [ofTable({ key: 'text', columns: ['c'], rows: {} }), 'tables["t"].rows must be an array'],
    [ofTable({ key: 'text', columns: ['c'], rows: [], x: 1 }), 'tables["t"] has an unknown key'],
    [ofRows('text', ['a', 'b']), 'tables["t"].rows[0] must be an array of a key and 2 texts'],
    [ofRows('text', 'abc'), 'tables["t"].rows[0] must be an array of a key and 2 texts'],
    [ofRows('text', ['a', '', 7]), 'tables["t"].rows[0][2] must be 1 to 256 bytes'],
    [ofRows('text', ['a', 'x'.repeat(257), '']), 'tables["t"].rows[0][1] must be 1 to 256 bytes'],
    [ofRows('text', ['', 'x', '']), 'tables["t"].rows[0][0] must be 1 to 4096 bytes'],
    [ofRows('text', ['é'.repeat(2049), 'x', '']), 'tables["t"].rows[0][0] must be 1 to 4096 bytes'],
    [ofRows('text', ['a\t', 'x', '']), 'tables["t"].rows[0][0] must be 1 to 4096 bytes'],
    [ofRows('text', ['a', '', ''], ['a', 'x', '']), 'tables["t"].rows[1] repeats the key "a" of'],
    [ofRows('ip', ['10.0.0.1/8', 'x', '']), 'tables["t"].rows[0][0] must be an address or a CIDR'],
    [ofRows('ip', ['10.0.0.0/8', '', ''], ['10.0.0.0/8', '', '']), 'tables["t"].rows[1] repeats'],
  ])('for a table: %.80j', expectRefused);

  test.each([
    ['10.0.0.0/8', '::ffff:10.0.0.0/104'],
    ['10.0.0.1', '10.0.0.1/32'],
    ['2001:db8::/32', '2001:DB8:0:0::/32'],
    ['2001:db8::1', '2001:0db8::0001/128'],
    ['0.0.0.0/0', '::FFFF:0:0/96'],
  ])('for one block written as %s and as %s: both rows are named', (one, other) => {
    const rows = [
      ['192.0.2.0/24', '', ''],
      [one, 'a', ''],
      [other, 'b', ''],
    ];
    expectRefused(
      ofRows('ip', ...rows),
      `tables["t"].rows[2] repeats the key "${other}" of tables["t"].rows[1], where it is "${one}"`,
    );
    expect(() => parseRuleSet(ofRows('text', ...rows))).not.toThrow();
  });

  test('for a column that its table names twice, with both places', () => {
    expectRefused(
      ofTable({ key: 'text', columns: ['kind', 'place', 'kind'], rows: [] }),
      'tables["t"].columns[2] repeats the column "kind" of tables["t"].columns[0]',
    );
  });

  test.each<[unknown, string]>([
    [ofFilter([]), 'filters[0] must be an object'],
    [ofFilter({ when: [] }), 'filters[0].reason must match'],
    [ofFilter({ reason: 'r' }), 'filters[0] must have one of when, cap; it has none'],
    [
      ofFilter({ reason: 'r', when: [{ field: 'f', missing: true }], cap: { field: 'f', max: 1 } }),
      'filters[0] must have one of when, cap; it has when and cap',
    ],
    [ofFilter({ reason: 'r', when: [] }), 'filters[0].when needs 1 or more'],
    [ofFilter({ reason: 'r', when: many(17) }), 'filters[0].when has 17, at most 16 fit'],
    [ofFilter({ reason: 'r', unless: [] }), 'filters[0] has an unknown key "unless"'],
    [ofFilter({ reason: 'r', cap: { field: 'f' } }), 'filters[0].cap.max must be a whole number'],
    [ofFilter({ reason: 'r', cap: { field: 'f', max: 0 } }), 'filters[0].cap.max must be a whole'],
    [ofFilter({ reason: 'r', cap: { field: 'f', max: 1e6 + 1 } }), 'filters[0].cap.max must be a'],
    [
      ofFilter({ reason: 'r', cap: { field: 'ad_id', max: 1 } }),
      'filters[0].cap.field must not be',
    ],
    [ofFilter({ reason: 'r', cap: { field: 'f', max: 1, by: 'x' } }), 'filters[0].cap has an unkn'],
    [ofCondition('f'), 'filters[0].when[0] must be an object'],
    [
      ofCondition({ missing: true }),
      'filters[0].when[0] must have one of field, value; it has none',
    ],
    [
      ofCondition({ field: 'f' }),
      'filters[0].when[0] must have one of in, matches, within, missing',
    ],
    [
      ofCondition({ field: 'f', in: ['a'], missing: true }),
      'filters[0].when[0] must have one of in',
    ],
    [ofCondition({ field: 'f', in: [] }), 'filters[0].when[0].in needs 1 or more'],
    [ofCondition({ field: 'f', in: [7] }), 'filters[0].when[0].in[0] must be 1 to 256 bytes'],
    [ofCondition({ field: 'f', missing: false }), 'filters[0].when[0].missing must be true'],
    [ofCondition({ field: 'f', matches: '' }), 'filters[0].when[0].matches must be a pattern of 1'],
    [ofCondition({ field: 'f', matches: '[\ud800]' }), 'filters[0].when[0].matches must hold no'],
    [ofCondition({ field: 'f', matches: '[' }), 'filters[0].when[0].matches is no pattern in RE2'],
    [ofCondition({ field: 'f', within: '::/0' }), 'filters[0].when[0].within must be an array'],
    [
      ofCondition({ field: 'f', within: ['::1/0'] }),
      'filters[0].when[0].within[0] must be an addr',
    ],
    [
      ofCondition({ field: 'event_id', missing: true }),
      'filters[0].when[0].field must not be event',
    ],
    [
      ofCondition({ value: 'v', missing: true }),
      'filters[0].when[0].value names v, which is no val',
    ],
    [
      ofCondition({ field: 'f', not: true, missing: true }),
      'filters[0].when[0] has an unknown key',
    ],
  ])('for a filter: %.80j', expectRefused);

  test('for a name that comes twice, among values and dimensions', () => {
    const two = (values: object[], dimensions: object[]) => ({ version: 1, values, dimensions });
    const [a, b] = [
      { name: 'a', field: 'x' },
      { name: 'b', field: 'x' },
    ];
    expectRefused(two([], [a, a]), 'dimensions[1].name repeats "a" of dimensions[0]');
    expectRefused(two([a, b, a], []), 'values[2].name repeats "a" of values[0]');
    expectRefused(two([a], [b, a]), 'dimensions[1].name repeats "a" of values[0]');
    expect(() => parseRuleSet(two([], [a, b]))).not.toThrow();
  });

  test('for a column that its table does not have', () => {
    const body = {
      version: 1,
      tables: { t: { key: 'text', columns: ['c', 'd'], rows: [] } },
      dimensions: [{ name: 'a', field: 'f', lookup: { table: 't', column: 'e' } }],
    };
    expectRefused(body, 'dimensions[0].lookup.column names e; t has c, d');
  });

  test('for values that grow with each other beyond what a click may cost', () => {
    const cross = (i: number) => Array<string>(10).fill(`v${String(i - 1)}`);
    const values = [0, 1, 2, 3].map((i) =>
      i === 0 ? { name: 'v0', field: 'f' } : { name: `v${String(i)}`, cross: cross(i) },
    );
    expectRefused({ version: 1, values, dimensions: [] }, 'values[3] is made of more than 1000');
    expect(() =>
      parseRuleSet({ version: 1, values: values.slice(0, 3), dimensions: [] }),
    ).not.toThrow();
  });

  test('above 64 MiB in all, with the place of its largest part', () => {
    const rows = many(16_500).map((n) => [n.padEnd(4_090, 'x'), '', '']);
    expectRefused(ofRows('text', ...rows), 'tables["t"] has 67');
  });

  test('if it is not JSON', () => {
    expect(refusal(() => parseRuleSetJson('{')).message).toContain('the rule set is not JSON');
  });
});

describe('a rule set that is not refused', () => {
  test('is what was given', () => {
    expect(parseRuleSetJson(JSON.stringify(DEFAULT_RULE_SET))).toEqual(DEFAULT_RULE_SET);
  });

  test('may count one field in several ways, and be empty', () => {
    const fields = [
      { name: 'a', field: 'x' },
      { name: 'b', field: 'x', trim: true },
    ];
    expect(parseRuleSet({ version: 1, dimensions: fields }).dimensions).toEqual(fields);
    expect(parseRuleSet({ version: 1, dimensions: [] }).dimensions).toEqual([]);
  });

  test('keeps a key __proto__ as a key', () => {
    const body = '{"version":1,"dimensions":[{"name":"a","field":"f","map":{"__proto__":"x"}}]}';
    const [dimension] = parseRuleSetJson(body).dimensions;
    expect(Object.entries(dimension!.map!)).toEqual([['__proto__', 'x']]);
  });
});
