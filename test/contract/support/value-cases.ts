import { DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import { MINUTE, click, country, long, rules, text } from './case.js';
import type { Case } from './case.js';
import { HOUR } from './log.js';

const MANY_SHORT = Array.from({ length: 200 }, (_, i) => String(1_000 + i)).flatMap((four) => [
  ...[`${four}efgh`, `abcd${four}`, `abcdefgh${four}`],
]);

/** What a dimension's value is. */
export const VALUE_CASES: readonly Case[] = [
  {
    name: 'absent, null and "" are unknown; what is no usable text is other',
    log: [
      click(),
      click({ country: null }),
      click({ country: '' }),
      click({ country: 7 }),
      click({ country: true }),
      click({ country: ['US'] }),
      click({ country: { country: 'US' } }),
      click({ country: 'a\u0000b' }),
      click({ country: 'a\tb' }),
      click({ country: '\u0085' }),
      text(`{"event_id":"s","ad_id":"a","timestamp":${String(HOUR)},"country":"\\ud800"}`),
    ],
    cells: { 'country:unknown|a|0': 3, 'country:other|a|0': 8 },
  },
  {
    name: 'a value that reads unknown or other shares their cell',
    log: [
      click(),
      click({ country: 'unknown' }),
      click({ country: 'other' }),
      click({ country: 1 }),
    ],
    cells: { 'country:unknown|a|0': 2, 'country:other|a|0': 2 },
  },
  {
    name: 'many short values that differ in four bytes only',
    log: MANY_SHORT.map((device) => click({ device })),
    cells: Object.fromEntries(MANY_SHORT.map((device) => [`device:${device}|a|0`, 1])),
  },
  {
    name: 'a value of 256 bytes is one, a longer one is other',
    log: [
      click({ country: long(256) }),
      click({ country: long(257) }),
      click({ country: '€'.repeat(85) }),
      click({ country: '€'.repeat(86) }),
      click({ country: long(100_000) }),
    ],
    cells: {
      [`country:${long(256)}|a|0`]: 1,
      [`country:${'€'.repeat(85)}|a|0`]: 1,
      'country:other|a|0': 3,
    },
  },
  {
    name: 'a map is applied once, and not to what it gave',
    ruleSet: country({ UK: 'GB', GB: 'X', u: 'unknown', o: 'other' }),
    log: ['UK', 'GB', 'uk', 'u', 'o', undefined].map((value) => click({ country: value })),
    cells: {
      'country:GB|a|0': 1,
      'country:X|a|0': 1,
      'country:uk|a|0': 1,
      'country:unknown|a|0': 2,
      'country:other|a|0': 1,
    },
  },
  {
    name: 'two values that a map joins share a cell',
    log: [click({ country: 'UK' }), click({ country: 'GB' }), click({ country: 'UK' })],
    cells: { 'country:GB|a|0': 3 },
  },
  {
    name: 'names of object members mean nothing special, as keys of a map and as values',
    ruleSet: country(JSON.parse('{"__proto__":"P","toString":"T"}') as Record<string, string>),
    log: ['__proto__', 'toString', 'constructor', 'hasOwnProperty'].map((value) =>
      click({ country: value }),
    ),
    cells: {
      'country:P|a|0': 1,
      'country:T|a|0': 1,
      'country:constructor|a|0': 1,
      'country:hasOwnProperty|a|0': 1,
    },
  },
  {
    name: 'texts that mean something to SQL, to paths and to formats are only texts',
    log: ["'); drop table combos; --", '%s', '\\', '"', '$1', '{}', 'null', 'NaN', 'a:b', ';'].map(
      (value) => click({ ad_id: value, country: value, device: value }),
    ),
    cells: {
      "|'); drop table combos; --|0": 1,
      "country:'); drop table combos; --|'); drop table combos; --|0": 1,
      '|\\|0': 1,
      'device:a:b|a:b|0': 1,
      'country:null|null|0': 1,
    },
  },
  {
    name: 'texts that begin with U+FEFF, end with a space, or are only that',
    log: ['\ufeff', '\ufeffbom', 'bom', ' ', 'bom ', '\ufffe', '\uffff', '\ufffd', '\u200b'].map(
      (value) => click({ ad_id: value, country: value }),
    ),
    cells: {
      '|\ufeff|0': 1,
      'country:\ufeffbom|\ufeffbom|0': 1,
      'country:bom|bom|0': 1,
      '| |0': 1,
      '|bom |0': 1,
    },
  },
  {
    name: 'the order of cells is that of UTF-8 bytes, not of UTF-16 units',
    log: ['\uff5a', '\u{1d4b3}', 'z', 'Z', '\ue000', 'é', 'z\u0301'].map((value) =>
      click({ ad_id: value, country: value }),
    ),
    cells: { '|\u{1d4b3}|0': 1, 'country:\uff5a|\uff5a|0': 1 },
  },
];

/** Where a dimension's value is found. */
export const FIELD_CASES: readonly Case[] = [
  {
    name: 'a rule set without dimensions has only totals',
    ruleSet: rules(),
    log: [click({ country: 'US' }), click()],
    cells: { '|a|0': 2 },
    only: true,
  },
  {
    name: 'fields without a column of their own',
    ruleSet: rules({ name: 'campaign', field: 'campaign', map: { c: 'C' } }),
    log: [
      click({ campaign: 'c' }),
      click({ campaign: 'd', other: { deep: [1, 2, { campaign: 'no' }] } }),
      click({ nested: { campaign: 'no' } }),
      click({ campaign: 5 }),
      click({ campaign: '' }),
      click({ campaign: long(257) }),
      click({ note: '"campaign":"no"', z: 1 }),
      click(),
    ],
    cells: {
      'campaign:C|a|0': 1,
      'campaign:d|a|0': 1,
      'campaign:unknown|a|0': 4,
      'campaign:other|a|0': 2,
    },
  },
  {
    name: 'a column that some records leave to rest',
    ruleSet: rules({ name: 'who', field: 'user_id' }, { name: 'ip', field: 'ip' }),
    log: [
      click({ user_id: 'u', ip: '10.0.0.1' }),
      click({ user_id: 12, ip: null }),
      click({ user_id: 'a\u0001', ip: { v: 4 }, deep: { user_id: 'u' } }),
      click({ deep: { user_id: 'u', ip: '10.0.0.1' } }),
    ],
    cells: {
      'who:u|a|0': 1,
      'who:other|a|0': 2,
      'who:unknown|a|0': 1,
      'ip:10.0.0.1|a|0': 1,
      'ip:unknown|a|0': 2,
      'ip:other|a|0': 1,
    },
  },
  {
    name: 'fields with names that mean something elsewhere',
    ruleSet: rules(
      { name: 'proto', field: '__proto__' },
      { name: 'ctor', field: 'constructor' },
      { name: 'quote', field: 'x"; drop table cells; --\'' },
      { name: 'slash', field: 'a\\b/c' },
      { name: 'rest', field: 'rest' },
      { name: 'filter', field: 'filter' },
      { name: 'topic', field: 'topic' },
      { name: 'wide', field: 'größe 📏' },
    ),
    log: [
      text(`{"event_id":"1","ad_id":"a","timestamp":${String(HOUR)},"__proto__":"p",
             "constructor":"c","x\\"; drop table cells; --'":"q","a\\\\b\\/c":"s","rest":"r",
             "filter":"f","topic":"t","gr\\u00f6\\u00dfe \\ud83d\\udccf":"w"}`),
      click({ deep: { constructor: 'no' } }),
    ],
    cells: {
      'proto:p|a|0': 1,
      'proto:unknown|a|0': 1,
      'ctor:c|a|0': 1,
      'ctor:unknown|a|0': 1,
      'quote:q|a|0': 1,
      'slash:s|a|0': 1,
      'rest:r|a|0': 1,
      'filter:f|a|0': 1,
      'topic:t|a|0': 1,
      'wide:w|a|0': 1,
    },
  },
  {
    name: 'sixteen dimensions',
    ruleSet: rules(
      ...Array.from({ length: 16 }, (_, i) => ({ name: `d${String(i)}`, field: `f${String(i)}` })),
    ),
    log: [click({ f0: 'x', f15: 'y' }), click({ f7: 1 })],
    cells: {
      '|a|0': 2,
      'd0:x|a|0': 1,
      'd15:y|a|0': 1,
      'd7:other|a|0': 1,
      'd3:unknown|a|0': 2,
    },
  },
  {
    name: 'every kind of unknown member is kept out of the counts',
    log: [
      click({ a: null, b: [], c: {}, d: 1e300, e: -0, f: '\ud800', g: 'US', country: 'DE' }),
      text(`{"event_id":"n","ad_id":"a","timestamp":${String(HOUR)},"big":123456789012345678901}`),
    ],
    cells: { '|a|0': 2, 'country:DE|a|0': 1, 'country:unknown|a|0': 1 },
  },
  {
    name: 'many ads, minutes and values at once',
    ruleSet: DEFAULT_RULE_SET,
    log: Array.from({ length: 600 }, (_, i) =>
      click({
        ad_id: `ad-${String(i % 7)}`,
        timestamp: HOUR + (i % 60) * MINUTE,
        country: ['US', 'UK', 'GB', undefined][i % 4],
        device: i % 5,
      }),
    ),
    cells: { '|ad-0|0': 2, 'country:GB|ad-1|1': 2, 'device:other|ad-6|6': 2 },
  },
];
