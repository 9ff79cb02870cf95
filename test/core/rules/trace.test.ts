import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClick } from '../../../core/click/parse.js';
import { RulesInOrder } from '../../../core/rules/in-order.js';
import { parseRuleSet } from '../../../core/rules/parse.js';
import type { RuleSet } from '../../../core/rules/rule-set.js';
import { TraceInOrder } from '../../../core/rules/trace.js';
import type { Trace } from '../../../core/rules/trace.js';
import { randomClick } from '../../contract/support/random-clicks.js';
import { ruleSets } from '../../contract/support/rule-sets.js';

const HOUR = Date.UTC(2026, 10, 21, 10);

test('of random clicks by random rule sets it gives the reason and the filters that count', () => {
  const clicks = fc.array(fc.tuple(randomClick, fc.constantFrom('p0', 'p1')), { maxLength: 30 });
  fc.assert(
    fc.property(ruleSets, clicks, (ruleSet, log) => {
      const traces = new TraceInOrder(ruleSet);
      const rules = new RulesInOrder(ruleSet);
      expect(traces.fields).toEqual(rules.fields);
      for (const [json, partition] of log) {
        const read = parseClick(Buffer.from(json(HOUR)), Infinity, rules.fields);
        if (read.kind === 'rejected') continue;
        const { reason, filters, ...trace } = traces.trace(read.click, partition);
        expect({ reason, filters }).toEqual(rules.judge(read.click, partition));
        const said = trace.dimensions.map(({ name, countedAs }) => `${name}:${countedAs}`);
        expect(said).toEqual(filters.slice(1));
        expect(trace.values).toHaveLength(ruleSet.values?.length ?? 0);
      }
    }),
    { numRuns: 300 },
  );
});

function traced(ruleSet: RuleSet, fields: Readonly<Record<string, unknown>>): Trace {
  const traces = new TraceInOrder(ruleSet);
  const json = { event_id: 'e', ad_id: 'ad-1', timestamp: HOUR, ...fields };
  const read = parseClick(Buffer.from(JSON.stringify(json)), Infinity, traces.fields);
  if (read.kind === 'rejected') throw new Error(read.detail);
  return traces.trace(read.click, 'p');
}

const text = (one: string) => ({ kind: 'value', text: one });

test('each step of a value is there with what came out of it, up to where nothing is left', () => {
  const ruleSet = parseRuleSet({
    version: 1,
    dimensions: [
      { name: 'country', field: 'c', trim: true, case: 'upper', unknown: ['-'], map: { UK: 'GB' } },
    ],
  });
  expect(traced(ruleSet, { c: ' uk' }).dimensions[0]).toEqual({
    name: 'country',
    source: 'field',
    from: [{ name: 'c', value: text(' uk') }],
    text: text(' uk'),
    steps: [
      { step: 'trim', result: text('uk') },
      { step: 'case', result: text('UK') },
      { step: 'unknown', result: text('UK') },
      { step: 'map', result: text('GB') },
    ],
    result: text('GB'),
    countedAs: 'GB',
  });
  expect(traced(ruleSet, { c: '-' }).dimensions[0]).toMatchObject({
    steps: [
      {},
      {},
      { step: 'unknown', result: { kind: 'absent' } },
      { result: { kind: 'absent' } },
    ],
    countedAs: 'unknown',
  });
  const long = traced(ruleSet, { c: 'x'.repeat(300) }).dimensions[0]!;
  expect(long.steps.at(-1)).toEqual({ step: 'maxBytes', result: { kind: 'other' } });
  expect(traced(ruleSet, { c: 3 }).dimensions[0]).toMatchObject({
    from: [{ value: { kind: 'other' } }],
    countedAs: 'other',
  });
});

test('a score shows what each part adds, and the sum', () => {
  const ruleSet = parseRuleSet({
    version: 1,
    values: [
      { name: 'country', field: 'country' },
      { name: 'device', field: 'device' },
      {
        name: 'risk',
        score: {
          bias: -2,
          terms: [
            { value: 'country', weights: { US: 5 }, otherwise: 1 },
            { value: 'device', weights: { unknown: 7 } },
          ],
          levels: [{ atLeast: 10, as: 'high' }],
          otherwise: 'low',
        },
      },
    ],
    dimensions: [],
  });
  expect(traced(ruleSet, { country: 'US' }).values[2]).toMatchObject({
    from: [
      { name: 'country', weight: 5 },
      { name: 'device', value: { kind: 'absent' }, weight: 7 },
    ],
    sum: 10,
    countedAs: 'high',
  });
  expect(traced(ruleSet, { country: 'GB' }).values[2]).toMatchObject({ sum: 6, countedAs: 'low' });
});

test('all conditions are shown, and the caps only to a click that no filter takes out', () => {
  const ruleSet = parseRuleSet({
    version: 1,
    filters: [
      { reason: 'often', cap: { field: 'user', max: 1 } },
      {
        reason: 'bot',
        when: [
          { field: 'ua', matches: 'bot' },
          { field: 'ip', missing: true },
        ],
      },
      { reason: 'nowhere', when: [{ field: 'ip', missing: true }] },
    ],
    dimensions: [],
  });
  const bot = traced(ruleSet, { ua: 'a bot', user: 'u' });
  expect(bot).toMatchObject({ reason: 'bot', caps: null });
  expect(bot.filtered.map(({ reason, holds }) => [reason, holds])).toEqual([
    ['bot', true],
    ['nowhere', true],
  ]);
  const half = traced(ruleSet, { ua: 'a bot', ip: '::1', user: 'u' });
  expect(half.filtered[0]!.conditions.map(({ holds }) => holds)).toEqual([true, false]);
  expect(half.caps).toEqual([
    {
      cap: { reason: 'often', field: 'user', max: 1 },
      before: 0,
      above: false,
      value: text('u'),
    },
  ]);
});
