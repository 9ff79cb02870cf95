import fc from 'fast-check';
import type { LogRecord } from '../../../core/count.js';
import type { Cut } from '../../../core/cut.js';
import { partitionKey } from '../../../core/position.js';
import { DEFAULT_RULE_SET } from '../../../core/rules/rule-set.js';
import { HOUR_MS } from '../../../core/time.js';
import type { Question } from './engine.js';
import { HOUR, makeLog, TOPIC } from './log.js';
import type { LogEntry } from './log.js';
import { randomClick } from './random-clicks.js';
import { ruleSets } from './rule-sets.js';

export const PARTITIONS = 3;
export const RECORDS_MAX = 120;

/** Hours at the borders of days, months and years, and one before the first leap day. */
const HOURS = [
  HOUR,
  Date.UTC(2026, 11, 31, 23),
  Date.UTC(2027, 0, 1),
  Date.UTC(2028, 1, 28, 23),
  Date.UTC(2000, 0, 1),
  Date.UTC(2099, 11, 31, 23),
];

/** A random log of hostile clicks with many duplicates, a rule set and a cut. */
export function hostileQuestion(options: {
  /** Whether equal clicks may be in different partitions. */
  readonly acrossPartitions: boolean;
}): fc.Arbitrary<Question> {
  const entry = fc.record({
    json: randomClick,
    partition: fc.nat(PARTITIONS - 1),
    tombstone: fc.integer({ min: 0, max: 40 }).map((n) => n === 0),
  });
  const rules = fc.oneof(
    { weight: 9, arbitrary: ruleSets },
    { weight: 1, arbitrary: fc.constant(DEFAULT_RULE_SET) },
  );
  return fc
    .record({
      hourMs: fc.oneof(fc.constant(HOUR), fc.constantFrom(...HOURS)),
      entries: fc.array(entry, { maxLength: RECORDS_MAX, size: 'max' }),
      cut: fc.array(fc.oneof(fc.nat(60), fc.constant(RECORDS_MAX)), {
        minLength: PARTITIONS,
        maxLength: PARTITIONS,
      }),
      ruleSet: rules,
    })
    .map(({ hourMs, entries, cut, ruleSet }) => ({
      log: makeLog(
        entries.map(({ json, partition, tombstone }): LogEntry => {
          const value = json(hourMs);
          return {
            value: tombstone ? null : value,
            partition: options.acrossPartitions ? partition : partitionOf(value),
          };
        }),
        appendFrom(hourMs),
      ),
      hourMs,
      ruleSet,
      cut: cut.map((nextOffset, partition) => ({ topic: TOPIC, partition, nextOffset })),
    }));
}

/** After all clicks of the hour, and of the minute after it. */
export function appendFrom(hourMs: number): number {
  return hourMs + HOUR_MS;
}

/** Equal clicks share a partition: by their ids, however those are spelled. */
function partitionOf(json: string): number {
  const { event_id: id, ad_id: ad } = JSON.parse(json.replace(/^\ufeff/, '')) as Partial<
    Record<string, unknown>
  >;
  return hashOf(JSON.stringify([id, ad]), 7) % PARTITIONS;
}

/** How many hashes there are. */
export const HASHES = 65_521;

/** A number of a text, not below 0. */
export function hashOf(text: string, seed: number): number {
  return [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % HASHES, seed);
}

/** A cut that no record of the log is at or above. */
export function cutAbove(log: readonly LogRecord[]): Cut {
  const ends = new Map<string, Cut[number]>();
  for (const { topic, partition, offset } of log) {
    const known = ends.get(partitionKey({ topic, partition }))?.nextOffset ?? 0;
    const nextOffset = Math.max(known, offset + 1);
    ends.set(partitionKey({ topic, partition }), { topic, partition, nextOffset });
  }
  return [...ends.values()];
}
