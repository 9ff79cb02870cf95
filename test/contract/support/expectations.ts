import { expect } from 'vitest';
import { MINUTES_PER_HOUR } from '../../../core/time.js';
import type { Case } from './case.js';
import { checksumOf } from './engine.js';
import type { Answer } from './engine.js';

/** That the parts of an answer fit each other: cells, fates and reasons. */
function expectBooks({ cells, flow }: Answer, engine: string): void {
  const totals = new Array<number>(MINUTES_PER_HOUR).fill(0);
  for (const [cell, count] of cells) {
    const [filter, , minute] = cell.split('\t');
    if (filter === '') totals[Number(minute)]! += count;
  }
  expect(totals, engine).toEqual(flow.counted);
  const { received, counted, duplicate, filtered, filteredBy } = flow;
  const sums = counted.map((n, minute) => n + duplicate[minute]! + filtered[minute]!);
  expect(received, engine).toEqual(sums);
  const reasons = Object.values(filteredBy);
  const byReason = filtered.map((_, at) => reasons.reduce((n, by) => n + by[at]!, 0));
  expect(filtered, engine).toEqual(byReason);
}

/** That an engine gives the cells and the books that are wanted, and nothing else. */
export function expectSame(answer: Answer, wanted: Answer, engine: string): void {
  const sorted = (cells: Answer['cells']) => [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
  expect(sorted(answer.cells), engine).toEqual(sorted(wanted.cells));
  expect(answer.flow, engine).toEqual(wanted.flow);
  expect(checksumOf(answer), engine).toBe(checksumOf(wanted));
  expectBooks(answer, engine);
}

/** That an answer has what a case says in so many numbers. */
export function expectLiterals(of: Case, { cells, flow }: Answer): void {
  for (const [cell, count] of Object.entries(of.cells)) {
    expect(cells.get(cell.replaceAll('|', '\t')) ?? 0, cell).toBe(count);
  }
  if (of.only === true) expect(cells.size).toBe(Object.keys(of.cells).length);
  if (of.duplicate !== undefined) expect(flow.duplicate).toEqual(minutesOf(of.duplicate));
  const reasons = Object.entries(of.filteredBy ?? {});
  const filteredBy = Object.fromEntries(reasons.map(([reason, by]) => [reason, minutesOf(by)]));
  expect(flow.filteredBy).toEqual(filteredBy);
}

function minutesOf(counts: Readonly<Record<number, number>>): readonly number[] {
  return Array.from({ length: MINUTES_PER_HOUR }, (_, minute) => counts[minute] ?? 0);
}
