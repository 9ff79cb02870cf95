import { TruecountError } from '../core/errors.js';
import { refusal, refuse } from './failures.js';

/**
 * Checks an input before anything is done: what it throws of ours ends the run with a readable
 * failure. Whoever starts a workflow from a form may have left the input away.
 */
export function checked<I, T>(input: I, check: (input: I) => T): T {
  if (typeof input !== 'object' || input === null) {
    throw refuse('invalid_argument', 'the input is no JSON object');
  }
  try {
    return check(input);
  } catch (error) {
    throw error instanceof TruecountError ? refusal(error) : error;
  }
}
