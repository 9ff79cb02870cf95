import type { CellsFile, EngineLimits, AggregateTask, TaskProgress } from '../batch/task.js';
import { ERROR_CODES, TruecountError } from '../core/errors.js';
import type { ErrorCode } from '../core/errors.js';
import type { GenerationDraft } from '../core/generation-draft.js';

/** What a task process is told, each time when it is idle. JSON. */
export interface TaskOrder {
  readonly job:
    | { readonly kind: 'aggregate'; readonly task: AggregateTask }
    | {
        readonly kind: 'load';
        readonly draft: GenerationDraft;
        readonly cells: readonly CellsFile[];
        /** With the password: it goes by the pipe, not by arguments or the environment. */
        readonly postgresUrl: string;
      };
  readonly lakeUrl: string;
  readonly limits: EngineLimits;
  /** An existing folder of this task alone; whoever gives the order removes it. */
  readonly scratchDir: string;
}

/** What a task process says. */
export type TaskMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: TaskProgress }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: TaskError };

/** An error on its way from one process to another. */
export interface TaskError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint?: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly stack?: string;
}

export function packError(error: unknown): TaskError {
  if (error instanceof TruecountError) {
    const { code, message, hint, context } = error;
    return { code, message, context, ...(hint === undefined ? {} : { hint }) };
  }
  if (!(error instanceof Error)) return { code: null, message: String(error), context: {} };
  const { message, stack } = error;
  return { code: null, message, context: {}, ...(stack === undefined ? {} : { stack }) };
}

/** The error as the caller of a task sees it; one without a code is `kernel_failed`. */
export function unpackError({ code, message, hint, context, stack }: TaskError): TruecountError {
  const known = code !== null && Object.hasOwn(ERROR_CODES, code);
  return new TruecountError(known ? code : 'kernel_failed', message, {
    ...(hint === undefined ? {} : { hint }),
    context: stack === undefined ? context : { ...context, stack },
  });
}
