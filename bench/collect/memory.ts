import { rssBytes } from '../support/proc.js';
import type { Report } from '../support/report.js';

const SAMPLE_MS = 250;
const PARTS = 10;
/** More than this above the beginning is growth. */
const GROWTH = 1.1;

/** The largest of each tenth of the samples; fewer where there are fewer samples. */
export function tenths(samples: readonly number[]): number[] {
  const ends = Array.from({ length: PARTS }, (_, i) => ((i + 1) * samples.length) / PARTS);
  return ends
    .map((end, i) => samples.slice(Math.round(ends[i - 1] ?? 0), Math.round(end)))
    .filter((part) => part.length > 0)
    .map((part) => Math.max(...part));
}

/** Whether the last three tenths are no more than 10 % above the first three. */
export function isFlat(parts: readonly number[]): boolean {
  return Math.max(...parts.slice(-3)) <= GROWTH * Math.max(...parts.slice(0, 3));
}

/** Resident memory of a process from now until it is asked for. */
export class MemoryWatch {
  private readonly samples: number[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.timer = setInterval(() => this.samples.push(rssBytes(pid)), SAMPLE_MS);
  }

  stop(): readonly number[] {
    clearInterval(this.timer);
    return this.samples;
  }
}

/** A table of the tenths, and whether they grow. */
export function memoryReport(samples: readonly number[], seconds: number): Report {
  const parts = tenths(samples);
  return {
    name: `collect: memory of the collector while Kafka is away for ${String(seconds)} s`,
    rows: parts.map((bytes, i) => ({
      tenth: i + 1,
      'most resident MB': (bytes / 1e6).toFixed(1),
    })),
    notes: [
      `${isFlat(parts) ? 'flat' : 'IT GROWS'}: the last three tenths are ` +
        `${isFlat(parts) ? 'no' : ''} more than 10 % above the first three`,
    ],
    raw: parts,
  };
}
