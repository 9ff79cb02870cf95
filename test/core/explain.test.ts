import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldValue } from '../../core/click/click.js';
import { cellKey, countClicks, type LogRecord } from '../../core/count.js';
import { CellCount, type CellFlow, type CellRecord } from '../../core/explain.js';
import type { RuleSet } from '../../core/rules/rule-set.js';

const HOUR_MS = Date.UTC(2026, 10, 21, 10);
const MINUTE_MS = HOUR_MS + 60_000;
const RULES: RuleSet = {
  version: 1,
  values: [{ name: 'robot', field: 'agent', match: [{ pattern: 'bot', as: 'yes' }] }],
  filters: [
    { reason: 'too_many', cap: { field: 'user', max: 2 } },
    { reason: 'robot', when: [{ value: 'robot', in: ['yes'] }] },
  ],
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'robotic', cross: ['country', 'robot'] },
  ],
};
const FIELDS = ['agent', 'country', 'user'];
const COUNTRIES = ['US', 'UK', 'GB', 'unknown', 'other'];
const FILTERS = ['', 'country:GB', 'country:unknown', 'country:UK', 'robotic:US×unknown', 'os:x'];

interface TestClick {
  readonly partition: number;
  readonly id: number;
  readonly minute: number;
  readonly country: string | undefined;
  readonly user: string | undefined;
  readonly agent: string;
  readonly late: boolean;
}

const clicks: fc.Arbitrary<TestClick[]> = fc.array(
  fc.record({
    partition: fc.nat(1),
    id: fc.nat(30),
    minute: fc.constantFrom(0, 1, 1, 1),
    country: fc.constantFrom(...COUNTRIES, undefined),
    user: fc.constantFrom('u', 'v', undefined),
    agent: fc.constantFrom('a browser', 'a browser', 'a bot'),
    late: fc.boolean(),
  }),
  { maxLength: 40 },
);

/** The flow of minute 1, of clicks in the order of their offsets in each partition. */
function flowOf(list: readonly TestClick[], filter: string): CellFlow {
  const count = new CellCount(RULES, filter);
  for (const record of recordsOf(list, count.fields)) count.add(record);
  return count.flow();
}

function recordsOf(list: readonly TestClick[], fields: readonly string[]): CellRecord[] {
  const seen = new Set<number>();
  return list.flatMap((click) => {
    const duplicate = seen.has(click.id);
    seen.add(click.id);
    if (click.minute !== 1) return [];
    const record = click as unknown as Readonly<Record<string, string | undefined>>;
    const values = fields.map((name): FieldValue => {
      const text = record[name];
      return text === undefined ? { kind: 'absent' } : { kind: 'value', text };
    });
    const of = { adId: 'ad', eventId: String(click.id), eventMs: MINUTE_MS + 7, fields: values };
    return [{ click: of, partition: `t/${String(click.partition)}`, duplicate, late: click.late }];
  });
}

function toLog(list: readonly TestClick[]): LogRecord[] {
  return list.map(({ partition, id, minute, ...fields }, offset) => {
    const timestamp = HOUR_MS + minute * 60_000;
    const click = { event_id: String(id), ad_id: 'ad', timestamp, ...fields };
    const value = new TextEncoder().encode(JSON.stringify(click));
    return { topic: 't', partition, offset, appendMs: HOUR_MS + 3_600_000 + offset, value };
  });
}

describe('the flow of a cell', () => {
  it('takes every record off exactly once or counts it', () => {
    fc.assert(
      fc.property(clicks, fc.constantFrom(...FILTERS), (list, filter) => {
        const flow = flowOf(list, filter);
        const { received, duplicate, filtered, filteredBy, notMatching, value, late } = flow;
        expect(received).toBe(list.filter(({ minute }) => minute === 1).length);
        expect(received - duplicate - filtered - notMatching).toBe(value);
        expect(Object.values(filteredBy).reduce((sum, n) => sum + n, 0)).toBe(filtered);
        expect(Math.min(duplicate, filtered, notMatching, value, late)).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThanOrEqual(value);
        if (filter === '') expect(notMatching).toBe(0);
        if (filter === 'os:x' || filter === 'country:UK') expect(value).toBe(0);
      }),
    );
  });

  it('takes off the same, whatever the filter', () => {
    fc.assert(
      fc.property(clicks, fc.constantFrom(...FILTERS), (list, filter) => {
        const { received, duplicate, filteredBy } = flowOf(list, '');
        expect(flowOf(list, filter)).toMatchObject({ received, duplicate, filteredBy });
      }),
    );
  });

  it('gives values of one dimension that add up to the unfiltered total', () => {
    const values = COUNTRIES.filter((country) => country !== 'UK');
    fc.assert(
      fc.property(clicks, (list) => {
        const parts = values.map((value) => flowOf(list, `country:${value}`).value);
        expect(parts.reduce((sum, value) => sum + value, 0)).toBe(flowOf(list, '').value);
      }),
    );
  });

  it('is what the reference engine counts and filters, caps in the order of each partition', () => {
    fc.assert(
      fc.property(clicks, (list) => {
        const { cells, fates } = countClicks(toLog(list), RULES);
        const reasons = fates.flatMap((fate, i) =>
          fate.kind === 'filtered' && list[i]!.minute === 1 ? [fate.reason] : [],
        );
        for (const filter of FILTERS) {
          const flow = flowOf(list, filter);
          expect(flow.value).toBe(cells.get(cellKey('ad', MINUTE_MS, filter))?.count ?? 0);
          for (const reason of ['robot', 'too_many']) {
            const n = reasons.filter((one) => one === reason).length;
            expect(flow.filteredBy[reason] ?? 0).toBe(n);
          }
        }
      }),
    );
  });

  it('names only reasons that took a record out, by name', () => {
    const click = { id: 0, partition: 0, minute: 1, country: 'US', user: 'u', late: false };
    const log = [0, 1, 2, 3].map((id) => ({ ...click, id, agent: 'a browser' }));
    expect(flowOf(log.slice(0, 2), '').filteredBy).toEqual({});
    const flow = flowOf([...log, { ...click, id: 9, agent: 'a bot' }], '');
    expect(Object.entries(flow.filteredBy)).toEqual([
      ['robot', 1],
      ['too_many', 2],
    ]);
  });
});

it('a count asks for the fields that the rule set reads', () => {
  expect([...new CellCount(RULES, '').fields].sort()).toEqual(FIELDS);
});
