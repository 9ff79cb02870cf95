import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReaderState } from '../formats/record-reader.js';

/**
 * How far a run got with a file: all records before `offset` are acknowledged. It saves time only.
 * Without it, or with one from the past, records are sent again under the ids that they had.
 */
export interface Checkpoint {
  /** For people. */
  readonly file: string;
  /** Of the content, decompressed. */
  readonly offset: number;
  readonly reader: ReaderState;
  /** Where the last record before `offset` is on the log: a log without it is another log. */
  readonly partition: number;
  readonly logOffset: number;
  readonly sent: number;
  readonly bytes: number;
  readonly rejected: number;
}

const VERSION = 1;

/** The checkpoint of one file, read in one way and sent to one topic: `parts` say which. */
export class CheckpointFile {
  readonly path: string;

  constructor(
    private readonly folder: string,
    parts: readonly string[],
  ) {
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
    this.path = join(folder, `${key.slice(0, 32)}.json`);
  }

  /** Undefined if there is none that can be read. */
  read(): Checkpoint | undefined {
    try {
      const document = JSON.parse(readFileSync(this.path, 'utf8')) as Checkpoint & {
        version: unknown;
      };
      return document.version === VERSION ? document : undefined;
    } catch {
      return undefined;
    }
  }

  /** Replaces the one before, whole or not at all. */
  write(checkpoint: Checkpoint): void {
    mkdirSync(this.folder, { recursive: true });
    const temporary = `${this.path}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify({ version: VERSION, ...checkpoint }));
    renameSync(temporary, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
