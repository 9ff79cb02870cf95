import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { TruecountError } from '../core/errors.js';
import type { ErrorCode } from '../core/errors.js';

/**
 * An error of ours as the failure that ends a run: a plain Error would only fail the workflow task,
 * which is then tried again for ever.
 */
export function refusal(error: TruecountError): ApplicationFailure {
  const { code, message, hint, context } = error;
  const text = hint === undefined ? message : `${message} (${hint})`;
  return ApplicationFailure.create({
    message: text,
    type: code,
    nonRetryable: true,
    details: [context],
  });
}

/** A refusal with one of the closed codes as its type. */
export function refuse(code: ErrorCode, message: string, hint?: string): ApplicationFailure {
  return refusal(new TruecountError(code, message, hint === undefined ? {} : { hint }));
}

/**
 * The failure that ends a run: an activity's or child's own failure comes out on top, so that its
 * type is one of the closed codes. Cancellations and defects stay as they are. An attempt that failed
 * or fell silent after the run was cancelled is not tried again: that is the cancellation, too.
 */
export function endingFailure(error: unknown): unknown {
  if (error instanceof TruecountError) return refusal(error);
  if (isCancellation(error)) return error;
  if (!(error instanceof ActivityFailure || error instanceof ChildWorkflowFailure)) return error;
  if (error.retryState === 'CANCEL_REQUESTED') {
    return new CancelledFailure(`cancelled: ${described(error).message}`, [], error);
  }
  const { type, message } = described(error);
  const details = rootCause(error);
  return ApplicationFailure.create({
    message,
    type,
    nonRetryable: true,
    details: details instanceof ApplicationFailure ? [...(details.details ?? [])] : [],
    cause: error,
  });
}

/** Code and words of a failure. */
export function described(error: unknown): { readonly type: string; readonly message: string } {
  const root = rootCause(error);
  if (root instanceof TruecountError) return { type: root.code, message: root.message };
  if (root instanceof ApplicationFailure) {
    return { type: root.type ?? 'workflow_failed', message: root.message };
  }
  if (root instanceof TimeoutFailure) {
    const what = error instanceof ActivityFailure ? error.activityType : 'the workflow';
    return { type: 'not_ready', message: `${what} took too long (${root.timeoutType})` };
  }
  const message = root instanceof Error ? root.message : String(root);
  return { type: 'workflow_failed', message };
}

/** The failure under the wrappers of activity and child. */
function rootCause(error: unknown): unknown {
  let at = error;
  while (
    (at instanceof ActivityFailure || at instanceof ChildWorkflowFailure) &&
    at.cause !== undefined
  ) {
    at = at.cause;
  }
  return at;
}
