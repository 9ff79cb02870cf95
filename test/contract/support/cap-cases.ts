import type { Cap, RuleSet } from '../../../core/rules/rule-set.js';
import { MINUTE, SAME, at, click, clicksOf, cutAt, filters, long, ruled } from './case.js';
import type { Case } from './case.js';
import { HOUR } from './log.js';

const capped = (max: number, field = 'user_id'): { reason: string; cap: Cap } => ({
  reason: 'often',
  cap: { field, max },
});
const by = (user_id: unknown, fields: object = {}) => click({ user_id, ...fields });
const minute = (n: number, ms = 0) => ({ timestamp: HOUR + n * MINUTE + ms });

/** Which clicks are counted together. */
const GROUPS: readonly Case[] = [
  {
    name: 'the first two of a user pass a cap of two',
    ruleSet: filters(capped(2)),
    log: [by('u'), by('u'), by('v'), by('u'), by('u'), by('v')],
    cells: { '|a|0': 4 },
    filteredBy: { often: { 0: 2 } },
    only: true,
  },
  {
    name: 'a cap is per ad and per text, to the letter',
    ruleSet: filters(capped(1)),
    log: [
      ...['u', 'U', 'u ', '\ufeffu', 'é', 'e\u0301', 'u'].map((user) => by(user)),
      by('u', { ad_id: 'b' }),
      by('b:u', { ad_id: 'a' }),
      by('u', { ad_id: 'a:b' }),
    ],
    cells: { '|a|0': 7, '|b|0': 1, '|a:b|0': 1 },
    filteredBy: { often: { 0: 1 } },
    only: true,
  },
  {
    name: 'a cap begins anew in each minute of the event, in whatever order they come',
    ruleSet: filters(capped(1)),
    log: [
      by('u', minute(1)),
      by('u', minute(0, MINUTE - 1)),
      by('u', minute(1, 1)),
      by('u', minute(0)),
      by('u', minute(59)),
      by('u', minute(60)),
      by('u', minute(-1)),
      by('u', minute(59, MINUTE - 1)),
    ],
    cells: { '|a|0': 1, '|a|1': 1, '|a|59': 1 },
    filteredBy: { often: { 0: 1, 1: 1, 59: 1 } },
    only: true,
  },
  {
    name: 'so do several caps on one field, each with numbers of its own',
    ruleSet: filters(capped(1), { reason: 'very_often', cap: { field: 'user_id', max: 2 } }),
    log: [0, 1, 1, 2, 2, 2, 3].map((n) => by('u', minute(n))),
    cells: { '|a|0': 1, '|a|1': 1, '|a|2': 1, '|a|3': 1 },
    filteredBy: { often: { 1: 1, 2: 2 } },
    only: true,
  },
  {
    name: 'the same minute of another hour is another minute',
    ruleSet: filters(capped(1)),
    log: [-1, 0, 1, 0, -24, 24].map((hours) => by('u', { timestamp: HOUR + hours * 60 * MINUTE })),
    cells: { '|a|0': 1 },
    filteredBy: { often: { 0: 1 } },
    only: true,
  },
  {
    name: 'a cap is per partition, and per topic',
    ruleSet: filters(capped(1)),
    log: [
      at(0, by('u')),
      at(1, by('u')),
      at(0, by('u')),
      { ...by('u'), topic: 'others' },
      at(1, by('u')),
      { ...by('u'), topic: 'others' },
      at(1, by('u')),
    ],
    cells: { '|a|0': 3 },
    filteredBy: { often: { 0: 4 } },
    only: true,
  },
  {
    name: 'a click without a text in the field is not capped',
    ruleSet: filters(capped(1)),
    log: clicksOf(
      'user_id',
      null,
      '',
      null,
      7,
      7,
      ['u'],
      'a\u0000',
      'a\u0000',
      'unknown',
      'unknown',
    ),
    cells: { '|a|0': 9 },
    filteredBy: { often: { 0: 1 } },
  },
  {
    name: 'a text of up to 4,096 bytes is capped, a longer one is none',
    ruleSet: filters(capped(1)),
    log: clicksOf('user_id', long(4096), long(4096), long(4097), long(4097), long(300), long(300)),
    cells: { '|a|0': 4 },
    filteredBy: { often: { 0: 2 } },
  },
  {
    name: 'a cap on a field that is a dimension, and on one without a column',
    ruleSet: ruled({
      filters: [capped(1, 'country'), { reason: 'session', cap: { field: 'session', max: 1 } }],
      dimensions: [{ name: 'country', field: 'country', case: 'upper' }],
    }),
    log: [
      click({ country: 'us', session: 's' }),
      click({ country: 'US', session: 't' }),
      click({ country: 'us', session: 'r' }),
      click({ country: 'DE', session: 's' }),
      click({ session: 'q' }),
      click({}),
    ],
    cells: { '|a|0': 4, 'country:US|a|0': 2, 'country:unknown|a|0': 2 },
    filteredBy: { often: { 0: 1 }, session: { 0: 1 } },
    only: true,
  },
];

/** Which of them are the first. */
const ORDER: readonly Case[] = [
  {
    name: 'the first of a cap are those with the lowest offsets, whatever the times of append',
    ruleSet: ruled({
      filters: [capped(1)],
      dimensions: [{ name: 'country', field: 'country' }],
    }),
    log: [
      { ...by('u', { country: 'US' }), appendMs: HOUR + 9_000 },
      { ...by('u', { country: 'DE' }), appendMs: HOUR + 2_000 },
      { ...by('u', { country: 'FR' }), appendMs: HOUR + 5_000 },
    ],
    cells: { '|a|0': 1, 'country:US|a|0': 1 },
    filteredBy: { often: { 0: 2 } },
    only: true,
  },
  {
    name: 'nor do the times of the events matter, but for their minute',
    ruleSet: ruled({
      filters: [capped(2)],
      dimensions: [{ name: 'country', field: 'country' }],
    }),
    log: [
      by('u', { country: 'US', ...minute(3, 9_000) }),
      by('u', { country: 'DE', ...minute(3, 1_000) }),
      by('u', { country: 'FR', ...minute(3) }),
    ],
    cells: { '|a|3': 2, 'country:US|a|3': 1, 'country:DE|a|3': 1 },
    filteredBy: { often: { 3: 1 } },
    only: true,
  },
  {
    name: 'partitions that were appended in turns have each their own first',
    ruleSet: ruled({ filters: [capped(1)], dimensions: [{ name: 'n', field: 'n' }] }),
    log: [
      at(1, by('u', { n: 'b1' })),
      at(0, by('u', { n: 'a1' })),
      at(0, by('v', { n: 'a2' })),
      at(1, by('u', { n: 'b2' })),
      at(0, by('u', { n: 'a3' })),
      at(1, by('v', { n: 'b3' })),
    ],
    cells: { 'n:a1|a|0': 1, 'n:a2|a|0': 1, 'n:b1|a|0': 1, 'n:b3|a|0': 1, '|a|0': 4 },
    filteredBy: { often: { 0: 2 } },
    only: true,
  },
  {
    name: 'offsets that start high and have holes are in order all the same',
    ruleSet: ruled({ filters: [capped(1)], dimensions: [{ name: 'n', field: 'n' }] }),
    log: [
      { ...by('u', { n: '1' }), offset: 9_007_199_254_740_001 },
      { ...by('u', { n: '2' }), offset: 9_007_199_254_740_900 },
      { ...by('u', { n: '3' }), offset: 9_007_199_254_740_990 },
    ],
    cells: { '|a|0': 1, 'n:1|a|0': 1 },
    filteredBy: { often: { 0: 2 } },
    only: true,
  },
  {
    name: 'a thousand clicks of one user in two minutes',
    ruleSet: filters(capped(3)),
    log: Array.from({ length: 1_000 }, (_, i) => by('u', minute(i % 2))),
    cells: { '|a|0': 3, '|a|1': 3 },
    filteredBy: { often: { 0: 497, 1: 497 } },
    only: true,
  },
];

/** Which clicks count for a cap. */
const COUNTED: readonly Case[] = [
  {
    name: 'a duplicate is none to a cap, and one of a capped click is a duplicate',
    ruleSet: filters(capped(2)),
    log: [
      by('u', SAME),
      by('u', SAME),
      by('v', SAME),
      by('u'),
      by('u', { event_id: 'third' }),
      by('w', { event_id: 'third' }),
    ],
    cells: { '|a|0': 2 },
    duplicate: { 0: 3 },
    filteredBy: { often: { 0: 1 } },
  },
  {
    name: 'a click whose first is in another partition is none to the cap of its own',
    ruleSet: filters(capped(1)),
    log: [at(0, by('u', SAME)), at(1, by('u', SAME)), at(1, by('u')), at(1, by('u'))],
    acrossPartitions: true,
    cells: { '|a|0': 2 },
    duplicate: { 0: 1 },
    filteredBy: { often: { 0: 1 } },
  },
  {
    name: 'a click that a condition takes out is none to a cap',
    ruleSet: filters(capped(1), { reason: 'bot', when: [{ field: 'user_agent', in: ['bot'] }] }),
    log: [
      by('u', { user_agent: 'bot' }),
      by('u', { user_agent: 'bot' }),
      by('u'),
      by('u', { user_agent: 'bot' }),
      by('u'),
    ],
    cells: { '|a|0': 1 },
    filteredBy: { bot: { 0: 3 }, often: { 0: 1 } },
  },
  {
    name: 'late clicks, at or above the cut, are none to a cap, and not capped',
    ruleSet: filters(capped(1)),
    log: [by('u'), at(1, by('u')), at(1, by('u')), by('u'), at(1, by('u')), by('u')],
    cut: cutAt(1, 2),
    cells: { '|a|0': 2 },
    filteredBy: { often: { 0: 1 } },
  },
  {
    name: 'a click above one cap is one to the others',
    ruleSet: filters(
      { reason: 'user', cap: { field: 'user_id', max: 1 } },
      { reason: 'address', cap: { field: 'ip', max: 2 } },
    ),
    log: [
      by('u', { ip: 'i' }),
      by('u', { ip: 'i' }),
      by('v', { ip: 'i' }),
      by('v', { ip: 'j' }),
      by('w', { ip: 'j' }),
      by('w', { ip: 'j' }),
    ],
    cells: { '|a|0': 2 },
    filteredBy: { user: { 0: 3 }, address: { 0: 1 } },
  },
  {
    name: 'above two caps the reason is the first of them',
    ruleSet: filters(
      { reason: 'address', cap: { field: 'ip', max: 2 } },
      { reason: 'user', cap: { field: 'user_id', max: 1 } },
      { reason: 'user_again', cap: { field: 'user_id', max: 1 } },
    ),
    log: Array.from({ length: 5 }, () => by('u', { ip: 'i' })),
    cells: { '|a|0': 1 },
    filteredBy: { address: { 0: 3 }, user: { 0: 1 } },
  },
  {
    name: 'each of a hundred users has a count of his own, however they alternate',
    ruleSet: filters(capped(2)),
    log: [
      ...Array.from({ length: 200 }, (_, i) => by(`user-${String(Math.floor(i / 2))}`)),
      ...Array.from({ length: 100 }, (_, i) => by(`user-${String(i)}`)),
    ],
    cells: { '|a|0': 200 },
    filteredBy: { often: { 0: 100 } },
  },
  {
    name: 'a cap that no one reaches takes nothing out',
    ruleSet: filters(capped(1_000_000)),
    log: Array.from({ length: 50 }, () => by('u')),
    cells: { '|a|0': 50 },
    filteredBy: {},
    only: true,
  },
  {
    name: 'a capped click is in no cell of its own values either',
    ruleSet: ruled({
      values: [{ name: 'found', field: 'user_agent', match: [{ pattern: 'iPhone', as: 'phone' }] }],
      dimensions: [
        { name: 'agent', value: 'found' },
        { name: 'country', field: 'country' },
      ],
      filters: [
        { reason: 'nowhere', when: [{ field: 'country', missing: true }] },
        capped(1, 'user_agent'),
      ],
    }) satisfies RuleSet,
    log: [
      click({ user_agent: 'iPhone 15', country: 'US' }),
      click({ user_agent: 'iPhone 15', country: 'DE' }),
      click({ user_agent: 'iPhone 16', country: 'DE' }),
      click({ user_agent: 'iPhone 17' }),
    ],
    cells: { '|a|0': 2, 'agent:phone|a|0': 2, 'country:US|a|0': 1, 'country:DE|a|0': 1 },
    filteredBy: { nowhere: { 0: 1 }, often: { 0: 1 } },
    only: true,
  },
];

/** More than so many clicks of one kind in a minute. */
export const CAP_CASES: readonly Case[] = [...GROUPS, ...ORDER, ...COUNTED];
