import { open, rename, stat } from 'node:fs/promises';

/** One line that became no click. */
export interface Reject {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly reason: string;
  /** As it stands in the file, without its end; null if it was too long to be kept. */
  readonly bytes: Buffer | null;
}

/**
 * Keeps rejected lines, one JSON document a line: `at` (RFC 3339), `file`, `line`, `column`, `reason`,
 * `text`, and `base64` instead of `text` where the line is not UTF-8. Over `bytesMax` the file is
 * renamed to NAME.1, over the one before: at most twice as much is on the disk.
 */
export class RejectsFile {
  constructor(
    readonly path: string,
    private readonly bytesMax: number,
  ) {}

  /** Appends; durable when it resolves. */
  async append(rejects: readonly Reject[], nowMs: number): Promise<void> {
    if (rejects.length === 0) return;
    const at = new Date(nowMs).toISOString();
    const lines = rejects.map(({ file, line, column, reason, bytes }) => {
      return `${JSON.stringify({ at, file, line, column, reason, ...asText(bytes) })}\n`;
    });
    await this.makeRoom();
    const file = await open(this.path, 'a', 0o640);
    try {
      await file.appendFile(lines.join(''));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private async makeRoom(): Promise<void> {
    const size = await stat(this.path).then(
      (stats) => stats.size,
      () => 0,
    );
    if (size >= this.bytesMax) await rename(this.path, `${this.path}.1`);
  }
}

function asText(bytes: Buffer | null): { text?: string; base64?: string } {
  if (bytes === null) return {};
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? { text } : { base64: bytes.toString('base64') };
}
