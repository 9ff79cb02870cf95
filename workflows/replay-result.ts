import type { ReplayRangeResult } from './contract.js';

/** Hours of a replay that stayed as they were; also of results that do not name them. */
export function unchangedOf(result: ReplayRangeResult): number {
  const { hours, published, confirmed, held, unchanged } = result;
  return unchanged ?? hours - published - confirmed - held;
}
