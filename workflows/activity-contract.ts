import type {
  CutChoice,
  CutEntryText,
  CutHourResult,
  FailedHour,
  HeldHour,
  HourText,
  PublishRangeInput,
  PublishRangeResult,
  ReconcileHourInput,
  ReconcileHourResult,
} from './contract.js';

/**
 * The activities, as workflows call them: references and small summaries only, never rows (a payload
 * may have 2 MB). Each is idempotent: Temporal may run it again after it took effect.
 */
export interface Activities {
  /** Where the log ends now. */
  logEnds(): Promise<readonly CutEntryText[]>;
  /** Returns once the stream has committed up to the ends; before that it fails with not_ready. */
  awaitStream(ends: readonly CutEntryText[]): Promise<void>;
  /** Cuts one hour; one that was cut keeps its cut. */
  cutHour(input: { readonly hour: HourText }): Promise<CutHourResult>;
  /** Cuts those of the hours that are not cut; how many that were. */
  cutHours(input: { readonly hours: readonly HourText[] }): Promise<number>;
  /** What the hours are now, in order. */
  lookAtHours(input: { readonly hours: readonly HourText[] }): Promise<readonly HourFacts[]>;
  /** What a recompute is a function of, and the generation of it that there is already. */
  resolveInputs(input: ResolveInput): Promise<Resolved>;
  /** Returns once the archive covers the cut; before that it fails with not_ready. */
  awaitArchive(inputs: ResolvedInputs): Promise<void>;
  /** The tasks of a recompute, each with its files. */
  planTasks(inputs: ResolvedInputs): Promise<TaskPlan>;
  /** Diffs a generation against what is counted live or served, and decides. */
  reconcileHour(input: ReconcileHourInput): Promise<ReconcileHourResult>;
  /** SHA-256 over what a publication would change, for approval. */
  hashPlan(plan: readonly PlanLine[]): Promise<string>;
  /** One entry of the ledger; asked again with the same step, the first entry is the answer. */
  publish(input: PublishStep): Promise<PublishRangeResult>;
  /** Hours that are due. */
  dueWork(range: { readonly from?: HourText; readonly to?: HourText }): Promise<DueHours>;
  /** Writes which hours of a settlement failed, and forgets the failures of those that came through. */
  recordFailures(input: SettledHours): Promise<void>;
  /** Removes the scratch objects of the run that asks, whichever attempt left them. */
  removeScratch(): Promise<void>;
  /** Removes what terminated runs left, and the cells of generations past their retention. */
  sweep(): Promise<SweepResult>;
}

/** The activities that need a core and memory; they have a queue of their own. */
export interface TaskActivities {
  /** Counts the clicks of one task into a scratch object of cells. */
  aggregateTask(input: AggregateInput): Promise<TaskResult>;
  /** Loads the cells of all tasks as one generation. */
  loadGeneration(input: LoadInput): Promise<LoadResult>;
}

/** An hour as a replay has to know it. */
export interface HourFacts {
  readonly hour: HourText;
  readonly cut: boolean;
  /** Newest revision; 0: counted live. */
  readonly revision: number;
  readonly latePending: number;
}

export interface ResolveInput {
  readonly hour: HourText;
  readonly cut: CutChoice;
  readonly rules?: string;
  /** Whether a generation of the same inputs will do; else it is computed again and compared. */
  readonly reuse: boolean;
}

export interface ResolvedInputs {
  readonly hour: HourText;
  /** Hash of the rule set. */
  readonly ruleSet: string;
  readonly cut: readonly CutEntryText[];
}

export interface Resolved {
  readonly inputs: ResolvedInputs;
  readonly existing: LoadResult | null;
  /** The newest revision at that moment; 0: none. What serves may have said which rules and cut. */
  readonly revision: number;
}

export interface TaskPlan {
  readonly tasks: readonly {
    /** Numbers of files in the manifest. */
    readonly fileIds: readonly number[];
    readonly rows: number;
    readonly bytes: number;
  }[];
}

export interface AggregateInput {
  readonly inputs: ResolvedInputs;
  readonly fileIds: readonly number[];
}

/** Per event minute, 60 numbers each. */
export type TaskFlow = Readonly<
  Record<'received' | 'counted' | 'duplicate' | 'filtered', number[]>
> & {
  /** The filtered ones by reason. */
  readonly filteredBy: Readonly<Record<string, readonly number[]>>;
};

export interface TaskResult {
  readonly cells: { key: string; bytes: number; sha256: string; rows: number };
  readonly flow: TaskFlow;
  readonly rowsRead: number;
}

export interface LoadInput {
  readonly inputs: ResolvedInputs;
  readonly fileIds: readonly number[];
  /** Those of a release that knew no filters have no `filteredBy`. */
  readonly tasks: readonly (Omit<TaskResult, 'flow'> & {
    readonly flow: Omit<TaskFlow, 'filteredBy'> & Partial<TaskFlow>;
  })[];
}

export interface LoadResult {
  readonly generation: number;
  readonly checksum: string;
  readonly clicks: number;
  readonly cells: number;
  readonly existed: boolean;
}

/** One hour of a plan: what approval is given for. */
export interface PlanLine {
  readonly hour: HourText;
  readonly expectedRevision: number;
  readonly checksum: string;
  readonly ruleSet: string;
  readonly unchanged: boolean;
  /** Who approves a hold has seen that it is one. */
  readonly decision: ReconcileHourResult['decision'];
}

export interface PublishStep extends PublishRangeInput {
  /** Name of the step within its run: with the ids of the run it names the request. */
  readonly step: string;
}

export interface DueHours {
  readonly toCut: readonly HourText[];
  readonly toRecompute: readonly HourText[];
  readonly toExamine: readonly HourText[];
  /** How many more wait for a person's decision. */
  readonly waiting: number;
  /** Those, with why. Absent in histories of releases that did not name them. */
  readonly waitingFor?: readonly HeldHour[];
}

/** How a settlement ended for the hours that it had in work. */
export interface SettledHours {
  readonly failed: readonly FailedHour[];
  /** Published, confirmed, or held for a person. */
  readonly done: readonly HourText[];
}

export interface SweepResult {
  readonly scratchRemoved: number;
  readonly generationsCollected: number;
}
