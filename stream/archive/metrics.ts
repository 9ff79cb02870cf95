import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ArchivePartition } from './partition.js';

/** The archive's metrics. Labels are bounded: partitions and fates, never ids. */
export function createArchiveMetrics(registry: Registry) {
  const registers = [registry];
  let partitions: () => Iterable<ArchivePartition> = () => [];
  return {
    /** The partitions whose lag is asked for at every scrape, also while nothing can be committed. */
    watch(owned: () => Iterable<ArchivePartition>): void {
      partitions = owned;
    },
    records: new Counter({
      name: 'truecount_archive_records_total',
      help: 'Offsets by what became of them in the archive (commits only)',
      labelNames: ['fate'],
      registers,
    }),
    bytes: new Counter({
      name: 'truecount_archive_bytes_total',
      help: 'Bytes of the files that were listed',
      registers,
    }),
    files: new Counter({
      name: 'truecount_archive_files_total',
      help: 'Files that were listed',
      registers,
    }),
    refused: new Counter({
      name: 'truecount_archive_refused_total',
      help: 'Commits that the fence refused because the partition has another owner',
      registers,
    }),
    retries: new Counter({
      name: 'truecount_archive_retries_total',
      help: 'Commits tried again: Postgres or the lake away, lock timeout',
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'truecount_archive_commit_seconds',
      help: 'Duration of a commit, writing of its files included',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    buffered: new Gauge({
      name: 'truecount_archive_buffered_bytes',
      help: 'About what the clicks read and not yet committed take',
      registers,
    }),
    swept: new Counter({
      name: 'truecount_archive_swept_total',
      help: 'Files removed that no commit had listed and none can list any more, uploads included',
      registers,
    }),
    lag: new Gauge({
      name: 'truecount_archive_lag_records',
      help: 'Records of the log that are not archived yet',
      labelNames: ['topic', 'partition'],
      registers,
      collect() {
        this.reset();
        for (const { topic, partition: number, logEndOffset, committedOffset } of partitions()) {
          const lag = Math.max(0, (logEndOffset ?? committedOffset) - committedOffset);
          this.set({ topic, partition: number }, lag);
        }
      },
    }),
  };
}

export type ArchiveMetrics = ReturnType<typeof createArchiveMetrics>;
