import { peakRssBytes, rssBytes } from './proc.js';
import type { Row } from './report.js';

const SAMPLE_MS = 250;
const PARTS = 10;
/** Within less a process has not taken yet what it needs. */
const JUDGED_SAMPLES_MIN = 60_000 / SAMPLE_MS;
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

/** What is wrong with the memory of `whose`; a run of less than a minute is not judged. */
export function growth(whose: string, samples: readonly number[]): readonly string[] {
  const parts = tenths(samples);
  if (samples.length < JUDGED_SAMPLES_MIN || isFlat(parts)) return [];
  const shown = parts.map((bytes) => Math.round(bytes / 1e6)).join(', ');
  return [`the memory of ${whose} grows: most resident MB by tenths of the time ${shown}`];
}

/** The tenths as columns. */
export function tenthsRow(samples: readonly number[]): Row {
  const parts = tenths(samples).map((bytes) => (bytes / 1e6).toFixed(1));
  return Object.fromEntries(parts.map((megabytes, i) => [`${String((i + 1) * 10)} %`, megabytes]));
}

/** Resident memory of a process from now until it is asked for. */
export class MemoryWatch {
  private readonly samples: number[] = [];
  private readonly timer: NodeJS.Timeout;
  /** The most that it ever had, as far as was seen. */
  peakBytes = 0;

  constructor(pid: number) {
    this.timer = setInterval(() => {
      const bytes = rssBytes(pid);
      if (bytes > 0) this.samples.push(bytes);
      this.peakBytes = Math.max(this.peakBytes, peakRssBytes(pid));
    }, SAMPLE_MS);
  }

  stop(): readonly number[] {
    clearInterval(this.timer);
    return this.samples;
  }
}
