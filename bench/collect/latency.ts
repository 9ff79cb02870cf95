import { percentile, thousands, type Row } from '../support/report.js';
import type { LoadResult, LoadTask } from './load.js';

/** When the broker was killed, and when the collector said that it takes clicks again; epoch ms. */
export interface Outage {
  readonly killedMs: number;
  readonly readyMs: number;
}

/** Seconds at the start of which latencies do not count: processes warm up. */
export const WARM_UP_SECONDS = 3;
/** A request that was sent this soon after it was due did not wait behind others. */
const PROMPT_MS = 50;

type Timed = Pick<LoadResult, 'requests' | 'startedMs' | 'latenciesMs' | 'waitsMs'>;

/**
 * When what had gathered during the outage was sent, epoch ms: when the first request was due, after
 * the collector was ready again, that was sent at once. Undefined: not before the end.
 */
export function caughtUpMs(result: Timed, perSecond: number, outage: Outage): number | undefined {
  const due = (n: number): number => result.startedMs + (n * 1000) / perSecond;
  const n = result.waitsMs.findIndex((ms, i) => due(i) >= outage.readyMs && ms < PROMPT_MS);
  return n < 0 ? undefined : due(n);
}

/**
 * Latencies of all requests, and of those that the outage did not touch: acknowledged before the
 * broker was killed, or due after everything that had gathered was sent.
 */
export function latencyRows(
  result: Timed,
  { perSecond }: Pick<LoadTask, 'perSecond'>,
  outage: Outage | undefined,
): Row[] {
  const due = (n: number): number => result.startedMs + (n * 1000) / perSecond;
  const rowOf = (time: string, belongs: (dueMs: number, ackedMs: number) => boolean): Row => {
    const known: number[] = [];
    for (let n = WARM_UP_SECONDS * perSecond; n < result.requests; n++) {
      const ms = result.latenciesMs[n]!;
      if (!Number.isNaN(ms) && belongs(due(n), due(n) + ms)) known.push(ms);
    }
    return { time, requests: thousands(known.length), ...percentiles(known) };
  };
  const whole = rowOf('whole', () => true);
  if (outage === undefined) return [whole];
  const againMs = caughtUpMs(result, perSecond, outage) ?? Number.POSITIVE_INFINITY;
  return [
    whole,
    rowOf('before the outage', (_, ackedMs) => ackedMs < outage.killedMs),
    rowOf('after the outage', (dueMs) => dueMs >= againMs),
  ];
}

function percentiles(known: readonly number[]): Row {
  const at = (p: number): string => (known.length === 0 ? '-' : percentile(known, p).toFixed(1));
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'max ms': at(1) };
}
