import fc from 'fast-check';
import { parseClick } from '../../../core/click/parse.js';
import type { LogRecord } from '../../../core/count.js';
import { partitionKey } from '../../../core/position.js';
import { Random } from '../../core/support/random.js';
import type { Question } from './engine.js';
import { makeLog } from './log.js';
import { appendFrom, cutAbove, HASHES, hashOf, PARTITIONS, RECORDS_MAX } from './questions.js';

/**
 * The same records, their partitions appended in other turns and at other times. What decides in a
 * partition, its offsets, stays.
 */
export function otherArrival(question: Question, seed: number): Question {
  const random = new Random(seed);
  const waiting = new Map<string, LogRecord[]>();
  for (const record of question.log) {
    const key = partitionKey(record);
    waiting.set(key, [...(waiting.get(key) ?? []), record]);
  }
  const log: LogRecord[] = [];
  while (log.length < question.log.length) {
    const heads = [...waiting.values()].filter((records) => records.length > 0);
    const next = random.pick(heads).shift()!;
    const appendMs = appendFrom(question.hourMs) + random.below(RECORDS_MAX);
    log.push({ ...next, appendMs });
  }
  return { ...question, log };
}

/** The same records in other partitions: all clicks of an ad in one, in the order of the log. */
export function otherPartitions(question: Question, seed: number): Question {
  const start = Math.abs(seed) % HASHES;
  const next = new Map<number, number>();
  const log = question.log.map((record) => {
    const click = parseClick(record.value, record.appendMs, []);
    const key = click.kind === 'click' ? click.click.adId : String(record.offset);
    const partition = hashOf(key, start) % PARTITIONS;
    const offset = next.get(partition) ?? 0;
    next.set(partition, offset + 1);
    return { ...record, partition, offset };
  });
  return { ...question, log, cut: cutAbove(log) };
}

/** The same records, and some of them again, each somewhere after itself in its partition. */
export function withDuplicates(question: Question, seed: number): Question {
  const random = new Random(seed);
  const log = [...question.log];
  for (const record of question.log) {
    if (random.next() < 0.7) continue;
    const from = log.indexOf(record) + 1;
    log.splice(from + random.below(log.length - from + 1), 0, { ...record });
  }
  const renumbered = makeLog(
    log.map(({ topic, partition, value }) => ({ topic, partition, value })),
    appendFrom(question.hourMs),
  );
  return { ...question, log: renumbered, cut: cutAbove(renumbered) };
}

/** Half of the questions as they are, and half of them rearranged. */
export function rearranged(questions: fc.Arbitrary<Question>): fc.Arbitrary<Question> {
  const ways = [otherArrival, otherPartitions, withDuplicates];
  const as = fc.option(fc.record({ way: fc.constantFrom(...ways), seed: fc.integer() }), {
    freq: 1,
  });
  return fc.tuple(questions, as).map(([question, by]) => by?.way(question, by.seed) ?? question);
}
