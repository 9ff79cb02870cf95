import { createRequire } from 'node:module';
import type { LogRecord } from '../../../core/count.js';
import { partitionKey } from '../../../core/position.js';
import { hashRuleSet } from '../../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../../core/time.js';
import type { FlushBody } from '../../../store/flush-body.js';
import { Counter } from '../../../stream/counter.js';
import { PartitionState } from '../../../stream/partition-state.js';
import { Books } from './books.js';
import { cellName } from './engine.js';
import type { Engine } from './engine.js';
import { byPartition } from './log.js';

/** The encoder of kafkajs: the stream reads what others write. */
const require = createRequire(import.meta.url);
interface Encoded {
  readonly buffer: Buffer;
}
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (options: object) => Promise<Encoded>;
};
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  options: object,
) => Encoded;

/** Small, so that a log of some dozens of records takes several flushes. */
const FLUSH_CLICKS_MAX = 7;

/**
 * The stream without Kafka and Postgres: record batches go in, the bodies of its flushes come out.
 * It reads each partition up to the cut, is told that the hour is cut, and reads on: what it then
 * counts into the hour would be wrong. It tells duplicates apart within a partition only.
 */
export const streamEngine: Engine = {
  name: 'stream',
  count: async ({ log, hourMs, ruleSet, cut }) => {
    const hash = hashRuleSet(ruleSet);
    const counter = new Counter({
      versions: [{ version: 1, hash, sinceMs: null }],
      ruleSets: [{ hash, ruleSet }],
      seeds: Int32Array.of(1, 2, 3, 4),
      flushClicksMax: FLUSH_CLICKS_MAX,
    });
    const partitions = byPartition(log);
    const next = new Map(cut.map((entry) => [partitionKey(entry), entry.nextOffset]));
    const states = [...partitions.values()].map(
      ([first], slot) =>
        new PartitionState(
          { topic: first!.topic, partition: first!.partition },
          { slot, epoch: 1, nextOffset: 0, rebuildFrom: 0, maxEventMs: null },
          new Set(),
        ),
    );
    const sums: Sums = { cells: new Map(), books: new Books() };
    const flush = (): void => {
      const all = new Set(states);
      addBody(sums, counter.buffer.body(all, counter.cutHours, counter.texts), hourMs);
      counter.committed(all);
    };
    const read = async (wanted: (record: LogRecord) => boolean): Promise<void> => {
      for (const state of states) {
        const records = partitions.get(partitionKey(state))!.filter(wanted);
        const batch = await fetched(records);
        if (batch === null) continue;
        do {
          counter.read(state, batch);
          if (counter.full) flush();
        } while (state.position < batch.endOffset);
      }
      flush();
    };
    const isBelow = (record: LogRecord): boolean =>
      record.offset < (next.get(partitionKey(record)) ?? 0);
    await read(isBelow);
    counter.learn([{ hourMs, cut: true, pin: hash }], states);
    await read((record) => !isBelow(record));
    return { cells: sums.cells, flow: sums.books.flow };
  },
};

interface Sums {
  readonly cells: Map<string, number>;
  readonly books: Books;
}

function addBody(
  { cells, books }: Sums,
  { cells: rows, minutes }: FlushBody,
  hourMs: number,
): void {
  const text = (of: typeof rows.ads, row: number): string =>
    Buffer.from(of.bytes.subarray(of.starts[row], of.ends[row])).toString('utf8');
  for (let row = 0; row < rows.rows; row++) {
    if (rows.hoursMs[row] !== hourMs) continue;
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
      const count = rows.counts[row * MINUTES_PER_HOUR + minute]!;
      if (count === 0) continue;
      const cell = cellName(text(rows.filters, row), text(rows.ads, row), minute);
      cells.set(cell, (cells.get(cell) ?? 0) + count);
    }
  }
  for (const { counted, duplicate, filteredBy } of minutes.filter((m) => m.hourMs === hourMs)) {
    for (let minute = 0; minute < MINUTES_PER_HOUR; minute++) {
      books.add('counted', minute, counted[minute]);
      books.add('duplicate', minute, duplicate[minute]);
      for (const [reason, counts] of filteredBy) {
        books.filtered(reason, minute, counts[minute]);
      }
    }
  }
}

/** A fetch result with one record batch per record: each has its own append time. */
async function fetched(records: readonly LogRecord[]) {
  const [first] = records;
  if (first === undefined) return null;
  const { topic, partition, offset: fetchedOffset } = first;
  const batches: Buffer[] = [];
  for (const { offset, appendMs, value } of records) {
    const record = encodeRecord({ key: null, value: value && Buffer.from(value), headers: {} });
    const batch = await RecordBatch({
      firstOffset: offset,
      firstTimestamp: appendMs,
      maxTimestamp: appendMs,
      lastOffsetDelta: 0,
      records: [record],
    });
    batches.push(Buffer.from(batch.buffer));
  }
  const endOffset = records.at(-1)!.offset + 1;
  return {
    topic,
    partition,
    fetchedOffset,
    endOffset,
    logEndOffset: endOffset,
    logStartOffset: 0,
    recordSet: Buffer.concat(batches),
    abortedTransactions: [],
  };
}
