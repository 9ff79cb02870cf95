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
  /** The last record before `offset`: a log without it is another log. */
  readonly partition: number;
  readonly logOffset: number;
  /** When the broker took it; null where the topic keeps another time. */
  readonly appendMs: number | null;
  /** SHA-256 of its value, in hex. */
  readonly recordHash: string;
  readonly sent: number;
  readonly bytes: number;
  readonly rejected: number;
}

/** Version 1 did not say what the last record was. */
const VERSION = 2;

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
  read(): Checkpoint | 'of another version' | undefined {
    try {
      const text = readFileSync(this.path, 'utf8');
      const document = JSON.parse(text) as Checkpoint & { readonly version: unknown };
      if (document.version === VERSION) return document;
      return typeof document.version === 'number' ? 'of another version' : undefined;
    } catch {
      return undefined;
    }
  }

  /** Replaces the one before, whole or not at all. Gives the reason if it can't, the same each time. */
  write(checkpoint: Checkpoint): string | undefined {
    const temporary = `${this.path}.${process.pid}.tmp`;
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(temporary, JSON.stringify({ version: VERSION, ...checkpoint }));
      renameSync(temporary, this.path);
      return undefined;
    } catch (error) {
      removeIfPossible(temporary);
      // `EEXIST: file already exists, mkdir …`: what follows differs by the file.
      const [why = ''] = String((error as Error).message).split(',');
      return `cannot keep how far it is in ${this.folder} (${why})`;
    }
  }

  /** One that stays is only read for a file that is sent again. */
  remove(): void {
    removeIfPossible(this.path);
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is in a folder that may not be written to, or is none.
  }
}
