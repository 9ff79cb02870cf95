import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MINUTES_PER_HOUR } from '../../core/time.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { openTestLake } from '../support/lake-files.js';
import type { TestLake } from '../support/lake-files.js';
import { auditEngine } from './support/audit-engine.js';
import { batchEngine, MANY_TASKS, ONE_TASK } from './support/batch-engine.js';
import type { Case } from './support/case.js';
import { CASES } from './support/cases.js';
import { checksumOf, coreEngine } from './support/engine.js';
import type { Answer, Engine, Question } from './support/engine.js';
import { HOUR, makeLog } from './support/log.js';
import { hostileQuestion } from './support/questions.js';
import { streamEngine } from './support/stream-engine.js';

/** One meaning: every engine gives the same cells and the same books to the same question. */
let lake: TestLake;
let engines: readonly Engine[];

beforeAll(async () => {
  lake = await openTestLake();
  const batches = [batchEngine(lake, ONE_TASK), batchEngine(lake, MANY_TASKS)];
  engines = [coreEngine, streamEngine, ...batches, auditEngine(lake)];
});

afterAll(() => lake.close());

function questionOf(of: Case): Question {
  const log = makeLog(of.log);
  const all = log.map(({ topic, partition }) => ({ topic, partition, nextOffset: 2 ** 53 - 1 }));
  const cut = of.cut ?? [...new Map(all.map((at) => [JSON.stringify(at), at])).values()];
  return { log, hourMs: HOUR, ruleSet: parseRuleSet(of.ruleSet ?? DEFAULT_RULE_SET), cut };
}

function expectBooks({ cells, flow }: Answer): void {
  const totals = new Array<number>(MINUTES_PER_HOUR).fill(0);
  for (const [cell, count] of cells) {
    const [filter, , minute] = cell.split('\t');
    if (filter === '') totals[Number(minute)]! += count;
  }
  expect(totals).toEqual(flow.counted);
  const { received, counted, duplicate, filtered, filteredBy } = flow;
  const sums = counted.map((n, minute) => n + duplicate[minute]! + filtered[minute]!);
  expect(received).toEqual(sums);
  const reasons = Object.values(filteredBy);
  expect(filtered).toEqual(filtered.map((_, at) => reasons.reduce((n, by) => n + by[at]!, 0)));
}

/** What a case says in so many numbers, of the answer of the reference. */
function expectLiterals(of: Case, { cells, flow }: Answer): void {
  for (const [cell, count] of Object.entries(of.cells)) {
    expect(cells.get(cell.replaceAll('|', '\t')) ?? 0, cell).toBe(count);
  }
  if (of.only === true) expect(cells.size).toBe(Object.keys(of.cells).length);
  if (of.duplicate !== undefined) expect(flow.duplicate).toEqual(minutes(of.duplicate));
  const reasons = Object.entries(of.filteredBy ?? {});
  const filteredBy = Object.fromEntries(reasons.map(([reason, by]) => [reason, minutes(by)]));
  expect(flow.filteredBy).toEqual(filteredBy);
}

function minutes(counts: Readonly<Record<number, number>>): readonly number[] {
  return Array.from({ length: MINUTES_PER_HOUR }, (_, minute) => counts[minute] ?? 0);
}

function expectSame(answer: Answer, wanted: Answer, engine: string): void {
  const sorted = (cells: Answer['cells']) => [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(sorted(answer.cells), engine).toEqual(sorted(wanted.cells));
  expect(answer.flow, engine).toEqual(wanted.flow);
  expect(checksumOf(answer), engine).toBe(checksumOf(wanted));
  expectBooks(answer);
}

describe('every engine', () => {
  test.each(CASES)('$name', async (of) => {
    const question = questionOf(of);
    const wanted = await coreEngine.count(question);
    expectLiterals(of, wanted);
    for (const engine of engines) {
      if (of.acrossPartitions === true && engine === streamEngine) continue;
      expectSame(await engine.count(question), wanted, engine.name);
    }
  });
});

/** That the random logs are about something: clicks that count, and duplicates of them. */
class Seen {
  private counted = 0;
  private duplicate = 0;

  async answer(question: Question): Promise<Answer> {
    const answer = await coreEngine.count(question);
    for (const n of answer.flow.counted) this.counted += n;
    for (const n of answer.flow.duplicate) this.duplicate += n;
    return answer;
  }

  expectMany(each: number): void {
    expect(this.counted).toBeGreaterThan(each);
    expect(this.duplicate).toBeGreaterThan(each);
  }
}

describe('on random logs', () => {
  test('the stream agrees with core', async () => {
    const seen = new Seen();
    await fc.assert(
      fc.asyncProperty(hostileQuestion({ acrossPartitions: false }), async (question) => {
        const wanted = await seen.answer(question);
        expectSame(await streamEngine.count(question), wanted, streamEngine.name);
      }),
      { numRuns: 200 },
    );
    seen.expectMany(200);
  });

  test('batch agrees with core, with one task and with many, and so does the audit', async () => {
    const readers = engines.filter((engine) => ![coreEngine, streamEngine].includes(engine));
    const seen = new Seen();
    await fc.assert(
      fc.asyncProperty(hostileQuestion({ acrossPartitions: true }), async (question) => {
        const wanted = await seen.answer(question);
        for (const engine of readers) {
          expectSame(await engine.count(question), wanted, engine.name);
        }
      }),
      { numRuns: 20 },
    );
    seen.expectMany(20);
  }, 120_000);
});
