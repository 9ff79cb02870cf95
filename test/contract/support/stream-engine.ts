import { createRequire } from 'node:module';
import type { LogRecord } from '../../../core/count.js';
import { partitionKey } from '../../../core/position.js';
import { DIMENSIONS_MAX, hashRuleSet } from '../../../core/rules/rule-set.js';
import type { RuleSet } from '../../../core/rules/rule-set.js';
import { MINUTES_PER_HOUR } from '../../../core/time.js';
import type { FlushBody } from '../../../store/flush-body.js';
import type { Assignment } from '../../../store/progress.js';
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
const FETCH_RECORDS = 5;

/** The stream as one worker runs it; see `streamOf`. */
export const streamEngine = streamOf('stream', 1);

/**
 * The partitions go from worker to worker: each rebuilds what it has to remember of them, and has
 * room for the texts of one flush only.
 */
export const takenOverEngine = streamOf('stream, taken over twice', 3, 0);

/** Of other hours: wider than most, so that a click has fewer filters than there is room for. */
const WIDE: RuleSet = {
  version: 1,
  dimensions: Array.from({ length: DIMENSIONS_MAX }, (_, i) => ({
    name: `wide_${String(i)}`,
    field: 'country',
  })),
};

/**
 * The stream without Kafka and Postgres: record batches go in, the bodies of its flushes come out.
 * It reads each partition up to the cut, is told that the hour is cut, and reads on: what it then
 * counts into the hour would be wrong. It tells duplicates apart within a partition only.
 * `workers` of them read one part after the other, each beginning with what the last one committed.
 */
function streamOf(name: string, workers: number, textBytesMax?: number): Engine {
  return {
    name,
    count: async ({ log, hourMs, ruleSet, cut }) => {
      const hash = hashRuleSet(ruleSet);
      const partitions = byPartition(log);
      const next = new Map(cut.map((entry) => [partitionKey(entry), entry.nextOffset]));
      const sums: Sums = { cells: new Map(), books: new Books() };
      const start = (assignments: readonly Assignment[], seed: number): Worker => {
        const states = [...partitions.values()].map(
          ([first], i) => new PartitionState(first!, assignments[i]!, new Set()),
        );
        const counter = new Counter({
          versions: [{ version: 1, hash, sinceMs: null }],
          ruleSets: [
            { hash, ruleSet },
            { hash: 'wide', ruleSet: WIDE },
          ],
          seeds: Int32Array.of(seed, 2, 3, 4),
          flushClicksMax: FLUSH_CLICKS_MAX,
          ...(textBytesMax === undefined ? {} : { textBytesMax }),
        });
        return { states, counter };
      };
      const flush = ({ states, counter }: Worker): void => {
        const all = new Set(states);
        addBody(sums, counter.buffer.body(all, counter.cutHours, counter.texts), hourMs);
        counter.committed(all);
      };
      const read = async (worker: Worker, wanted: Wanted): Promise<void> => {
        for (const state of worker.states) {
          const all = partitions.get(partitionKey(state))!;
          const unread = all.filter(
            (record) => record.offset >= state.position && wanted(record, all),
          );
          for (let from = 0; from < unread.length; from += FETCH_RECORDS) {
            const batch = await fetched(unread.slice(from, from + FETCH_RECORDS));
            do {
              worker.counter.read(state, batch);
              if (worker.counter.full) flush(worker);
            } while (state.position < batch.endOffset);
          }
        }
        flush(worker);
      };
      const isBelow = (record: LogRecord): boolean =>
        record.offset < (next.get(partitionKey(record)) ?? 0);
      let worker = start([...partitions.values()].map(firstAssignment), 1);
      for (let n = 1; n <= workers; n++) {
        if (n > 1) worker = start(worker.states.map(nextAssignment), n);
        await read(
          worker,
          (record, all) => isBelow(record) && all.indexOf(record) < (all.length * n) / workers,
        );
      }
      worker.counter.learn([{ hourMs, cut: true, pin: hash }], worker.states);
      await read(worker, () => true);
      return { cells: sums.cells, flow: sums.books.flow };
    },
  };
}

/** Whether a record of a partition, which has `all` of them, is to be read now. */
type Wanted = (record: LogRecord, all: readonly LogRecord[]) => boolean;

interface Worker {
  readonly states: readonly PartitionState[];
  readonly counter: Counter;
}

function firstAssignment(_records: readonly LogRecord[], slot: number): Assignment {
  return { slot, epoch: 1, nextOffset: 0, rebuildFrom: 0, maxEventMs: null };
}

/** What a worker that takes over finds of the last flush. */
function nextAssignment(state: PartitionState): Assignment {
  const { slot, epoch, committedOffset: nextOffset, maxEventMs } = state;
  return {
    ...{ slot, epoch: epoch + 1, nextOffset, rebuildFrom: state.rebuildFrom() },
    maxEventMs: Number.isFinite(maxEventMs) ? maxEventMs : null,
  };
}

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
  const { topic, partition, offset: fetchedOffset } = records[0]!;
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
