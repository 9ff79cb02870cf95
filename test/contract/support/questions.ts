import fc from 'fast-check';
import { DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import type { RuleSet } from '../../../core/rules/rule-set.js';
import type { Question } from './engine.js';
import { HOUR, makeLog, TOPIC } from './log.js';
import type { LogEntry } from './log.js';

const MINUTE = 60_000;
const PARTITIONS = 3;

/** Texts that something on the way might take for something else. */
const hostileText = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'US', 'UK', 'GB', 'unknown', 'other', '') },
  { weight: 2, arbitrary: fc.string({ maxLength: 6 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '\ufeff',
      '\ufeffa',
      '\ud800',
      '\udc00x',
      '\u0000',
      'a\u0000',
      '\t',
      '\u0085',
      "'",
      '"',
      '\\',
      '__proto__',
      '\u{1d4b3}',
      '\uff5a',
      'é'.repeat(128),
      'é'.repeat(129),
      'x'.repeat(1025),
    ),
  },
);

const hostileValue = fc.oneof(
  { weight: 6, arbitrary: hostileText },
  { weight: 2, arbitrary: fc.constantFrom(null, true, 0, -1.5, 1e300) },
  { weight: 1, arbitrary: fc.json().map((text) => JSON.parse(text) as unknown) },
);

const timestamp = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: HOUR - MINUTE, max: HOUR + 61 * MINUTE }) },
  {
    weight: 3,
    arbitrary: fc
      .integer({ min: HOUR, max: HOUR + 60 * MINUTE - 1 })
      .map((ms) => new Date(ms).toISOString()),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '2026-11-01T06:30:00Z',
      '2026-11-01T07:30:00.25+01:00',
      '2026-11-01T06:60:00Z',
      'soon',
      0,
      HOUR + 0.5,
      -1,
      null,
    ),
  },
);

const FIELDS = ['country', 'device', 'ad_format', 'user_id', 'campaign', '__proto__', 'x"y'];

const clickJson = fc
  .record({
    ad: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('a', 'b', 'c') },
      { arbitrary: hostileText, weight: 1 },
    ),
    id: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 30 }).map((n) => `e${String(n)}`) },
      { weight: 1, arbitrary: hostileText },
    ),
    time: timestamp,
    fields: fc.array(fc.tuple(fc.constantFrom(...FIELDS), hostileValue), { maxLength: 6 }),
  })
  .map(({ ad, id, time, fields }) => {
    // As text, since keys may repeat and "__proto__" has to be an own key.
    const members = [['event_id', id], ['ad_id', ad], ['timestamp', time], ...fields].map(
      ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    return `{${members.join(',')}}`;
  });

const ruleSet: fc.Arbitrary<RuleSet> = fc.oneof(
  fc.constant(DEFAULT_RULE_SET),
  fc.subarray(FIELDS).map((fields) => ({
    version: 1 as const,
    dimensions: fields.map((field, i) => ({
      name: `d${String(i)}`,
      field,
      ...(i % 2 === 0 ? { map: { UK: 'GB', a: 'other', GB: '\ufeff' } } : {}),
    })),
  })),
);

/** A random log of hostile clicks with many duplicates, a rule set and a cut. */
export function hostileQuestion(options: {
  /** Whether equal clicks may be in different partitions. */
  readonly acrossPartitions: boolean;
}): fc.Arbitrary<Question> {
  const entry = fc.record({
    json: clickJson,
    partition: fc.nat(PARTITIONS - 1),
    tombstone: fc.integer({ min: 0, max: 40 }).map((n) => n === 0),
  });
  const cut = fc.array(fc.nat(60), { minLength: PARTITIONS, maxLength: PARTITIONS });
  return fc
    .record({ entries: fc.array(entry, { maxLength: 120, size: 'max' }), cut, ruleSet })
    .map(({ entries, cut: offsets, ruleSet: rules }) => ({
      log: makeLog(
        entries.map(({ json, partition, tombstone }): LogEntry => ({
          value: tombstone ? null : json,
          partition: options.acrossPartitions ? partition : partitionOf(json),
        })),
      ),
      hourMs: HOUR,
      ruleSet: rules,
      cut: offsets.map((nextOffset, partition) => ({ topic: TOPIC, partition, nextOffset })),
    }));
}

/** Equal clicks share a partition: by what comes before the time. */
function partitionOf(json: string): number {
  const key = json.slice(0, json.indexOf('"timestamp"'));
  return [...key].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, 7) % PARTITIONS;
}
