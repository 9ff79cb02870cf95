import { Worker } from 'node:worker_threads';
import type { TryRules } from '../../api/answers/rules-trial.js';
import type { TrialOrder } from '../../api/answers/trial-steps.js';
import { TruecountError } from '../../core/errors.js';
import { packageFile } from '../package-root.js';
import { unpackError, type TaskError } from '../task-messages.js';

type Trials = Awaited<ReturnType<TryRules>>;

/** What the thread of a trial says. */
export type TrialMessage =
  | { readonly kind: 'done'; readonly result: Trials }
  | { readonly kind: 'failed'; readonly error: TaskError };

/** Each takes a core. */
const AT_ONCE = 2;
const TRIAL_MS_MAX = 10_000;
/** A rule set may have tables of 16 MiB as JSON. */
const HEAP_MIB_MAX = 512;

/**
 * Trials of rule sets, each in a thread that can be ended: one click may take a pattern as long as it
 * likes, and a thread that waits for it would answer nobody else.
 */
export class TrialRuns {
  private readonly running = new Set<() => void>();

  constructor(private readonly msMax = TRIAL_MS_MAX) {}

  /**
   * @throws TruecountError those of the trial; `not_ready` where it takes too long or too much memory,
   * where others are tried, or the service ends
   */
  async run(order: TrialOrder): Promise<Trials> {
    if (this.running.size >= AT_ONCE) {
      throw new TruecountError('not_ready', 'other rule sets are being tried', {
        hint: 'try again in a moment, or run `truecount rules try` beside the service',
      });
    }
    const worker = new Worker(packageFile('dist', 'runtime', 'rules', 'trial-worker.js'), {
      workerData: order,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    const giveUp = new AbortController();
    const end = (): void => {
      giveUp.abort();
    };
    this.running.add(end);
    const timer = setTimeout(end, this.msMax);
    try {
      return await outcomeOf(worker, giveUp.signal);
    } finally {
      clearTimeout(timer);
      // Until it is gone it takes its core.
      await worker.terminate();
      this.running.delete(end);
    }
  }

  /** Gives up those that run. */
  close(): void {
    for (const end of this.running) end();
  }
}

function outcomeOf(worker: Worker, givenUp: AbortSignal): Promise<Trials> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: TrialMessage) => {
      if (message.kind === 'done') resolve(message.result);
      else reject(unpackError(message.error));
    });
    worker.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? tooMuch('needs too much memory', cause)
          : new TruecountError('kernel_failed', `the trial failed: ${cause.message}`, { cause }),
      );
    });
    givenUp.addEventListener('abort', () => {
      reject(tooMuch('took too long'));
    });
  });
}

function tooMuch(why: string, cause?: Error): TruecountError {
  return new TruecountError('not_ready', `the trial ${why} and was given up`, {
    hint: 'try fewer clicks at once, or `truecount rules try`',
    ...(cause === undefined ? {} : { cause }),
  });
}
