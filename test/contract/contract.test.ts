import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRuleSet } from '../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { auditEngine } from './support/audit-engine.js';
import { batchEngine } from './support/batch-engine.js';
import type { Case } from './support/case.js';
import { CASES } from './support/cases.js';
import { coreEngine } from './support/engine.js';
import type { Engine, Question } from './support/engine.js';
import { expectLiterals, expectSame } from './support/expectations.js';
import { HOUR, makeLog } from './support/log.js';
import { cutAbove } from './support/questions.js';
import { MANY_TASKS } from './support/spread.js';
import { streamEngine, takenOverEngine } from './support/stream-engine.js';

/** One meaning: every engine gives the same cells and the same books to the same question. */
let lake: TestLake;
let engines: readonly Engine[];
const STREAMS: readonly Engine[] = [streamEngine, takenOverEngine];

beforeAll(async () => {
  lake = await openTestLake();
  engines = [coreEngine, ...STREAMS, batchEngine(lake, MANY_TASKS), auditEngine(lake)];
});

afterAll(() => lake.close());

function questionOf(of: Case): Question {
  const log = makeLog(of.log);
  const ruleSet = parseRuleSet(of.ruleSet ?? DEFAULT_RULE_SET);
  return { log, hourMs: HOUR, ruleSet, cut: of.cut ?? cutAbove(log) };
}

describe('every engine', () => {
  test.each(CASES)('$name', async (of) => {
    const question = questionOf(of);
    const wanted = await coreEngine.count(question);
    expectLiterals(of, wanted);
    for (const engine of engines) {
      if (of.acrossPartitions === true && STREAMS.includes(engine)) continue;
      expectSame(await engine.count(question), wanted, engine.name);
    }
  });

  test('is asked cases with names of their own', () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
    expect(CASES.length).toBeGreaterThanOrEqual(80);
  });
});
