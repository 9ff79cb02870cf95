import type { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { asFailure, KERNEL_ATTEMPTS } from '../../activities/failures.js';
import { TruecountError, type ErrorCode } from '../../core/errors.js';

function failureOf(code: ErrorCode, attempt = 1): ApplicationFailure {
  const error = new TruecountError(code, 'what', { hint: 'do', context: { hour: 'h' } });
  return asFailure(error, attempt, null) as ApplicationFailure;
}

describe('asFailure', () => {
  it.each([
    'dependency_unreachable',
    'lake_unavailable',
    'not_ready',
    'kernel_failed',
    'component_unavailable',
  ] as const)('lets %s be retried', (code) => {
    expect(failureOf(code)).toMatchObject({ type: code, nonRetryable: false });
  });

  it.each([
    'lake_file_damaged',
    'lake_file_missing',
    'validation_failed',
    'invariant_broken',
    'revision_conflict',
    'hour_held',
    'invalid_argument',
    'invalid_range',
    'not_found',
    'collected',
  ] as const)('ends with %s', (code) => {
    expect(failureOf(code)).toMatchObject({
      type: code,
      nonRetryable: true,
      message: 'what (do)',
      details: [{ hour: 'h' }],
    });
  });

  it('gives a kernel up that dies again and again', () => {
    expect(failureOf('kernel_failed', KERNEL_ATTEMPTS).nonRetryable).toBe(true);
  });

  it('takes a lost connection for passing trouble, a defect for one that stays', () => {
    const lost = asFailure(new Error('read ECONNRESET'), 1, null);
    expect(lost).toMatchObject({ type: 'dependency_unreachable', nonRetryable: false });
    const defect = asFailure(new TypeError('x is undefined'), 1, null);
    expect(defect).toMatchObject({ type: 'internal', nonRetryable: true });
  });

  it('tells a cancellation by the workflow from a worker that stops', () => {
    expect(asFailure(new Error('aborted'), 1, 'cancelled')).toBeInstanceOf(CancelledFailure);
    expect(asFailure(new Error('aborted'), 1, 'stopped')).toMatchObject({ nonRetryable: false });
    const silent = asFailure(new Error('aborted'), 1, 'silent');
    expect(silent).toMatchObject({ nonRetryable: false, message: 'it gave no sign of life' });
  });
});
