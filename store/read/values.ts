import { TruecountError } from '../../core/errors.js';

/**
 * A whole number from Postgres (`bigint` and `numeric` arrive as text) as a JavaScript number,
 * which is exact below 2^53. A larger one is an error: no digit is ever lost.
 */
export function exactNumber(text: string | number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new TruecountError('internal', `${String(text)} is too large to be given exactly`, {
    hint: 'ask for a shorter range',
  });
}

/** A whole number without a bound: a bigint where a number would not be exact, from 2^53 on. */
export type ExactCount = number | bigint;

/** A whole number from Postgres as what is exact. */
export function exactCount(text: string | number): ExactCount {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** The sum of counts that are exact, exactly. */
export function exactSum(counts: readonly number[]): ExactCount {
  const sum = counts.reduce((a, b) => a + b, 0);
  // A sum that is safe was safe at every step, since no count is negative.
  return Number.isSafeInteger(sum) ? sum : counts.reduce((a, b) => a + BigInt(b), 0n);
}

/** The same as `exactNumber` for a column that may be null. */
export function exactNumberOrNull(text: string | number | null): number | null {
  return text === null ? null : exactNumber(text);
}
