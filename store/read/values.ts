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

/** The same for a column that may be null. */
export function exactNumberOrNull(text: string | number | null): number | null {
  return text === null ? null : exactNumber(text);
}
