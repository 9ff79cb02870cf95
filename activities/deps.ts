import type pg from 'pg';
import type { TaskRunner } from '../batch/runner.js';
import type { Cut } from '../core/cut.js';
import type { LakeStore } from '../lake/store.js';

/** What activities work with; a process entry puts it together. */
export interface ActivityDeps {
  /** One session for short writing transactions; it is closed afterwards. */
  readonly session: <T>(use: (client: pg.Client) => Promise<T>) => Promise<T>;
  /** One for diffs of whole hours. The signal cancels what runs on it. */
  readonly longSession: <T>(
    signal: AbortSignal,
    use: (client: pg.Client) => Promise<T>,
  ) => Promise<T>;
  readonly tasks: TaskRunner;
  readonly lake: LakeStore;
  readonly log: LogPort;
  readonly batch: {
    readonly rowsPerTaskMin: number;
  };
  readonly reconcile: {
    readonly thresholdPpm: number;
    readonly overThreshold: 'alert' | 'hold';
  };
  /** Counts hours that were published with an alert, by the type of the workflow. */
  readonly alerted: (workflowType: string, hours: number) => void;
  readonly settle: {
    readonly lateAfterMs: number;
    readonly hoursMax: number;
    readonly keepGenerations: number;
    readonly keepMs: number;
  };
}

/** The log of clicks, as far as a cut needs it. */
export interface LogPort {
  /** Where each partition ends now. Throws dependency_unreachable. */
  ends(): Promise<Cut>;
  /** Returns if the stream has committed up to the ends. Throws not_ready, naming what is missing. */
  assertCommitted(ends: Cut): Promise<void>;
}
