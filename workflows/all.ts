/** The entry of the bundle: the exported names are the workflow types, a public contract. */
export { cutHour } from './cut-hour.js';
export { publishRange } from './publish-range.js';
export { recomputeHour } from './recompute-hour.js';
export { reconcileHour } from './reconcile-hour.js';
export { replayRange } from './replay-range.js';
export { settleDueHours } from './settle-due-hours.js';
