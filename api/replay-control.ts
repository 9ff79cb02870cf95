/** A replay that somebody wants. Times are RFC 3339 on whole hours; defaults are the workflow's. */
export interface ReplayRequest {
  readonly from: string;
  readonly to: string;
  /** Hash of a stored rule set; left out: each hour's own. */
  readonly rules?: string;
  readonly reason?: string;
  readonly actor?: string;
  /** Publish nothing until somebody approves the hash of what would be published. */
  readonly needsApproval?: boolean;
  /** Hours in work at the same time. */
  readonly parallel?: number;
}

export const REPLAY_STATES = [
  'running',
  'completed',
  'failed',
  'canceled',
  'terminated',
  'timed_out',
] as const;

export interface ReplaySummary {
  /** The workflow's id. */
  readonly id: string;
  readonly runId: string;
  readonly state: (typeof REPLAY_STATES)[number];
  readonly startedAtMs: number;
  readonly closedAtMs: number | null;
}

/** How far a running replay is. */
export interface ReplayProgress {
  readonly stage: string;
  readonly hoursDone: number;
  readonly hoursTotal: number;
  readonly rowsDone: number;
  readonly rowsTotal: number;
  readonly paused: boolean;
  /** Hash to approve, while it waits for that. */
  readonly awaitsApproval: string | null;
  readonly detail: string;
}

/** What a completed replay did. */
export interface ReplayResult {
  /** null: nothing had to be published. */
  readonly publication: number | null;
  readonly hours: number;
  readonly published: number;
  readonly confirmed: number;
  readonly held: number;
  /** Hours that serve a generation with the same inputs: they were not read again. */
  readonly unchanged: number;
  readonly cellsDiffer: number;
  /** Of those published: how many with an alert, and the first 100, what moved most first. */
  readonly alerted: number;
  readonly alerts: readonly {
    readonly hour: string;
    readonly drift: number;
    readonly cellsDiffer: number;
    readonly reason: string;
  }[];
  /** The first 100 of those held. */
  readonly holds: readonly { readonly hour: string; readonly reason: string }[];
}

export interface Replay extends ReplaySummary {
  /** null: it does not run, or no worker answers. */
  readonly progress: ReplayProgress | null;
  /** null: it has not completed. */
  readonly result: ReplayResult | null;
  /** Why it failed, if it did. */
  readonly error: string | null;
}

/**
 * What the API needs of the orchestrator; the runtime gives it one that speaks to Temporal. All
 * throw `dependency_unreachable` where it does not answer.
 */
export interface ReplayControl {
  /** @throws TruecountError `conflict` while a replay of the same range runs */
  start(request: ReplayRequest): Promise<ReplaySummary>;
  /** The newest first. */
  list(limit: number): Promise<readonly ReplaySummary[]>;
  /** null: there is none of that id. */
  get(id: string): Promise<Replay | null>;
}
