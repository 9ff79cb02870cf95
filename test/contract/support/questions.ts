import fc from 'fast-check';
import { parseClick } from '../../../core/click/parse.js';
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

const PARTITIONS = 3;
const RECORDS_MAX = 120;

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

/** Equal clicks share a partition: by what comes before the time. */
function partitionOf(json: string): number {
  return hashOf(json.slice(0, json.indexOf('"timestamp"')), 7) % PARTITIONS;
}

function hashOf(text: string, seed: number): number {
  return [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 65_521, seed);
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

/**
 * The same records, their partitions appended in other turns and at other times. What decides in a
 * partition, its offsets, stays. `random` gives numbers from 0 to below 1.
 */
export function otherArrival(question: Question, random: () => number): Question {
  const waiting = new Map<string, LogRecord[]>();
  for (const record of question.log) {
    const key = partitionKey(record);
    waiting.set(key, [...(waiting.get(key) ?? []), record]);
  }
  const log: LogRecord[] = [];
  while (log.length < question.log.length) {
    const heads = [...waiting.values()].filter((records) => records.length > 0);
    const next = heads[Math.floor(random() * heads.length)]!.shift()!;
    const appendMs = appendFrom(question.hourMs) + Math.floor(random() * RECORDS_MAX);
    log.push({ ...next, appendMs });
  }
  return { ...question, log };
}

/** The same records in other partitions: all clicks of an ad in one, in the order of the log. */
export function otherPartitions(question: Question, seed: number): Question {
  const next = new Map<number, number>();
  const log = question.log.map((record) => {
    const click = parseClick(record.value, record.appendMs, []);
    const key = click.kind === 'click' ? click.click.adId : String(record.offset);
    const partition = hashOf(key, seed) % PARTITIONS;
    const offset = next.get(partition) ?? 0;
    next.set(partition, offset + 1);
    return { ...record, partition, offset };
  });
  return { ...question, log, cut: cutAbove(log) };
}

/** The same records, and some of them again, each somewhere after itself in its partition. */
export function withDuplicates(question: Question, random: () => number): Question {
  const log = [...question.log];
  for (const record of question.log) {
    if (random() < 0.7) continue;
    const from = log.indexOf(record) + 1;
    log.splice(from + Math.floor(random() * (log.length - from + 1)), 0, { ...record });
  }
  const renumbered = makeLog(
    log.map(({ topic, partition, value }) => ({ topic, partition, value })),
    appendFrom(question.hourMs),
  );
  return { ...question, log: renumbered, cut: cutAbove(renumbered) };
}
