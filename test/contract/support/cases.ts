import { MINUTE, SAME, at, click, cutAt, long, text } from './case.js';
import type { Case } from './case.js';
import { CAP_CASES } from './cap-cases.js';
import { CROSS_SCORE_CASES } from './cross-score-cases.js';
import { FILTER_CASES } from './filter-cases.js';
import { HOUR, TOPIC } from './log.js';
import { LOOKUP_CASES } from './lookup-cases.js';
import { NORMALISE_CASES } from './normalise-cases.js';
import { TIME_CASES } from './time-cases.js';
import { FIELD_CASES, VALUE_CASES } from './value-cases.js';

const WHAT_IS_A_CLICK: readonly Case[] = [
  {
    name: 'one click counts once in the total and in every dimension',
    log: [click({ country: 'US', device: 'mobile', ad_format: 'video' })],
    cells: { '|a|0': 1, 'country:US|a|0': 1, 'device:mobile|a|0': 1, 'format:video|a|0': 1 },
    only: true,
  },
  { name: 'an empty log has no cells', log: [], cells: {}, only: true },
  {
    name: 'records that are no clicks count nowhere',
    log: [
      text('not json'),
      text('[]'),
      { value: null },
      { value: Buffer.from([0xff, 0xfe]) },
      click({ timestamp: 'yesterday' }),
      click({ ad_id: '' }),
      click({ event_id: 7 }),
    ],
    cells: {},
    only: true,
  },
  {
    name: 'clicks among records that are none',
    log: [text('{'), click(), { value: null }, click()],
    cells: { '|a|0': 2 },
  },
  {
    name: 'a byte order mark, spaces and the framing of a schema registry before the JSON',
    log: [
      text(`\ufeff{"event_id":"1","ad_id":"a","timestamp":${String(HOUR)}}`),
      text(`  {"event_id":"2","ad_id":"a","timestamp":${String(HOUR)}}\n`),
      {
        value: Buffer.concat([
          Buffer.from([0, 0, 0, 0, 9]),
          Buffer.from(`{"event_id":"3","ad_id":"a","timestamp":${String(HOUR)}}`),
        ]),
      },
    ],
    cells: { '|a|0': 3, 'country:unknown|a|0': 3 },
  },
  {
    name: 'ids of 1,024 bytes count, and longer ones do not',
    log: [
      click({ ad_id: long(1024) }),
      click({ ad_id: long(1025) }),
      click({ event_id: long(1024) }),
      click({ event_id: long(1025) }),
      click({ ad_id: '€'.repeat(341) }),
      click({ ad_id: '€'.repeat(342) }),
    ],
    cells: { [`|${long(1024)}|0`]: 1, '|a|0': 1, [`|${'€'.repeat(341)}|0`]: 1 },
  },
  {
    name: 'five minutes ahead of the append time counts, a millisecond more does not',
    log: [
      { ...click(), appendMs: HOUR - 300_000 },
      { ...click(), appendMs: HOUR - 300_001 },
    ],
    cells: { '|a|0': 1 },
  },
  {
    name: 'of a repeated key the last value is the one',
    log: [
      text(`{"event_id":"1","ad_id":"x","ad_id":"a","timestamp":1,"timestamp":${String(HOUR)},
             "country":"US","country":null,"device":null,"device":"mobile"}`),
    ],
    cells: { '|a|0': 1, 'country:unknown|a|0': 1, 'device:mobile|a|0': 1 },
  },
  {
    name: 'keys and values written with escapes',
    log: [
      text(`{"\\u0065vent_id":"1","ad_id":"\\u0061","timestamp":${String(HOUR)},
             "c\\u006funtry":"\\u0055S","device":"a\\/b"}`),
    ],
    cells: { '|a|0': 1, 'country:US|a|0': 1, 'device:a/b|a|0': 1 },
  },
];

const TIME: readonly Case[] = [
  {
    name: 'the first and the last millisecond of the hour and of a minute',
    log: [
      click({ timestamp: HOUR - 1 }),
      click({ timestamp: HOUR }),
      click({ timestamp: HOUR + MINUTE - 1 }),
      click({ timestamp: HOUR + MINUTE }),
      click({ timestamp: HOUR + 60 * MINUTE - 1 }),
      click({ timestamp: HOUR + 60 * MINUTE }),
    ],
    cells: { '|a|0': 2, '|a|1': 1, '|a|59': 1 },
  },
  {
    name: 'one instant however it is written',
    log: [
      click({ timestamp: '2026-11-01T06:07:00Z' }),
      click({ timestamp: '2026-11-01T06:07:00.000Z' }),
      click({ timestamp: '2026-11-01T08:07:00.5+02:00' }),
      click({ timestamp: '2026-11-01t06:07:59.999999z' }),
      click({ timestamp: '2026-10-31T18:37:00-11:30' }),
      text(`{"event_id":"exp","ad_id":"a","timestamp":${String((HOUR + 7 * MINUTE) / 1e5)}e5}`),
      text(`{"event_id":"dot","ad_id":"a","timestamp":${String(HOUR + 7 * MINUTE)}.0}`),
    ],
    cells: { '|a|7': 7 },
  },
  {
    name: 'times out of order, and other hours in between',
    log: [59, 3, -2, 70, 3, 0, 125, -61, 59].map((minute) =>
      click({ timestamp: HOUR + minute * MINUTE + 5 }),
    ),
    cells: { '|a|0': 1, '|a|3': 2, '|a|59': 2 },
  },
  {
    name: 'the bounds of time: the year 2000 and the year 2099 are other hours',
    log: [
      click({ timestamp: '1999-12-31T23:59:59.999Z' }),
      click({ timestamp: '2000-01-01T00:00:00Z' }),
      click({ timestamp: '2100-01-01T00:00:00Z' }),
      click(),
    ],
    cells: { '|a|0': 1 },
  },
];

const DUPLICATES: readonly Case[] = [
  {
    name: 'a duplicate counts once, whatever else it says',
    log: [
      click({ ...SAME, country: 'US' }),
      click({ ...SAME, country: 'DE', timestamp: HOUR + 5 * MINUTE, extra: [1] }),
      click({ ...SAME, country: 'FR' }),
    ],
    cells: { '|a|0': 1, 'country:US|a|0': 1, 'device:unknown|a|0': 1, 'format:unknown|a|0': 1 },
    only: true,
  },
  {
    name: 'of two duplicates the lower offset is the first, though its event time is later',
    log: [click({ ...SAME, timestamp: HOUR + 9 * MINUTE }), click({ ...SAME, timestamp: HOUR })],
    cells: { '|a|9': 1 },
  },
  {
    name: 'the lower offset is the first, though a broker whose clock steps back took it later',
    log: [
      { ...click({ ...SAME, country: 'US' }), appendMs: HOUR + 9_000 },
      { ...click({ ...SAME, country: 'DE' }), appendMs: HOUR + 2_000 },
    ],
    cells: { 'country:US|a|0': 1 },
  },
  {
    name: 'one id on two ads is two clicks',
    log: [click(SAME), click({ ...SAME, ad_id: 'b' }), click(SAME)],
    cells: { '|a|0': 1, '|b|0': 1 },
  },
  {
    name: 'one id in two hours is two clicks, one in each',
    log: [click(SAME), click({ ...SAME, timestamp: HOUR - 1 }), click(SAME)],
    cells: { '|a|0': 1 },
  },
  {
    name: 'ad and event id do not run into each other',
    log: [
      click({ ad_id: 'a', event_id: 'bc' }),
      click({ ad_id: 'ab', event_id: 'c' }),
      click({ ad_id: 'abc', event_id: ' ' }),
    ],
    cells: { '|a|0': 1, '|ab|0': 1, '|abc|0': 1 },
  },
  {
    name: 'ids that are nearly the same are different',
    log: ['1', '01', '1.0', '1e0', ' 1', '1 ', 'é', 'e\u0301', 'É', '\ufeff1', '\u200b1'].map(
      (id) => click({ event_id: id }),
    ),
    cells: { '|a|0': 11 },
  },
  {
    name: 'one click a thousand times',
    log: Array.from({ length: 1_000 }, () => click(SAME)),
    cells: { '|a|0': 1 },
  },
  {
    name: 'duplicates in different partitions: the first appended is the first',
    log: [
      at(2, click({ ...SAME, country: 'US' })),
      at(0, click({ ...SAME, country: 'DE' })),
      at(1, click({ ...SAME, country: 'FR' })),
    ],
    acrossPartitions: true,
    cells: { '|a|0': 1, 'country:US|a|0': 1, 'device:unknown|a|0': 1, 'format:unknown|a|0': 1 },
    only: true,
  },
  {
    name: 'appended in the same millisecond: the lower topic, then the lower partition is the first',
    log: [
      { ...click({ ...SAME, country: 'US' }), partition: 2, appendMs: HOUR },
      { ...click({ ...SAME, country: 'DE' }), partition: 1, appendMs: HOUR },
      { ...click({ ...SAME, country: 'FR' }), topic: 'Clicks', partition: 9, appendMs: HOUR },
    ],
    cut: [...cutAt(9, 9, 9), { topic: 'Clicks', partition: 9, nextOffset: 9 }],
    acrossPartitions: true,
    cells: { 'country:FR|a|0': 1 },
  },
  {
    name: 'across partitions their first ones are compared, though a clock stepped back after one',
    log: [
      { ...click({ ...SAME, country: 'US' }), appendMs: HOUR + 9_000 },
      { ...click({ ...SAME, country: 'DE' }), appendMs: HOUR + 2_000 },
      { ...click({ ...SAME, country: 'FR' }), partition: 1, appendMs: HOUR + 5_000 },
    ],
    cut: cutAt(9, 9),
    acrossPartitions: true,
    cells: { '|a|0': 1, 'country:FR|a|0': 1 },
  },
];

const CUTS: readonly Case[] = [
  {
    name: 'below the cut counts, at the cut and above does not',
    log: [click(), click(), click(), click()],
    cut: cutAt(2),
    cells: { '|a|0': 2 },
  },
  {
    name: 'each partition has its own cut, and one without counts nothing',
    log: [0, 1, 2, 0, 1, 2, 0, 1, 2].map((partition) => at(partition, click())),
    cut: [
      { topic: TOPIC, partition: 0, nextOffset: 3 },
      { topic: TOPIC, partition: 1, nextOffset: 1 },
    ],
    cells: { '|a|0': 4 },
  },
  {
    name: 'a cut without a partition counts nothing',
    log: [click(), at(1, click())],
    cut: [],
    cells: {},
    only: true,
  },
  {
    name: 'a partition of another topic has another cut',
    log: [click(), { ...click(), topic: 'others' }, { ...click(), topic: 'others' }],
    cut: [...cutAt(5), { topic: 'others', partition: 0, nextOffset: 1 }],
    cells: { '|a|0': 2 },
  },
  {
    name: 'what lies above the cut makes no duplicate of what lies below',
    log: [click({ ...SAME, country: 'US' }), click(), click({ ...SAME, country: 'DE' })],
    cut: cutAt(2),
    cells: { '|a|0': 2, 'country:US|a|0': 1 },
  },
  {
    name: 'the first appended is above the cut of its partition: the second counts',
    log: [at(0, click({ ...SAME, country: 'US' })), at(1, click({ ...SAME, country: 'DE' }))],
    cut: cutAt(0, 5),
    acrossPartitions: true,
    cells: { '|a|0': 1, 'country:DE|a|0': 1 },
  },
  {
    name: 'offsets that start high and have holes',
    log: [
      { ...click(), offset: 9_007_199_254_740_001 },
      { ...click(), offset: 9_007_199_254_740_900 },
      { ...click(), offset: 9_007_199_254_740_990 },
    ],
    cut: cutAt(9_007_199_254_740_990),
    cells: { '|a|0': 2 },
  },
];

export const CASES: readonly Case[] = [
  ...WHAT_IS_A_CLICK,
  ...TIME,
  ...DUPLICATES,
  ...CUTS,
  ...TIME_CASES,
  ...VALUE_CASES,
  ...FIELD_CASES,
  ...NORMALISE_CASES,
  ...LOOKUP_CASES,
  ...FILTER_CASES,
  ...CAP_CASES,
  ...CROSS_SCORE_CASES,
];
