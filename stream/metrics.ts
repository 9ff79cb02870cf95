import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { PartitionState } from './partition-state.js';

/**
 * The stream's metrics. Labels are bounded: partitions, fates and closed reason codes, never ids.
 */
export function createStreamMetrics(registry: Registry) {
  const registers = [registry];
  let partitions: () => Iterable<PartitionState> = () => [];
  return {
    /** The partitions whose lag is asked for at every scrape, also while nothing can be flushed. */
    watch(owned: () => Iterable<PartitionState>): void {
      partitions = owned;
    },
    records: new Counter({
      name: 'truecount_records_total',
      help: 'Records by what became of them (committed flushes only)',
      labelNames: ['fate'],
      registers,
    }),
    quarantined: new Counter({
      name: 'truecount_quarantined_total',
      help: 'Quarantined records by reason',
      labelNames: ['reason'],
      registers,
    }),
    lost: new Counter({
      name: 'truecount_lost_offsets_total',
      help: 'Offsets that were never read; anything above 0 is an alarm',
      registers,
    }),
    overflow: new Counter({
      name: 'truecount_dedupe_overflow_total',
      help: 'Hours whose dedupe memory was given up for the byte bound; an alarm',
      registers,
    }),
    refused: new Counter({
      name: 'truecount_flush_refused_total',
      help: 'Flushes that the fence refused because the partition has another owner',
      registers,
    }),
    retries: new Counter({
      name: 'truecount_flush_retries_total',
      help: 'Flushes tried again: Postgres away, lock timeout, deadlock',
      registers,
    }),
    flushSeconds: new Histogram({
      name: 'truecount_flush_seconds',
      help: 'Duration of a committed flush',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    flushRows: new Histogram({
      name: 'truecount_flush_rows',
      help: 'Rows of 60 minute counts in a committed flush',
      buckets: [10, 100, 1_000, 10_000, 50_000, 100_000, 250_000],
      registers,
    }),
    ...gauges(registers, () => partitions()),
  };
}

function gauges(registers: Registry[], partitions: () => Iterable<PartitionState>) {
  const labelNames = ['topic', 'partition'];
  return {
    lag: new Gauge({
      name: 'truecount_lag_records',
      help: 'Records of the log that are not committed yet',
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { topic, partition: number, logEndOffset, committedOffset } of partitions()) {
          const lag = Math.max(0, (logEndOffset ?? committedOffset) - committedOffset);
          this.set({ topic, partition: number }, lag);
        }
      },
    }),
    maxEventSeconds: new Gauge({
      name: 'truecount_max_event_timestamp_seconds',
      help: 'Greatest event time read, clamped to append time',
      labelNames,
      registers,
    }),
    dedupeBytes: new Gauge({
      name: 'truecount_dedupe_bytes',
      help: 'Bytes of remembered ids',
      registers,
    }),
    dedupeIds: new Gauge({
      name: 'truecount_dedupe_ids',
      help: 'Remembered ids',
      registers,
    }),
    rebuilding: new Gauge({
      name: 'truecount_rebuilding_partitions',
      help: 'Partitions whose dedupe memory is being rebuilt from the log',
      registers,
    }),
  };
}

export type StreamMetrics = ReturnType<typeof createStreamMetrics>;
