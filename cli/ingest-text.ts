import { printable } from '../core/printable.js';
import { REJECTIONS_LISTED } from '../ingest/ingest.js';
import type { FileIngest, FileProgress, FileResult } from './ingest-file.js';
import { shortDuration } from './progress-line.js';

/** The progress of several files: `sent 120000 clicks, 40000/s, 30 %, 7 s left`. */
export class IngestProgress {
  private readonly startMs = performance.now();
  private readonly byPath = new Map<string, FileProgress>();
  private readonly sizeBytes: number;

  constructor(files: readonly FileIngest[]) {
    this.sizeBytes = files.reduce((sum, { input }) => sum + (input.sizeBytes ?? NaN), 0);
  }

  update(path: string, progress: FileProgress): void {
    this.byPath.set(path, progress);
  }

  text(): string {
    const elapsedMs = Math.max(performance.now() - this.startMs, 1);
    let [sent, sentNow, read, readNow] = [0, 0, 0, 0];
    for (const { taken, takenBefore, readBytes, startBytes } of this.byPath.values()) {
      sent += taken;
      sentNow += taken - takenBefore;
      read += readBytes;
      readNow += readBytes - startBytes;
    }
    const rate = `sent ${sent} clicks, ${Math.round((sentNow / elapsedMs) * 1_000)}/s`;
    if (Number.isNaN(this.sizeBytes) || readNow <= 0) return rate;
    const leftMs = (elapsedMs * (this.sizeBytes - read)) / readNow;
    const share = Math.floor((read / this.sizeBytes) * 100);
    return `${rate}, ${share} %, ${shortDuration(leftMs)} left`;
  }
}

/** What an ingest says with `--json`; of one file without `files`. */
export interface IngestDocument {
  readonly file?: string;
  readonly topic: string;
  readonly sent: number;
  readonly bytes: number;
  readonly rejected: number;
  readonly rejections: readonly {
    readonly file?: string;
    readonly line: number;
    readonly column?: number;
    readonly reason: string;
  }[];
  readonly sent_before?: number;
  readonly files?: readonly Omit<FileResult, 'rejections'>[];
  readonly elapsed_ms: number;
  readonly per_second: number;
}

export function ingestDocument(
  results: readonly FileResult[],
  topic: string,
  elapsedMs: number,
): IngestDocument {
  const sum = (of: (result: FileResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const sentNow = sum(({ sent, sent_before: before = 0 }) => sent - before);
  const times = {
    elapsed_ms: Math.round(elapsedMs),
    per_second: Math.round((sentNow / Math.max(elapsedMs, 1)) * 1_000),
  };
  const [only] = results;
  if (only !== undefined && results.length === 1) {
    const { file, ...result } = only;
    return { file, topic, ...result, ...times };
  }
  const rejections = results.flatMap(({ file, rejections: listed }) =>
    listed.map((rejection) => ({ file, ...rejection })),
  );
  return {
    topic,
    sent: sum(({ sent }) => sent),
    bytes: sum(({ bytes }) => bytes),
    rejected: sum(({ rejected }) => rejected),
    rejections: rejections.slice(0, REJECTIONS_LISTED),
    files: results.map(({ rejections: _, ...result }) => result),
    ...times,
  };
}

/** The same for people. */
export function ingestText(document: IngestDocument): string {
  const { sent, sent_before: before, topic, rejected, rejections, files = [] } = document;
  const seconds = (document.elapsed_ms / 1_000).toFixed(1);
  const earlier = before === undefined ? '' : `, ${before} of them by an earlier run`;
  const listed = rejections.map(({ file, line, column, reason }) => {
    const where = file === undefined ? `line ${line}` : `${file}, line ${line}`;
    const character = column === undefined ? '' : `, character ${column}`;
    return `  ${printable(`${where}${character}: ${reason}`)}`;
  });
  const more = rejected - listed.length;
  return [
    ...files.map((one) => `${printable(one.file)}: sent ${one.sent}, rejected ${one.rejected}`),
    `sent ${sent} to ${topic} in ${seconds} s (${document.per_second}/s)${earlier}`,
    `rejected ${rejected}`,
    ...listed,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}
