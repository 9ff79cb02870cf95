import type { Score, Value } from '../../../core/rules/rule-set.js';
import { click, clicksOf, long, ruled, rules, text } from './case.js';
import type { Case } from './case.js';
import { HOUR } from './log.js';

const A: Value = { name: 'a', field: 'a' };
const B: Value = { name: 'b', field: 'b' };
const ab = (a: unknown, b: unknown) => click({ a, b });
/** Dimension `level` of a score over the fields a and b. */
const scored = (score: Score) => ruled({ values: [A, B], dimensions: [{ name: 'level', score }] });
/** What most weights and levels may be. */
const BIG = 1e12;

/** More than a flush of the stream holds, and some of them in each. */
const PAIRS = Array.from({ length: 60 }, (_, i) => {
  const turn = Math.floor(i / 10);
  return [`a${String((i * (turn + 1)) % 4)}`, `b${String((i + turn) % 3)}`] as const;
});

const CROSSED: readonly Case[] = [
  {
    name: 'two values together, over several flushes',
    ruleSet: ruled({ values: [A, B], dimensions: [{ name: 'ab', cross: ['a', 'b'] }] }),
    log: PAIRS.map(([a, b]) => ab(a, b)),
    cells: Object.fromEntries(
      PAIRS.map(([a, b]) => [
        `ab:${a}×${b}|a|0`,
        PAIRS.filter((other) => other[0] === a && other[1] === b).length,
      ]),
    ),
  },
  {
    name: 'two values together, and the parts that a click does not say',
    ruleSet: ruled({ values: [A, B], dimensions: [{ name: 'ab', cross: ['a', 'b'] }] }),
    log: [
      ab('US', 'mobile'),
      ab('US', null),
      ab(null, 'mobile'),
      ab(7, ''),
      ab('', []),
      ab('other', null),
    ],
    cells: {
      '|a|0': 6,
      'ab:US×mobile|a|0': 1,
      'ab:US×unknown|a|0': 1,
      'ab:unknown×mobile|a|0': 1,
      'ab:other×unknown|a|0': 2,
      'ab:unknown×other|a|0': 1,
    },
    only: true,
  },
  {
    name: 'values that hold the sign between them stay apart',
    ruleSet: ruled({ values: [A, B], dimensions: [{ name: 'ab', cross: ['a', 'b'] }] }),
    log: [
      ab('x×y', 'z'),
      ab('x', 'y×z'),
      ab('x\\', 'y'),
      ab('x', '\\×y'),
      ab('x\\×', 'y'),
      ab('×', '×'),
    ],
    cells: {
      '|a|0': 6,
      'ab:x\\×y×z|a|0': 1,
      'ab:x×y\\×z|a|0': 1,
      'ab:x\\\\×y|a|0': 1,
      'ab:x×\\\\\\×y|a|0': 1,
      'ab:x\\\\\\××y|a|0': 1,
      'ab:\\××\\×|a|0': 1,
    },
    only: true,
  },
  {
    name: 'together over 256 bytes they are other, unless steps make them shorter',
    ruleSet: ruled({
      values: [A, B],
      dimensions: [
        { name: 'ab', cross: ['a', 'b'] },
        { name: 'm', cross: ['a', 'b'], match: [{ pattern: '×y+$', as: 'y' }] },
        { name: 'short', cross: ['a', 'b'], maxBytes: 4 },
      ],
    }),
    log: [
      ab(long(127), 'y'.repeat(127)),
      ab(long(128), 'y'.repeat(127)),
      ab('x', 'y'),
      ab('xx', 'y'),
    ],
    cells: {
      [`ab:${long(127)}×${'y'.repeat(127)}|a|0`]: 1,
      'ab:other|a|0': 1,
      'm:y|a|0': 4,
      'short:x×y|a|0': 1,
      'short:other|a|0': 3,
    },
  },
  {
    name: 'a cross of a cross and of dimensions, with a map of its own',
    ruleSet: ruled({
      dimensions: [
        { name: 'country', field: 'country', case: 'upper', map: { UK: 'GB' } },
        { name: 'device', field: 'device' },
        { name: 'both', cross: ['country', 'device'], map: { 'GB×mobile': 'home' } },
        { name: 'all', cross: ['both', 'country'] },
      ],
    }),
    log: [click({ country: 'uk', device: 'mobile' }), click({ country: 'de' })],
    cells: {
      '|a|0': 2,
      'country:GB|a|0': 1,
      'country:DE|a|0': 1,
      'device:mobile|a|0': 1,
      'device:unknown|a|0': 1,
      'both:home|a|0': 1,
      'both:DE×unknown|a|0': 1,
      'all:home×GB|a|0': 1,
      'all:DE\\×unknown×DE|a|0': 1,
    },
    only: true,
  },
  {
    name: 'a cross is never unknown, not even of parts that all are',
    ruleSet: ruled({
      values: [A, B, { name: 'ab', cross: ['a', 'b'] }],
      dimensions: [{ name: 'x', first: ['ab', 'a'] }],
      filters: [
        { reason: 'none', when: [{ value: 'ab', missing: true }] },
        { reason: 'text', when: [{ value: 'ab', in: ['unknown×unknown'] }] },
      ],
    }),
    log: [ab(null, null), ab('x', null)],
    cells: { '|a|0': 1, 'x:x×unknown|a|0': 1 },
    filteredBy: { text: { 0: 1 } },
    only: true,
  },
];

const FIRSTS: readonly Case[] = [
  {
    name: 'the first value that is not unknown: other is one, and so is a text that reads unknown',
    ruleSet: ruled({ values: [A, B], dimensions: [{ name: 'x', first: ['a', 'b'] }] }),
    log: [
      ab('A', 'B'),
      ab(null, 'B'),
      ab('', 'B'),
      ab(7, 'B'),
      ab('unknown', 'B'),
      ab(null, 7),
      ab(null, null),
      click(),
    ],
    cells: { '|a|0': 8, 'x:A|a|0': 1, 'x:B|a|0': 2, 'x:other|a|0': 2, 'x:unknown|a|0': 3 },
    only: true,
  },
  {
    name: 'a table first, then the field, then another field',
    ruleSet: ruled({
      tables: {
        ads: {
          key: 'text',
          columns: ['country'],
          rows: [
            ['a', 'DE'],
            ['b', ''],
          ],
        },
      },
      values: [
        { name: 'ad_country', field: 'ad_id', lookup: { table: 'ads', column: 'country' } },
        { name: 'said', field: 'country', unknown: ['XX'] },
        { name: 'guess', field: 'locale', match: [{ pattern: '_FR$', as: 'FR' }] },
      ],
      dimensions: [
        { name: 'country', first: ['ad_country', 'said', 'guess'], map: { FR: 'France' } },
      ],
    }),
    log: [
      click({ country: 'US' }),
      click({ ad_id: 'b', country: 'US', locale: 'fr_FR' }),
      click({ ad_id: 'b', country: 'XX', locale: 'fr_FR' }),
      click({ ad_id: 'c', country: 'XX', locale: 'fr_CA' }),
      click({ ad_id: 'c', country: ['US'], locale: 'fr_FR' }),
    ],
    cells: {
      'country:DE|a|0': 1,
      'country:US|b|0': 1,
      'country:France|b|0': 1,
      'country:unknown|c|0': 1,
      'country:other|c|0': 1,
    },
  },
];

const SCORES: readonly Case[] = [
  {
    name: 'a score is the sum of weights, and the first level that it reaches',
    ruleSet: scored({
      bias: -1,
      terms: [
        { value: 'a', weights: { x: 3, y: -2 }, otherwise: 1 },
        { value: 'b', weights: { x: 4 } },
      ],
      levels: [
        { atLeast: 6, as: 'high' },
        { atLeast: 2, as: 'middle' },
        { atLeast: -3, as: 'low' },
      ],
      otherwise: 'none',
    }),
    log: [
      ab('x', 'x'), // 6
      ab('x', 'y'), // 2
      ab('z', 'x'), // 4
      ab('z', 'z'), // 0
      ab('y', 'x'), // 1
      ab('y', 'y'), // -3
    ],
    cells: { '|a|0': 6, 'level:high|a|0': 1, 'level:middle|a|0': 2, 'level:low|a|0': 3 },
    only: true,
  },
  {
    name: 'unknown and other have weights, and are not what otherwise is for if they have one',
    ruleSet: scored({
      terms: [
        { value: 'a', weights: { unknown: 10, other: 20 }, otherwise: 1 },
        { value: 'b', weights: {}, otherwise: 100 },
      ],
      levels: [
        { atLeast: 120, as: 'other' },
        { atLeast: 110, as: 'unknown' },
        { atLeast: 101, as: 'text' },
      ],
      otherwise: 'none',
    }),
    log: [ab(null, 1), ab(7, 1), ab('', null), ab('unknown', 'x'), ab('other', 'x'), ab('x', 'y')],
    cells: { 'level:unknown|a|0': 3, 'level:other|a|0': 2, 'level:text|a|0': 1 },
  },
  {
    name: 'sums of great weights are exact to the last unit',
    ruleSet: ruled({
      values: [A, B],
      dimensions: [
        {
          name: 'level',
          score: {
            bias: BIG,
            terms: [
              ...Array.from({ length: 14 }, () => ({ value: 'a', weights: { x: BIG, y: -BIG } })),
              { value: 'b', weights: { one: 1, minus: -1 }, otherwise: 0 },
            ],
            levels: [
              { atLeast: 15 * BIG + 1, as: 'above' },
              { atLeast: 15 * BIG, as: 'at' },
              { atLeast: 15 * BIG - 1, as: 'below' },
              { atLeast: -13 * BIG + 1, as: 'above_least' },
              { atLeast: -13 * BIG, as: 'at_least' },
            ],
            otherwise: 'under',
          },
        },
      ],
    }),
    log: [
      ...[ab('x', 'one'), ab('x', null), ab('x', 'minus')],
      ...[ab('y', 'one'), ab('y', null), ab('y', 'minus')],
    ],
    cells: {
      'level:above|a|0': 1,
      'level:at|a|0': 1,
      'level:below|a|0': 1,
      'level:above_least|a|0': 1,
      'level:at_least|a|0': 1,
      'level:under|a|0': 1,
    },
  },
  {
    name: 'weights of texts with names of object members, and a score without levels',
    ruleSet: ruled({
      values: [A],
      dimensions: [
        {
          name: 'level',
          score: {
            terms: [
              {
                value: 'a',
                weights: JSON.parse('{"__proto__":1,"constructor":2}') as Record<string, number>,
              },
            ],
            levels: [
              { atLeast: 2, as: 'c' },
              { atLeast: 1, as: 'p' },
            ],
            otherwise: 'no',
          },
        },
        {
          name: 'same',
          score: { terms: [{ value: 'a', weights: {} }], levels: [], otherwise: 'x' },
        },
      ],
    }),
    log: clicksOf('a', 'constructor', 'toString', null, 7).concat(
      text(`{"event_id":"p","ad_id":"a","timestamp":${String(HOUR)},"a":"__proto__"}`),
    ),
    cells: { 'level:c|a|0': 1, 'level:p|a|0': 1, 'level:no|a|0': 3, 'same:x|a|0': 5 },
  },
  {
    name: 'a score of what tables and patterns say takes clicks out',
    ruleSet: ruled({
      tables: { nets: { key: 'ip', columns: ['kind'], rows: [['10.0.0.0/8', 'hosting']] } },
      values: [
        { name: 'kind', field: 'ip', lookup: { table: 'nets', column: 'kind' } },
        { name: 'agent', field: 'user_agent', match: [{ pattern: '(?i)curl|bot', as: 'tool' }] },
        {
          name: 'risk',
          score: {
            terms: [
              { value: 'kind', weights: { hosting: 60 } },
              { value: 'agent', weights: { tool: 50, unknown: 5 } },
            ],
            levels: [
              { atLeast: 100, as: 'invalid' },
              { atLeast: 50, as: 'suspect' },
            ],
            otherwise: 'fine',
          },
        },
      ],
      filters: [{ reason: 'invalid', when: [{ value: 'risk', in: ['invalid'] }] }],
      dimensions: [{ name: 'risk_level', value: 'risk', case: 'upper' }],
    }),
    log: [
      click({ ip: '10.0.0.1', user_agent: 'Googlebot' }),
      click({ ip: '10.0.0.1', user_agent: 'Mozilla' }),
      click({ ip: '11.0.0.1', user_agent: 'curl' }),
      click({ ip: '11.0.0.1', user_agent: 'Mozilla' }),
      click({}),
    ],
    cells: { '|a|0': 4, 'risk_level:SUSPECT|a|0': 2, 'risk_level:FINE|a|0': 2 },
    filteredBy: { invalid: { 0: 1 } },
    only: true,
  },
  {
    name: 'sixteen dimensions, each made of the one before',
    ruleSet: rules(
      A,
      ...Array.from({ length: 15 }, (_, i) => ({
        name: `d${String(i)}`,
        value: i === 0 ? 'a' : `d${String(i - 1)}`,
        map: { [`x${String(i)}`]: `x${String(i + 1)}` },
      })),
    ),
    log: clicksOf('a', 'x0', 'x7', null),
    cells: {
      'a:x0|a|0': 1,
      'd0:x1|a|0': 1,
      'd14:x15|a|0': 2,
      'd6:x7|a|0': 2,
      'd7:x8|a|0': 2,
      'd14:unknown|a|0': 1,
    },
  },
];

/** Values that are made of several others. */
export const CROSS_SCORE_CASES: readonly Case[] = [...CROSSED, ...FIRSTS, ...SCORES];
