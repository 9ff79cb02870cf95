import type { RuleSet } from '../../../core/rules/rule-set.js';
import { MINUTE, SAME, at, click, clicksOf, cutAt, filters, long, ruled, text } from './case.js';
import type { Case } from './case.js';
import { HOUR } from './log.js';

const NO_AGENT = { reason: 'no_agent', when: [{ field: 'user_agent', missing: true }] } as const;
const BOT = { reason: 'bot', when: [{ field: 'user_agent', matches: '(?i)bot' }] } as const;
const BOT_RULES: RuleSet = filters(BOT);
const bot = (fields: object = {}) => click({ user_agent: 'bot', ...fields });

/** What the conditions hold of. */
const CONDITIONS: readonly Case[] = [
  {
    name: 'missing is absent, null and "", not what is unusable or reads unknown',
    ruleSet: filters(NO_AGENT),
    log: [click(), ...clicksOf('user_agent', null, '', 7, 'a\u0000', 'unknown', 'other', ' ')],
    cells: { '|a|0': 5 },
    filteredBy: { no_agent: { 0: 3 } },
    only: true,
  },
  {
    name: 'unknown and other can be in a list, and mean what they are counted as',
    ruleSet: filters(
      { reason: 'nowhere', when: [{ field: 'country', in: ['XX', 'unknown'] }] },
      { reason: 'broken', when: [{ field: 'country', in: ['other'] }] },
    ),
    log: clicksOf('country', null, '', 'unknown', 'XX', 7, 'other', '\u0000', 'US', 'xx', 'XX '),
    cells: { '|a|0': 3 },
    filteredBy: { nowhere: { 0: 4 }, broken: { 0: 3 } },
    only: true,
  },
  {
    name: 'a pattern holds of no click without a text, even one that finds nothing',
    ruleSet: filters({ reason: 'any', when: [{ field: 'user_agent', matches: '^$|^.*$' }] }),
    log: clicksOf('user_agent', null, '', 7, 'x', ' ', 'x'.repeat(4096), 'x'.repeat(4097)),
    cells: { '|a|0': 4 },
    filteredBy: { any: { 0: 3 } },
    only: true,
  },
  {
    name: 'a user agent of thousands of bytes is searched to its end',
    ruleSet: BOT_RULES,
    log: clicksOf('user_agent', `${long(4093)}BoT`, `${long(4094)}BoT`, `${'é'.repeat(2046)}bot`),
    cells: { '|a|0': 1 },
    filteredBy: { bot: { 0: 2 } },
  },
  {
    name: 'addresses within blocks, of IPv4 and IPv6, at their borders',
    ruleSet: filters({
      reason: 'data_centre',
      when: [{ field: 'ip', within: ['198.51.100.0/25', '2001:db8::/33', '203.0.113.7'] }],
    }),
    log: clicksOf(
      'ip',
      ...['198.51.100.0', '198.51.100.127', '::ffff:198.51.100.5', '203.0.113.7', '2001:db8::'],
      '2001:db8:7fff:ffff::',
      ...['198.51.99.255', '198.51.100.128', '203.0.113.6', '203.0.113.8', '2001:db8:8000::'],
      ...['no', '', null, 7, '198.51.100.5 '],
    ),
    cells: { '|a|0': 10 },
    filteredBy: { data_centre: { 0: 6 } },
  },
  {
    name: 'of several conditions all have to hold',
    ruleSet: filters({
      reason: 'odd',
      when: [
        { field: 'country', in: ['US', 'GB'] },
        { field: 'user_agent', matches: '^curl/' },
        { field: 'user_id', missing: true },
      ],
    }),
    log: [
      click({ country: 'US', user_agent: 'curl/8' }),
      click({ country: 'GB', user_agent: 'curl/7', user_id: '' }),
      click({ country: 'GB', user_agent: 'curl/7', user_id: 'u' }),
      click({ country: 'DE', user_agent: 'curl/8' }),
      click({ country: 'US', user_agent: 'lib curl/8' }),
      click({ country: 'US' }),
    ],
    cells: { '|a|0': 4 },
    filteredBy: { odd: { 0: 2 } },
  },
  {
    name: 'a condition on a value: what a table says of the address, after all steps',
    ruleSet: ruled({
      tables: {
        nets: {
          key: 'ip',
          columns: ['kind', 'country'],
          rows: [
            ['198.51.100.0/24', 'hosting', 'US'],
            ['203.0.113.0/24', '', 'DE'],
          ],
        },
      },
      values: [
        { name: 'kind', field: 'ip', trim: true, lookup: { table: 'nets', column: 'kind' } },
      ],
      dimensions: [{ name: 'country', field: 'ip', lookup: { table: 'nets', column: 'country' } }],
      filters: [
        { reason: 'hosting', when: [{ value: 'kind', in: ['hosting'] }] },
        {
          reason: 'nowhere',
          when: [
            { value: 'kind', missing: true },
            { value: 'country', missing: true },
          ],
        },
      ],
    }),
    log: clicksOf('ip', '198.51.100.1', ' 198.51.100.2', '203.0.113.9', '192.0.2.1', null, 7),
    cells: { '|a|0': 2, 'country:DE|a|0': 1, 'country:other|a|0': 1 },
    filteredBy: { hosting: { 0: 2 }, nowhere: { 0: 2 } },
    only: true,
  },
  {
    name: 'a condition on a field is on its text as it is, whatever a dimension makes of it',
    ruleSet: ruled({
      dimensions: [{ name: 'country', field: 'country', map: { UK: 'GB' } }],
      filters: [
        { reason: 'raw', when: [{ field: 'country', in: ['UK'] }] },
        { reason: 'made', when: [{ value: 'country', in: ['GB'] }] },
      ],
    }),
    log: clicksOf('country', 'UK', 'GB', 'GB', 'DE'),
    cells: { '|a|0': 1, 'country:DE|a|0': 1 },
    filteredBy: { raw: { 0: 1 }, made: { 0: 2 } },
    only: true,
  },
  {
    name: 'a field over 256 bytes is a text to conditions, and other as a dimension',
    ruleSet: ruled({
      dimensions: [{ name: 'agent', field: 'user_agent' }],
      filters: [
        {
          reason: 'made',
          when: [
            { value: 'agent', in: ['other'] },
            { field: 'x', missing: true },
          ],
        },
        { reason: 'raw', when: [{ field: 'user_agent', matches: 'x' }] },
      ],
    }),
    log: [
      click({ user_agent: long(257) }),
      click({ user_agent: long(257), x: 'y' }),
      click({ user_agent: long(4097), x: 'y' }),
    ],
    cells: { '|a|0': 1, 'agent:other|a|0': 1 },
    filteredBy: { made: { 0: 1 }, raw: { 0: 1 } },
    only: true,
  },
  {
    name: 'a condition on the ad takes out all of its clicks: it has no cell',
    ruleSet: ruled({
      dimensions: [{ name: 'country', field: 'country' }],
      filters: [
        { reason: 'test_ad', when: [{ field: 'ad_id', matches: '^test-' }] },
        { reason: 'old_ad', when: [{ field: 'ad_id', in: ['b', 'unknown'] }] },
      ],
    }),
    log: ['test-1', 'b', 'a', 'test-1', 'c-test-', 'unknown'].map((ad_id) => click({ ad_id })),
    cells: {
      '|a|0': 1,
      'country:unknown|a|0': 1,
      '|c-test-|0': 1,
      'country:unknown|c-test-|0': 1,
    },
    filteredBy: { test_ad: { 0: 2 }, old_ad: { 0: 2 } },
    only: true,
  },
];

/** What becomes of the clicks that filters take out. */
const BOOKS: readonly Case[] = [
  {
    name: 'the reason is the first filter that holds, in the order of the rule set',
    ruleSet: filters(
      { reason: 'b', when: [{ field: 'x', matches: 'b' }] },
      { reason: 'a', when: [{ field: 'x', matches: 'a' }] },
      { reason: 'c', when: [{ field: 'x', matches: 'c' }] },
    ),
    log: clicksOf('x', 'abc', 'ac', 'c', 'ab', 'bc', 'd'),
    cells: { '|a|0': 1 },
    filteredBy: { b: { 0: 3 }, a: { 0: 1 }, c: { 0: 1 } },
  },
  {
    name: 'two filters with one reason are added up',
    ruleSet: filters(
      { reason: 'bot', when: [{ field: 'x', matches: 'bot' }] },
      { reason: 'other', when: [{ field: 'x', matches: 'b' }] },
      { reason: 'bot', when: [{ field: 'x', matches: 's' }] },
    ),
    log: clicksOf('x', 'bot', 'bs', 's', 'ss', 'd'),
    cells: { '|a|0': 1 },
    filteredBy: { bot: { 0: 3 }, other: { 0: 1 } },
  },
  {
    name: 'reasons, values and dimensions with names of object members',
    ruleSet: ruled({
      values: [{ name: 'valueof', field: 'x', case: 'lower' }],
      dimensions: [{ name: 'constructor', value: 'valueof' }],
      filters: [
        { reason: 'constructor', when: [{ value: 'constructor', in: ['a'] }] },
        { reason: 'prototype', when: [{ value: 'valueof', in: ['b'] }] },
      ],
    }),
    log: clicksOf('x', 'A', 'B', 'C', 'constructor'),
    cells: { '|a|0': 2, 'constructor:c|a|0': 1, 'constructor:constructor|a|0': 1 },
    filteredBy: { constructor: { 0: 1 }, prototype: { 0: 1 } },
    only: true,
  },
  {
    name: 'clicks of one combination, counted and filtered by what is no dimension',
    ruleSet: ruled({ filters: [BOT], dimensions: [{ name: 'country', field: 'country' }] }),
    log: [
      bot({ country: 'US' }),
      click({ country: 'US' }),
      click({ country: 'US', user_agent: 'Mozilla' }),
      bot({ country: 'US' }),
      bot({ country: 'DE' }),
    ],
    cells: { '|a|0': 2, 'country:US|a|0': 2 },
    filteredBy: { bot: { 0: 3 } },
    only: true,
  },
  {
    name: 'filtered clicks are in the books of their minutes and of their hour',
    ruleSet: BOT_RULES,
    log: [-1, 0, MINUTE - 1, MINUTE, 59 * MINUTE, 60 * MINUTE - 1, 60 * MINUTE].map((ms) =>
      bot({ timestamp: HOUR + ms }),
    ),
    cells: {},
    filteredBy: { bot: { 0: 2, 1: 1, 59: 2 } },
    only: true,
  },
  {
    name: 'of equal clicks the first is filtered: the second is a duplicate, whatever it says',
    ruleSet: BOT_RULES,
    log: [bot(SAME), click(SAME), bot(SAME), click()],
    cells: { '|a|0': 1 },
    duplicate: { 0: 2 },
    filteredBy: { bot: { 0: 1 } },
  },
  {
    name: 'of equal clicks the first counts: the second is a duplicate, and not filtered',
    ruleSet: BOT_RULES,
    log: [click(SAME), bot({ ...SAME, timestamp: HOUR + MINUTE }), bot()],
    cells: { '|a|0': 1 },
    duplicate: { 1: 1 },
    filteredBy: { bot: { 0: 1 } },
  },
  {
    name: 'across partitions, too, the first is filtered and the second is a duplicate',
    ruleSet: BOT_RULES,
    log: [at(2, bot(SAME)), at(0, click(SAME)), at(1, bot(SAME)), at(1, click())],
    acrossPartitions: true,
    cells: { '|a|0': 1 },
    duplicate: { 0: 2 },
    filteredBy: { bot: { 0: 1 } },
  },
  {
    name: 'at and above the cut nothing is filtered',
    ruleSet: BOT_RULES,
    log: [bot(), click(), bot(), click(), bot(SAME)],
    cut: cutAt(2),
    cells: { '|a|0': 1 },
    filteredBy: { bot: { 0: 1 } },
  },
  {
    name: 'the first of equal clicks is filtered in another hour: each hour has its own',
    ruleSet: BOT_RULES,
    log: [bot({ ...SAME, timestamp: HOUR - 1 }), click(SAME), bot(SAME)],
    cells: { '|a|0': 1 },
    duplicate: { 0: 1 },
    filteredBy: {},
  },
  {
    name: 'what is no click is quarantined, whatever the filters say',
    ruleSet: filters(NO_AGENT),
    log: [text('{}'), { value: null }, click({ ad_id: '' }), click({ timestamp: 'soon' }), click()],
    cells: {},
    only: true,
    filteredBy: { no_agent: { 0: 1 } },
  },
  {
    name: 'all conditions come before all caps, wherever they stand',
    ruleSet: filters({ reason: 'often', cap: { field: 'user_id', max: 1 } }, BOT),
    log: [bot({ user_id: 'u' }), click({ user_id: 'u' }), bot({ user_id: 'u' })].concat(
      click({ user_id: 'u' }),
    ),
    cells: { '|a|0': 1 },
    filteredBy: { bot: { 0: 2 }, often: { 0: 1 } },
  },
];

/** Clicks that are not counted, and why. */
export const FILTER_CASES: readonly Case[] = [...CONDITIONS, ...BOOKS];
