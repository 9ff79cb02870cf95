import { MINUTES_PER_HOUR } from '../core/time.js';
import type { Flow } from './task.js';

/** A flow without a click. */
export function emptyFlow(): Flow {
  return { received: zeros(), counted: zeros(), duplicate: zeros(), filtered: zeros() };
}

/** The flow of several tasks together. */
export function addFlows(flows: Iterable<Flow>): Flow {
  const sum = emptyFlow();
  for (const flow of flows) {
    for (const fate of ['received', 'counted', 'duplicate', 'filtered'] as const) {
      const into = sum[fate] as number[];
      flow[fate].forEach((clicks, minute) => (into[minute]! += clicks));
    }
  }
  return sum;
}

function zeros(): number[] {
  return new Array<number>(MINUTES_PER_HOUR).fill(0);
}
