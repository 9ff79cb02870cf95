/**
 * What clients, workflows and activities agree on: names, inputs and results. Plain JSON only: times
 * are RFC 3339 text, so that a person can type an input into the start form of the Temporal UI.
 */
export const SETTLE_QUEUE = 'truecount-settle';
export const REPLAY_QUEUE = 'truecount-replay';
export const SETTLE_SCHEDULE_ID = 'truecount-settle';

/**
 * Where tasks that need a core and memory wait, of the workflows of a queue: each has its own, so that
 * a wide replay never keeps what is due from settling.
 */
export function tasksOf(queue: string): string {
  return `${queue}-tasks`;
}

/** An hour as `2026-11-21T10:00:00Z`; also `2026-11-21T10` is read. */
export type HourText = string;

export interface CutHourInput {
  readonly hour: HourText;
  /** Also an hour that is not over: its coming clicks will be late. */
  readonly early?: boolean;
}

/** One partition of a cut. */
export interface CutEntryText {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
}

export interface CutHourResult {
  readonly hour: HourText;
  readonly cutNow: boolean;
  readonly cut: readonly CutEntryText[];
}

export type CutChoice = 'hour' | 'served' | 'late';

export interface RecomputeHourInput {
  readonly hour: HourText;
  /**
   * Which cut: `hour` is that of the hour (the default); `served` that of the generation that serves
   * (the hour's, if none does); `late` a higher one that takes in the late clicks recorded so far.
   */
  readonly cut?: CutChoice;
  /** Hash of a stored rule set; default: the served generation's, else the hour's pin. */
  readonly rules?: string;
  /**
   * Take a generation of the same inputs, where there is one; default: compute it again, and fail
   * if its cells come out different (I10).
   */
  readonly reuse?: boolean;
  /** How long it may wait for the archive to pass the cut; default 2 hours. */
  readonly archiveTimeoutMs?: number;
}

export interface RecomputeHourResult {
  readonly hour: HourText;
  readonly generation: number;
  readonly checksum: string;
  readonly ruleSet: string;
  readonly clicks: number;
  readonly cells: number;
  /** Rows read from the lake; 0 where it existed. */
  readonly rowsRead: number;
  /** True: the same inputs had been computed before. */
  readonly existed: boolean;
  /** The newest revision of the hour when it was decided what to compute; 0: none. */
  readonly revision: number;
}

export interface ReconcileHourInput {
  readonly hour: HourText;
  readonly generation: number;
  /** `live`: what the stream counted; `served`: the generation that serves now. Default: served, if one does. */
  readonly against?: 'live' | 'served';
}

export interface ReconcileHourResult {
  readonly hour: HourText;
  readonly reconciliation: number;
  readonly generation: number;
  readonly cellsDiffer: number;
  /** Share of clicks that moved. */
  readonly drift: number;
  readonly decision: 'publish' | 'publish_alert' | 'hold';
  readonly reason: string;
  /** The served revision that it was compared at; publishing expects it unchanged. */
  readonly revision: number;
  /** The same cells as the served generation: to be confirmed, not published. */
  readonly unchanged: boolean;
  /** The generation that serves at that revision; null: the hour is live. */
  readonly served: number | null;
}

export interface PublishHour {
  readonly hour: HourText;
  readonly generation: number;
  /** The revision that must be the newest now; 0: none. */
  readonly expectedRevision: number;
  readonly reconciliation?: number;
  /** Of a confirmation: the generation that came out the same, at whose cut the hour was examined. */
  readonly examinedBy?: number;
}

export interface PublishRangeInput {
  readonly hours: readonly PublishHour[];
  readonly kind: 'publish' | 'rollback' | 'confirm' | 'release';
  readonly actor: string;
  readonly reason: string;
  /** Automatic publication leaves held hours alone; a person's releases them. */
  readonly automatic?: boolean;
}

export interface PublishRangeResult {
  /** The publication number: `as_of` of everything from now on. */
  readonly publication: number;
  readonly hours: readonly { readonly hour: HourText; readonly revision: number }[];
}

export interface ReplayRangeInput {
  readonly from: HourText;
  readonly to: HourText;
  /** Hash of a stored rule set; default: each hour's own. */
  readonly rules?: string;
  readonly reason?: string;
  readonly actor?: string;
  /** Wait for `approve` with the plan's hash before anything is published. */
  readonly needsApproval?: boolean;
  /** How long it waits for that; then it stops and publishes nothing. Default 7 days. */
  readonly approvalTimeoutMs?: number;
  /** Hours in work at the same time; default 2. */
  readonly parallel?: number;
}

export interface ReplayRangeResult {
  readonly publication: number | null;
  readonly planHash: string;
  readonly hours: number;
  readonly published: number;
  readonly confirmed: number;
  readonly held: number;
  /**
   * Hours that serve a generation with the same inputs already: nothing was read for them. Absent
   * in results of releases that did not count them: it is what the other numbers leave of `hours`.
   */
  readonly unchanged?: number;
  readonly cellsDiffer: number;
  /** Of those published: how many with an alert. Absent, as the lists, in results of old releases. */
  readonly alerted?: number;
  readonly alerts?: readonly HourAlert[];
  readonly holds?: readonly HeldHour[];
}

export interface SettleInput {
  /** Only these hours; default: all. */
  readonly from?: HourText;
  readonly to?: HourText;
}

export interface FailedHour {
  readonly hour: HourText;
  /** Closed code and words: `lake_file_missing: …`. */
  readonly error: string;
}

/** An hour that was published although much changed, or something that nothing explains. */
export interface HourAlert {
  readonly hour: HourText;
  /** Share of clicks that moved. */
  readonly drift: number;
  readonly cellsDiffer: number;
  readonly reason: string;
}

/** An hour that was not published: a person decides. */
export interface HeldHour {
  readonly hour: HourText;
  readonly reason: string;
}

/** Alerts, and held hours, that a result names at most. */
export const TOLD_MAX = 100;

export interface SettleResult {
  readonly cut: number;
  readonly published: number;
  readonly confirmed: number;
  readonly held: number;
  /** Of those published: how many with an alert. */
  readonly alerted: number;
  /** The first TOLD_MAX of them, those that differ most first. */
  readonly alerts: readonly HourAlert[];
  /** Of those held the first TOLD_MAX, also such as were held before. */
  readonly holds: readonly HeldHour[];
  readonly failed: readonly FailedHour[];
  readonly publication: number | null;
}

/** Progress as the `progress` query answers and the CLI shows. */
export interface WorkflowProgress {
  readonly stage: string;
  readonly hoursDone: number;
  readonly hoursTotal: number;
  readonly rowsDone: number;
  readonly rowsTotal: number;
  /** Rows per second so far; null before there are any. */
  readonly rate: number | null;
  /** Estimated time to the end; null where nothing can be said. */
  readonly leftMs: number | null;
  readonly paused: boolean;
  /** Hash to approve, while it waits for that. */
  readonly awaitsApproval: string | null;
  readonly detail: string;
}

/** Readable ids; an id is a lock: one open run each. */
export const workflowIds = {
  cut: (hour: HourText) => `cut/${hour}`,
  recompute: (hour: HourText, rules: string) => `recompute/${hour}/${rules.slice(0, 12)}`,
  reconcile: (hour: HourText, generation: number) => `reconcile/${hour}/${String(generation)}`,
  publish: (name: string) => `publish/${name}`,
  replay: (from: HourText, to: HourText) => `replay/${from}--${to}`,
} as const;

/** What the update `approve` takes; it is refused with approval_stale if the plan is another. */
export interface ApproveInput {
  /** `awaitsApproval` of the progress. */
  readonly hash: string;
  readonly actor?: string;
}

/** What the update `reject` takes. */
export interface RejectInput {
  readonly actor?: string;
  readonly reason?: string;
}

export const PROGRESS_QUERY = 'progress';
export const PAUSE_SIGNAL = 'pause';
export const RESUME_SIGNAL = 'resume';
export const APPROVE_UPDATE = 'approve';
export const REJECT_UPDATE = 'reject';
