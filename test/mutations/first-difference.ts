/** The contract for one engine without a test runner: loaded anew for every mutant. */
import { parseRuleSet } from '../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { batchEngine } from '../contract/support/batch-engine.js';
import type { Case } from '../contract/support/case.js';
import { CASES } from '../contract/support/cases.js';
import { coreEngine } from '../contract/support/engine.js';
import type { Answer, Engine } from '../contract/support/engine.js';
import { HOUR, makeLog } from '../contract/support/log.js';
import { cutAbove } from '../contract/support/questions.js';
import { ONE_TASK } from '../contract/support/spread.js';
import { streamEngine, takenOverEngine } from '../contract/support/stream-engine.js';
import { openTestLake } from '../support/lake-files.js';

/**
 * Asks an engine the named cases until an answer is not that of core, core's not that of the case, or is
 * none; returns the name
 * of that case. null: the engine is right in all of them.
 */
export async function firstDifference(which: 'stream' | 'batch'): Promise<string | null> {
  const lake = await openTestLake();
  try {
    const engines =
      which === 'stream' ? [streamEngine, takenOverEngine] : [batchEngine(lake, ONE_TASK)];
    // What rule sets are about comes last in the list.
    for (const of of [...CASES].reverse()) {
      if (of.acrossPartitions === true && which === 'stream') continue;
      const log = makeLog(of.log);
      const question = {
        ...{ log, hourMs: HOUR, cut: of.cut ?? cutAbove(log) },
        ruleSet: parseRuleSet(of.ruleSet ?? DEFAULT_RULE_SET),
      };
      const core = await coreEngine.count(question);
      // What is before the rules is one implementation for all: it is right if the case says so.
      if (!isAsWritten(of, core)) return of.name;
      const wanted = textOf(core);
      for (const engine of engines) {
        if ((await answerOf(engine, question)) !== wanted) return of.name;
      }
    }
    return null;
  } finally {
    await lake.close();
  }
}

async function answerOf(engine: Engine, question: Parameters<Engine['count']>[0]): Promise<string> {
  try {
    return textOf(await engine.count(question));
  } catch (error) {
    return `no answer: ${String(error)}`;
  }
}

function isAsWritten(of: Case, { cells }: Answer): boolean {
  return Object.entries(of.cells).every(
    ([cell, count]) => (cells.get(cell.replaceAll('|', '\t')) ?? 0) === count,
  );
}

function textOf({ cells, flow }: Answer): string {
  const { filteredBy, ...fates } = flow;
  return JSON.stringify([[...cells].sort(), fates, Object.entries(filteredBy).sort()]);
}
