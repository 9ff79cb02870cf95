import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

export type Row = Readonly<Record<string, string | number>>;

/** What one sub-benchmark measured: the table as people read it, and whatever it was made from. */
export interface Report {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Sentences under the table: what the figures mean, what was checked. */
  readonly notes: readonly string[];
  /** What must not be: the run ends with exit code 1. */
  readonly failures?: readonly string[];
  readonly raw?: unknown;
}

/** Prints a table with right-aligned columns; the first is left-aligned. */
export function printReport({ name, rows, notes, failures = [] }: Report): void {
  console.log(`\n${name}\n`);
  const titles = Object.keys(rows[0] ?? {});
  const lines = [titles, ...rows.map((row) => titles.map((title) => String(row[title] ?? '')))];
  const widths = titles.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    const cells = line.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
    );
    console.log(`  ${cells.join('  ')}`);
  }
  for (const note of notes) console.log(`  ${note}`);
  for (const failure of failures) console.log(`  FAILED: ${failure}`);
}

/** Where and when it was measured: a figure means little without it. */
export function machine(): Record<string, string | number> {
  return {
    date: new Date().toISOString(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    node: process.version,
    loadAverage: loadavg()
      .map((load) => load.toFixed(2))
      .join(' '),
  };
}

export function writeJson(file: string, before: object, reports: readonly Report[]): void {
  const document = { before, after: machine(), reports };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that a share `p` of the values does not exceed (nearest rank). */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]!;
}

export function thousands(n: number): string {
  return Math.round(n).toLocaleString('en');
}
