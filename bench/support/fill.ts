import { partitionOf } from '../../ingest/partitioner.js';
import { BatchBuilder, RawProducer } from './raw-producer.js';
import { ADS, adId } from './workload.js';
import type { Workload } from './workload.js';

/** About 40 KB: between the 16 KB of a Java producer by default and the largest batches. */
const RECORDS_PER_BATCH = 256;

export interface Filled {
  readonly records: number;
  /** Of the record values. */
  readonly bytes: number;
  readonly seconds: number;
  readonly perPartition: readonly number[];
}

/** Writes all clicks of a workload to a topic, in order, keyed by ad. */
export async function fill(
  address: string,
  topic: string,
  partitions: number,
  workload: Workload,
): Promise<Filled> {
  const startedMs = performance.now();
  const producer = await RawProducer.connect(address);
  const keys = Array.from({ length: ADS }, (_, ad) => Buffer.from(adId(ad)));
  const places = keys.map((key) => partitionOf(key, partitions));
  const builders = Array.from({ length: partitions }, () => new BatchBuilder());
  const perPartition = new Array<number>(partitions).fill(0);
  let bytes = 0;
  for (const { ad, value } of workload.clicks()) {
    const partition = places[ad]!;
    const builder = builders[partition]!;
    builder.add(keys[ad]!, value);
    bytes += value.length;
    perPartition[partition]!++;
    if (builder.count === RECORDS_PER_BATCH) {
      await producer.send(topic, new Map([[partition, builder.take()]]));
    }
  }
  for (const [partition, builder] of builders.entries()) {
    if (builder.count > 0) await producer.send(topic, new Map([[partition, builder.take()]]));
  }
  producer.close();
  const seconds = (performance.now() - startedMs) / 1000;
  return { records: workload.size, bytes, seconds, perPartition };
}
