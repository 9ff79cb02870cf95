import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOUR } from '../contract/support/log.js';
import type { LogEntry } from '../contract/support/log.js';
import { Random } from '../core/support/random.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { expectAsCore, questionOf, sum } from './support/as-core.js';

const CLICKS = 600;
const PARTITIONS = 3;
const LONG = 'x'.repeat(5_000);

let lake: TestLake;

beforeAll(async () => {
  lake = await openTestLake();
});

afterAll(() => lake.close());

/**
 * Clicks of few ads and users in three minutes, one in five a duplicate with other fields, a twentieth
 * above the cut. Any field may be missing or odd; `agent`, `user` and `note` are in `rest`.
 */
function madeLog(random: Random): LogEntry[] {
  const odd = [undefined, null, '', 1, ['US'], 'a\u0000b', '\ud800', LONG];
  const field = (...usual: readonly string[]): unknown =>
    random.below(6) === 0 ? random.pick(odd) : random.pick(usual);
  const click = (id: number): LogEntry => ({
    value: JSON.stringify({
      event_id: `e${String(id)}`,
      ad_id: `ad-${String(id % 4)}`,
      timestamp: HOUR + random.below(3) * 60_000,
      country: field('US', 'UK', 'GB', ' gb ', 'unknown', '×', '\\'),
      device: field('mobile', 'desktop'),
      ip: field(
        '10.0.0.1',
        '10.0.1.2',
        '::ffff:10.0.0.9',
        '192.0.2.7',
        '2001:db8::1',
        'no address',
      ),
      user_id: field('u1', 'u2', 'u3'),
      user: field('u1', '\ufeffu2', 'U1'),
      agent: field('Mozilla/5.0', 'Googlebot/2.1', 'curl/8', 'Mozilla/5.0 (bot)'),
      note: { agent: 'deeper inside', n: random.below(50) },
    }),
    partition: random.below(PARTITIONS),
  });
  return Array.from({ length: CLICKS }, (_, i) =>
    click(random.below(5) === 0 ? random.below(i + 1) : i),
  );
}

const TABLES = {
  ads: {
    key: 'text',
    columns: ['campaign', 'owner'],
    rows: [
      ['ad-0', 'c1', 'o1'],
      ['ad-1', 'c1', 'o2'],
      ['ad-2', 'c2', ''],
    ],
  },
  nets: {
    key: 'ip',
    columns: ['where'],
    rows: [
      ['10.0.0.0/8', 'office'],
      ['10.0.1.0/24', 'lab'],
      ['2001:db8::/32', 'docs'],
    ],
  },
};

const AGENT = {
  name: 'kind',
  field: 'agent',
  match: [
    { pattern: '(?i)bot', as: 'bot' },
    { pattern: '^Mozilla', as: 'browser' },
  ],
};
const COUNTRY = { name: 'country', field: 'country', trim: true, case: 'upper', map: { UK: 'GB' } };
const DEVICE = { name: 'device', field: 'device' };

/** Rule sets by what they are about, with the filters and reasons that must have taken clicks. */
const RULES: readonly (readonly [string, object, readonly string[]])[] = [
  ['nothing but the total', { dimensions: [] }, ['']],
  [
    'a crossed dimension of two columns',
    { dimensions: [COUNTRY, DEVICE, { name: 'both', cross: ['country', 'device'] }] },
    ['both:GB×mobile', 'both:\\××unknown', 'both:unknown×other'],
  ],
  [
    'a crossed dimension of a column and a member of rest, its parts not counted',
    { values: [COUNTRY, AGENT], dimensions: [{ name: 'both', cross: ['kind', 'country'] }] },
    ['both:bot×US', 'both:unknown×unknown', 'both:other×other'],
  ],
  [
    'the same field in several dimensions, as it is and through steps',
    { dimensions: [{ name: 'raw', field: 'country' }, COUNTRY, { ...AGENT, field: 'country' }] },
    ['raw:UK', 'country:GB', 'kind:unknown'],
  ],
  [
    'a pattern on a member of rest',
    { dimensions: [AGENT] },
    ['kind:bot', 'kind:browser', 'kind:unknown', 'kind:other'],
  ],
  [
    'a score over two fields and a lookup of the ad',
    {
      tables: TABLES,
      values: [
        COUNTRY,
        AGENT,
        { name: 'owner', field: 'ad_id', lookup: { table: 'ads', column: 'owner' } },
      ],
      dimensions: [
        {
          name: 'risk',
          score: {
            bias: 1,
            terms: [
              { value: 'kind', weights: { bot: 5, unknown: 2 } },
              { value: 'country', weights: { GB: -1 }, otherwise: 1 },
              { value: 'owner', weights: { o1: 10 } },
            ],
            levels: [
              { atLeast: 12, as: 'high' },
              { atLeast: 4, as: 'middle' },
            ],
            otherwise: 'low',
          },
        },
      ],
    },
    ['risk:high', 'risk:middle', 'risk:low'],
  ],
  [
    'lookups of the ad and of a block of addresses, and the first that says something',
    {
      tables: TABLES,
      values: [{ name: 'net', field: 'ip', lookup: { table: 'nets', column: 'where' } }],
      dimensions: [
        { name: 'campaign', field: 'ad_id', lookup: { table: 'ads', column: 'campaign' } },
        COUNTRY,
        { name: 'place', first: ['country', 'net', 'campaign'] },
      ],
    },
    ['campaign:c1', 'campaign:unknown', 'place:lab', 'place:c2', 'place:other'],
  ],
];

const LISTED = { reason: 'listed', when: [{ field: 'ip', within: ['10.0.0.0/24'] }] };
const BOT = { reason: 'bot', when: [{ field: 'agent', matches: '(?i)bot' }] };
const NOBODY = {
  reason: 'constructor',
  when: [
    { field: 'user_id', missing: true },
    { field: 'user', in: ['u1', 'unknown'] },
  ],
};
const PER_USER = { reason: 'often', cap: { field: 'user_id', max: 3 } };
const PER_REST = { reason: 'often_too', cap: { field: 'user', max: 2 } };
const PER_AD = { reason: 'elsewhere', when: [{ field: 'ad_id', in: ['ad-3'] }] };

/** Filters, each set with the reasons that must have taken clicks. */
const FILTERS: readonly (readonly [string, readonly object[], readonly string[]])[] = [
  ['one about addresses', [LISTED], ['listed']],
  ['one about a member of rest', [BOT], ['bot']],
  ['one of two conditions', [NOBODY], ['constructor']],
  ['one about the ad', [PER_AD], ['elsewhere']],
  ['several, in their order', [BOT, LISTED, NOBODY, PER_AD], ['bot', 'listed', 'constructor']],
  [
    'one about a crossed value',
    [{ reason: 'pair', when: [{ value: 'both', in: ['GB×mobile', 'unknown×mobile'] }] }],
    ['pair'],
  ],
  ['two with one reason', [LISTED, { ...BOT, reason: 'listed' }], ['listed']],
  ['a cap', [PER_USER], ['often']],
  ['a cap by a member of rest', [PER_REST], ['often_too']],
  ['two caps', [PER_REST, PER_USER], ['often', 'often_too']],
  ['two caps with one reason', [{ ...PER_REST, reason: 'often' }, PER_USER], ['often']],
  [
    'caps before and after conditions',
    [PER_USER, BOT, PER_REST, PER_AD],
    ['often', 'bot', 'often_too', 'elsewhere'],
  ],
  ['a cap that no click reaches', [{ reason: 'never', cap: { field: 'ip', max: 1_000 } }], []],
  ['a cap by a field that no click has', [{ reason: 'never', cap: { field: 'fax', max: 1 } }], []],
];

describe('a rule set on clicks with odd fields and duplicates', () => {
  const entries = madeLog(new Random(5));

  test.each(RULES)('%s', async (_, rules, filters) => {
    const { cells } = await expectAsCore(lake, questionOf(entries, rules, 0.95));
    const found = new Set([...cells.keys()].map((cell) => cell.split('\t')[0]));
    for (const filter of filters) expect(found).toContain(filter);
  });

  test.each(FILTERS)('filters: %s', async (_, filters, reasons) => {
    const both = { name: 'both', cross: ['country', 'device'] };
    const rules = { dimensions: [COUNTRY, DEVICE, both], filters };
    const { flow } = await expectAsCore(lake, questionOf(entries, rules, 0.95));
    expect(sum(flow.duplicate)).toBeGreaterThan(50);
    for (const reason of reasons) expect(sum(flow.filteredBy[reason]), reason).toBeGreaterThan(2);
    expect(flow.filteredBy['never']).toBeUndefined();
  });
});
