import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Kafka } from 'kafkajs';
import { TruecountError } from '../core/errors.js';
import { CheckpointFile } from '../ingest/files/checkpoint.js';
import type { Checkpoint } from '../ingest/files/checkpoint.js';
import { openInputFile } from '../ingest/files/input-file.js';
import type { InputFile } from '../ingest/files/input-file.js';
import { TrackedItems } from '../ingest/files/tracked-items.js';
import { IngestTally, ingestItems } from '../ingest/ingest.js';
import type { IngestResult } from '../ingest/ingest.js';
import type { ClickProducer, OnStored } from '../ingest/producer.js';
import { topicEnds } from '../runtime/topic-ends.js';
import { formatName, readerFor } from './format-options.js';
import type { FormatOptions } from './format-options.js';
import { readMappingFile } from './mapping-file.js';

export interface FileResult extends IngestResult {
  readonly file: string;
  /** The records of these sums that an earlier run had sent; absent if it began anew. */
  readonly sent_before?: number;
}

/** What a run has to know of the log that files are sent to. */
export interface Destination {
  readonly topic: string;
  readonly clusterId: string;
  /** Behind the last record, by partition. */
  readonly ends: ReadonlyMap<number, number>;
}

/** @throws TruecountError `dependency_unreachable` */
export async function destinationOf(kafka: Kafka, topic: string): Promise<Destination> {
  try {
    const clusterId = await clusterIdOf(kafka);
    const ends = await topicEnds(kafka, topic);
    return { topic, clusterId, ends: new Map(ends.map((end) => [end.partition, end.endOffset])) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError(
      'dependency_unreachable',
      `Kafka does not say where ${topic} ends: ${why}`,
      {
        hint: 'truecount doctor says what is wrong; ingesting the same input again counts once',
        cause,
      },
    );
  }
}

async function clusterIdOf(kafka: Kafka): Promise<string> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}

/** How far a file is: records, and bytes on disk; and how far an earlier run had come. */
export interface FileProgress {
  readonly taken: number;
  readonly takenBefore: number;
  readonly readBytes: number;
  readonly startBytes: number;
}

/** One file of a run. */
export class FileIngest {
  readonly input: InputFile;
  private takenBefore = 0;
  private readonly tally = new IngestTally();

  /**
   * Checks what can be before anything is sent.
   * @throws TruecountError `not_found`, `invalid_argument`, `invalid_mapping`
   */
  constructor(
    readonly path: string,
    private readonly options: FormatOptions & { readonly restart?: boolean | undefined },
  ) {
    this.input = openInputFile(path);
    readerFor(path, options);
  }

  progress(): FileProgress {
    const { takenBefore, input } = this;
    const bytes = { readBytes: input.readBytes(), startBytes: input.startBytes() };
    return { taken: this.tally.sent, takenBefore, ...bytes };
  }

  /**
   * Sends it, from where an earlier run was stopped. `home` keeps how far it got; `tell` is told in
   * words if there was such a run.
   * @throws TruecountError what `ingestItems` throws, saying how much of the file was sent.
   */
  async send(
    producer: ClickProducer,
    destination: Destination,
    home: string,
    tell: (words: string) => void,
    onProgress: () => void,
  ): Promise<FileResult> {
    const saved = this.checkpointFile(destination, home);
    const before = this.options.restart === true ? undefined : usable(saved?.read(), destination);
    if (before !== undefined) {
      tell(
        `${this.path}: on from line ${before.reader.line + 1}, behind the ${before.sent} records of ` +
          'an earlier run (--restart begins anew)',
      );
      this.takenBefore = before.sent;
      this.tally.sent = before.sent;
      this.tally.bytes = before.bytes;
      this.tally.rejected = before.rejected;
    }
    const from = before?.offset ?? 0;
    const reader = readerFor(this.path, this.options, before?.reader);
    const items = new TrackedItems(this.input.chunks(from), reader, from);
    const mark = saved === undefined ? undefined : () => this.markOf(items, saved);
    try {
      const result = await ingestItems(items, producer, { onProgress, tally: this.tally, mark });
      saved?.remove();
      const sentBefore = before === undefined ? {} : { sent_before: before.sent };
      return { file: this.path, ...result, ...sentBefore };
    } catch (error) {
      throw this.withSent(error);
    }
  }

  private markOf(items: TrackedItems, saved: CheckpointFile): OnStored | undefined {
    const position = items.position();
    if (position === undefined) return undefined;
    const { sent, bytes, rejected } = this.tally;
    return (partition, logOffset) => {
      if (logOffset === null) return;
      const file = resolve(this.path);
      saved.write({ file, ...position, partition, logOffset, sent, bytes, rejected });
    };
  }

  private checkpointFile(destination: Destination, home: string): CheckpointFile | undefined {
    const { identity } = this.input;
    if (identity === undefined) return undefined;
    const { mapping, source = '' } = this.options;
    const text = mapping === undefined ? '' : readMappingFile(mapping).text;
    const format = formatName(this.path, this.options);
    const rows = createHash('sha256')
      .update(JSON.stringify([format, text, source]))
      .digest('hex');
    const { clusterId, topic } = destination;
    return new CheckpointFile(join(home, 'ingest'), [identity, rows, clusterId, topic]);
  }

  private withSent(error: unknown): unknown {
    if (!(error instanceof TruecountError)) return error;
    const { code, message, hint, context } = error;
    const sent = this.tally.sent;
    // Of what the broker did not acknowledge nobody knows; of the rest everything is there.
    const certainly = code === 'invalid_argument' ? `${sent}` : `at most ${sent}`;
    return new TruecountError(
      code,
      `${message}; sent of ${this.path} before that: ${certainly} records`,
      {
        ...(hint === undefined ? {} : { hint }),
        context: { ...context, file: this.path, sent },
        cause: error,
      },
    );
  }
}

/** A checkpoint, if the log still holds what it says was sent. */
function usable(checkpoint: Checkpoint | undefined, { ends }: Destination): Checkpoint | undefined {
  if (checkpoint === undefined) return undefined;
  return (ends.get(checkpoint.partition) ?? 0) > checkpoint.logOffset ? checkpoint : undefined;
}
