import type { WorkflowProgress } from './contract.js';

/** What a workflow knows of its progress. */
export interface ProgressState {
  stage: string;
  hoursDone: number;
  hoursTotal: number;
  rowsDone: number;
  rowsTotal: number;
  paused: boolean;
  awaitsApproval: string | null;
  detail: string;
}

export function noProgress(hoursTotal: number): ProgressState {
  return {
    stage: 'start',
    hoursDone: 0,
    hoursTotal,
    rowsDone: 0,
    rowsTotal: 0,
    paused: false,
    awaitsApproval: null,
    detail: '',
  };
}

/**
 * The state with its rate (rows per second since the start) and the time left: by rows within one
 * hour, by hours over a range.
 */
export function progressAt(state: Readonly<ProgressState>, elapsedMs: number): WorkflowProgress {
  const { hoursDone, hoursTotal, rowsDone, rowsTotal } = state;
  const rate = rowsDone > 0 && elapsedMs > 0 ? Math.round((rowsDone * 1000) / elapsedMs) : null;
  const [done, total] = hoursTotal > 1 ? [hoursDone, hoursTotal] : [rowsDone, rowsTotal];
  const known = done > 0 && total > 0 && elapsedMs > 0;
  const leftMs = known ? Math.max(0, Math.round((elapsedMs / done) * (total - done))) : null;
  return { ...state, rate, leftMs };
}

/** The progress as a Markdown table, for the page of the run in the Temporal UI. */
export function progressTable(progress: WorkflowProgress): string {
  const { stage, hoursDone, hoursTotal, rowsDone, rowsTotal, rate, leftMs } = progress;
  const rows = rowsTotal > 0 ? `${String(rowsDone)} / ${String(rowsTotal)}` : String(rowsDone);
  const lines = [
    '| stage | hours | rows | rows/s | time left |',
    '| --- | --- | --- | --- | --- |',
    `| ${stage}${progress.paused ? ' (paused)' : ''} | ${String(hoursDone)} / ${String(hoursTotal)} ` +
      `| ${rows} | ${rate === null ? '–' : String(rate)} | ${leftMs === null ? '–' : duration(leftMs)} |`,
  ];
  if (progress.awaitsApproval !== null) {
    lines.push('', `Waits for \`approve\` of \`${progress.awaitsApproval}\`.`);
  }
  if (progress.detail !== '') lines.push('', progress.detail.replaceAll('\n', '\n\n'));
  return lines.join('\n');
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, '0')} min`;
}
