import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { TruecountError } from '../core/errors.js';
import { CheckpointFile } from '../ingest/files/checkpoint.js';
import type { Checkpoint } from '../ingest/files/checkpoint.js';
import { openInputFile } from '../ingest/files/input-file.js';
import type { InputFile } from '../ingest/files/input-file.js';
import { TrackedItems } from '../ingest/files/tracked-items.js';
import { IngestTally, ingestItems } from '../ingest/ingest.js';
import type { IngestResult } from '../ingest/ingest.js';
import type { ClickProducer, OnStored } from '../ingest/producer.js';
import { formatName, readerFor } from './format-options.js';
import type { FormatOptions } from './format-options.js';
import { hashOf } from './ingest-destination.js';
import type { Destination } from './ingest-destination.js';
import { readMappingFile } from './mapping-file.js';

export interface FileResult extends IngestResult {
  readonly file: string;
  /** The records of these sums that an earlier run had sent; absent if it began anew. */
  readonly sent_before?: number;
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
   * words if there was such a run, and whenever that cannot be kept.
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
    const before = await this.goOnBehind(saved, destination, tell);
    const from = before?.offset ?? 0;
    const reader = readerFor(this.path, this.options, before?.reader);
    const items = new TrackedItems(this.input.chunks(from), reader, from);
    const mark =
      saved === undefined ? undefined : (value: Buffer) => this.markOf(items, value, saved, tell);
    try {
      const result = await ingestItems(items, producer, { onProgress, tally: this.tally, mark });
      saved?.remove();
      const sentBefore = before === undefined ? {} : { sent_before: before.sent };
      return { file: this.path, ...result, ...sentBefore };
    } catch (error) {
      throw this.withSent(error);
    }
  }

  /** What an earlier run had reached, if the log still holds what it had sent. */
  private async goOnBehind(
    saved: CheckpointFile | undefined,
    destination: Destination,
    tell: (words: string) => void,
  ): Promise<Checkpoint | undefined> {
    const before = this.options.restart === true ? undefined : saved?.read();
    if (before === undefined) return undefined;
    const why =
      before === 'of another version'
        ? 'another version of truecount was stopped, which kept its place otherwise'
        : await destination.whyNotHeld(before);
    if (before === 'of another version' || why !== undefined) {
      tell(`${this.path}: begins anew: ${why}`);
      return undefined;
    }
    const { reader, sent, bytes, rejected } = before;
    tell(
      `${this.path}: on from line ${reader.line + 1}, behind the ${sent} records of ` +
        'an earlier run (--restart begins anew)',
    );
    this.takenBefore = sent;
    Object.assign(this.tally, { sent, bytes, rejected });
    return before;
  }

  private markOf(
    items: TrackedItems,
    value: Buffer,
    saved: CheckpointFile,
    tell: (words: string) => void,
  ): OnStored | undefined {
    const position = items.position();
    if (position === undefined) return undefined;
    const { sent, bytes, rejected } = this.tally;
    const recordHash = hashOf(value);
    return ({ partition, offset: logOffset, appendMs }) => {
      if (logOffset === null) return;
      const last = { partition, logOffset, appendMs, recordHash };
      const file = resolve(this.path);
      const why = saved.write({ file, ...position, ...last, sent, bytes, rejected });
      if (why !== undefined) tell(`${why}; a run that is stopped begins anew`);
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
