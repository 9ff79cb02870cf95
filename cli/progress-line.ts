import type { WorkflowProgress } from '../workflows/contract.js';

/** A progress in one line: `recompute, 3/24 hours, 1.2 M/9.6 M rows, 410 k rows/s, 20 s left`. */
export function progressLine(progress: WorkflowProgress): string {
  const { stage, hoursDone, hoursTotal, rowsDone, rowsTotal, rate, leftMs } = progress;
  const parts = [progress.paused ? `${stage} (paused)` : stage];
  if (hoursTotal > 1) parts.push(`${String(hoursDone)}/${String(hoursTotal)} hours`);
  if (rowsTotal > 0) parts.push(`${shortCount(rowsDone)}/${shortCount(rowsTotal)} rows`);
  else if (rowsDone > 0) parts.push(`${shortCount(rowsDone)} rows`);
  if (rate !== null) parts.push(`${shortCount(rate)} rows/s`);
  if (leftMs !== null && leftMs > 0) parts.push(`about ${shortDuration(leftMs)} left`);
  if (progress.awaitsApproval !== null) parts.push('waits for approval');
  return parts.join(', ');
}

/** `987`, `12.3 k`, `1.20 M`: three digits that mean something. */
export function shortCount(count: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  let value = count;
  let unit = 0;
  while (Number(value.toPrecision(3)) >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return unit === 0 ? String(Math.round(value)) : value.toPrecision(3) + units[unit]!;
}

/** Bytes in powers of 1,024: `1.50 MiB`. */
export function shortBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  if (unit === 0) return `${String(value)} B`;
  // Between 999.5 and 1,024 of the smaller unit lies less than one of the larger.
  return `${value < 1 ? value.toFixed(2) : value.toPrecision(3)} ${units[unit]!}`;
}

/** `850 ms`, `12 s`, `3 min 20 s`, `1 h 05 min`; a part of a second counts as one. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${String(Math.ceil(ms))} ms`;
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (n: number): string => String(n % 60).padStart(2, '0');
  if (minutes < 60) return `${String(minutes)} min ${two(seconds)} s`;
  return `${String(Math.floor(minutes / 60))} h ${two(minutes)} min`;
}
