import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface WriterOptions {
  readonly folder: string;
  /** Complete lines. */
  readonly content: Buffer;
  /** The first line of every file. */
  readonly header?: string;
  readonly rotations: number;
  readonly seed: number;
  /** Rotates by copying the file and truncating it, between two lines. */
  readonly copyTruncate?: boolean;
}

const LF = 0x0a;

/**
 * Writes a log as a server and logrotate do: in chunks that end anywhere, also within a line or a
 * character, with `rotations` in between. The first half of them renames (app.csv → app.csv.1 → …; the
 * server ends its line in the renamed file), the second begins a new file with a date in its name;
 * older files become gz, in two writes.
 */
export class RotatingWriter {
  rotated = 0;
  compressed = 0;
  private at = 0;
  private file: number;
  private path: string;
  private readonly points: number[];
  private readonly toCompress: string[] = [];

  constructor(private readonly options: WriterOptions) {
    this.random = randomOf(options.seed);
    mkdirSync(options.folder, { recursive: true });
    const { rotations, content } = options;
    this.points = Array.from({ length: rotations }, () => this.random() % content.length);
    this.points.sort((a, b) => a - b);
    this.path = join(options.folder, 'app.csv');
    this.file = this.open();
  }

  private readonly random: () => number;

  get share(): number {
    return this.at / this.options.content.length;
  }

  /** Writes the next chunk, and rotates if that is due; false at the end. */
  step(): boolean {
    const { content } = this.options;
    if (this.at >= content.length) return false;
    const bytesMax = this.random() % 4 === 0 ? 20_000 : 600;
    let end = Math.min(this.at + 1 + (this.random() % bytesMax), content.length);
    const due = this.points[0] !== undefined && this.points[0] <= end;
    if (due) end = Math.max(this.at, Math.min(end, this.points.shift()!));
    writeSync(this.file, content.subarray(this.at, end));
    this.at = end;
    if (due) this.rotate();
    return true;
  }

  private rotate(): void {
    const { rotations, copyTruncate = false } = this.options;
    const byNumber = copyTruncate || this.rotated < rotations / 2;
    if (byNumber) {
      this.shift();
      if (copyTruncate) this.endLine();
      if (copyTruncate) copyFileSync(this.path, this.numbered(1));
      else renameSync(this.path, this.numbered(1));
      if (copyTruncate) truncateSync(this.path);
      this.endLine();
      for (let i = this.rotated; i > 1; i--) {
        if (existsSync(this.numbered(i))) this.gzip(this.numbered(i));
      }
    } else {
      this.endLine();
      this.toCompress.push(this.path);
      const day = String(this.rotated).padStart(2, '0');
      this.path = join(this.options.folder, `access-2026-11-${day}.csv`);
      if (this.toCompress.length > 2) this.gzip(this.toCompress.shift()!);
    }
    this.rotated += 1;
    if (copyTruncate) return;
    closeSync(this.file);
    this.file = this.open();
  }

  private numbered(i: number, gz = ''): string {
    return join(this.options.folder, `app.csv.${String(i)}${gz}`);
  }

  /** Frees the first number. */
  private shift(): void {
    for (let i = this.rotated; i > 0; i--) {
      for (const gz of ['', '.gz']) {
        if (existsSync(this.numbered(i, gz))) {
          renameSync(this.numbered(i, gz), this.numbered(i + 1, gz));
        }
      }
    }
  }

  /** What the server does with the file that it has open. */
  private endLine(): void {
    const { content } = this.options;
    if (this.at === 0 || content[this.at - 1] === LF) return;
    const end = content.indexOf(LF, this.at) + 1;
    writeSync(this.file, content.subarray(this.at, end));
    this.at = end;
  }

  private gzip(path: string): void {
    const bytes = gzipSync(readFileSync(path));
    writeFileSync(`${path}.gz`, bytes.subarray(0, bytes.length / 2));
    appendFileSync(`${path}.gz`, bytes.subarray(bytes.length / 2));
    unlinkSync(path);
    this.compressed += 1;
  }

  private open(): number {
    const file = openSync(this.path, 'a');
    if (this.options.header !== undefined) writeSync(file, `${this.options.header}\n`);
    return file;
  }
}

/** Numbers below 2^31 from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 1;
  };
}
