import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countClicks, cellKey, type LogRecord } from '../../core/count.js';
import { fieldOfFilter, flowOf, matches, type RecordGroup } from '../../core/explain.js';
import { DEFAULT_RULE_SET, type RuleSet } from '../../core/rules/rule-set.js';
import type { FieldValue } from '../../core/click/click.js';
import { isBelowCut } from '../../core/cut.js';

const HOUR_MS = Date.UTC(2026, 10, 21, 10);
const COUNTRIES = ['US', 'UK', 'GB', 'unknown', 'other', 'DE'];
const FILTERS = ['', ...COUNTRIES.map((country) => `country:${country}`), 'device:mobile', 'os:x'];

const fields: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.constantFrom(...COUNTRIES).map((text) => ({ kind: 'value', text }) as const),
  fc.constant({ kind: 'absent' } as const),
  fc.constant({ kind: 'other' } as const),
);

const groups: fc.Arbitrary<RecordGroup[]> = fc.array(
  fc.record({
    field: fields,
    duplicate: fc.boolean(),
    late: fc.boolean(),
    records: fc.integer({ min: 1, max: 1_000 }),
  }),
);

describe('flowOf', () => {
  it('takes every record off exactly once or counts it', () => {
    fc.assert(
      fc.property(groups, fc.constantFrom(...FILTERS), (list, filter) => {
        const flow = flowOf(list, DEFAULT_RULE_SET, filter);
        const { received, duplicate, filtered, notMatching, value, late } = flow;
        expect(received).toBe(list.reduce((sum, { records }) => sum + records, 0));
        expect(received - duplicate - filtered - notMatching).toBe(value);
        expect(Math.min(duplicate, filtered, notMatching, value, late)).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThanOrEqual(value);
      }),
    );
  });

  it('gives values of one dimension that add up to the unfiltered total', () => {
    const values = [...COUNTRIES.filter((country) => country !== 'UK')];
    fc.assert(
      fc.property(groups, (list) => {
        const total = flowOf(list, DEFAULT_RULE_SET, '').value;
        const parts = values.map((v) => flowOf(list, DEFAULT_RULE_SET, `country:${v}`).value);
        expect(parts.reduce((sum, value) => sum + value, 0)).toBe(total);
      }),
    );
  });

  it('is the value that the reference engine counts', () => {
    const record = fc.record({
      id: fc.nat(5),
      minute: fc.nat(2),
      country: fc.constantFrom(...COUNTRIES, undefined),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), fc.nat(40), (clicks, hourCut) => {
        const log = clicks.map((click, offset) => toRecord(click, offset));
        const { cells } = countClicks(log, DEFAULT_RULE_SET);
        const cut = [{ topic: 't', partition: 0, nextOffset: hourCut }];
        const seen = new Set<number>();
        const marked = clicks.map((click, offset) => {
          const duplicate = seen.has(click.id);
          seen.add(click.id);
          return { ...click, duplicate, late: !isBelowCut(cut, log[offset]!) };
        });
        for (const filter of ['', 'country:GB', 'country:unknown']) {
          const ofMinute = marked.filter(({ minute }) => minute === 1).map(toGroup);
          const key = cellKey('ad', HOUR_MS + 60_000, filter);
          expect(flowOf(ofMinute, DEFAULT_RULE_SET, filter).value).toBe(cells.get(key)?.count ?? 0);
        }
      }),
    );
  });
});

interface TestClick {
  readonly id: number;
  readonly minute: number;
  readonly country: string | undefined;
}

function toRecord({ id, minute, country }: TestClick, offset: number): LogRecord {
  const timestamp = HOUR_MS + minute * 60_000;
  const click = { event_id: String(id), ad_id: 'ad', timestamp, country };
  const value = new TextEncoder().encode(JSON.stringify(click));
  return { topic: 't', partition: 0, offset, appendMs: timestamp, value };
}

function toGroup(click: TestClick & { duplicate: boolean; late: boolean }): RecordGroup {
  const { country, duplicate, late } = click;
  const field: FieldValue =
    country === undefined ? { kind: 'absent' } : { kind: 'value', text: country };
  return { field, duplicate, late, records: 1 };
}

describe('a filter', () => {
  const mapped: RuleSet = {
    version: 1,
    dimensions: [{ name: 'country', field: 'geo', map: { UK: 'GB' } }],
  };

  it('is matched after the mapping of the rule set', () => {
    expect(matches(mapped, 'country:GB', { kind: 'value', text: 'UK' })).toBe(true);
    expect(matches(mapped, 'country:UK', { kind: 'value', text: 'UK' })).toBe(false);
  });

  it('is read from the field of its dimension', () => {
    expect(fieldOfFilter(mapped, 'country:GB')).toBe('geo');
    expect(fieldOfFilter(mapped, '')).toBeNull();
    expect(fieldOfFilter(mapped, 'device:mobile')).toBeNull();
  });
});
