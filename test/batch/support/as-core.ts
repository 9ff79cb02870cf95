import { expect } from 'vitest';
import { parseRuleSet } from '../../../core/rules/parse.js';
import { batchEngine } from '../../contract/support/batch-engine.js';
import { MANY_TASKS } from '../../contract/support/spread.js';
import { checksumOf, coreEngine } from '../../contract/support/engine.js';
import type { Answer, Question } from '../../contract/support/engine.js';
import { HOUR, TOPIC, makeLog } from '../../contract/support/log.js';
import type { LogEntry } from '../../contract/support/log.js';
import type { TestLake } from '../../support/lake-files.js';

/** Two tasks, each of which has files of two commits. */
const TWO_TASKS = {
  ...MANY_TASKS,
  buckets: 2,
  tasksMax: 2,
  split: (log: Question['log']) => [0, 1].map((n) => log.filter((_, i) => i % 2 === n)),
};

/** The clicks of three partitions, `part` of each below the cut. */
export function questionOf(entries: readonly LogEntry[], rules: object, part = 1): Question {
  const log = makeLog(entries);
  const cut = [0, 1, 2].map((partition) => {
    const records = log.filter((record) => record.partition === partition).length;
    return { topic: TOPIC, partition, nextOffset: Math.ceil(records * part) };
  });
  return { log, hourMs: HOUR, ruleSet: parseRuleSet({ version: 1, ...rules }), cut };
}

/** That the batch engine, on several files in several tasks, gives what core counts. */
export async function expectAsCore(lake: TestLake, question: Question): Promise<Answer> {
  const wanted = await coreEngine.count(question);
  const answer = await batchEngine(lake, TWO_TASKS).count(question);
  expect(new Map([...answer.cells].sort())).toEqual(new Map([...wanted.cells].sort()));
  expect(answer.flow).toEqual(wanted.flow);
  expect(checksumOf(answer)).toBe(checksumOf(wanted));
  return wanted;
}

export function sum(clicks: readonly number[] | undefined): number {
  return (clicks ?? []).reduce((all, n) => all + n, 0);
}
