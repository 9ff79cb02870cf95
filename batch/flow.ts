import { MINUTES_PER_HOUR } from '../core/time.js';
import type { Flow } from './task.js';

const FATES = ['received', 'counted', 'duplicate', 'filtered'] as const;

/** A flow without a click. */
export function emptyFlow(): Flow {
  return {
    received: zeros(),
    counted: zeros(),
    duplicate: zeros(),
    filtered: zeros(),
    filteredBy: {},
  };
}

/** The flow of several tasks together. */
export function addFlows(flows: Iterable<Flow>): Flow {
  const sum = emptyFlow();
  const reasons = new Map<string, number[]>();
  for (const flow of flows) {
    for (const fate of FATES) add(sum[fate] as number[], flow[fate]);
    for (const [reason, clicks] of Object.entries(flow.filteredBy)) {
      const into = reasons.get(reason) ?? zeros();
      reasons.set(reason, into);
      add(into, clicks);
    }
  }
  return { ...sum, filteredBy: Object.fromEntries(reasons) };
}

function add(into: number[], clicks: readonly number[]): void {
  clicks.forEach((n, minute) => (into[minute]! += n));
}

/** One number per minute of an hour. */
export function zeros(): number[] {
  return new Array<number>(MINUTES_PER_HOUR).fill(0);
}
