import { DEFAULT_RULE_SET, hashRuleSet } from '../core/rules/rule-set.js';
import { partitionOf } from '../ingest/partitioner.js';
import { addCells } from '../store/live-cells.js';
import { Counter } from '../stream/counter.js';
import type { FetchedBatch } from '../stream/log-source.js';
import { PartitionState } from '../stream/partition-state.js';
import { BatchBuilder } from './support/raw-producer.js';
import { median, thousands, type Report } from './support/report.js';
import { ADS, Workload, adId } from './support/workload.js';

const TOPIC = 'bench-count';
const PARTITIONS = 4;
const RECORDS_PER_BATCH = 256;
/** As a fetch of one partition. */
const FETCH_BYTES = 1024 * 1024;
const FLUSH_CLICKS = 500_000;
const ROUNDS = 5;

/** Takes the statements of a flush and does nothing: what is left is the worker's own work. */
const NOWHERE = { query: () => Promise.resolve({ rows: [] }) } as unknown as Parameters<
  typeof addCells
>[0];

/**
 * CPU per click of a worker's own work, without Kafka and Postgres: record batches in memory to the
 * parameters of the statements.
 */
export async function benchCount({ clicks }: { readonly clicks: number }): Promise<Report> {
  const fetches = makeFetches(new Workload(clicks));
  const rounds: { count: number; flush: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) rounds.push(await countAll(fetches, clicks));
  const warm = rounds.slice(1);
  const count = median(warm.map((round) => round.count));
  const flush = median(warm.map((round) => round.flush));
  const row = (name: string, c: number, f: number): Report['rows'][number] => ({
    rounds: name,
    'ns/click': thousands(c + f),
    'of it counting': thousands(c),
    'of it flushing': thousands(f),
    'clicks/s per core': thousands(1e9 / (c + f)),
  });
  return {
    name: `count: a worker's own CPU time, ${thousands(clicks)} clicks in memory`,
    rows: [
      row('first, cold', rounds[0]!.count, rounds[0]!.flush),
      row(`median of ${String(ROUNDS)} more`, count, flush),
    ],
    notes: [
      'CRC, decoding, dedupe, cells, positions, and encoding of the cells; no Kafka, no Postgres',
    ],
    raw: rounds,
  };
}

/** The clicks as fetch results, partition after partition in turn. */
function makeFetches(workload: Workload): FetchedBatch[] {
  const keys = Array.from({ length: ADS }, (_, ad) => Buffer.from(adId(ad)));
  const logs = Array.from({ length: PARTITIONS }, (_, partition) => new FetchBuilder(partition));
  for (const { ad, value } of workload.clicks()) {
    logs[partitionOf(keys[ad]!, PARTITIONS)]!.add(keys[ad]!, value);
  }
  const all = logs.map((log) => log.finish());
  const longest = Math.max(...all.map((fetches) => fetches.length));
  return Array.from({ length: longest }, (_, i) =>
    all.flatMap((fetches) => fetches[i] ?? []),
  ).flat();
}

class FetchBuilder {
  private readonly builder = new BatchBuilder();
  private batches: Buffer[] = [];
  private bytes = 0;
  private from = 0;
  private to = 0;
  private readonly fetches: FetchedBatch[] = [];

  constructor(private readonly partition: number) {}

  add(key: Buffer, value: Buffer): void {
    this.builder.add(key, value);
    if (this.builder.count < RECORDS_PER_BATCH) return;
    this.endBatch();
    if (this.bytes >= FETCH_BYTES) this.endFetch();
  }

  finish(): FetchedBatch[] {
    if (this.builder.count > 0) this.endBatch();
    if (this.bytes > 0) this.endFetch();
    return this.fetches;
  }

  private endBatch(): void {
    const { count } = this.builder;
    const batch = this.builder.take();
    batch.writeBigInt64BE(BigInt(this.to), 0);
    this.to += count;
    this.bytes += batch.length;
    this.batches.push(batch);
  }

  private endFetch(): void {
    this.fetches.push({
      topic: TOPIC,
      partition: this.partition,
      fetchedOffset: this.from,
      endOffset: this.to,
      logEndOffset: this.to,
      logStartOffset: 0,
      recordSet: Buffer.concat(this.batches),
      abortedTransactions: [],
    });
    this.batches = [];
    this.bytes = 0;
    this.from = this.to;
  }
}

async function countAll(
  fetches: readonly FetchedBatch[],
  clicks: number,
): Promise<{ count: number; flush: number }> {
  const hash = hashRuleSet(DEFAULT_RULE_SET);
  const counter = new Counter({
    versions: [{ version: 1, hash, sinceMs: null }],
    ruleSets: [{ hash, ruleSet: DEFAULT_RULE_SET }],
    seeds: Int32Array.of(1, 2, 3, 4),
    flushClicksMax: FLUSH_CLICKS,
  });
  const none = { epoch: 1, nextOffset: 0, rebuildFrom: 0, maxEventMs: null };
  const states = Array.from(
    { length: PARTITIONS },
    (_, partition) =>
      new PartitionState({ topic: TOPIC, partition }, { ...none, slot: partition + 1 }, new Set()),
  );
  const all = new Set(states);
  let flushNs = 0;
  const flush = async (): Promise<void> => {
    const startedNs = cpuNs();
    await addCells(NOWHERE, counter.buffer.body(all, new Set(), counter.texts).cells);
    counter.committed(all);
    flushNs += cpuNs() - startedNs;
  };
  const startedNs = cpuNs();
  for (const fetch of fetches) {
    const state = states[fetch.partition]!;
    do {
      counter.read(state, fetch);
      if (counter.full) await flush();
    } while (state.position < fetch.endOffset);
  }
  await flush();
  const totalNs = cpuNs() - startedNs;
  return { count: (totalNs - flushNs) / clicks, flush: flushNs / clicks };
}

function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
