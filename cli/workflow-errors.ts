import {
  ApplicationFailure,
  CancelledFailure,
  ServiceError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ERROR_CODES, TruecountError, type ErrorCode } from '../core/errors.js';

/** What went wrong between us and Temporal, as an error of ours; a defect stays as it is. */
export function temporalError(error: unknown): unknown {
  if (error instanceof TruecountError) return error;
  if (error instanceof WorkflowUpdateFailedError) return failureError(error.cause, {});
  if (error instanceof WorkflowNotFoundError) {
    return new TruecountError('not_found', `no workflow ${error.workflowId} runs`, {
      hint: 'it may have ended: the Temporal UI lists what ran',
      cause: error,
    });
  }
  if (!(error instanceof ServiceError)) return error;
  const why = error.cause instanceof Error ? error.cause.message : error.message;
  return new TruecountError('dependency_unreachable', `Temporal does not answer: ${why}`, {
    hint: 'truecount doctor says what is wrong; what runs goes on when Temporal is back',
    cause: error,
  });
}

/** Why a run ended without a result: with the code that it failed with, where that is one of ours. */
export function endingError(error: unknown, workflowId: string): unknown {
  if (!(error instanceof WorkflowFailedError)) return temporalError(error);
  return failureError(error.cause, { workflow_id: workflowId });
}

function failureError(cause: Error | undefined, context: Record<string, unknown>): TruecountError {
  if (cause instanceof ApplicationFailure) {
    const code = Object.hasOwn(ERROR_CODES, cause.type ?? '')
      ? (cause.type as ErrorCode)
      : 'workflow_failed';
    const [details] = cause.details ?? [];
    const more = typeof details === 'object' && details !== null ? details : {};
    return new TruecountError(code, cause.message, { context: { ...more, ...context }, cause });
  }
  return new TruecountError('workflow_failed', endWord(cause), { context, cause });
}

function endWord(cause: Error | undefined): string {
  if (cause instanceof CancelledFailure) return 'the workflow was cancelled';
  if (cause instanceof TerminatedFailure) return 'the workflow was terminated';
  if (cause instanceof TimeoutFailure) return 'the workflow took too long';
  return `the workflow failed: ${cause?.message ?? 'nobody knows why'}`;
}
