import type { Client } from '@temporalio/client';
import { PROGRESS_QUERY, type WorkflowProgress } from '../workflows/contract.js';
import { Progress, say } from './output.js';
import { progressLine } from './progress-line.js';

const QUERY_TIMEOUT_MS = 3_000;
/** A replay may take hours: a log gets a line this often, and one for every stage. */
export const LOG_EVERY_MS = 10_000;

/** Told when a run waits for a person's approval of `hash`; `words` say what of. */
export type OnApproval = (hash: string, words: string) => void;

/** Shows how far one run is. */
export class Follower {
  private readonly progress: Progress;
  /** One of so many that not every stage of each is told. */
  readonly ofMany: boolean;
  private stage = '';
  private approval: string | null = null;
  private silent = false;

  constructor(
    private readonly client: Client,
    private readonly workflowId: string,
    private readonly prefix: string,
    private readonly onApproval: OnApproval | undefined,
    shared: Progress | undefined,
  ) {
    this.ofMany = shared !== undefined;
    this.progress = shared ?? new Progress(LOG_EVERY_MS);
  }

  /** Asks and shows. A run whose worker does not answer is said so once; it goes on when one is. */
  async update(): Promise<void> {
    const deadline = Date.now() + QUERY_TIMEOUT_MS;
    try {
      // Without a run id: after a run has continued as a new one, that one answers.
      const now = await this.client.withDeadline(deadline, () =>
        this.client.workflow.getHandle(this.workflowId).query<WorkflowProgress>(PROGRESS_QUERY),
      );
      this.show(now);
      this.silent = false;
    } catch {
      if (this.silent) return;
      this.silent = true;
      this.progress.update('no worker answers yet: truecount run worker starts one');
    }
  }

  done(): void {
    this.progress.done();
  }

  private show(now: WorkflowProgress): void {
    const line = this.prefix + progressLine(now);
    // In a log each stage has a line of its own, however short it was.
    if (now.stage !== this.stage && !this.ofMany && !process.stderr.isTTY) say(line);
    else this.progress.update(line);
    this.stage = now.stage;
    if (now.awaitsApproval !== null && now.awaitsApproval !== this.approval) {
      this.progress.done();
      this.onApproval?.(now.awaitsApproval, now.detail);
    }
    this.approval = now.awaitsApproval;
  }
}
