import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { auditEngine } from '../contract/support/audit-engine.js';
import { coreEngine } from '../contract/support/engine.js';
import { HOUR, makeLog } from '../contract/support/log.js';
import { hostileQuestion } from '../contract/support/questions.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';

let lake: TestLake;
beforeAll(async () => {
  lake = await openTestLake();
});
afterAll(() => lake.close());

/** Reads columns and members of `rest`, and asks for the ad. */
const FILTERED: RuleSet = {
  version: 1,
  tables: { ads: { key: 'text', columns: ['owner'], rows: [['a', 'GB']] } },
  values: [
    { name: 'owner', field: 'ad_id', lookup: { table: 'ads', column: 'owner' } },
    { name: 'place', field: 'country', trim: true, case: 'upper', map: { UK: 'GB' } },
  ],
  filters: [
    { reason: 'no_device', when: [{ field: 'device', missing: true }] },
    { reason: 'odd', when: [{ field: '__proto__', in: ['other', 'a'] }] },
  ],
  dimensions: [
    { name: 'place_of', cross: ['owner', 'place'] },
    { name: 'campaign', field: 'campaign', match: [{ pattern: '[a-zé]', as: 'word' }] },
  ],
};
const CAPPED: RuleSet = {
  ...FILTERED,
  filters: [
    { reason: 'campaign_again', cap: { field: 'campaign', max: 1 } },
    { reason: 'odd', when: [{ field: '__proto__', in: ['other', 'a'] }] },
    { reason: 'country_again', cap: { field: 'country', max: 1 } },
  ],
};

test.each([
  ['filters', FILTERED],
  ['caps, which ask for the order of the log', CAPPED],
])('counts cells, fates and reasons as the reference does, with %s', async (_, ruleSet) => {
  const question = hostileQuestion({ acrossPartitions: true });
  await fc.assert(
    fc.asyncProperty(question, async (asked) => {
      const of = { ...asked, ruleSet };
      const [again, wanted] = [await auditEngine(lake).count(of), await coreEngine.count(of)];
      expect([...again.cells].sort()).toEqual([...wanted.cells].sort());
      expect(again.flow).toEqual(wanted.flow);
    }),
    { numRuns: 25 },
  );
});

test('a cap counts the clicks of one partition by offset, whatever the broker’s clock said', async () => {
  const click = { ad_id: 'a', timestamp: HOUR, country: 'US' };
  const at = [
    { event_id: 'first', partition: 0, campaign: 'kept', late: 9 },
    { event_id: 'next', partition: 0, campaign: 'not', late: 1 },
    { event_id: 'other', partition: 1, campaign: 'kept', late: 5 },
  ];
  const log = makeLog(
    at.map(({ partition, late, ...more }) => ({
      value: { ...click, ...more },
      partition,
      appendMs: HOUR + late,
    })),
  );
  const cut = [0, 1].map((partition) => ({ topic: 'clicks', partition, nextOffset: 9 }));
  const rules: RuleSet = {
    version: 1,
    filters: [{ reason: 'again', cap: { field: 'country', max: 1 } }],
    dimensions: [{ name: 'campaign', field: 'campaign' }],
  };
  const { cells, flow } = await auditEngine(lake).count({ log, hourMs: HOUR, ruleSet: rules, cut });
  expect(Object.fromEntries(cells)).toEqual({ '\ta\t0': 2, 'campaign:kept\ta\t0': 2 });
  expect(flow.filteredBy['again']?.[0]).toBe(1);
});
