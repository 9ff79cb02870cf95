import { TruecountError } from '../core/errors.js';
import { refusal } from './failures.js';

/**
 * Checks an input before anything is done: what it throws of ours ends the run, or refuses the update,
 * with a readable failure. Whoever starts a workflow from a form may have left the input away.
 */
export function checked<T>(input: unknown, check: (input: unknown) => T): T {
  try {
    return check(input);
  } catch (error) {
    throw error instanceof TruecountError ? refusal(error) : error;
  }
}
