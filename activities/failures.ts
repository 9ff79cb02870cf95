import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import { TruecountError } from '../core/errors.js';
import type { ErrorCode } from '../core/errors.js';
import { isPassing } from '../store/session.js';

/** Codes of trouble that passes: Temporal tries the activity again. All others end it. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'dependency_unreachable',
  'component_unavailable',
  'lake_unavailable',
  'not_ready',
  'kernel_failed',
]);

/**
 * A kernel that dies on one task at this attempt will die again: it lacks memory, or has a defect. The
 * server also counts attempts that ended with their worker, so it is more than a few.
 */
export const KERNEL_ATTEMPTS = 8;

/** Why the activity was told to end: by its workflow, for its silence, or since its worker stops. */
export type Aborted = 'cancelled' | 'silent' | 'stopped' | null;

/**
 * What an activity's error becomes, in one place: its type is one of the closed codes, and whether it
 * is retried follows from that. `attempt` counts from 1.
 */
export function asFailure(error: unknown, attempt: number, aborted: Aborted): Error {
  if (aborted === 'cancelled') {
    return new CancelledFailure('the activity was cancelled', [], asError(error));
  }
  if (aborted !== null) {
    const why = aborted === 'silent' ? 'it gave no sign of life' : 'its worker stopped';
    return ApplicationFailure.retryable(why, 'component_unavailable');
  }
  if (error instanceof ApplicationFailure) return error;
  const ours = asTruecountError(error);
  const { code, message, hint, context } = ours;
  const passes = PASSING.has(code) && !(code === 'kernel_failed' && attempt >= KERNEL_ATTEMPTS);
  return ApplicationFailure.create({
    message: hint === undefined ? message : `${message} (${hint})`,
    type: code,
    nonRetryable: !passes,
    details: [plain(context)],
    cause: ours,
    // What is only being waited for is neither logged nor counted as a failure.
    ...(code === 'not_ready' ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}

function asTruecountError(error: unknown): TruecountError {
  if (error instanceof TruecountError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return isPassing(error)
    ? new TruecountError('dependency_unreachable', why, { cause: error })
    : new TruecountError('internal', why, { cause: error });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A context as a payload: JSON, and small. */
function plain(context: Readonly<Record<string, unknown>>): unknown {
  try {
    const text = JSON.stringify(context);
    return text.length > 2_000 ? {} : (JSON.parse(text) as unknown);
  } catch {
    return {};
  }
}
