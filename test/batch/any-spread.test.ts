import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Question } from '../contract/support/engine.js';
import { batchEngine, recompute } from '../contract/support/batch-engine.js';
import { click } from '../contract/support/case.js';
import { checksumOf, coreEngine } from '../contract/support/engine.js';
import { HOUR, TOPIC, makeLog } from '../contract/support/log.js';
import { MANY_TASKS, ONE_TASK, spreadBy } from '../contract/support/spread.js';
import { Random } from '../core/support/random.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';

const CLICKS = 2_000;
const PARTITIONS = 3;

let lake: TestLake;
let question: Question;
let wanted: Answer;

beforeAll(async () => {
  lake = await openTestLake();
  question = madeQuestion(new Random(4));
  wanted = await coreEngine.count(question);
}, 60_000);

afterAll(() => lake.close());

/** Clicks of 40 ads in three hours, one in ten a duplicate, a twentieth above the cut. */
function madeQuestion(random: Random): Question {
  const entries = Array.from({ length: CLICKS }, (_, i) => ({
    ...click({
      event_id: `e${String(random.below(10) === 0 ? random.below(i + 1) : i)}`,
      ad_id: `ad-${String(random.below(40))}`,
      timestamp: HOUR + random.below(62 * 60_000) - 60_000,
      country: random.pick(['US', 'UK', 'GB', null, 1]),
      device: random.pick(['mobile', 'desktop']),
      extra: random.below(3),
    }),
    partition: random.below(PARTITIONS),
  }));
  const log = makeLog(entries);
  const cut = [0, 1, 2].map((partition) => {
    const records = log.filter((record) => record.partition === partition).length;
    return { topic: TOPIC, partition, nextOffset: Math.floor(records * 0.95) };
  });
  return { log, hourMs: HOUR, ruleSet: DEFAULT_RULE_SET, cut };
}

describe('a generation depends on the clicks below the cut and the rule set alone (I5)', () => {
  test.each([
    [1, 1],
    [2, 2],
    [4, 4],
    [4, 2],
    [8, 4],
    [6, 3],
  ])('%i buckets in %i tasks', async (buckets, tasks) => {
    const answer = await batchEngine(lake, spreadBy(buckets, tasks, 2, 1)).count(question);
    expect(checksumOf(answer)).toBe(checksumOf(wanted));
    expect(answer.flow).toEqual(wanted.flow);
  });

  test('files of different numbers of buckets side by side', async () => {
    const { log, ...inputs } = question;
    const files = [];
    for (const [i, buckets] of [4, 2, 8].entries()) {
      files.push(
        ...(await lake.write(
          log.filter((_, n) => n % 3 === i),
          buckets,
        )),
      );
    }
    const answer = await recompute(lake, { ...inputs, files }, 4);
    expect(checksumOf(answer)).toBe(checksumOf(wanted));
  });

  test('with another cut it is another generation', async () => {
    const lower = question.cut.map((at) => ({ ...at, nextOffset: at.nextOffset - 100 }));
    const other = { ...question, cut: lower };
    for (const spread of [ONE_TASK, MANY_TASKS]) {
      const answer = await batchEngine(lake, spread).count(other);
      expect(checksumOf(answer)).toBe(checksumOf(await coreEngine.count(other)));
      expect(checksumOf(answer)).not.toBe(checksumOf(wanted));
    }
  });
});
